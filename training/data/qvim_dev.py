"""QVIM-DEV: `DEV Dataset.csv`, Items/CLASS and Queries/CLASS (AES challenge on query by vocal imitation, 2025)."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath

from training.data.collection import Collection
from training.data.copying import Copies, safe_name
from training.data.vimsketch import paired_set, places
from vocaldm_live.library.dataset import TABLE

NAME = "QVIM-DEV"
QUERIES = 3  # columns of the challenge's own table; more are written where a sound has more imitations


def looks(place: Path) -> bool:
    """The table, here or one folder below."""
    return any((at / TABLE).is_file() for at in places(place))


def read(source: str) -> Collection:
    """The challenge's development set as it is unpacked: every item a group with its queries; raises DataError."""
    return paired_set(source, NAME)


def write(collection: Collection, copies: Copies) -> None:
    """The table, and each sound and its imitations in the folder of its first label; without one in `sounds`."""
    rows: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for item in collection.items:
        if item.role == "sound":
            kind = safe_name(item.labels[0]).replace("/", "-") if item.labels else "sounds"
            stem = copies.free(f"Items/{kind}/{safe_name(PurePosixPath(item.key).stem)}")
            name = copies.put(item, stem)
            if name is not None:
                rows[item.key] = [str(len(rows) + 1), kind, PurePosixPath(name).name]
                kinds[item.key] = kind
    for item in collection.items:
        if item.role == "imitation":
            if item.means not in rows:
                copies.skip(f"{item.key} means no sound of the collection: it is left out.")
                continue
            stem = copies.free(f"Queries/{kinds[item.means]}/{safe_name(PurePosixPath(item.key).stem)}")
            name = copies.put(item, stem)
            if name is not None:
                rows[item.means].append(PurePosixPath(name).name)
    columns = max([QUERIES, *(len(row) - 3 for row in rows.values())])
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["", "", "", *(["Queries"] * columns)])
    table.writerow(["Label", "Class", "Items", *(f"Query {at + 1}" for at in range(columns))])
    for row in rows.values():
        table.writerow([*row, *[""] * (columns + 3 - len(row))])
    copies.text(TABLE, text.getvalue())
