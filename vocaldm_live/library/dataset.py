"""Dataset: imitations with the items that they mean, as the sets that retrieval is measured on lay them out.

VimSketch (Zenodo 2596911): `references/NNN_KEY` and `vocal_imitations/NNNNN_KEY`; one KEY, one pair, and every
reference its own class. QVIM-DEV (AES challenge 2025): `DEV Dataset.csv` with the columns Class, Items and
Query 1 to 3, files in `Items/CLASS` and `Queries/CLASS`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.errors import SoundError
from vocaldm_live.sound.audio import sound_files

TABLE = "DEV Dataset.csv"


@dataclass(frozen=True)
class Query:
    """An imitation's file, and which item it means."""

    path: Path
    item: int


@dataclass(frozen=True)
class Dataset:
    """Queries, the items that they are looked for among, and the class of each item."""

    name: str
    queries: tuple[Query, ...]
    items: tuple[Path, ...]
    classes: tuple[str, ...]


def read_dataset(folder: Path, problem: Callable[[str], None]) -> Dataset | None:
    """The set in a folder or in its one subfolder; None where it is neither of the two.

    `problem` hears of files that a list names and that are not there, and of imitations without an item.
    Raises SoundError where nothing is left, or the list cannot be read.
    """
    if not folder.is_dir():
        raise SoundError(f"{folder} is not a folder: give one with imitations and references.")
    for place in (folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())):
        if (place / TABLE).is_file():
            return _complete(_qvim_dev(place, problem), folder)
        if (place / "vocal_imitations").is_dir() and (place / "references").is_dir():
            return _complete(_vimsketch(place, problem), folder)
    return None


def _vimsketch(folder: Path, problem: Callable[[str], None]) -> Dataset:
    keys: dict[str, int] = {}
    items: list[Path] = []
    for path in sound_files(folder / "references"):
        key = path.stem.partition("_")[2]
        if key not in keys:
            keys[key] = len(items)
            items.append(path)
    queries = []
    for path in sound_files(folder / "vocal_imitations"):
        item = keys.get(path.stem.partition("_")[2])
        if item is None:
            problem(f"{path} has no reference of its name: it is left out.")
        else:
            queries.append(Query(path, item))
    return Dataset("VimSketch", tuple(queries), tuple(items), tuple(keys))


def _qvim_dev(folder: Path, problem: Callable[[str], None]) -> Dataset:
    table = folder / TABLE
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SoundError(f"{table} cannot be read ({error}): download the set again.") from error
    head = next((at for at, line in enumerate(lines) if {"Class", "Items"} <= set(line)), None)
    if head is None:
        raise SoundError(f"{table} has no columns Class and Items: download the set again.")
    queries: list[Query] = []
    items: list[Path] = []
    classes: list[str] = []
    for line in lines[head + 1 :]:
        cells = dict(zip(lines[head], line, strict=False))
        kind, item = cells.get("Class", ""), cells.get("Items", "")
        if not kind or not item:
            continue
        path = _named(folder / "Items" / kind, item)
        if path is None:
            problem(f"{folder / 'Items' / kind / item} is in {TABLE} and not there: it is left out.")
            continue
        for column, name in cells.items():
            if not column.startswith("Query") or not name:
                continue
            query = _named(folder / "Queries" / kind, name)
            if query is None:
                problem(f"{folder / 'Queries' / kind / name} is in {TABLE} and not there: it is left out.")
            else:
                queries.append(Query(query, len(items)))
        items.append(path)
        classes.append(kind)
    return Dataset("QVIM-DEV", tuple(queries), tuple(items), tuple(classes))


def _named(folder: Path, name: str) -> Path | None:
    """A file of a list, which may leave out `.wav`; a name that leads elsewhere is none."""
    if Path(name).name != name:
        return None
    return next((path for path in (folder / name, folder / f"{name}.wav") if path.is_file()), None)


def _complete(dataset: Dataset, folder: Path) -> Dataset:
    if not dataset.queries or len(dataset.items) < 2:
        raise SoundError(f"{folder} holds no {dataset.name} pairs: unpack the whole set there.")
    return dataset
