"""Ears: a preset's encoder as libraries hear by it, its reference tower for sounds and the other for voices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vocaldm_live.errors import PresetError
from vocaldm_live.sound.audio import Sound

if TYPE_CHECKING:
    import torch

    from vocaldm_live.checkpoints.preset import Preset

SPACE = "qvim"


def encoder_hash(preset: Preset) -> str:
    """The SHA-256 of the encoder's weights: what vectors may be compared with one another; raises PresetError."""
    encoder = preset.header.parts.encoder
    if encoder is None:
        raise PresetError(f"The preset {preset.name} has no encoder: name one that has, as house.")
    return encoder.sha256


class EncoderEars:
    """The encoder of a preset, loaded without the rest of it; raises PresetError."""

    name = SPACE

    def __init__(self, preset: Preset, device: torch.device | str = "cpu") -> None:
        import torch

        from vocaldm_live.checkpoints.preset import load_encoder
        from vocaldm_live.model.embedder import Embedder
        from vocaldm_live.model.encoder import EMBEDDING_SIZE

        encoder = load_encoder(preset, device)
        for parameter in encoder.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.sha256 = encoder_hash(preset)
        self.width = EMBEDDING_SIZE
        self._embedder = Embedder(encoder, device)

    def __call__(self, sound: Sound) -> np.ndarray:
        """A sound's unit vector, float32 `[960]`."""
        return self._embedder.vector(sound, False)

    def imitation(self, sound: Sound) -> np.ndarray:
        """A voice's unit vector, float32 `[960]`."""
        return self._embedder.vector(sound, True)
