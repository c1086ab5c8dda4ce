"""History: an SQLite index of every clip and its recipe, which can always be made again from the outbox."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vocaldm_live.deliver.outbox import LATEST
from vocaldm_live.deliver.recipe import Recipe, read_recipe
from vocaldm_live.deliver.ucs import parse_name
from vocaldm_live.errors import RequestError, VocalDMError

log = logging.getLogger("vocaldm.history")
ID_DIGITS, SHORTEST_PREFIX = 10, 4


class HistoryError(VocalDMError):
    """A clip is not in the history, or the history can't be kept."""


@dataclass(frozen=True)
class Entry:
    """A clip: where it lies, what made it, what was made of it. `missing`: its file is gone."""

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
    name: str
    seconds: float
    request: str = ""
    variation: int = 0
    source: str = ""
    parent: str = ""
    starred: bool = False
    missing: bool = False


COLUMNS = tuple(field.name for field in fields(Entry))
_TABLE = f"""
CREATE TABLE IF NOT EXISTS clips (
    id TEXT PRIMARY KEY, path TEXT UNIQUE NOT NULL, {", ".join(name for name in COLUMNS[2:])},
    number INTEGER
)
"""


class History:
    """The index in one file; any thread may ask, and several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._open()
        except sqlite3.DatabaseError:
            broken = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
            path.replace(broken)
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            log.warning("The history %s was damaged: it lies in %s, a new one is made.", path, broken.name)
            self._open()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def add(
        self,
        path: Path,
        recipe_path: Path,
        seconds: float,
        *,
        request: str = "",
        variation: int = 0,
        source: str = "",
        parent: str = "",
    ) -> Entry:
        """Index a published clip; one that is there already is returned as it stands. Raises RequestError."""
        path = path.absolute()
        with self._change() as cursor:
            held = cursor.execute("SELECT * FROM clips WHERE path = ?", (str(path),)).fetchone()
            if held is not None:
                return _entry(held)
            recipe = read_recipe(recipe_path)
            digest = hashlib.sha256(f"{path.name}\n{recipe.to_json()}".encode()).hexdigest()
            digits = ID_DIGITS
            while cursor.execute("SELECT 1 FROM clips WHERE id = ?", (digest[:digits],)).fetchone():
                digits += 2
            entry = _of_recipe(
                recipe,
                digest[:digits],
                path,
                recipe_path.absolute(),
                seconds,
                request,
                variation,
                source,
                parent,
            )
            marks = ", ".join("?" * len(COLUMNS))
            cursor.execute(
                f"INSERT INTO clips ({', '.join(COLUMNS)}, number)"
                f" VALUES ({marks}, (SELECT COALESCE(MAX(number), 0) + 1 FROM clips))",
                [_plain(getattr(entry, name)) for name in COLUMNS],
            )
            return entry

    def get(self, text: str) -> Entry:
        """A clip by its id, a unique beginning of it (4 digits or more), or its path; raises HistoryError."""
        with self._change() as cursor:
            rows = cursor.execute("SELECT * FROM clips WHERE id = ? OR path = ?", (text, text)).fetchall()
            if not rows and len(text) >= SHORTEST_PREFIX and text.isalnum():
                rows = cursor.execute("SELECT * FROM clips WHERE id LIKE ?", (f"{text}%",)).fetchall()
        if not rows:
            raise HistoryError(
                f"There is no clip {text[:100]!r} in the history: `vocaldm history` lists them."
            )
        if len(rows) > 1:
            raise HistoryError(f"{text!r} is the beginning of {len(rows)} clips' ids: give more of it.")
        return _entry(rows[0])

    def entries(
        self, text: str = "", preset: str = "", starred: bool = False, since: str = "", limit: int = 50
    ) -> list[Entry]:
        """The newest clips first; `text` stands in name, imitation or path, `since` is an ISO 8601 time."""
        wheres, values = ["1"], []
        if text:
            wheres.append("(name LIKE ? OR imitation LIKE ? OR path LIKE ?)")
            values += [f"%{text}%"] * 3
        if preset:
            wheres.append("preset = ?")
            values.append(preset)
        if starred:
            wheres.append("starred = 1")
        if since:
            wheres.append("created >= ?")
            values.append(since)
        query = f"SELECT * FROM clips WHERE {' AND '.join(wheres)} ORDER BY created DESC, number DESC LIMIT ?"
        with self._change() as cursor:
            return [_entry(row) for row in cursor.execute(query, [*values, limit])]

    def star(self, clip_id: str, on: bool) -> Entry:
        """Mark or unmark a clip; raises HistoryError."""
        entry = self.get(clip_id)
        with self._change() as cursor:
            cursor.execute("UPDATE clips SET starred = ? WHERE id = ?", (int(on), entry.id))
        return self.get(entry.id)

    def reconcile(self, outbox: Path) -> tuple[int, int]:
        """Add the outbox's clips that are not indexed and mark entries whose file is gone: (added, missing)."""
        with self._change() as cursor:
            known = {row[0]: row[1] for row in cursor.execute("SELECT path, missing FROM clips")}
        added = sum(self._add_found(path) for path in _clips(outbox) if str(path) not in known)
        gone = [path for path in known if not Path(path).is_file()]
        back = [path for path, missing in known.items() if missing and path not in gone]
        with self._change() as cursor:
            cursor.executemany("UPDATE clips SET missing = 1 WHERE path = ?", [(path,) for path in gone])
            cursor.executemany("UPDATE clips SET missing = 0 WHERE path = ?", [(path,) for path in back])
        return added, len([path for path in gone if not known[path]])

    def rebuild(self, outbox: Path) -> int:
        """Make the index anew from the outbox; stars and what only the index knew are kept by id."""
        with self._change() as cursor:
            held = {row["id"]: row for row in cursor.execute("SELECT * FROM clips")}
            cursor.execute("DELETE FROM clips")
        added = sum(self._add_found(path) for path in _clips(outbox))
        kept = ("starred", "request", "variation", "source", "parent")
        with self._change() as cursor:
            for clip_id, row in held.items():
                cursor.execute(
                    f"UPDATE clips SET {', '.join(f'{name} = ?' for name in kept)} WHERE id = ?",
                    [*(row[name] for name in kept), clip_id],
                )
        return added

    # Inside ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=20.0, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
            if self._connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check")
            self._connection.commit()
        except sqlite3.DatabaseError:
            self._connection.close()
            raise

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            try:
                with self._connection, closing(self._connection.cursor()) as cursor:
                    yield cursor
            except sqlite3.Error as error:
                raise HistoryError(
                    f"The history {self.path} can't be used ({error}): free its disk or rebuild it."
                ) from error

    def _add_found(self, path: Path) -> bool:
        import soundfile

        try:
            self.add(path, path.with_suffix(".json"), float(soundfile.info(str(path)).duration))
        except (RequestError, soundfile.LibsndfileError, OSError) as error:
            log.warning("%s is left out of the history: %s", path.name, error)
            return False
        return True


