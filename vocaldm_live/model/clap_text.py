"""CLAP's text tower: tokens to a unit vector in the space that text and sound share (arXiv 2211.06687).

RoBERTa with a projection. Tensor names are those of transformers' ClapTextModelWithProjection.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# roberta-base's own; transformers' ClapTextConfig has 1e-12, which its weights were not trained with.
NORM_EPS = 1e-5
BEGIN, PADDING, END = 0, 1, 2


class ClapText(nn.Module):
    """Tokens `[batch, places]` to unit vectors `[batch, vector_width]`.

    width: of a token; hidden: of the feed-forward layers; places: the longest row of tokens and 2, as RoBERTa counts.
    """

    def __init__(
        self,
        vocabulary: int,
        places: int,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
        vector_width: int = 512,
    ) -> None:
        super().__init__()
        self.text_model = TextModel(vocabulary, places, width, layers, heads, hidden)
        self.text_projection = Projection(width, vector_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: whole numbers, `END` at the end of each row and `PADDING` after it."""
        return functional.normalize(self.text_projection(self.text_model(tokens)), dim=-1)


class Projection(nn.Module):
    """Two linear layers with a ReLU between them, as both of CLAP's towers end."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, outputs)
        self.linear2 = nn.Linear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, inputs]` to `[batch, outputs]`."""
        return self.linear2(functional.relu(self.linear1(x)))


class TextModel(nn.Module):
    """RoBERTa: tokens `[batch, places]` to what its first place says of the row, `[batch, width]`."""

    def __init__(
        self, vocabulary: int, places: int, width: int, layers: int, heads: int, hidden: int
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, places, width)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(width, heads, hidden) for _ in range(layers))}
        )
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})

    def forward(self, tokens: Tensor) -> Tensor:
        """Padding is heard by nobody."""
        there = tokens != PADDING
        x = self.embeddings(tokens, there)
        for layer in self.encoder["layer"]:  # type: ignore[attr-defined]
            x = layer(x, there[:, None, None, :])
        return torch.tanh(self.pooler["dense"](x[:, 0]))


class Embeddings(nn.Module):
    """A token and its place, `[batch, places]` to `[batch, places, width]`."""

    def __init__(self, vocabulary: int, places: int, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.token_type_embeddings = nn.Embedding(1, width)
        self.LayerNorm = nn.LayerNorm(width, NORM_EPS)
        self.position_embeddings = nn.Embedding(places, width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Places are counted from PADDING + 1; padding's own place is PADDING."""
        places = torch.cumsum(there, dim=1) * there + PADDING
        x = self.word_embeddings(tokens) + self.token_type_embeddings.weight[0]
        return self.LayerNorm(x + self.position_embeddings(places))


class Layer(nn.Module):
    """Attention and a feed-forward layer, each normalised after it was added to its input."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        asked = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(asked), "output": _output(width, width)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, hidden)})
        self.output = _output(hidden, width)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """x `[batch, places, width]`, there bool `[batch, 1, 1, places]`."""
        attention = self.attention["self"]
        q, k, v = (
            attention[name](x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # type: ignore[index, operator]
            for name in ("query", "key", "value")
        )
        heard = functional.scaled_dot_product_attention(q, k, v, attn_mask=there)
        x = _add(self.attention["output"], heard.transpose(1, 2).flatten(2), x)
        return _add(self.output, functional.gelu(self.intermediate["dense"](x)), x)


def _output(inputs: int, width: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(inputs, width), "LayerNorm": nn.LayerNorm(width, NORM_EPS)})


def _add(output: nn.Module, x: Tensor, to: Tensor) -> Tensor:
    return output["LayerNorm"](output["dense"](x) + to)  # type: ignore[index]
