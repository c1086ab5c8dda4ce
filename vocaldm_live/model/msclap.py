"""MS-CLAP: seven seconds of sound, or words, to a unit vector in one space: HTS-AT and GPT-2 (arXiv 2309.05767).

Tensor names are those of Microsoft's CLAP below `audio_encoder.` and `caption_encoder.`; known by its package's code
alone, for no weights were at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vocaldm_live.model.clap_audio import HTSAT, mel_in_db
from vocaldm_live.model.gpt2 import GPT2
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.geometry import Geometry

SAMPLE_RATE, LENGTH = 44100, 7 * 44100
MEL = Geometry(SAMPLE_RATE, 1024, 320, 64, 50.0, 8000.0, 1, 1, 1, 1e-10, 0.0, 1.0)
PLACES = 77  # tokens of a text at most
CLOSING = "<|endoftext|>"


class MSProjection(nn.Module):
    """Two linear layers without biases, the second one around a GELU and added to the first; normalised."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, outputs, bias=False)
        self.linear2 = nn.Linear(outputs, outputs, bias=False)
        self.layer_norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, inputs]` to `[batch, outputs]`."""
        first = self.linear1(x)
        return self.layer_norm(first + self.linear2(functional.gelu(first)))


class MSClapText(nn.Module):
    """Tokens `[batch, places]`, each row closed, to unit vectors `[batch, vector_width]`."""

    def __init__(
        self, size: int, places: int, width: int, layers: int, heads: int, vector_width: int
    ) -> None:
        super().__init__()
        self.base = GPT2(size, places, width, layers, heads)
        self.projection = MSProjection(width, vector_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """What the last token says, of rows that are all as long; in float32."""
        return functional.normalize(self.projection(self.base(tokens)[:, -1]), dim=-1)


class MSClapAudio(nn.Module):
    """Mels `[batch, 1, 965, 64]` to unit vectors `[batch, vector_width]`; sizes as of `ClapAudio`."""

    def __init__(
        self, width: int, depths: Sequence[int], heads: Sequence[int], window: int, vector_width: int
    ) -> None:
        super().__init__()
        self.base = nn.ModuleDict({"htsat": HTSAT(width, depths, heads, window)})
        self.projection = MSProjection(width << (len(depths) - 1), vector_width)

    def forward(self, mel: Tensor) -> Tensor:
        """In float32, as `ClapAudio`."""
        return functional.normalize(self.projection(self.base["htsat"](mel)), dim=-1)


def ms_listened(tower: MSClapAudio, sound: Sound, device: torch.device | str) -> Tensor:
    """A sound's unit vector `[1, vector_width]`: of its first seven seconds, or of it over and over."""
    samples = np.ascontiguousarray(sound.at(SAMPLE_RATE).samples[:LENGTH], dtype=np.float32)
    filled = np.resize(samples, LENGTH) if len(samples) else np.zeros(LENGTH, np.float32)
    return tower(mel_in_db(torch.from_numpy(filled)[None].to(device), MEL))
