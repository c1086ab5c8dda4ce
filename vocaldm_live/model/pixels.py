"""Pixels: log-mel images as they are in the place of latents, for diffusion without a VAE."""

from __future__ import annotations

import math

from torch import Tensor, nn

from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import fold, unfold


class Pixels(nn.Module):
    """Between log-mel `[batch, mel_bands, frames]` and pixels `[batch, fold, frames, bins]`; it has no weights.

    The geometry's `mel_mean` and `mel_scale` bring what is heard to about -1 .. 1.
    Raises ValueError where the geometry is one of latents.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        if geometry.factor != 1 or geometry.latent_channels != geometry.fold:
            raise ValueError("pixels need a geometry with factor 1 and as many latent_channels as fold")
        self.geometry = geometry

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel to pixels."""
        return fold(mel, self.geometry)

    def decode(self, latent: Tensor) -> Tensor:
        """Pixels to log-mel, not below the geometry's floor."""
        return unfold(latent, self.geometry).clamp_min(math.log(self.geometry.mel_floor))
