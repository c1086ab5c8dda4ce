"""AudioLDM's UNet, steered by a timestep and one CLAP vector, or by other conditions, and its VAE (arXiv 2301.12503)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vocaldm_live.model.adapter import CONDITION_SIZE
from vocaldm_live.model.autoencoder import AutoencoderKL
from vocaldm_live.model.conditional_unet import ConditionalUNet
from vocaldm_live.model.cross_attention import Context
from vocaldm_live.model.unet import Condition
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import Geometry

GROUPS = 32


class AudioLDMUNet(nn.Module):
    """Predicts eps (x0, v) from a noisy latent `[batch, 8, T / 4, 16]`, timesteps `[batch]` and a Condition's vector.

    The vector is taken as it is, at unit length where it is CLAP's, and the Condition's image is not looked at.
    `null` `[vector_width]` is the embedding of the empty text, which stood in for every tenth condition in training:
    the unconditional that guidance leans from. Published models take vectors of 512 numbers; 0: none at all.
    With a context_width what is said comes token by token: the vector is then `[batch, places, context_width + 1]`,
    its last column 1 where a token is there, and so is the null. attention_from: the first level with attention.
    """

    null: Tensor

    def __init__(
        self,
        geometry: Geometry,
        channels: Sequence[int],
        layers: int,
        heads: Sequence[int],
        transformers: int,
        vector_width: int = CONDITION_SIZE,
        context_width: int = 0,
        places: int = 0,
        attention_from: int = 1,
    ) -> None:
        super().__init__()
        self.network = ConditionalUNet(
            geometry.latent_channels,
            channels,
            layers,
            attention=[level >= attention_from for level in range(len(channels))],
            heads=heads,
            groups=GROUPS,
            vector_width=0 if context_width else vector_width,
            transformers=transformers,
            context_width=context_width,
        )
        self.crossed = context_width > 0
        null = torch.zeros((places, context_width + 1) if self.crossed else (vector_width,))
        self.register_buffer("null", null)

    def forward(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """What it predicts, of x_t's shape."""
        told = condition.vector.to(x_t)
        return (
            self.network(x_t, t, context=Context.unpacked(told))
            if self.crossed
            else self.network(x_t, t, told)
        )

    def null_condition(self, batch: int) -> Tensor:
        """`[batch, 512]`, or of the width and form that this UNet takes."""
        return self.null.expand(batch, *self.null.shape)


class AudioLDMVAE(MelVAE):
    """AudioLDM's VAE: with attention in its middles, its mels without a floor; `latent_scale` is 1 / scale factor."""

    def __init__(self, geometry: Geometry, channels: Sequence[int], layers: int) -> None:
        super().__init__(geometry, channels, layers, GROUPS)
        self.network = AutoencoderKL(
            geometry.fold, geometry.latent_channels, channels, layers, GROUPS, attention=True
        )

    def decode(self, latent: Tensor) -> Tensor:
        """Scaled latent to log-mel `[batch, mel_bands, frames]`."""
        return self.reconstruct(latent * self.latent_scale[:, None, None] + self.latent_mean[:, None, None])


def head_counts(channels: Sequence[int], head_width: int) -> tuple[int, ...]:
    """Heads of each level: as many as heads of that width fill it (32 in the s, m and 48 kHz models, 64 in l).

    The published diffusers folders say 8 everywhere; weights load either way, so nothing fails and everything is
    wrong: the original divides.
    """
    return tuple(max(1, width // head_width) for width in channels)


def published_head_width(model_channels: int) -> int:
    """Width of a head in the model that begins with so many channels; no tensor tells it."""
    return 64 if model_channels >= 256 else 32
