"""T5's encoder: tokens to what each of them says among the others (arXiv 1910.10683).

Tensor names and arithmetic are those of transformers' T5EncoderModel, its embedding held once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-6
PADDING, END = 0, 1


class T5Encoder(nn.Module):
    """Tokens `[batch, places]` to `[batch, places, width]`.

    head_width: of each head, all of which together may be wider than the model; hidden: of the feed-forward layers,
    `gated` as in T5 1.1 and FLAN-T5; buckets, distance: of the table of ways from one token to another.
    """

    def __init__(
        self,
        size: int,
        width: int,
        layers: int,
        heads: int,
        head_width: int,
        hidden: int,
        gated: bool,
        buckets: int = 32,
        distance: int = 128,
    ) -> None:
        super().__init__()
        self.heads, self.buckets, self.distance = heads, buckets, distance
        self.shared = nn.Embedding(size, width)
        blocks = [Block(width, heads, head_width, hidden, gated) for _ in range(layers)]
        # The first layer's table serves all of them.
        blocks[0].attention.relative_attention_bias = nn.Embedding(buckets, heads)
        self.encoder = nn.ModuleDict({"block": nn.ModuleList(blocks), "final_layer_norm": Norm(width)})

    def forward(self, tokens: Tensor) -> Tensor:
        """Padding is heard by nobody."""
        x = self.shared(tokens)
        blocks: nn.ModuleList = self.encoder["block"]  # type: ignore[assignment]
        places = torch.arange(tokens.shape[1], device=tokens.device)
        ways = bucketed(places[None, :] - places[:, None], self.buckets, self.distance)
        first = blocks[0]
        assert isinstance(first, Block)
        bias = first.attention.relative_attention_bias(ways).permute(2, 0, 1)[None]
        gone = (tokens == PADDING)[:, None, None, :]
        bias = bias.masked_fill(gone, torch.finfo(bias.dtype).min)
        for block in blocks:
            x = block(x, bias)
        return self.encoder["final_layer_norm"](x)


def bucketed(ways: Tensor, buckets: int, distance: int) -> Tensor:
    """A bucket for each way from one token to another: half for each direction, exact when near, then logarithmic."""
    half = buckets // 2
    far = half // 2
    size = ways.abs()
    spread = torch.log(size.clamp_min(1).float() / far) / math.log(distance / far) * (half - far)
    large = (far + spread.long()).clamp_max(half - 1)
    return (ways > 0).long() * half + torch.where(size < far, size, large)


class Norm(nn.Module):
    """Brings each token to a root mean square of 1, without a mean taken off and without a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """The shape stays."""
        power = x.float().square().mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(power + NORM_EPS)).to(self.weight.dtype)


class Block(nn.Module):
    """Attention and a feed-forward layer, each normalised before and added to what it was given."""

    def __init__(self, width: int, heads: int, head_width: int, hidden: int, gated: bool) -> None:
        super().__init__()
        attention = nn.ModuleDict(
            {"SelfAttention": Attention(width, heads, head_width), "layer_norm": Norm(width)}
        )
        forward = nn.ModuleDict(
            {"DenseReluDense": FeedForward(width, hidden, gated), "layer_norm": Norm(width)}
        )
        self.layer = nn.ModuleList([attention, forward])

    @property
    def attention(self) -> Attention:
        """The attention alone."""
        found = self.layer[0]["SelfAttention"]  # type: ignore[index]
        assert isinstance(found, Attention)
        return found

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x `[batch, places, width]`, bias `[batch, heads, places, places]`."""
        attention, forward = self.layer
        x = x + attention["SelfAttention"](attention["layer_norm"](x), bias)  # type: ignore[index]
        return x + forward["DenseReluDense"](forward["layer_norm"](x))  # type: ignore[index]


class Attention(nn.Module):
    """Attention without a scale: it is in the weights."""

    relative_attention_bias: nn.Module

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_width
        self.q = nn.Linear(width, inner, bias=False)
        self.k = nn.Linear(width, inner, bias=False)
        self.v = nn.Linear(width, inner, bias=False)
        self.o = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """The shape of x stays."""
        q, k, v = (
            project(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for project in (self.q, self.k, self.v)
        )
        heard = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self.o(heard.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers around a ReLU, or around a gate (GEGLU, arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        if gated:
            self.wi_0 = nn.Linear(width, hidden, bias=False)
            self.wi_1 = nn.Linear(width, hidden, bias=False)
        else:
            self.wi = nn.Linear(width, hidden, bias=False)
        self.wo = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The shape stays."""
        if self.gated:
            return self.wo(functional.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))
        return self.wo(functional.relu(self.wi(x)))
