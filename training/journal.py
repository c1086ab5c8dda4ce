"""Journal: what a run tells of itself: CSV rows, TensorBoard events where it is installed, a line with what is left."""

from __future__ import annotations

import csv
import errno
import io
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from vocaldm_live.commands import say

LINE_SECONDS = 10.0


class Journal:
    """The journal of one process, which must be the first: others make none.

    Rows after `resumed` are dropped: the steps that they tell of are taken again. A full disk is told once, and
    the run goes on without the rows that did not fit.
    """

    def __init__(self, folder: Path, resumed: int = 0, tell: Callable[[str], None] = say) -> None:
        self.folder = folder
        self.tell = tell
        self.minutes = 0.0
        self.left: float | None = None
        self.steps: int | None = None
        self._told: set[str] = set()
        self._last_line = -LINE_SECONDS
        self._events: tuple[BinaryIO, Any] | None = None
        self._events_wanted = True
        for kind in ("train", "validation"):
            self._guarded(partial(_drop_after, folder / f"{kind}.csv", resumed))

    def train(self, step: int, values: Mapping[str, float]) -> None:
        """Losses, rate and gradient norms after so many steps: a row, and a line on stderr every ten seconds."""
        self._write("train", step, values)
        if time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            of = "" if self.steps is None else f" of {self.steps}"
            left = "" if self.left is None else f", {_duration(self.left)} left"
            shown = "  ".join(f"{k} {v:.4g}" for k, v in values.items() if not k.startswith("gradient."))
            self.tell(f"step {step}{of}{left}: {shown}")

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """What the averaged weights reach on the fixed bank after so many steps."""
        self._write("validation", step, values)
        self.tell(f"validation at step {step}: " + "  ".join(f"{k} {v:.4g}" for k, v in values.items()))

    def trouble(self, sentence: str) -> None:
        """Something went wrong that the run survives; each sentence is told once."""
        if sentence not in self._told:
            self._told.add(sentence)
            self.tell(sentence)

    def close(self) -> None:
        """Close the events' file."""
        if self._events is not None:
            self._guarded(self._events[0].close)
            self._events = None

    def _write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, "minutes": round(self.minutes, 4), **values}
        self._guarded(lambda: _append(self.folder / f"{kind}.csv", row))
        self._guarded(lambda: self._event(kind, step, values))

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError as error:
            self.trouble(
                f"The journal in {self.folder} cannot be written ({error.strerror}); free space there: the run goes on."
            )

    def _event(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """TensorBoard's own record format, written at once: its usual writer fails in a thread of its own."""
        if not self._events_wanted:
            return
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            self._events_wanted = False
            return
        if self._events is None:
            file: BinaryIO = open(self.folder / f"events.out.tfevents.{int(time.time())}.run", "ab")
            self._events = (file, RecordWriter(file))
            if not file.tell():
                first = Event(wall_time=time.time(), file_version="brain.Event:2")
                self._events[1].write(first.SerializeToString())
        stream, writer = self._events
        scalars = [Summary.Value(tag=f"{kind}/{name}", simple_value=value) for name, value in values.items()]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=scalars))
        try:
            writer.write(event.SerializeToString())
            stream.flush()
        except OSError:
            # Half a record would hide all that follow it in this file: the next one begins another.
            self._events = None
            with suppress(OSError):
                stream.close()
            raise


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a journal's CSV file, by column."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row; columns that the file did not have so far are added to it."""
    columns: list[str] = []
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            columns = list(csv.DictReader(file).fieldnames or [])
    missing = [name for name in row if name not in columns]
    if missing:
        _rewrite(path, columns + missing, [*(read_rows(path) if columns else []), dict(row)])
        return
    text = io.StringIO(newline="")
    csv.DictWriter(text, fieldnames=columns).writerow(row)
    line = text.getvalue().encode("utf-8")
    with open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            # Half a row would run into the next one.
            file.truncate(size)
            raise


def _drop_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    rows = read_rows(path)
    kept = [row for row in rows if (row.get("step") or "").isdigit() and int(row["step"]) <= step]
    if len(kept) < len(rows):
        _rewrite(path, list(rows[0]), kept)


def _rewrite(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    part = path.with_name(f".{path.name}.part")
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
