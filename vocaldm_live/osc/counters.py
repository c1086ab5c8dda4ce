"""Counters: what came in and was not done, by kind, and a log line about it once in a while."""

from __future__ import annotations

import logging
import time
from collections import Counter

log = logging.getLogger("vocaldm.osc")


class Counters(Counter[str]):
    """Counts by kind. Written by the server's thread only; reading from any other is safe."""

    def __init__(self, seconds_between_lines: float = 10.0) -> None:
        super().__init__()
        self.seconds_between_lines = seconds_between_lines
        self._logged: dict[str, tuple[float, int]] = {}

    def note(self, kind: str, sentence: str) -> None:
        """Count one of a kind; log it unless one of this kind was logged a moment ago."""
        self[kind] += 1
        now = time.monotonic()
        last, count = self._logged.get(kind, (-self.seconds_between_lines, 0))
        if now - last >= self.seconds_between_lines:
            self._logged[kind] = (now, self[kind])
            log.warning("%s (%s: %d more)", sentence, kind, self[kind] - count)
