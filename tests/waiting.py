"""Waiting for what other threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something is so. Looks are counted, not time: what holds all threads up uses up no patience."""
    for _ in range(round(seconds / 0.005)):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError(f"it did not happen within {seconds:g} seconds")
