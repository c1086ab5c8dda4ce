"""Step: what a trainer sees of one step: its rows, their draws, and where losses go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.draws import Draws

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, eq=False)
class Step:
    """One step of one process.

    index: from 0; done: share of the run that is over, 0 .. 1; batch: rows of all processes together;
    draws: this process's rows, every so many-th of the batch.
    """

    index: int
    done: float
    batch: int
    draws: Draws
    device: torch.device
    fabric: Fabric
    micro_batch: int | None = None

    def parts(self) -> Iterator[Draws]:
        """This process's rows in micro batches, in order; none where it has no row."""
        rows = self.draws.rows
        size = self.micro_batch or max(1, len(rows))
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            yield Draws(self.draws.seed, self.draws.step, part, self.batch, self.device)

    def total(self, value: float) -> float:
        """A number summed over all processes."""
        if self.fabric.world_size == 1:
            return value
        summed = self.fabric.all_reduce(torch.tensor(value, device=self.device), reduce_op="sum")
        return float(summed)  # type: ignore[arg-type]

    def gather(self, rows: Tensor) -> Tensor:
        """`[rows of this process, ...]` to `[batch, ...]` in the batch's order; gradients end here."""
        rows = rows.detach()
        world = self.fabric.world_size
        if world == 1:
            return rows
        longest = -(-self.batch // world)
        padded = rows.new_zeros((longest, *rows.shape[1:]))
        padded[: len(rows)] = rows
        gathered = self.fabric.all_gather(padded)
        assert isinstance(gathered, Tensor)
        # Process r holds the rows r, r + world, ...: by place first, then by process, they are in order again.
        return gathered.transpose(0, 1).flatten(0, 1)[: self.batch]

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, which is a share of the mean over the whole batch."""
        loss.backward()


def rows_of(batch: int, rank: int, world: int) -> tuple[int, ...]:
    """The rows of a batch that a process of so many takes."""
    return tuple(range(rank, batch, world))


def add_up(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Add the values of a micro batch to those of the step, without their gradients."""
    for name, value in values.items():
        value = value.detach()
        sums[name] = sums[name] + value if name in sums else value
