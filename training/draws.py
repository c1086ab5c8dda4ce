"""Draws: every random number of a step, by row of the whole batch.

A number comes from the run's seed, the step, the row and the name of a stream, and from nothing else. So a run
that is taken up again, one on several processes and one in micro batches are the same run.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_SHARED_ROW = 2**32 - 1


@dataclass(frozen=True)
class Draws:
    """The random numbers of some rows of a step; `rows` are their places in the whole batch of `batch` rows."""

    seed: int
    step: int
    rows: tuple[int, ...]
    batch: int
    device: torch.device

    def __len__(self) -> int:
        return len(self.rows)

    def shared(self, stream: str) -> np.random.Generator:
        """A generator that is the same for all rows and processes of the step."""
        return self.row(_SHARED_ROW, stream)

    def row(self, row: int, stream: str) -> np.random.Generator:
        """The generator of one row, new at every call; another stream gives other numbers."""
        return np.random.default_rng([self.seed, self.step, row, zlib.crc32(stream.encode())])

    def choose(self, count: int) -> np.ndarray:
        """An item of 0 .. count - 1 for each row, int64 `[rows]`: each once an epoch, in a new order every epoch."""
        if count < 1:
            raise ValueError("there is nothing to choose from: the set is empty.")
        places = [self.step * self.batch + row for row in self.rows]
        orders: dict[int, np.ndarray] = {}
        for epoch in {place // count for place in places}:
            rng = np.random.default_rng([self.seed, epoch, zlib.crc32(b"order of the epoch")])
            orders[epoch] = rng.permutation(count)
        chosen = [orders[place // count][place % count] for place in places]
        return np.array(chosen, dtype=np.int64)

    def uniform(self, stream: str) -> Tensor:
        """float32 `[rows]` from 0 up to 1."""
        return self._stacked([self.row(row, stream).random(1, dtype=np.float32)[0] for row in self.rows])

    def normal(self, shape: Sequence[int], stream: str) -> Tensor:
        """float32 `[rows, *shape]`, mean 0 and variance 1."""
        drawn = [self.row(row, stream).standard_normal(tuple(shape), dtype=np.float32) for row in self.rows]
        return self._stacked(drawn)

    def timesteps(self, count: int) -> Tensor:
        """long `[rows]` of 0 .. count - 1, spread evenly over the whole batch.

        Row i of n draws from the i-th n-th of the schedule (shuffled), which lowers the loss's variance without
        changing its mean (arXiv 2107.00630, appendix I.1).
        """
        order = self.shared("timestep order").permutation(self.batch)
        inside = [float(self.row(row, "timestep").random()) for row in self.rows]
        drawn = [
            int((order[row] + place) / self.batch * count)
            for row, place in zip(self.rows, inside, strict=True)
        ]
        return torch.tensor([min(t, count - 1) for t in drawn], dtype=torch.long, device=self.device)

    def _stacked(self, drawn: Sequence[np.ndarray | np.floating]) -> Tensor:
        return torch.from_numpy(np.stack(drawn)).to(self.device)
