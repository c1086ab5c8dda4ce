"""Cross-attention: the places of an image ask what was said, token by token (arXiv 2112.10752, section 3.3).

Tensor names and arithmetic are those of diffusers' BasicTransformerBlock with a `cross_attention_dim` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from vocaldm_live.model.attention import FeedForward, SelfAttention


@dataclass(frozen=True)
class Context:
    """What was said: tokens `[batch, places, width]`, and which of them are there, bool `[batch, places]`."""

    tokens: Tensor
    there: Tensor

    @staticmethod
    def unpacked(packed: Tensor) -> Context:
        """From `[batch, places, width + 1]`, whose last column is 1 where a token is there and 0 elsewhere."""
        return Context(packed[..., :-1], packed[..., -1] > 0.5)


class CrossAttention(SelfAttention):
    """Attention of `[batch, places, width]` to a context of another width."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__(width, heads)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)

    def forward(self, tokens: Tensor, context: Context | None = None) -> Tensor:
        """The shape of tokens; what is not there in the context is heard by nobody. ValueError without a context."""
        if context is None:
            raise ValueError("cross-attention has nothing to attend to: give a context")
        said = context.tokens.to(tokens)
        q, k, v = (
            self._split(projected) for projected in (self.to_q(tokens), self.to_k(said), self.to_v(said))
        )
        heard = functional.scaled_dot_product_attention(q, k, v, attn_mask=context.there[:, None, None, :])
        return self.to_out[0](heard.transpose(1, 2).flatten(2))


class CrossTransformerBlock(nn.Module):
    """Self-attention, attention to a context, a feed-forward layer, each normalised before and added."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = CrossAttention(width, heads, context_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, tokens: Tensor, context: Context | None = None) -> Tensor:
        """`[batch, places, width]`, the same."""
        tokens = self.attn1(self.norm1(tokens)) + tokens
        tokens = self.attn2(self.norm2(tokens), context) + tokens
        return self.ff(self.norm3(tokens)) + tokens
