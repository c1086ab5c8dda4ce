"""Words networks: from what a header says of a part that understands words to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.words_parts import T5Part, WordsPart

if TYPE_CHECKING:
    from torch import nn


def words_network(part: WordsPart) -> nn.Module:
    """A part's network, its weights as they are where it is made."""
    from vocaldm_live.model.t5 import T5Encoder
    from vocaldm_live.model.vector_table import VectorTable

    if isinstance(part, T5Part):
        return T5Encoder(
            part.size,
            part.width,
            part.layers,
            part.heads,
            part.head_width,
            part.hidden,
            part.gated,
            part.buckets,
            part.distance,
        )
    return VectorTable(part.count, part.width)
