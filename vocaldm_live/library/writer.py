"""Writer: the one process that changes an index; everything up to its last commit survives whatever happens."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from vocaldm_live.errors import LibraryError
from vocaldm_live.library.scan import Found
from vocaldm_live.library.store import (
    DATABASE,
    FORMAT,
    ITEM,
    LOCK,
    SCHEMA,
    Space,
    array_problem,
    complaints,
    connect,
    is_index,
    root_of,
    space_of,
)

COMMIT_SECONDS = 5.0
COMMIT_FILES = 256
COPY_ROWS = 4096
# An array is copied without its dead rows once they are this share of it.
DEAD_SHARE = 0.25


class Writer:
    """An open index that is locked against other writers. `notes` says what was begun anew, and why."""

    def __init__(
        self, index: Path, root: Path, space: str, encoder: str, width: int, fresh: bool = False
    ) -> None:
        """Open or make the index of `root`, with a space for this encoder.

        A space of another encoder is begun anew, and everything where `fresh`. Raises LibraryError where the
        index is damaged, in use or cannot be written, and where `index` is a folder of something else.
        """
        self.index = index
        self.notes: list[str] = []
        self._array: BinaryIO | None = None
        with complaints(index):
            if (
                index.is_dir()
                and not is_index(index)
                and any(entry.name != LOCK for entry in index.iterdir())
            ):
                raise LibraryError(f"{index} is no index and not empty: name another place with --index.")
            index.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            if fresh:
                self._remove_all()
            with complaints(index):
                if not is_index(index):
                    self._make(root)
                self._database = connect(index)
                self._database.isolation_level = None
                self._sweep()
                self._use_root(root)
                self.space = self._use_space(space, encoder, width)
                self._array = open(index / self.space.file, "r+b")
                self._rows = self.space.rows
                self._array.truncate(self._rows * width * ITEM)
                self._array.seek(0, os.SEEK_END)
        except BaseException:
            self._lock.close()
            raise
        self._pending = 0
        self._committed = time.monotonic()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.commit()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the index; what was not committed is lost."""
        if self._array is not None:
            self._array.close()
        self._database.close()
        self._lock.close()

    # What is to be done -------------------------------------------------------------------------------------

    def compare(self, found: Iterable[Found], unlisted: Sequence[bytes] = ()) -> tuple[int, int, list[Found]]:
        """Take note of the files that there are: how many, how many were dropped, and those to be read, by path.

        A file whose size or time of change differs counts as another. What lies below `unlisted` stays; they
        may be filled while `found` is walked.
        """
        run = self._database.execute
        with complaints(self.index):
            self._begin()
            run(
                "CREATE TEMP TABLE found (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID"
            )
            rows = ((one.path, one.size, one.mtime_ns) for one in found)
            self._database.executemany("INSERT INTO found VALUES (?, ?, ?)", rows)
            (files,) = run("SELECT count(*) FROM found").fetchone()
            gone = run("SELECT id, path FROM sources WHERE path NOT IN (SELECT path FROM found)").fetchall()
            hidden = tuple(unlisted)
            dropped = [source for source, path in gone if not (hidden and path.startswith(hidden))]
            self._forget(dropped)
            other = "found.size != sources.size OR found.mtime_ns != sources.mtime_ns"
            changed = run(f"SELECT id FROM sources JOIN found USING (path) WHERE {other}").fetchall()
            self._forget([source for (source,) in changed])
            done = " UNION ".join(
                f"SELECT path FROM sources JOIN {table} ON source = id WHERE space = :space"
                for table in ("vectors", "problems")
            )
            query = f"SELECT path, size, mtime_ns FROM found WHERE path NOT IN ({done}) ORDER BY path"
            waiting = [Found(*row) for row in run(query, {"space": self.space.name})]
            run("DROP TABLE found")
            self._commit()
        return files, len(dropped), waiting

    def add(self, found: Found, vectors: np.ndarray, starts: Sequence[float]) -> None:
        """Enter a file's vectors, float32 `[windows, width]`, and where their windows begin, in seconds."""
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        if rows.shape != (len(starts), self.space.width) or not np.isfinite(rows).all():
            raise ValueError(
                f"add needs finite vectors [{len(starts)}, {self.space.width}], got {rows.shape}."
            )
        assert self._array is not None
        with complaints(self.index):
            self._begin()
            source = self._source(found)
            self._array.write(rows.tobytes())
            entries = [
                (self.space.name, self._rows + index, source, float(start))
                for index, start in enumerate(starts)
            ]
            self._database.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?)", entries)
            self._rows += len(rows)
            self._entered()

    def refuse(self, found: Found, sentence: str) -> None:
        """Enter a file that cannot be read, so that it is not tried again before it changes."""
        with complaints(self.index):
            self._begin()
            # Names that are no text cannot stand in the database's text.
            plain = sentence.encode("utf-8", "backslashreplace").decode("utf-8")
            entry = (self._source(found), self.space.name, plain)
            self._database.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?)", entry)
            self._entered()

    def commit(self) -> None:
        """Make everything that was entered last."""
        with complaints(self.index):
            self._commit()

    def compact(self, share: float = DEAD_SHARE) -> bool:
        """Copy the array without dead rows where they are more than this share of it; whether that was done."""
        self.commit()
        run = self._database.execute
        with complaints(self.index):
            query = "SELECT row FROM vectors WHERE space = ? ORDER BY row"
            live = np.array([row for (row,) in run(query, (self.space.name,))], dtype=np.int64)
            if self._rows - len(live) <= share * self._rows:
                return False
            name = self._next_file(self.space.name)
            old = self.index / self.space.file
            rows = np.memmap(old, dtype="<f4", mode="r", shape=(self._rows, self.space.width))
            with open(self.index / name, "xb") as array:
                for first in range(0, len(live), COPY_ROWS):
                    array.write(rows[live[first : first + COPY_ROWS]].tobytes())
                array.flush()
                os.fsync(array.fileno())
            del rows
            self._begin()
            # In rising order a new number is free: whoever had it has moved already.
            moves = [(new, self.space.name, int(row)) for new, row in enumerate(live) if new != row]
            self._database.executemany("UPDATE vectors SET row = ? WHERE space = ? AND row = ?", moves)
            entry = (name, len(live), self.space.name)
            run("UPDATE spaces SET file = ?, rows = ? WHERE name = ?", entry)
            run("COMMIT")
            assert self._array is not None
            self._array.close()
            self._rows = len(live)
            self.space = Space(self.space.name, self.space.encoder, self.space.width, name, self._rows)
            self._array = open(self.index / name, "r+b")
            self._array.seek(0, os.SEEK_END)
            self._sweep()
        return True

    # Inside -------------------------------------------------------------------------------------------------

    def _take_lock(self) -> sqlite3.Connection:
        """A lock that the system lets go of when this process ends, however it ends, on every system."""
        with complaints(self.index):
            lock = sqlite3.connect(
                self.index / LOCK, timeout=0.0, check_same_thread=False, isolation_level=None
            )
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                lock.close()
                raise LibraryError(
                    f"The index {self.index} is being built by another process: wait until that has ended."
                ) from error
            except BaseException:
                lock.close()
                raise
        return lock

    def _remove_all(self) -> None:
        with complaints(self.index):
            for path in (
                *self.index.glob(f"{DATABASE}*"),
                *self.index.glob("*.f32"),
                *self.index.glob("*.part"),
            ):
                path.unlink()

    def _make(self, root: Path) -> None:
        """Write an empty index, complete when it appears."""
        part = self.index / f".{DATABASE}.part"
        part.unlink(missing_ok=True)
        database = sqlite3.connect(part)
        try:
            database.executescript(SCHEMA)
            facts = [("format", FORMAT), ("root", os.fsencode(root))]
            database.executemany("INSERT INTO facts VALUES (?, ?)", facts)
            database.commit()
        finally:
            database.close()
        os.replace(part, self.index / DATABASE)

    def _use_root(self, root: Path) -> None:
        before = root_of(self._database)
        if before != root:
            self.notes.append(f"The index {self.index} was that of {before} and is now that of {root}.")
            self._database.execute("UPDATE facts SET value = ? WHERE name = 'root'", (os.fsencode(root),))

    def _use_space(self, name: str, encoder: str, width: int) -> Space:
        before = space_of(self._database, name)
        if before is not None and (before.encoder, before.width) == (encoder, width):
            problem = array_problem(self.index, before)
            if problem:
                raise LibraryError(problem)
            return before
        run = self._database.execute
        if before is not None:
            self.notes.append(
                f"The index {self.index} was made with another encoder ({before.encoder[:12]}, now "
                f"{encoder[:12]}): every file is read again."
            )
        file = self._next_file(name)
        (self.index / file).touch(exist_ok=False)
        self._begin()
        for table in ("vectors", "problems"):
            run(f"DELETE FROM {table} WHERE space = ?", (name,))
        run("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?, ?, 0)", (name, encoder, width, file))
        run("COMMIT")
        self._sweep()
        return Space(name, encoder, width, file, 0)

    def _next_file(self, space: str) -> str:
        number = 1
        while (self.index / f"{space}-{number}.f32").exists():
            number += 1
        return f"{space}-{number}.f32"

    def _sweep(self) -> None:
        """Remove arrays that nothing names: of a copy that was killed, or of the time before one."""
        named = {file for (file,) in self._database.execute("SELECT file FROM spaces")}
        for path in self.index.glob("*.f32"):
            if path.name not in named:
                with suppress(OSError):  # Windows: somebody has it open; another time then
                    path.unlink()

    def _source(self, found: Found) -> int:
        run = self._database.execute
        row = run("SELECT id FROM sources WHERE path = ?", (found.path,)).fetchone()
        if row is not None:
            return int(row[0])
        entry = (found.path, found.size, found.mtime_ns)
        source = run("INSERT INTO sources (path, size, mtime_ns) VALUES (?, ?, ?)", entry).lastrowid
        assert source is not None
        return source

    def _forget(self, sources: Sequence[int]) -> None:
        ids = [(source,) for source in sources]
        for table, column in (("vectors", "source"), ("problems", "source"), ("sources", "id")):
            self._database.executemany(f"DELETE FROM {table} WHERE {column} = ?", ids)

    def _begin(self) -> None:
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")

    def _entered(self) -> None:
        self._pending += 1
        if self._pending >= COMMIT_FILES or time.monotonic() - self._committed > COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        """The vectors reach the disk first, then the database says whose they are."""
        if self._array is not None and not self._array.closed:
            self._array.flush()
            os.fsync(self._array.fileno())
        if self._database.in_transaction:
            entry = (self._rows, self.space.name)
            self._database.execute("UPDATE spaces SET rows = ? WHERE name = ?", entry)
            self._database.execute("COMMIT")
        self._pending, self._committed = 0, time.monotonic()
