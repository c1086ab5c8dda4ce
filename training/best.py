"""Best: the weights of a run that were judged best so far, in one file with what they reached, so that neither parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from training.checkpoint import BEST_FILE, lies, load, save
from training.errors import RunError
from training.trainer import Criterion
from vocaldm_live.commands import say

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Best:
    """figures: what the best weights reached, and at which `step`; judged: what the last ones did.

    Where weights are kept, the figures are those of the file, and of no others: what the disk did not take is not the
    best. Where they are not, they come and go with the checkpoint.
    """

    def __init__(self, folder: Path, kept: bool, criterion: Criterion) -> None:
        self.path, self.kept, self.criterion = folder / BEST_FILE, kept, criterion
        self.figures: dict[str, float] = {}
        self.judged: dict[str, float] = {}

    def surpassed(self) -> bool:
        """Whether what was judged last is better than the best."""
        name = self.criterion.name
        value, before = self.judged[name], self.figures.get(name)
        if not math.isfinite(value) or before is None:
            return math.isfinite(value)
        return value < before if self.criterion.better == "lower" else value > before

    def write(self, averages: Mapping[str, Tensor]) -> None:
        """Keep averages beside what they reached, which was judged last; raises RunError where the disk says no."""
        save(self.path, averages, {"best": self.judged})

    def read(self, until: float) -> tuple[dict[str, Tensor], dict[str, float]] | None:
        """What `write` wrote last; a file that cannot be used is told.

        None where there is none, or where it is of a step after `until`: a run that goes on from there makes it again.
        """
        if not lies(self.path):
            return None
        try:
            tensors, facts = load(self.path)
        except RunError:
            say(f"{self.path} is damaged; the run goes on without it.")
            return None
        figures = facts.get("best") or {}
        return (tensors, figures) if figures.get("step", math.inf) <= until else None

    def facts(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {"best": self.figures, "judged": self.judged}

    def resume(self, facts: Mapping[str, Any], until: int, fabric: Fabric) -> bool:
        """Take up what a checkpoint of step `until` says, which the file may know better: whether it does."""
        self.figures, self.judged = dict(facts["best"]), dict(facts.get("judged", {}))
        if not self.kept:
            return False
        known = self.figures.get("step", -1.0)
        found = self.read(until) if fabric.is_global_zero else None
        self.figures = fabric.broadcast({} if found is None else found[1], src=0)
        step = self.figures.get("step", -1.0)
        if step > self.judged.get("step", -1.0):
            self.judged = dict(self.figures)
        return step > known
