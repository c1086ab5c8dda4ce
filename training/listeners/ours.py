"""Ours: the encoder of a preset, its tower for sounds. It judges its own preset's clips too kindly."""

from __future__ import annotations

import numpy as np

from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.library.ears import EncoderEars
from vocaldm_live.model.encoder_mel import SAMPLE_RATE
from vocaldm_live.sound.audio import Sound


class Ours:
    """Unit vectors of 960 numbers over a sound's first ten seconds; raises PresetError."""

    rate = SAMPLE_RATE

    def __init__(self, preset: str) -> None:
        found = read_preset(resolve_preset(preset))
        self.name = f"ours:{found.name}"
        self._ears = EncoderEars(found)
        self.sha256 = self._ears.sha256
        self.width = self._ears.width

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The embedding of a sound, float32 `[n]` to `[960]`."""
        return self._ears(Sound(samples, self.rate))

    def windows(self, samples: np.ndarray) -> np.ndarray:
        """The same as `[1, 960]`."""
        return self(samples)[None]

    def classes(self, samples: np.ndarray) -> np.ndarray | None:
        """It classifies nothing."""
        return None
