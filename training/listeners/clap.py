"""Clap: CLAP's towers out of an imported preset; for the CLAP score, and for FAD that hears words' meanings."""

from __future__ import annotations

import numpy as np
import torch

from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import load_part, read_preset, read_text
from vocaldm_live.checkpoints.tokens import byte_pairs
from vocaldm_live.engine.saying import shortened
from vocaldm_live.errors import PresetError
from vocaldm_live.model.clap_audio import SAMPLE_RATE, clap_mel, filled


class Clap:
    """Unit vectors of 512 numbers over a sound's first ten seconds; raises PresetError without the audio tower."""

    rate = SAMPLE_RATE
    width = 512

    def __init__(self, preset: str) -> None:
        self._preset = read_preset(resolve_preset(preset))
        self._parts = self._preset.header.parts
        if self._parts.clap_audio is None:
            raise PresetError(
                f"The preset {self._preset.name} has no CLAP audio tower: import a .ckpt that has it."
            )
        self.name = f"clap:{self._preset.name}"
        self.sha256 = self._parts.clap_audio.sha256
        self._audio = load_part(self._preset, "clap_audio")
        self._text: torch.nn.Module | None = None

    @property
    def understands_words(self) -> bool:
        """Whether the preset has the text tower too."""
        return self._parts.clap_text is not None

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The embedding of a sound, float32 `[n]` to `[512]`."""
        with torch.inference_mode():
            mel = clap_mel(filled(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)))[None])
            vector: np.ndarray = self._audio(mel)[0].numpy()
        return vector

    def windows(self, samples: np.ndarray) -> np.ndarray:
        """The same as `[1, 512]`."""
        return self(samples)[None]

    def classes(self, samples: np.ndarray) -> np.ndarray | None:
        """It was taught no classes."""
        return None

    def words(self, text: str) -> np.ndarray:
        """The embedding of a text, float32 `[512]`; raises PresetError without the text tower."""
        part = self._parts.clap_text
        if part is None:
            raise PresetError(f"The preset {self._preset.name} understands no words: import one that does.")
        if self._text is None:
            self._text = load_part(self._preset, "clap_text")
            self._encode = byte_pairs(
                read_text(self._preset, part.vocabulary), read_text(self._preset, part.merges)
            )
        tokens = shortened(self._encode(" ".join(text.split())), part.places - 2)
        with torch.inference_mode():
            vector: np.ndarray = self._text(torch.tensor([tokens]))[0].numpy()
        return vector
