"""AudioLDM's UNet (arXiv 2301.12503): eps from a latent, a timestep and one CLAP vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vocaldm_live.model.adapter import CONDITION_SIZE
from vocaldm_live.model.conditional_unet import ConditionalUNet
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import Geometry

GROUPS = 32


class AudioLDMUNet(nn.Module):
    """Predicts eps from a noisy latent `[batch, 8, T / 4, 16]`, timesteps `[batch]` and a Condition's vector.

    The vector is taken as it is, at unit length, and the Condition's image is not looked at. `null` `[512]` is
    CLAP's embedding of the empty text, which stood in for every tenth condition in training: the unconditional
    that guidance leans from.
    """

    null: Tensor

    def __init__(
        self,
        geometry: Geometry,
        channels: Sequence[int],
        layers: int,
        heads: Sequence[int],
        transformers: int,
    ) -> None:
        super().__init__()
        self.network = ConditionalUNet(
            geometry.latent_channels,
            channels,
            layers,
            attention=[level > 0 for level in range(len(channels))],
            heads=heads,
            groups=GROUPS,
            vector_width=CONDITION_SIZE,
            transformers=transformers,
        )
        self.register_buffer("null", torch.zeros(CONDITION_SIZE))

    def forward(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """eps, of x_t's shape."""
        return self.network(x_t, t, condition.vector.to(x_t))

    def null_condition(self, batch: int) -> Tensor:
        """`[batch, 512]`."""
        return self.null.expand(batch, -1)


def head_counts(channels: Sequence[int], head_width: int) -> tuple[int, ...]:
    """Heads of each level: as many as heads of that width fill it (32 in the s, m and 48 kHz models, 64 in l).

    The published diffusers folders say 8 everywhere; weights load either way, so nothing fails and everything is
    wrong: the original divides.
    """
    return tuple(max(1, width // head_width) for width in channels)


def published_head_width(model_channels: int) -> int:
    """Width of a head in the model that begins with so many channels; no tensor tells it."""
    return 64 if model_channels >= 256 else 32
