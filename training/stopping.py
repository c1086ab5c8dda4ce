"""Stopping: a run that is asked to end finishes its step first, so that it can be saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """A list that fills when someone asks: SIGTERM and the first Ctrl-C do; a second Ctrl-C ends the run at once."""
    caught: list[int] = []

    def note(number: int, frame: Any) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(number)

    before: dict[int, Any] = {}
    try:
        for number in (int(signal.SIGTERM), int(signal.SIGINT)):
            before[number] = signal.signal(number, note)
    except ValueError:
        pass  # not the main thread: there is nothing to catch
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
