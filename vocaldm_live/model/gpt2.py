"""GPT-2: tokens to what each of them says after those before it (Radford et al. 2019).

Tensor names and arithmetic are those of transformers' GPT2Model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-5


class GPT2(nn.Module):
    """Tokens `[batch, places]` to `[batch, places, width]`; places: the longest row that there may be."""

    def __init__(self, size: int, places: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(size, width)
        self.wpe = nn.Embedding(places, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width, NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """No token hears those after it, so padding at the end changes nothing before it."""
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class Affine(nn.Module):
    """A linear layer whose weight is `[inputs, outputs]`, as GPT-2's files have it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        return functional.linear(x, self.weight.T, self.bias)


class Block(nn.Module):
    """Attention to what came before and a feed-forward layer, each normalised before and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width, NORM_EPS)
        self.attn = nn.ModuleDict({"c_attn": Affine(width, 3 * width), "c_proj": Affine(width, width)})
        self.ln_2 = nn.LayerNorm(width, NORM_EPS)
        self.mlp = nn.ModuleDict({"c_fc": Affine(width, 4 * width), "c_proj": Affine(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """The shape stays."""
        parts = self.attn["c_attn"](self.ln_1(x)).chunk(3, dim=-1)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        heard = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn["c_proj"](heard.transpose(1, 2).flatten(2))
        return x + self.mlp["c_proj"](functional.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))