def _clips(outbox: Path) -> list[Path]:
    """The outbox's clips that have a recipe, oldest first."""
    if not outbox.is_dir():
        return []
    recipes = [
        path for path in outbox.glob("*.json") if path.name != LATEST and not path.name.startswith(".")
    ]
    found = [path.with_suffix(".wav").absolute() for path in recipes]
    return sorted(
        (path for path in found if path.is_file()), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )


def _of_recipe(
    recipe: Recipe,
    clip_id: str,
    path: Path,
    recipe_path: Path,
    seconds: float,
    request: str,
    variation: int,
    source: str,
    parent: str,
) -> Entry:
    return Entry(
        clip_id,
        path,
        recipe_path,
        recipe.created,
        recipe.preset,
        recipe.preset_sha256,
        recipe.seed,
        recipe.steps,
        recipe.guidance,
        recipe.follow,
        recipe.imitation,
        recipe.imitation_sha256,
        _title(path),
        seconds,
        request,
        variation,
        source,
        parent,
    )


def _title(path: Path) -> str:
    try:
        return parse_name(path.name).fx_name
    except VocalDMError:
        return path.stem


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else int(value) if isinstance(value, bool) else value


def _entry(row: Sequence[Any]) -> Entry:
    values = {name: row[name] for name in COLUMNS}  # type: ignore[call-overload]
    return Entry(
        **values
        | {
            "path": Path(values["path"]),
            "recipe_path": Path(values["recipe_path"]),
            "starred": bool(values["starred"]),
            "missing": bool(values["missing"]),
        }
    )
