"""Trainer: what a run trains and how, as the loop asks for it, and how a run ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor, nn

from training.step import Step
from training.turns import Group


@dataclass(frozen=True)
class Criterion:
    """The figure of `validate` that says which weights are the best."""

    name: str
    better: Literal["lower", "higher"]


class Trainer(Protocol):
    """What a run trains and how; the loop does the rest.

    networks: saved and averaged; what requires gradients when it is made is what is trained. frozen: moved to the
    device, never saved, their hashes kept. judges: saved, not averaged. A trainer may also have `identity`, by name
    the hashes of what the run stands on (base, data): they are kept, and a run on others is refused; and `about`,
    plain values for run.json that an exported preset repeats (training/provenance.py).
    """

    networks: Mapping[str, nn.Module]
    frozen: Mapping[str, nn.Module]
    judges: Mapping[str, nn.Module]
    criterion: Criterion

    def groups(self, turn: str) -> Sequence[Group]:
        """The tensors of a turn, named `network.tensor`; every trained tensor has a turn."""
        ...

    def turns(self, done: float) -> Sequence[str]:
        """The turns of a step when this share of the run is over: ("main",) or ("judge", "main"); all at 1."""
        ...

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Call `step.backward` with shares of the global mean; the scalars returned are such shares too."""
        ...

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Judge the averaged networks on the fixed bank; in the first process only."""
        ...

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write examples for ears into a folder; in the first process only."""
        ...

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write the weights as safetensors, by part; in the first process only."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `paused` ones go on with the same command.

    first: whether this process is the first of the run's, which alone tells of it and writes.
    """

    steps: int
    ended: Literal["done", "paused", "patience"]
    best: Mapping[str, float]
    folder: Path
    first: bool = True
