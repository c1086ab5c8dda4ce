"""None: a model that is told nothing, and makes sounds of noise alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard
from training.data.collection import Item

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded


class Unconditional:
    """Conditions of width 0."""

    name = "none"
    sounds: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.unet: Mapping[str, int] = {"vector_width": 0}
        self.null = torch.zeros(0)

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Nothing is told, so nothing is needed."""

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """`[0]`."""
        return self.null

    def heard(self) -> Heard:
        """Nothing."""
        return Heard()


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """No condition."""
    return Unconditional()
