"""UNet: the house's denoiser, the AudioLDM family's blocks with a sketch added at the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vocaldm_live.model.adapter import CONDITION_SIZE
from vocaldm_live.model.conditional_unet import ConditionalUNet
from vocaldm_live.model.sketch_image import image_channels
from vocaldm_live.sound.geometry import Geometry


@dataclass(frozen=True)
class Condition:
    """What a clip is (vector `[batch, 512]`) and how it moves (image `[batch, channels, T / 4, 16]`, zeros: free).

    A UNet that hears token by token takes them for the vector (`model.audioldm`).
    """

    vector: Tensor
    image: Tensor

    def join(self, other: Condition) -> Condition:
        """Both in one batch, this one's rows first."""
        return Condition(torch.cat((self.vector, other.vector)), torch.cat((self.image, other.image)))


class SketchedInput(nn.Module):
    """The UNet's first convolution, plus a bias-free projection of the sketch image that begins at zero.

    Takes latent and image stacked, `[batch, latent + image channels, T / 4, bins]`. An image of zeros adds
    exactly nothing (the zero convolution of ControlNet, arXiv 2302.05543).
    """

    def __init__(self, first: nn.Module, latent_channels: int, sketch_channels: int, width: int) -> None:
        super().__init__()
        self.first = first
        self.latent_channels = latent_channels
        self.sketch = nn.Conv2d(sketch_channels, width, 3, padding=1, bias=False)
        nn.init.zeros_(self.sketch.weight)

    def forward(self, stacked: Tensor) -> Tensor:
        """`[batch, width, T / 4, bins]`."""
        latent, image = stacked[:, : self.latent_channels], stacked[:, self.latent_channels :]
        return self.first(latent) + self.sketch(image)


class SketchUNet(nn.Module):
    """Predicts v from a noisy latent `[batch, 8, T / 4, 16]`, timesteps `[batch]` and a Condition.

    The vector enters as AudioLDM's does: beside the timestep embedding, into every residual block. It is
    a unit vector and is brought to unit elements here.
    """

    def __init__(
        self,
        geometry: Geometry,
        channels: Sequence[int] = (32, 64, 96, 160),
        layers: int = 1,
        attention_from: int = 2,
        head_width: int = 32,
        groups: int = 8,
    ) -> None:
        super().__init__()
        self.network = ConditionalUNet(
            geometry.latent_channels,
            channels,
            layers,
            attention=[level >= attention_from for level in range(len(channels))],
            heads=[max(1, width // head_width) for width in channels],
            groups=groups,
            vector_width=CONDITION_SIZE,
        )
        self.network.conv_in = SketchedInput(
            self.network.conv_in, geometry.latent_channels, image_channels(geometry), channels[0]
        )

    def forward(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """v `[batch, 8, T / 4, 16]`."""
        vector = condition.vector * math.sqrt(CONDITION_SIZE)
        stacked = torch.cat((x_t, condition.image.to(x_t)), dim=1)
        return self.network(stacked, t, vector.to(x_t))
