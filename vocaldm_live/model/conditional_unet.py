"""ConditionalUNet: the AudioLDM family's UNet, steered by timestep and one vector, or by what is said in tokens.

Tensor names, their order and arithmetic are those of diffusers' UNet2DConditionModel with a `simple_projection` of
the vector beside the timestep's embedding, `cross_attention_dim` like `block_out_channels` and no encoder states; with
a context instead of the vector, those of one that has its width as `cross_attention_dim` and no class embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vocaldm_live.model.attention import ImageTransformer
from vocaldm_live.model.blocks import (
    Downsample,
    ResnetBlock,
    TimestepEmbedding,
    Upsample,
    fresh_silu,
    timestep_sinusoids,
)
from vocaldm_live.model.cross_attention import Context, CrossTransformerBlock

NORM_EPS = 1e-5


class ConditionalUNet(nn.Module):
    """Latents, timesteps and vectors to something of the latents' shape.

    channels: width of each level, at most halved from one to the next; layers: residual blocks of a level going
    down, one more going up; attention: which levels have a transformer after each residual block (the middle
    always does); heads: of each level's attention; vector_width: of the vector, 0: there is none; transformers: how
    many stand one after the other at each place that has any (2 in AudioLDM's 48 kHz model, as in
    AudioLDM2UNet2DConditionModel); context_width: of the tokens that each transformer attends to, 0: there are none.
    """

    def __init__(
        self,
        latent_channels: int,
        channels: Sequence[int],
        layers: int,
        attention: Sequence[bool],
        heads: Sequence[int],
        groups: int,
        vector_width: int,
        transformers: int = 1,
        context_width: int = 0,
    ) -> None:
        super().__init__()
        first, embedded = channels[0], 4 * channels[0]
        steered = 2 * embedded if vector_width else embedded
        levels = len(channels)
        self.conv_in: nn.Module = nn.Conv2d(latent_channels, first, 3, padding=1)
        self.time_embedding = TimestepEmbedding(first, embedded)
        self.class_embedding = nn.Linear(vector_width, embedded) if vector_width else None
        self.down_blocks = nn.ModuleList()
        self.up_blocks = nn.ModuleList()  # stands before mid_block in every state dict
        for level in range(levels):
            self.down_blocks.append(
                DownBlock(
                    channels[max(level - 1, 0)],
                    channels[level],
                    layers,
                    heads[level] if attention[level] else 0,
                    groups,
                    steered,
                    transformers,
                    context_width,
                    last=level == levels - 1,
                )
            )
        self.mid_block = MidBlock(channels[-1], heads[-1], groups, steered, transformers, context_width)
        for level in reversed(range(levels)):
            self.up_blocks.append(
                UpBlock(
                    channels[min(level + 1, levels - 1)],
                    channels[level],
                    channels[max(level - 1, 0)],
                    layers + 1,
                    heads[level] if attention[level] else 0,
                    groups,
                    steered,
                    transformers,
                    context_width,
                    last=level == 0,
                )
            )
        self.first_width = first
        self.conv_norm_out = nn.GroupNorm(groups, first, NORM_EPS)
        self.conv_out = nn.Conv2d(first, latent_channels, 3, padding=1)

    def forward(
        self, x: Tensor, t: Tensor, vector: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """x `[batch, channels, height, breadth]` of any size, t `[batch]`, vector `[batch, vector_width]`."""
        sinusoids = timestep_sinusoids(t.reshape(-1).expand(len(x)), self.first_width).to(x.dtype)
        embedding = self.time_embedding(sinusoids)
        if self.class_embedding is not None:
            embedding = torch.cat((embedding, self.class_embedding(vector).to(x.dtype)), dim=-1)
        hidden = self.conv_in(x)
        skips = [hidden]
        for down in self.down_blocks:
            hidden, more = down(hidden, embedding, context)
            skips += more
        hidden = self.mid_block(hidden, embedding, context)
        for up in self.up_blocks:
            hidden = up(hidden, skips, embedding, context)
        return self.conv_out(fresh_silu(self.conv_norm_out(hidden)))


class DownBlock(nn.Module):
    """One level down: residual blocks, each with transformers after it if there are heads; halved unless last."""

    def __init__(
        self,
        inputs: int,
        width: int,
        layers: int,
        heads: int,
        groups: int,
        embedding_width: int,
        transformers: int,
        context_width: int,
        last: bool,
    ) -> None:
        super().__init__()
        widths = [inputs] + [width] * (layers - 1)
        self.attentions, self.resnets = _layers(
            widths, width, heads, groups, embedding_width, transformers, context_width
        )
        self.transformers = transformers
        self.downsamplers = None if last else nn.ModuleList([Downsample(width, padding=1)])

    def forward(
        self, x: Tensor, embedding: Tensor, context: Context | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """What goes on down, and what skips over to the way up."""
        skips = []
        for index, resnet in enumerate(self.resnets):
            x = resnet(x, embedding)
            if self.attentions is not None:
                for transformer in self.attentions[index * self.transformers :][: self.transformers]:
                    x = transformer(x, context)
            skips.append(x)
        if self.downsamplers is not None:
            x = self.downsamplers[0](x)
            skips.append(x)
        return x, skips


class MidBlock(nn.Module):
    """Residual block, transformers, residual block; the shape stays."""

    def __init__(
        self,
        width: int,
        heads: int,
        groups: int,
        embedding_width: int,
        transformers: int,
        context_width: int,
    ) -> None:
        super().__init__()
        before = ResnetBlock(width, width, groups, NORM_EPS, embedding_width)
        self.attentions = nn.ModuleList(_transformers(width, heads, groups, transformers, context_width))
        after = ResnetBlock(width, width, groups, NORM_EPS, embedding_width)
        self.resnets = nn.ModuleList([before, after])

    def forward(self, x: Tensor, embedding: Tensor, context: Context | None = None) -> Tensor:
        """`[batch, width, height, breadth]`."""
        x = self.resnets[0](x, embedding)
        for transformer in self.attentions:
            x = transformer(x, context)
        return self.resnets[1](x, embedding)


class UpBlock(nn.Module):
    """One level up: each residual block takes one skip beside its input; at the end doubled unless last."""

    def __init__(
        self,
        below: int,
        width: int,
        above: int,
        layers: int,
        heads: int,
        groups: int,
        embedding_width: int,
        transformers: int,
        context_width: int,
        last: bool,
    ) -> None:
        super().__init__()
        main = [below] + [width] * (layers - 1)
        skipped = [width] * (layers - 1) + [above]
        widths = [one + other for one, other in zip(main, skipped, strict=True)]
        self.attentions, self.resnets = _layers(
            widths, width, heads, groups, embedding_width, transformers, context_width
        )
        self.transformers = transformers
        self.upsamplers = None if last else nn.ModuleList([Upsample(width)])

    def forward(
        self, x: Tensor, skips: list[Tensor], embedding: Tensor, context: Context | None = None
    ) -> Tensor:
        """Takes its skips off the end of the list; what is doubled gets the size of the skip that comes next."""
        for index, resnet in enumerate(self.resnets):
            x = resnet(torch.cat((x, skips.pop()), dim=1), embedding)
            if self.attentions is not None:
                for transformer in self.attentions[index * self.transformers :][: self.transformers]:
                    x = transformer(x, context)
        return x if self.upsamplers is None else self.upsamplers[0](x, skips[-1].shape[2:])


def _layers(
    widths: Sequence[int],
    width: int,
    heads: int,
    groups: int,
    embedding_width: int,
    transformers: int,
    context_width: int,
) -> tuple[nn.ModuleList | None, nn.ModuleList]:
    """A block's `attentions` (none without heads) and `resnets`, one of these for each width that comes in."""
    resnets, attentions = [], []
    for inputs in widths:
        resnets.append(ResnetBlock(inputs, width, groups, NORM_EPS, embedding_width))
        if heads:
            attentions += _transformers(width, heads, groups, transformers, context_width)
    return (nn.ModuleList(attentions) if heads else None), nn.ModuleList(resnets)


def _transformers(
    width: int, heads: int, groups: int, count: int, context_width: int
) -> list[ImageTransformer]:
    """The transformers of one place, which attend to a context where it has a width."""
    blocks = [
        CrossTransformerBlock(width, heads, context_width) if context_width else None for _ in range(count)
    ]
    return [ImageTransformer(width, heads, groups, block) for block in blocks]
