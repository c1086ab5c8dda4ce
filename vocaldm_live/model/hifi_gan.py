"""HiFi-GAN: log-mel to samples by transposed convolutions and blocks of dilated ones (arXiv 2010.05646).

Tensor names are those of transformers' SpeechT5HifiGan, whose files load as they are. AudioLDM decodes with it
at 16 and 48 kHz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from vocaldm_live.model.reach import Reach

Padding = Literal["half", "exact"]
EDGE_KERNEL = 7  # of the first and the last convolution


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Zeros on each side of a convolution that keeps the length; odd kernels."""
    return dilation * (kernel - 1) // 2


class ResidualBlock(nn.Module):
    """Pairs of convolutions, dilated and plain, each pair added to its input; `[batch, channels, samples]`."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=same_padding(kernel, dilation))
            for dilation in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=same_padding(kernel)) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape kept."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = dilated(leaky_relu(x, self.slope))
            x = plain(leaky_relu(inner, self.slope)) + x
        return x


class HiFiGAN(nn.Module):
    """Log-mel `[batch, bands, frames]` to samples `[batch, frames * hop]`, hop the product of `rates`.

    channels: width before the first stage, halved by each; rates, kernels: a transposed convolution a stage;
    block_kernels, block_dilations: the residual blocks whose mean each stage ends in. padding: `half` cuts
    (kernel - rate) // 2 at both sides, as nearly every HiFi-GAN does, and can run some samples over, which
    are cut off; `exact` is the rule of AudioLDM's training code at 48 kHz for kernels of twice the rate: where
    the rate is odd it stands a sample of that stage later. normalised: the mel is centred and scaled by
    the file's own mean and scale first.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        bands: int,
        channels: int,
        rates: Sequence[int],
        kernels: Sequence[int],
        block_kernels: Sequence[int],
        block_dilations: Sequence[Sequence[int]],
        slope: float = 0.1,
        padding: Padding = "half",
        normalised: bool = False,
    ) -> None:
        super().__init__()
        self.slope, self.normalised = slope, normalised
        self.hop = math.prod(rates)
        self.blocks_a_stage = len(block_kernels)
        self.conv_pre = nn.Conv1d(bands, channels, EDGE_KERNEL, padding=same_padding(EDGE_KERNEL))
        self.upsampler = nn.ModuleList(
            _upsampler(channels >> stage, rate, kernel, padding)
            for stage, (rate, kernel) in enumerate(zip(rates, kernels, strict=True))
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(channels >> (stage + 1), kernel, dilations, slope)
            for stage in range(len(rates))
            for kernel, dilations in zip(block_kernels, block_dilations, strict=True)
        )
        self.conv_post = nn.Conv1d(channels >> len(rates), 1, EDGE_KERNEL, padding=same_padding(EDGE_KERNEL))
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        self.context = _context(rates, kernels, block_kernels, block_dilations)

    def forward(self, mel: Tensor) -> Tensor:
        """Samples in -1..1; a frame's own depend on no frame that is more than `context` frames away."""
        x = mel
        if self.normalised:
            x = (x - self.mean[:, None]) / self.scale[:, None]
        x = self.conv_pre(x)
        for stage, upsample in enumerate(self.upsampler):
            x = upsample(leaky_relu(x, self.slope))
            first = stage * self.blocks_a_stage
            total = self.resblocks[first](x)
            for block in range(first + 1, first + self.blocks_a_stage):
                total = total + self.resblocks[block](x)
            x = total / self.blocks_a_stage
        # The published networks end in torch's own slope of 0.01, whatever the others have.
        samples: Tensor = torch.tanh(self.conv_post(leaky_relu(x)))
        return samples[:, 0, : mel.shape[2] * self.hop]


def _upsampler(channels: int, rate: int, kernel: int, padding: Padding) -> nn.ConvTranspose1d:
    cut, more = (kernel - rate) // 2, 0
    if padding == "exact":
        cut, more = rate // 2 + rate % 2, rate % 2
    return nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=cut, output_padding=more)


def _context(
    rates: Sequence[int],
    kernels: Sequence[int],
    block_kernels: Sequence[int],
    block_dilations: Sequence[Sequence[int]],
) -> int:
    reach = Reach()
    reach.convolution(EDGE_KERNEL)
    for rate, kernel in zip(rates, kernels, strict=True):
        reach.upsampling(kernel, rate)
        reach.widest(
            [[*((k, dilation) for dilation in dilations), *((k, 1) for _ in dilations)]
             for k, dilations in zip(block_kernels, block_dilations, strict=True)]
        )  # fmt: skip
    reach.convolution(EDGE_KERNEL)
    return reach.frames
