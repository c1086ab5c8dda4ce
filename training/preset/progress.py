"""Progress: lines on how far the making of a preset is and how long all of it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from training.preset.plan import Plan
from vocaldm_live.commands import say

LINE_SECONDS = 10.0


class Progress:
    """Tells a line when something begins, and then one every ten seconds."""

    def __init__(self, plan: Plan, tell: Callable[[str], None] = say) -> None:
        self.plan = plan
        self.tell = tell
        self._what = ""
        self._last = 0.0
        self._begun = time.monotonic()

    def begin(self, what: str) -> None:
        """Something else begins."""
        self._what, self._last, self._begun = what, time.monotonic(), time.monotonic()
        self.tell(f"{what}; about {_minutes(self.plan.left())} left in all.")

    def step(self, done: int, whole: int) -> None:
        """So much of it is done."""
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS:
            self._last = now
            left = max(0.0, self.plan.left() - (now - self._begun))
            self.tell(f"{self._what}: {done} of {whole}; about {_minutes(left)} left in all.")

    def named(self, what: str, done: int, whole: int) -> None:
        """The same with another name."""
        if what != self._what:
            self._what = what
        self.step(done, whole)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
