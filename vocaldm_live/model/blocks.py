"""Blocks: residual block, samplers and timestep embedding, what UNet and VAE of the AudioLDM family are made of.

Tensor names and arithmetic are those of diffusers' ResnetBlock2D, Downsample2D, Upsample2D and TimestepEmbedding
(tests/test_model_unet.py holds them against it), so weights of that family load as they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST_PERIOD = 10000.0


class ResnetBlock(nn.Module):
    """`[batch, inputs, height, width]` to `[batch, outputs, height, width]`, steered by an embedding if it takes one."""

    def __init__(
        self, inputs: int, outputs: int, groups: int, eps: float, embedding_width: int | None = None
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = None if embedding_width is None else nn.Linear(embedding_width, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, eps)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """embedding: `[batch, embedding_width]`, before its activation."""
        hidden = self.conv1(fresh_silu(self.norm1(x)))
        if self.time_emb_proj is not None and embedding is not None:
            hidden = hidden + self.time_emb_proj(functional.silu(embedding))[:, :, None, None]
        hidden = self.conv2(fresh_silu(self.norm2(hidden)))
        if self.conv_shortcut is not None:
            # Gradients in the weight's own memory order, which DistributedDataParallel asks for.
            x = self.conv_shortcut(x.contiguous() if self.training else x)
        return x + hidden


class Downsample(nn.Module):
    """Halves both axes by a strided convolution, padded on all sides or (`padding` 0) after the end only."""

    def __init__(self, width: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, width, h, w]` to half of both; odd sizes are rounded up (`padding` 0: down)."""
        return self.conv(x if self.padding else functional.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Doubles both axes, or brings them to a size, by repeating neighbours; a convolution after it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """`[batch, width, h, w]` to `[batch, width, *size]`, without a size to `2 h` and `2 w`."""
        size = (2 * x.shape[2], 2 * x.shape[3]) if size is None else size
        return self.conv(functional.interpolate(x, size, mode="nearest"))


class TimestepEmbedding(nn.Module):
    """Two linear layers over the sinusoids of a timestep."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        self.linear_2 = nn.Linear(outputs, outputs)

    def forward(self, sinusoids: Tensor) -> Tensor:
        """`[batch, inputs]` to `[batch, outputs]`."""
        return self.linear_2(functional.silu(self.linear_1(sinusoids)))


def timestep_sinusoids(t: Tensor, width: int) -> Tensor:
    """Timesteps `[batch]` as cosines and sines at falling frequencies, float32 `[batch, width]`."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t[:, None].float() * torch.exp(-math.log(LONGEST_PERIOD) * steps / half)
    return functional.pad(torch.cat((angles.cos(), angles.sin()), dim=1), (0, width % 2))


def fresh_silu(x: Tensor) -> Tensor:
    """SiLU of a tensor that nobody else holds: in its own memory unless a gradient needs what stood there."""
    return functional.silu(x, inplace=not torch.is_grad_enabled())
