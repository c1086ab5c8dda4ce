"""Words networks: from what a header says of a part that understands words to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.words_parts import WordsPart

if TYPE_CHECKING:
    from torch import nn


def words_network(part: WordsPart) -> nn.Module:
    """A part's network, its weights as they are where it is made."""
    from vocaldm_live.model.vector_table import VectorTable

    return VectorTable(part.count, part.width)
