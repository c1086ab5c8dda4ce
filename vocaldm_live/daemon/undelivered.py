"""Undelivered: finished clips that the outbox would not take, kept until it does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from vocaldm_live.errors import DeliveryError

log = logging.getLogger("vocaldm.session")
MOST = 32
EVERY_SECONDS = 2.0


class Undelivered:
    """Tries again every `every` seconds, oldest first; beyond `most` the oldest is given up."""

    def __init__(self, most: int = MOST, every: float = EVERY_SECONDS) -> None:
        self._every = every
        self._most = most
        self._change = threading.Condition()
        self._waiting: deque[tuple[str, Callable[[], None]]] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """How many clips wait."""
        with self._change:
            return len(self._waiting)

    def keep(self, what: str, deliver: Callable[[], None]) -> None:
        """`deliver` raises DeliveryError as long as it does not work; `what` names the clip in the log."""
        with self._change:
            if self._closed:
                return
            if len(self._waiting) == self._most:
                lost, _ = self._waiting.popleft()
                log.error("%s could not be written for too long and is given up", lost)
            self._waiting.append((what, deliver))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="undelivered", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """One last try for each, and the end."""
        with self._change:
            self._closed = True
            thread = self._thread
            self._change.notify_all()
        if thread is not None:
            thread.join()
        for what, _ in self._waiting:
            log.error("%s was never written: its folder takes no file", what)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed, self._every)
                closed = self._closed
            self._deliver_all()
            with self._change:
                if closed or not self._waiting:
                    # Under the lock, so that whoever keeps another clip now starts another thread.
                    self._thread = None
                    return

    def _deliver_all(self) -> None:
        while self._waiting:
            what, deliver = self._waiting[0]
            try:
                deliver()
            except DeliveryError:
                return
            except Exception:
                log.exception("%s can't be delivered", what)
            with self._change:
                if self._waiting and self._waiting[0][1] is deliver:
                    self._waiting.popleft()
