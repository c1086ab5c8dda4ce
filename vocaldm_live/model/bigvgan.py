"""BigVGAN: HiFi-GAN's stages with periodic, alias-free activations (arXiv 2206.04658), versions 1 and 2.

Tensor names are those of the published generators, weight normalisation folded in and filters left out, since
those follow from a formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from vocaldm_live.model.alias_free import LOOKS, AliasFree, Snake
from vocaldm_live.model.hifi_gan import EDGE_KERNEL, same_padding
from vocaldm_live.model.reach import Reach

Activation = Literal["snake", "snakebeta"]


class PairedBlock(nn.Module):
    """Each dilated convolution followed by a plain one, an activation before either; the pair added to its input."""

    def __init__(
        self, channels: int, kernel: int, dilations: Sequence[int], own_beta: bool, log: bool
    ) -> None:
        super().__init__()
        self.convs1 = _dilated(channels, kernel, dilations)
        self.convs2 = _dilated(channels, kernel, [1] * len(dilations))
        self.activations = _activations(channels, 2 * len(dilations), own_beta, log)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channels, samples]`, shape kept."""
        first, second = self.activations[::2], self.activations[1::2]
        for dilated, plain, before, between in zip(self.convs1, self.convs2, first, second, strict=True):  # type: ignore[call-overload]
            x = plain(between(dilated(before(x)))) + x
        return x


class SingleBlock(nn.Module):
    """Dilated convolutions, an activation before each, each added to its input."""

    def __init__(
        self, channels: int, kernel: int, dilations: Sequence[int], own_beta: bool, log: bool
    ) -> None:
        super().__init__()
        self.convs = _dilated(channels, kernel, dilations)
        self.activations = _activations(channels, len(dilations), own_beta, log)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channels, samples]`, shape kept."""
        for dilated, before in zip(self.convs, self.activations, strict=True):
            x = dilated(before(x)) + x
        return x


class BigVGAN(nn.Module):
    """Log-mel `[batch, bands, frames]` to samples `[batch, frames * hop]`, hop the product of `rates`.

    channels, rates, kernels, block_kernels, block_dilations: as in `model.hifi_gan`. paired: blocks of pairs
    (the published `resblock` "1") or of single convolutions ("2"). activation: snake or snakebeta, its
    parameters stored as logarithms where `logarithmic`. tanh_at_end, bias_at_end: as in version 1; version 2
    has neither and clips at -1 and 1.
    """

    def __init__(
        self,
        bands: int,
        channels: int,
        rates: Sequence[int],
        kernels: Sequence[int],
        block_kernels: Sequence[int],
        block_dilations: Sequence[Sequence[int]],
        paired: bool = True,
        activation: Activation = "snakebeta",
        logarithmic: bool = True,
        tanh_at_end: bool = True,
        bias_at_end: bool = True,
    ) -> None:
        super().__init__()
        self.tanh_at_end = tanh_at_end
        self.hop = math.prod(rates)
        self.blocks_a_stage = len(block_kernels)
        own_beta = activation == "snakebeta"
        block: type[PairedBlock] | type[SingleBlock] = PairedBlock if paired else SingleBlock
        last = channels >> len(rates)
        self.conv_pre = nn.Conv1d(bands, channels, EDGE_KERNEL, padding=same_padding(EDGE_KERNEL))
        # A list in a list, as the published names have it.
        self.ups = nn.ModuleList(
            nn.ModuleList([_upsampler(channels >> stage, rate, kernel)])
            for stage, (rate, kernel) in enumerate(zip(rates, kernels, strict=True))
        )
        self.resblocks = nn.ModuleList(
            block(channels >> (stage + 1), kernel, dilations, own_beta, logarithmic)
            for stage in range(len(rates))
            for kernel, dilations in zip(block_kernels, block_dilations, strict=True)
        )
        self.activation_post = AliasFree(Snake(last, own_beta, logarithmic))
        self.conv_post = nn.Conv1d(last, 1, EDGE_KERNEL, padding=same_padding(EDGE_KERNEL), bias=bias_at_end)
        self.context = _context(rates, kernels, block_kernels, block_dilations, paired)

    def forward(self, mel: Tensor) -> Tensor:
        """Samples in -1..1; a frame's own depend on no frame that is more than `context` frames away."""
        x = self.conv_pre(mel)
        for stage, (upsample,) in enumerate(self.ups):  # type: ignore[misc]
            x = upsample(x)  # type: ignore[has-type]
            first = stage * self.blocks_a_stage
            total = self.resblocks[first](x)
            for block in range(first + 1, first + self.blocks_a_stage):
                total = total + self.resblocks[block](x)
            x = total / self.blocks_a_stage
        samples: Tensor = self.conv_post(self.activation_post(x))
        samples = torch.tanh(samples) if self.tanh_at_end else samples.clamp(-1.0, 1.0)
        return samples[:, 0, : mel.shape[2] * self.hop]


def _dilated(channels: int, kernel: int, dilations: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=same_padding(kernel, dilation))
        for dilation in dilations
    )


def _activations(channels: int, count: int, own_beta: bool, logarithmic: bool) -> nn.ModuleList:
    return nn.ModuleList(AliasFree(Snake(channels, own_beta, logarithmic)) for _ in range(count))


def _upsampler(channels: int, rate: int, kernel: int) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)


def _context(
    rates: Sequence[int],
    kernels: Sequence[int],
    block_kernels: Sequence[int],
    block_dilations: Sequence[Sequence[int]],
    paired: bool,
) -> int:
    reach = Reach()
    reach.convolution(EDGE_KERNEL)
    for rate, kernel in zip(rates, kernels, strict=True):
        reach.upsampling(kernel, rate)
        rows = [
            [(size, dilation) for dilation in dilations] + [(size, 1)] * (len(dilations) if paired else 0)
            for size, dilations in zip(block_kernels, block_dilations, strict=True)
        ]
        reach.widest(rows, between=LOOKS)
    reach.samples(LOOKS)
    reach.convolution(EDGE_KERNEL)
    return reach.frames
