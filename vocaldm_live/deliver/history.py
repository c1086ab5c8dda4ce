"""History: an SQLite index of every published clip and its recipe, which the outbox itself can rebuild.

The files are the truth: an entry's id comes from the clip's name and recipe, so that an index made anew has
the same ids. What files can't tell, stars and kinship, is kept by id; stars also in a small file beside the
database, for the day the database is damaged.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from vocaldm_live.deliver.clipfiles import ClipFiles, clip_reference, find_clips
from vocaldm_live.deliver.recipe import parse_time
from vocaldm_live.deliver.ucs import parse_name
from vocaldm_live.errors import DeliveryError, RequestError, VocalDMError

log = logging.getLogger("vocaldm.deliver")
ID_LENGTH = 10
BUSY_SECONDS = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A clip of the history. `created` is an ISO 8601 time in UTC, `seconds` the clip's length.

    `imitation` and its hash are empty for a clip of words or an example alone.
    `parent` is the id of the clip it was made from by `again` or `refine`, `request` the client's id,
    `source` where the gesture came from (microphone, inbox, osc ...); each empty where unknown. `missing`:
    the file is not where it was; nothing is ever deleted.
    """

    id: str
    path: Path
    recipe_path: Path
    created: str
    preset: str
    preset_sha256: str
    seed: int
    steps: int
    guidance: float
    follow: float
    imitation: str
    imitation_sha256: str
    seconds: float
    starred: bool = False
    missing: bool = False
    parent: str = ""
    request: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """What the clip is called: the title in its file name."""
        try:
            return parse_name(self.path.name).fx_name
        except VocalDMError:
            return self.path.stem

    def as_json(self) -> str:
        """The entry as one JSON object in one line."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {"name": self.name, "path": str(self.path), "recipe_path": str(self.recipe_path)}
        return json.dumps(values)


@dataclass(frozen=True)
class Reconciled:
    """What `reconcile` and `rebuild` did: entries made, marked missing, found again; sentences for people."""

    added: int = 0
    missing: int = 0
    returned: int = 0
    notes: tuple[str, ...] = ()


_COLUMNS = tuple(field.name for field in fields(Entry))
_KINDS = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER"}
_TABLE = (
    "CREATE TABLE IF NOT EXISTS clips (reference TEXT PRIMARY KEY, "
    + ", ".join(f"{field.name} {_KINDS.get(str(field.type), 'TEXT')} NOT NULL" for field in fields(Entry))
    + ", UNIQUE (id), UNIQUE (path))"
)


class History:
    """The index in one file; any thread may call, several processes may share it.

    Opening moves a damaged file aside (`notes` says so) and starts an empty one: call `reconcile` next.
    Raises DeliveryError when the file's folder takes no file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(os.path.expanduser(path)))
        self.notes: tuple[str, ...] = ()
        self._lock = threading.RLock()
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._base = self._open()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self.notes = (self._move_aside(error),)
                self._base = self._open()

    def close(self) -> None:
        """Close the file; nothing may be called afterwards."""
        with self._lock:
            self._base.close()

    def add(
        self,
        path: str | Path,
        recipe_path: str | Path,
        *,
        parent: str = "",
        request: str = "",
        source: str = "",
    ) -> Entry:
        """Enter a published clip, read back from its files; once more changes nothing."""
        files = ClipFiles.read(Path(path), Path(recipe_path))
        if files is None:
            raise RequestError(f"{path} has no recipe: name a clip that was made here.")
        with self._transaction():
            return self._put(files, parent, request, source)

    def get(self, what: str | Path) -> Entry:
        """The clip of an id, of an id's beginning that only one has, or of a path; RequestError otherwise."""
        text = str(what)
        with self._told():
            rows = self._rows("WHERE id = ? OR path = ?", (text, os.path.abspath(os.path.expanduser(text))))
            if not rows and text.isalnum():
                rows = self._rows("WHERE substr(id, 1, ?) = ? LIMIT 3", (len(text), text))
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise RequestError(f"Several clips begin with {text!r}: give more of the id.")
        raise RequestError(f"The history has no clip {text!r}: see vocaldm history list.")

    def entries(
        self,
        text: str = "",
        *,
        preset: str = "",
        starred: bool = False,
        since: str = "",
        missing: bool = True,
        limit: int = 0,
    ) -> list[Entry]:
        """Entries, newest first. `text`: part of the clip's or the imitation's name; `since`: ISO 8601;
        `missing` False leaves out those without a file; `limit` 0: all. RequestError for a time that is none."""
        conditions: list[tuple[str, tuple[Any, ...]]] = []
        if text:
            found = "(instr(lower(path), lower(?)) OR instr(lower(imitation), lower(?)) OR id = ?)"
            conditions.append((found, (text, text, text)))
        if preset:
            conditions.append(("preset = ?", (preset,)))
        if since:
            conditions.append(("created >= ?", (_utc(since),)))
        if starred:
            conditions.append(("starred", ()))
        if not missing:
            conditions.append(("NOT missing", ()))
        where = "WHERE " + " AND ".join(one for one, _ in conditions) if conditions else ""
        values = tuple(value for _, given in conditions for value in given)
        with self._told():
            return self._rows(f"{where} ORDER BY created DESC, rowid DESC LIMIT ?", (*values, limit or -1))

    def star(self, what: str | Path, on: bool = True) -> Entry:
        """Mark or unmark a clip; returns it as it is then."""
        entry = self.get(what)
        with self._transaction():
            self._base.execute("UPDATE clips SET starred = ? WHERE id = ?", (on, entry.id))
            # Inside, so that of two who mark at once nobody writes an older list last.
            self._save_stars()
        return self.get(entry.id)

    def reconcile(self, folder: str | Path) -> Reconciled:
        """Enter the clips of an outbox that have no entry, mark entries whose file is gone (in any folder)."""
        return self._scan(Path(os.path.abspath(folder)), anew=False)

    def rebuild(self, folder: str | Path) -> Reconciled:
        """Read every recipe of an outbox again; stars, kinship and entries of missing files are kept."""
        return self._scan(Path(os.path.abspath(folder)), anew=True)

    # Inside ------------------------------------------------------------------------------------------------

    def _scan(self, folder: Path, anew: bool) -> Reconciled:
        with self._told():
            known = {entry.path: entry for entry in self._rows("", ())}
        skipped = () if anew else {path for path, entry in known.items() if not entry.missing}
        clips, notes = find_clips(folder, skipped)
        gone = [entry for path, entry in known.items() if not path.is_file()]
        with self._transaction():
            for files in clips:
                self._put(files)
            self._base.executemany("UPDATE clips SET missing = 1 WHERE id = ?", [(one.id,) for one in gone])
        added = [files for files in clips if files.path not in known]
        back = [files for files in clips if files.path in known and known[files.path].missing]
        lost = [entry for entry in gone if not entry.missing]
        for note in notes:
            log.warning("%s", note)
        log.info("history: %d entered, %d missing, %d back", len(added), len(lost), len(back))
        return Reconciled(len(added), len(lost), len(back), tuple(notes))

    def _put(self, files: ClipFiles, parent: str = "", request: str = "", source: str = "") -> Entry:
        reference, recipe = clip_reference(files.path, files.text), files.recipe
        old = self._rows("WHERE reference = ?", (reference,))
        if old and old[0].path == files.path and not old[0].missing:
            return old[0]
        # Another clip may have had this path once, and another clip may begin with the same digits.
        self._base.execute(
            "DELETE FROM clips WHERE path = ? AND reference != ?", (str(files.path), reference)
        )
        other = "SELECT 1 FROM clips WHERE id = ? AND reference != ?"
        short = next(
            reference[:length]
            for length in range(ID_LENGTH, len(reference) + 1)
            if not self._base.execute(other, (reference[:length], reference)).fetchone()
        )
        starred = old[0].starred if old else short in self._saved_stars()
        entry = Entry(
            short,
            files.path,
            files.recipe_path,
            _utc(recipe.created),
            recipe.preset,
            recipe.preset_sha256,
            recipe.seed,
            recipe.steps,
            recipe.guidance,
            recipe.follow,
            recipe.imitation or "",
            recipe.imitation_sha256 or "",
            files.seconds,
            starred,
            False,
            parent or (old[0].parent if old else ""),
            request or (old[0].request if old else ""),
            source or (old[0].source if old else ""),
        )
        values = [str(v) if isinstance(v, Path) else v for v in (getattr(entry, n) for n in _COLUMNS)]
        marks = ", ".join("?" * (len(values) + 1))
        names = ", ".join(("reference", *_COLUMNS))
        self._base.execute(f"INSERT OR REPLACE INTO clips ({names}) VALUES ({marks})", (reference, *values))
        return entry

    def _rows(self, rest: str, values: tuple[Any, ...]) -> list[Entry]:
        with self._lock:
            rows = self._base.execute(f"SELECT {', '.join(_COLUMNS)} FROM clips {rest}", values).fetchall()
        return [_entry(row) for row in rows]

    def _open(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = NORMAL")
            if base.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("its pages do not agree")
            base.execute(_TABLE)
            base.execute(f"SELECT reference, {', '.join(_COLUMNS)} FROM clips LIMIT 1").fetchall()
        except BaseException as error:
            base.close()
            if isinstance(error, sqlite3.OperationalError) and "no such column" in str(error):
                raise sqlite3.DatabaseError("it is of another version") from error
            raise
        return base

    def _move_aside(self, error: sqlite3.DatabaseError) -> str:
        number = next(n for n in range(1, 10**6) if not self._aside(n).exists())
        for ending in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}{ending}", f"{self._aside(number)}{ending}")
        sentence = (
            f"The history {self.path} is damaged ({error}), so it was moved to {self._aside(number).name} "
            "and is made anew from the outbox."
        )
        log.warning("%s", sentence)
        return sentence

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.damaged-{number}")

    @property
    def _stars_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.stars.json")

    def _saved_stars(self) -> set[str]:
        try:
            saved = json.loads(self._stars_path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return set()
        return {one for one in saved if isinstance(one, str)} if isinstance(saved, list) else set()

    def _save_stars(self) -> None:
        stars = sorted(row[0] for row in self._base.execute("SELECT id FROM clips WHERE starred"))
        part = self._stars_path.with_name(f".{self._stars_path.name}.part")
        part.write_text(json.dumps(stars), encoding="ascii")
        os.replace(part, self._stars_path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._told():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DeliveryError(
                f"The history {self.path} cannot be used ({reason}): "
                "free space, mend its permissions, or move it away and start again."
            ) from error


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_COLUMNS, row, strict=True))
    makers: dict[str, Callable[[Any], Any]] = {
        "path": Path,
        "recipe_path": Path,
        "starred": bool,
        "missing": bool,
    }
    return Entry(**{name: makers.get(name, _same)(value) for name, value in values.items()})


def _same(value: T) -> T:
    return value


def _utc(text: str) -> str:
    """A time in UTC, in the one form that sorts as text; RequestError when it is none."""
    from datetime import timezone

    try:
        return parse_time(text).astimezone(timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{text!r} is no time: write it like 2026-01-31 or 2026-01-31T12:00.") from error
