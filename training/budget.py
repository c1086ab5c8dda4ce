"""Budget: how far a run is, at which rate it learns, and when it ends."""

from __future__ import annotations

import math
import time
from typing import Any

from training.recipe import Budget, Rates

MEASURED = 20
"""Steps after which a run of so many minutes knows how many steps those will hold."""

UNCOUNTED = 5
"""First steps of a sitting, slower than the others: caches are cold."""

PLATEAU = 3
"""Validations in a row without a new best before the rate is halved."""


class Clock:
    """A run's time and steps.

    With `steps` the run is exactly as long. With `minutes` it is planned after its first steps, and kept so when
    it is taken up again; where the machine has become slower, the clock ends it before the plan does.

    A sitting, and with it `max_hours`, begins when the clock is made; the run's own time when it is told to `begin`,
    after what has to be prepared.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.planned = budget.steps
        self.spent = 0.0
        self._paid = 0.0
        self._sat_down = self._begun = time.monotonic()
        self._counted: list[float] = []

    def begin(self) -> None:
        """What is prepared stands: from now on the run takes its time."""
        self._begun = time.monotonic()

    def resume(self, facts: dict[str, Any]) -> None:
        """Go on from what `facts` said."""
        self._paid = self.spent = float(facts["spent"])
        if self.budget.steps is None:
            # Minutes that were told anew make a new plan.
            same = facts["minutes"] == self.budget.minutes
            self.planned = facts["planned"] if same else None

    def facts(self) -> dict[str, Any]:
        """What a resumed run needs of it."""
        return {"spent": self.spent, "planned": self.planned, "minutes": self.budget.minutes}

    def read(self) -> float:
        """Seconds that the run has taken in all, earlier sittings included."""
        return self._paid + time.monotonic() - self._begun

    def tick(self, step: int, spent: float) -> None:
        """After a step: the time all processes agree on."""
        self._counted.append(spent - self.spent)
        self.spent = spent
        if self.planned is None and len(self._counted) >= MEASURED and self.budget.minutes is not None:
            usual = self._counted[UNCOUNTED:]
            pace = max(sum(usual) / len(usual), 1e-6)
            self.planned = step + max(0, int((self.budget.minutes * 60.0 - spent) / pace))

    def done(self, step: int) -> float:
        """Share of the run that is over, 0 .. 1, by steps; 0 while it is not planned yet."""
        return 0.0 if not self.planned else min(1.0, step / self.planned)

    def over(self, step: int) -> bool:
        """Whether the run is at its end."""
        if self.planned is not None and step >= self.planned:
            return True
        return self.budget.minutes is not None and self.spent >= self.budget.minutes * 60.0

    def sat_enough(self) -> bool:
        """Whether this sitting has had its hours, by this process's own clock."""
        hours = self.budget.max_hours
        return hours is not None and time.monotonic() - self._sat_down >= hours * 3600.0

    def left(self, step: int) -> float | None:
        """Seconds that the run still takes at its usual pace; None before that is known."""
        usual = self._counted[UNCOUNTED:][-200:]
        if self.planned is None or not usual:
            return None
        seconds = (self.planned - step) * sum(usual) / len(usual)
        if self.budget.minutes is not None:
            seconds = min(seconds, self.budget.minutes * 60.0 - self.spent)
        return max(0.0, seconds)


def rate_at(rates: Rates, step: int, done: float, halvings: int = 0) -> float:
    """The learning rate of a step: warmed up, then by the recipe's schedule."""
    warm = min(1.0, (step + 1) / rates.warmup) if rates.warmup else 1.0
    if rates.schedule == "constant":
        share = 1.0
    elif rates.schedule == "plateau":
        share = max(rates.floor, 0.5**halvings)
    else:
        share = rates.floor + (1.0 - rates.floor) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
    return rates.peak * warm * share
