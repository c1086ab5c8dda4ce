"""VectorTable: conditions that were computed beforehand, one a row."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VectorTable(nn.Module):
    """`vectors` `[count, width]`, as they were when a model was trained with them."""

    vectors: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(count, width))

    def forward(self, row: int) -> Tensor:
        """One of them, `[width]`."""
        return self.vectors[row]
