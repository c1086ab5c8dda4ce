"""VAE: log-mel images to latents and back (an AutoencoderKL; the house's has two levels down and no attention)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vocaldm_live.model.autoencoder import AutoencoderKL
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import fold, unfold


class MelVAE(nn.Module):
    """Between log-mel `[batch, mel_bands, frames]` and standardised latents `[batch, 8, frames / 4, bins]`.

    `latent_mean` and `latent_scale` `[8]` make every latent channel zero mean and unit variance over the
    training set; they are measured once, by `fit`. Without attention cost grows with length only.
    attention: one in each middle, as AudioLDM's has; floored: whether decoded mels end at the geometry's floor.
    """

    latent_mean: Tensor
    latent_scale: Tensor

    def __init__(
        self,
        geometry: Geometry,
        channels: Sequence[int] = (16, 32, 64),
        layers: int = 1,
        groups: int = 8,
        attention: bool = False,
        floored: bool = True,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.network = AutoencoderKL(
            geometry.fold, geometry.latent_channels, channels, layers, groups, attention
        )
        self.floored = floored
        self.register_buffer("latent_mean", torch.zeros(geometry.latent_channels))
        self.register_buffer("latent_scale", torch.ones(geometry.latent_channels))

    def posterior(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the raw latent, each `[batch, 8, frames / 4, bins]`."""
        return self.network.encode(fold(mel, self.geometry))

    def reconstruct(self, raw: Tensor) -> Tensor:
        """Raw latent to log-mel `[batch, mel_bands, frames]`."""
        return unfold(self.network.decode(raw), self.geometry)

    def fit(self, raw: Tensor) -> None:
        """Measure the latent's statistics from raw latents `[clips, 8, ...]`."""
        axes = (0, *range(2, raw.ndim))
        self.latent_mean.copy_(raw.mean(axes))
        self.latent_scale.copy_(raw.std(axes).clamp_min(1e-3))

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel to the standardised latent (the posterior's mean); frames must divide by 4."""
        return (self.posterior(mel)[0] - self.latent_mean[:, None, None]) / self.latent_scale[:, None, None]

    def decode(self, latent: Tensor) -> Tensor:
        """Standardised latent to log-mel; where `floored`, not below the geometry's floor."""
        raw = latent * self.latent_scale[:, None, None] + self.latent_mean[:, None, None]
        mel = self.reconstruct(raw)
        return mel.clamp_min(math.log(self.geometry.mel_floor)) if self.floored else mel
