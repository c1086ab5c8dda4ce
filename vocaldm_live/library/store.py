"""Store: an index on disk: which files a library has, and arrays of their vectors, one for each space.

A folder with `library.sqlite` (files, and which row of which array is whose) and `NAME-N.f32` (rows of float32,
little-endian, one after another, to be mapped into memory). A space is an embedding: its name, its encoder's
hash, its width; another can be stored beside the first for the same files. Rows are appended and never changed,
and a row counts once the database says whose it is: a process may be killed at any moment, and who reads is not
disturbed by who writes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.errors import LibraryError

DATABASE = "library.sqlite"
LOCK = "build.lock"
FORMAT = 1
BUSY_SECONDS = 10.0
ITEM = 4  # bytes of a float32

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE spaces (name TEXT PRIMARY KEY, encoder TEXT, width INTEGER, file TEXT, rows INTEGER) WITHOUT ROWID;
CREATE TABLE sources (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB UNIQUE, size INTEGER, mtime_ns INTEGER);
CREATE TABLE vectors (space TEXT, row INTEGER, source INTEGER, start REAL, PRIMARY KEY (space, row)) WITHOUT ROWID;
CREATE INDEX vectors_of ON vectors (source, space);
CREATE TABLE problems (source INTEGER, space TEXT, sentence TEXT, PRIMARY KEY (source, space)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Space:
    """An embedding in an index: its name, the SHA-256 of its encoder, numbers in a vector, its array, rows there."""

    name: str
    encoder: str
    width: int
    file: str
    rows: int


@dataclass(frozen=True)
class Facts:
    """What an index holds: the folder it was made of, its files, those that could not be read, its spaces."""

    index: Path
    root: Path
    files: int
    unreadable: int
    spaces: tuple[Space, ...]


def is_index(folder: Path) -> bool:
    """Whether a folder is an index."""
    return (folder / DATABASE).is_file()


def connect(index: Path) -> sqlite3.Connection:
    """An index's database; raises LibraryError where it is missing, damaged or of another format."""
    if not is_index(index):
        raise LibraryError(f"{index} is no index: make one with `vocaldm library build DIR`.")
    with complaints(index):
        connection = sqlite3.connect(index / DATABASE, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            row = connection.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
    if row is None or row[0] != FORMAT:
        connection.close()
        raise LibraryError(f"The index {index} has another format than this program's: build it --fresh.")
    return connection


@contextmanager
def complaints(index: Path) -> Iterator[None]:
    """Whatever database or disk complain of becomes a LibraryError of one sentence."""
    try:
        yield
    except sqlite3.OperationalError as error:
        what = str(error).rstrip(".")
        advice = (
            "try again when the other build has ended" if "locked" in what else "check disk and permissions"
        )
        raise LibraryError(f"The index {index} cannot be used ({what}): {advice}.") from error
    except sqlite3.DatabaseError as error:
        what = str(error).rstrip(".")
        raise LibraryError(f"The index {index} is damaged ({what}): build it anew with --fresh.") from error
    except OSError as error:
        what = error.strerror or str(error)
        raise LibraryError(
            f"The index {index} cannot be used ({what}): check disk and permissions."
        ) from error


def root_of(connection: sqlite3.Connection) -> Path:
    """The folder that an index was made of."""
    (value,) = connection.execute("SELECT value FROM facts WHERE name = 'root'").fetchone()
    return Path(os.fsdecode(value))


def space_of(connection: sqlite3.Connection, name: str) -> Space | None:
    """A space by name; None where the index has none of it yet."""
    query = "SELECT name, encoder, width, file, rows FROM spaces WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return None if row is None else Space(*row)


def array_problem(index: Path, space: Space) -> str | None:
    """What is wrong with a space's array as it lies on disk; None where it is long enough."""
    path = index / space.file
    length = path.stat().st_size if path.is_file() else -1
    if length >= space.rows * space.width * ITEM:
        return None
    what = "is missing" if length < 0 else "is too short"
    return f"The index {index} is damaged ({space.file} {what}): build it anew with --fresh."


def read_facts(index: Path) -> Facts:
    """What an index holds; raises LibraryError."""
    with complaints(index), closing(connect(index)) as connection:
        files, unreadable = (
            connection.execute(f"SELECT count(DISTINCT {column}) FROM {table}").fetchone()[0]
            for column, table in (("id", "sources"), ("source", "problems"))
        )
        names = [name for (name,) in connection.execute("SELECT name FROM spaces ORDER BY name")]
        spaces = [space for name in names if (space := space_of(connection, name)) is not None]
        return Facts(index, root_of(connection), files, unreadable, tuple(spaces))


def read_problems(index: Path) -> list[str]:
    """A sentence for each file that could not be read, by path."""
    query = "SELECT DISTINCT sentence FROM problems JOIN sources ON sources.id = source ORDER BY path"
    with complaints(index), closing(connect(index)) as connection:
        return [sentence for (sentence,) in connection.execute(query)]
