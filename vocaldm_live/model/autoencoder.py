"""AutoencoderKL: images to latents and back, as latent diffusion has it (arXiv 2112.10752).

Tensor names, their order and arithmetic are those of diffusers' AutoencoderKL.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vocaldm_live.model.attention import ImageAttention
from vocaldm_live.model.blocks import Downsample, ResnetBlock, Upsample, fresh_silu

NORM_EPS = 1e-6
LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE = -30.0, 20.0


class AutoencoderKL(nn.Module):
    """Images `[batch, image_channels, height, width]`; latents are smaller by 2 for each level after the first.

    layers: residual blocks of a level in the encoder, the decoder has one more; attention: whether the middles have
    one; quant: whether a 1 x 1 convolution stands between encoder and posterior, and between latent and decoder.
    """

    def __init__(
        self,
        image_channels: int,
        latent_channels: int,
        channels: Sequence[int],
        layers: int,
        groups: int,
        attention: bool = True,
        quant: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = ImageEncoder(image_channels, 2 * latent_channels, channels, layers, groups, attention)
        self.decoder = ImageDecoder(latent_channels, image_channels, channels, layers, groups, attention)
        between = [
            nn.Conv2d(width, width, 1) if quant else nn.Identity()
            for width in (2 * latent_channels, latent_channels)
        ]
        self.quant_conv, self.post_quant_conv = between

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior's mean and log variance, each `[batch, latent_channels, ...]`."""
        mean, log_variance = self.quant_conv(self.encoder(image)).chunk(2, dim=1)
        return mean, log_variance.clamp(LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)

    def decode(self, latent: Tensor) -> Tensor:
        """The image."""
        return self.decoder(self.post_quant_conv(latent))


class ImageEncoder(nn.Module):
    """From an image to what the posterior is read from."""

    def __init__(
        self, inputs: int, outputs: int, channels: Sequence[int], layers: int, groups: int, attention: bool
    ) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            EncoderLevel(before, width, layers, groups, last=level == len(channels) - 1)
            for level, (before, width) in enumerate(zip((channels[0], *channels), channels, strict=False))
        )
        self.mid_block = Middle(channels[-1], groups, attention)
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], NORM_EPS)
        self.conv_out = nn.Conv2d(channels[-1], outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """`[batch, outputs, ...]`, smaller."""
        hidden = self.conv_in(image)
        for level in self.down_blocks:
            hidden = level(hidden)
        hidden = self.mid_block(hidden)
        return self.conv_out(fresh_silu(self.conv_norm_out(hidden)))


class ImageDecoder(nn.Module):
    """From a latent to an image."""

    def __init__(
        self, inputs: int, outputs: int, channels: Sequence[int], layers: int, groups: int, attention: bool
    ) -> None:
        super().__init__()
        upwards = tuple(reversed(channels))
        self.conv_in = nn.Conv2d(inputs, upwards[0], 3, padding=1)
        self.up_blocks = nn.ModuleList()  # stands before mid_block in every state dict
        self.mid_block = Middle(upwards[0], groups, attention)
        for level, (before, width) in enumerate(zip((upwards[0], *upwards), upwards, strict=False)):
            last = level == len(channels) - 1
            self.up_blocks.append(DecoderLevel(before, width, layers + 1, groups, last))
        self.conv_norm_out = nn.GroupNorm(groups, channels[0], NORM_EPS)
        self.conv_out = nn.Conv2d(channels[0], outputs, 3, padding=1)

    def forward(self, latent: Tensor) -> Tensor:
        """`[batch, outputs, ...]`, larger."""
        hidden = self.mid_block(self.conv_in(latent))
        for level in self.up_blocks:
            hidden = level(hidden)
        return self.conv_out(fresh_silu(self.conv_norm_out(hidden)))


class Middle(nn.Module):
    """Two residual blocks, with attention between them or without; the shape stays."""

    def __init__(self, width: int, groups: int, attention: bool) -> None:
        super().__init__()
        before = ResnetBlock(width, width, groups, NORM_EPS)
        self.attentions = nn.ModuleList([ImageAttention(width, groups)] if attention else [])
        self.resnets = nn.ModuleList([before, ResnetBlock(width, width, groups, NORM_EPS)])

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, width, ...]`."""
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


class EncoderLevel(nn.Module):
    """Residual blocks, then half the size unless last."""

    def __init__(self, inputs: int, width: int, layers: int, groups: int, last: bool) -> None:
        super().__init__()
        self.resnets = _resnets(inputs, width, layers, groups)
        self.downsamplers = nn.ModuleList([] if last else [Downsample(width, padding=0)])

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, width, ...]`."""
        for module in (*self.resnets, *self.downsamplers):
            x = module(x)
        return x


class DecoderLevel(nn.Module):
    """Residual blocks, then double the size unless last."""

    def __init__(self, inputs: int, width: int, layers: int, groups: int, last: bool) -> None:
        super().__init__()
        self.resnets = _resnets(inputs, width, layers, groups)
        self.upsamplers = nn.ModuleList([] if last else [Upsample(width)])

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, width, ...]`."""
        for module in (*self.resnets, *self.upsamplers):
            x = module(x)
        return x


def _resnets(inputs: int, width: int, layers: int, groups: int) -> nn.ModuleList:
    widths = [inputs] + [width] * (layers - 1)
    return nn.ModuleList(ResnetBlock(before, width, groups, NORM_EPS) for before in widths)
