"""Embedder: from a sound to the unit vector by which the encoder compares it with others."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.model.encoder import Encoder, normalise
from vocaldm_live.model.encoder_mel import SAMPLE_RATE, EncoderMel
from vocaldm_live.sound.audio import Sound

ENCODER_SECONDS = 10.0
SHORTEST_ENCODED = 0.25


class Embedder:
    """Encodes sounds with the two towers of one encoder on one device."""

    def __init__(self, encoder: Encoder, device: torch.device | str = "cpu") -> None:
        self.encoder = encoder
        self.device = torch.device(device)
        self.front_end = EncoderMel().to(self.device)

    def embed(self, sound: Sound, is_imitation: bool) -> Tensor:
        """Unit embedding `[1, 960]` of the first ten seconds, by the imitation's or the reference's tower."""
        samples = sound.at(SAMPLE_RATE).samples[: int(ENCODER_SECONDS * SAMPLE_RATE)]
        samples = np.pad(samples, (0, max(0, int(SHORTEST_ENCODED * SAMPLE_RATE) - len(samples))))
        mel = self.front_end(torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device))
        return normalise(
            self.encoder.embed_imitation(mel) if is_imitation else self.encoder.embed_reference(mel)
        )

    def vector(self, sound: Sound, is_imitation: bool) -> np.ndarray:
        """The same as float32 `[960]`, without gradients, as libraries keep it."""
        with torch.inference_mode():
            return self.embed(sound, is_imitation)[0].float().cpu().numpy()
