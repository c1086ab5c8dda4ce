"""Store: arrays that are computed once, kept on disk by the content that they were made of, and mapped into memory.

A folder with `store.sqlite` (which array lies where) and files of records, one file for each writing process. A
record is a head of JSON and the array's bytes, both at multiples of 64, so that the database can be made again
from the records. Records are appended and never changed, and count once the database names them: a process may be
killed at any moment, and several may write at once.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from training.errors import DataError

DATABASE = "store.sqlite"
ENDING = ".records"
MAGIC = b"VDMR"
ALIGNMENT = 64
LONGEST_HEAD = 65536
BUSY_SECONDS = 30.0
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS arrays (kind TEXT, maker TEXT, key TEXT, file TEXT, offset INTEGER, dtype TEXT, "
    "shape TEXT, crc INTEGER, PRIMARY KEY (kind, maker, key)) WITHOUT ROWID"
)
INSERT = "INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Store:
    """Arrays of one kind, made by one maker, by the content key of what they were made of.

    `kind` says what they are ("latent", "embedding", "sketch"); `maker` is a hash of what made them (networks,
    geometry, version), so another maker's arrays are never taken for these. Several processes may use one folder, and
    several threads one object; a forked process may go on with its parent's. Raises DataError where the disk says no.
    """

    def __init__(self, folder: Path, kind: str, maker: str) -> None:
        self.folder = folder
        self.kind = kind
        self.maker = maker
        self.troubles: list[str] = []
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._file: BinaryIO | None = None
        self._maps: dict[str, mmap.mmap] = {}
        self._whole: set[str] = set()
        self._lock = threading.RLock()
        self._parents: list[object] = []
        with self._complaints():
            folder.mkdir(parents=True, exist_ok=True)
            self._database()

    def __contains__(self, key: str) -> bool:
        """Whether `get` finds it: what the database names and the disk has lost is made again by whoever asks."""
        return self.get(key) is not None

    def __len__(self) -> int:
        with self._complaints():
            query = "SELECT count(*) FROM arrays WHERE kind = ? AND maker = ?"
            return int(self._database().execute(query, (self.kind, self.maker)).fetchone()[0])

    def get(self, key: str) -> np.ndarray | None:
        """The array of a key, read-only and mapped; None where there is none, or not all of its bytes are there."""
        row = self._row(key)
        if row is None:
            return None
        name, offset, dtype, shape_text, crc = row
        shape = tuple(json.loads(shape_text))
        kind = np.dtype(dtype)
        size = kind.itemsize * math.prod(shape)
        if size == 0:
            empty = np.empty(shape, kind)
            empty.flags.writeable = False
            return empty
        mapped = self._mapped(name, offset + size)
        if mapped is None:
            return None
        # Once a key: after a power cut the database may know of bytes that never reached the disk.
        if key not in self._whole:
            if zlib.crc32(memoryview(mapped)[offset : offset + size]) != crc:
                return None
            self._whole.add(key)
        array = np.frombuffer(mapped, kind, math.prod(shape), offset).reshape(shape)
        array.flags.writeable = False
        return array

    def put(self, key: str, array: np.ndarray) -> None:
        """Keep an array under a key, in place of what was there; raises DataError where the disk says no."""
        array = np.asarray(array)
        if array.dtype.hasobject:
            raise ValueError("arrays of objects cannot be kept")
        array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        data = array.tobytes()
        crc = zlib.crc32(data)
        head = {"kind": self.kind, "maker": self.maker, "key": key, "dtype": array.dtype.str}
        text = json.dumps({**head, "shape": list(array.shape), "crc": crc}).encode()
        with self._complaints(), self._turn():
            connection = self._database()
            file = self._records()
            begin = _aligned(file.seek(0, os.SEEK_END))
            offset = begin + _aligned(8 + len(text))
            file.truncate(begin)
            file.seek(begin)
            file.write(MAGIC + len(text).to_bytes(4, "little") + text)
            file.write(b"\0" * (offset - file.tell()) + data)
            file.flush()
            name = Path(file.name).name
            values = (key, name, offset, array.dtype.str, json.dumps(list(array.shape)), crc)
            connection.execute(INSERT, (self.kind, self.maker, *values))
        self._whole.discard(key)

    def close(self) -> None:
        """Let go of files; the object may be used again."""
        with self._complaints():
            for open_one in (self._file, self._connection):
                if open_one is not None:
                    open_one.close()
        self._file, self._connection = None, None
        self._maps.clear()

    def _row(self, key: str) -> tuple[Any, ...] | None:
        query = "SELECT file, offset, dtype, shape, crc FROM arrays WHERE kind = ? AND maker = ? AND key = ?"
        with self._complaints():
            row: tuple[Any, ...] | None = (
                self._database().execute(query, (self.kind, self.maker, key)).fetchone()
            )
        return row

    def _mapped(self, name: str, end: int) -> mmap.mmap | None:
        """A file's bytes up to `end` at least; None where it is shorter or gone."""
        here = self._maps.get(name)
        if here is None or len(here) < end:
            try:
                with open(self.folder / name, "rb") as file:
                    if os.fstat(file.fileno()).st_size < end:
                        return None
                    here = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise DataError(
                    f"{self.folder / name} cannot be read ({error.strerror}): check the disk."
                ) from error
            self._maps[name] = here
        return here

    def _database(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # A connection and a place in a file must not be shared with the parent; its maps may. To close the
            # parent's connection here would be wrong too, so it is kept and never used.
            self._parents.append((self._connection, self._file))
            self._connection, self._file, self._process = None, None, os.getpid()
        if self._connection is None:
            try:
                self._connection = self._connected()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._mend()
                self._connection = self._connected()
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        path = self.folder / DATABASE
        connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(SCHEMA)
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _mend(self) -> None:
        """Put a damaged database aside and make it again from the records."""
        path = self.folder / DATABASE
        aside = path.with_name(f"{DATABASE}.damaged-{uuid.uuid4().hex[:8]}")
        os.replace(path, aside)
        for ending in ("-wal", "-shm"):
            path.with_name(DATABASE + ending).unlink(missing_ok=True)
        connection = self._connected()
        rows = [row for file in sorted(self.folder.glob(f"*{ENDING}")) for row in records(file)]
        connection.executemany(INSERT, rows)
        connection.close()
        self.troubles.append(
            f"{path} was damaged and is made again from {len(rows)} records; the old one is {aside.name}."
        )

    def _records(self) -> BinaryIO:
        if self._file is None:
            name = f"{os.getpid()}-{uuid.uuid4().hex[:12]}{ENDING}"
            self._file = open(self.folder / name, "xb")
        return self._file

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One thread after the other; a fork may have copied a lock that nobody is left to open."""
        if self._process != os.getpid():
            self._lock = threading.RLock()
        with self._lock:
            yield

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(
                f"The store {self.folder} cannot be used ({str(error).rstrip('.')}): check disk and permissions."
            ) from error
        except OSError as error:
            raise DataError(
                f"The store {self.folder} cannot be used ({error.strerror or error}): check disk and permissions."
            ) from error


def records(path: Path) -> Iterator[tuple[Any, ...]]:
    """Rows of the database for every whole record of a file, in order; what is damaged is passed over."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at + 8 <= size:
            file.seek(at)
            mark, length = file.read(4), int.from_bytes(file.read(4), "little")
            row, end = None, at + ALIGNMENT
            if mark == MAGIC and length <= LONGEST_HEAD:
                offset = at + _aligned(8 + length)
                row, bytes_there = _record(path.name, file, file.read(length), offset)
                end = offset + bytes_there if row else end
            if row:
                yield row
            at = _aligned(end)


def _record(name: str, file: BinaryIO, text: bytes, offset: int) -> tuple[tuple[Any, ...] | None, int]:
    try:
        head = json.loads(text)
        size = np.dtype(head["dtype"]).itemsize * math.prod(head["shape"])
        file.seek(offset)
        if zlib.crc32(file.read(size)) != head["crc"]:
            return None, 0
        place = (name, offset, head["dtype"], json.dumps(head["shape"]), head["crc"])
        return (head["kind"], head["maker"], head["key"], *place), size
    except (ValueError, KeyError, TypeError):
        return None, 0


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
