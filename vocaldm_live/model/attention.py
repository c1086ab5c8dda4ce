"""Attention: among the places of an image, as the AudioLDM family's UNet (transformer) and VAE (one layer) use it.

Tensor names and arithmetic are those of diffusers' Attention, BasicTransformerBlock and Transformer2DModel.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

IMAGE_EPS = 1e-6


class SelfAttention(nn.Module):
    """Attention of some heads over tokens `[batch, places, width]`; ValueError where the heads don't share the width."""

    def __init__(self, width: int, heads: int, bias: bool = False, groups: int | None = None) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not share a width of {width}")
        self.heads = heads
        self.group_norm = None if groups is None else nn.GroupNorm(groups, width, IMAGE_EPS)
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_k = nn.Linear(width, width, bias=bias)
        self.to_v = nn.Linear(width, width, bias=bias)
        # A list because its weights are named to_out.0.
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        """`[batch, places, width]`, the same."""
        if self.group_norm is not None:
            tokens = self.group_norm(tokens.transpose(1, 2)).transpose(1, 2)
        q, k, v = (self._split(project(tokens)) for project in (self.to_q, self.to_k, self.to_v))
        heard = functional.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](heard.transpose(1, 2).flatten(2))

    def _split(self, projected: Tensor) -> Tensor:
        """`[batch, heads, places, width / heads]`."""
        return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)


class ImageAttention(SelfAttention):
    """One head over all places of an image `[batch, width, height, breadth]`, normalised before, added to it."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__(width, heads=1, bias=True, groups=groups)

    def forward(self, image: Tensor) -> Tensor:
        """The shape stays."""
        tokens = image.flatten(2).transpose(1, 2)
        return super().forward(tokens).transpose(1, 2).reshape(image.shape) + image


class GatedGELU(nn.Module):
    """A linear layer, one half of which gates the other through a GELU (GEGLU, arXiv 2002.05202)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[..., width]` to `[..., inner]`."""
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    """`[..., width]` to four times that through a gate and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # The empty place keeps the names net.0 and net.2: dropout stood there.
        self.net = nn.Sequential(GatedGELU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """The shape stays."""
        return self.net(tokens)


class TransformerBlock(nn.Module):
    """Self-attention twice and a feed-forward layer, each normalised before and added to what it was given.

    The second attention is diffusers' cross-attention without anything to cross to: it hears the tokens themselves.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = SelfAttention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[batch, places, width]`, the same."""
        tokens = self.attn1(self.norm1(tokens)) + tokens
        tokens = self.attn2(self.norm2(tokens)) + tokens
        return self.ff(self.norm3(tokens)) + tokens


class ImageTransformer(nn.Module):
    """A transformer block over the places of an image `[batch, width, height, breadth]`, added to it.

    block: one that attends to a context too (`model.cross_attention`); none: to the image alone.
    """

    def __init__(self, width: int, heads: int, groups: int, block: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, IMAGE_EPS)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.crossed = block is not None
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads) if block is None else block])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, image: Tensor, context: Any = None) -> Tensor:
        """The shape stays; context: what a block that takes one is given."""
        hidden = self.proj_in(self.norm(image))
        tokens = hidden.permute(0, 2, 3, 1).flatten(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context) if self.crossed else block(tokens)
        hidden = tokens.unflatten(1, image.shape[2:]).permute(0, 3, 1, 2)
        if image.is_contiguous():  # else it is channels-last, as these are without a copy
            hidden = hidden.contiguous()
        return self.proj_out(hidden) + image
