"""Plan: how the minutes of a preset are shared among its stages, told anew as each of them ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Stage = Literal["index", "examples", "train", "judge", "export"]
STAGES: tuple[Stage, ...] = ("index", "examples", "train", "judge", "export")
SHARES: Mapping[Stage, float] = {
    "index": 0.02,
    "examples": 0.12,
    "train": 0.58,
    "judge": 0.27,
    "export": 0.01,
}
"""Of the minutes; what a stage leaves over goes to those after it, by their shares."""

SHORTEST = 1.0
"""Minutes below which nothing worth its name can be made."""


class Plan:
    """Seconds spent by stage, and those that a stage may take.

    `spent` holds what earlier sittings took, and so the minutes are those of the work and not of the day.
    """

    def __init__(self, minutes: float, spent: Mapping[str, float]) -> None:
        self.minutes = minutes
        self.spent: dict[str, float] = dict(spent)

    def took(self, stage: Stage, seconds: float) -> None:
        """Add what a stage took."""
        self.spent[stage] = self.spent.get(stage, 0.0) + seconds

    def box(self, stage: Stage) -> float:
        """Seconds for a stage, what it has taken already apart: its share of what the stages before it left."""
        at = STAGES.index(stage)
        before = sum(self.spent.get(one, 0.0) for one in STAGES[:at])
        left = max(0.0, 60.0 * self.minutes - before)
        whole = sum(SHARES[one] for one in STAGES[at:])
        return max(0.0, left * SHARES[stage] / whole - self.spent.get(stage, 0.0))

    def left(self) -> float:
        """Seconds that all is planned to take from here on."""
        return max(0.0, 60.0 * self.minutes - sum(self.spent.values()))
