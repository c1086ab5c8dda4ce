"""Table: a CSV file that names sounds, with whatever columns it has of role, group, split, captions and labels."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from training.data.collection import SPLITS, Collection, Fault, Item, complete, text_file
from training.data.copying import Copies, safe_name
from training.errors import DataError

NAME = "sounds.csv"
PATHS = ("path", "file", "file_name", "filename", "wav", "audio", "sound")
COLUMNS = ("path", "role", "group", "split", "means", "caption", "labels")


def looks(place: Path) -> bool:
    """A CSV or TSV file, or a folder with `sounds.csv` or the Hub's `metadata.csv`."""
    return place.suffix.lower() in (".csv", ".tsv") or _inside(place) is not None


def _inside(place: Path) -> Path | None:
    return next((path for name in (NAME, "metadata.csv") if (path := place / name).is_file()), None)


def read(source: str) -> Collection:
    """The sounds that a table names, with paths as seen from its folder.

    Columns, all but the first optional: path (or file, file_name, wav ...), role (sound or imitation), group,
    split, means (the path of the sound that an imitation imitates), any whose name holds "caption", labels
    (several apart by `;`). Comma, semicolon or tab. Raises DataError.
    """
    place = Path(source)
    path = _inside(place) if place.is_dir() else place
    if path is None:
        raise DataError(f"{place} holds no {NAME}: give a CSV file with a column `path`.")
    text = text_file(path, "table")
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise DataError(f"The table {path} cannot be read ({error}): check its quotes.") from error
    names = {name.strip().lower(): name for name in (rows[0] if rows else {}) if isinstance(name, str)}
    column = next((names[name] for name in PATHS if name in names), None)
    if column is None:
        raise DataError(f"The table {path} has no column `path` or no rows: name the sounds there.")
    captions = [own for name, own in names.items() if "caption" in name]
    items: list[Item] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    bare: set[str] = set()
    for number, row in enumerate(rows, start=2):
        cells = {name: (row.get(own) or "").strip() for name, own in names.items()}
        key = (row.get(column) or "").strip()
        role = cells.get("role") or "sound"
        split = cells.get("split", "").lower()
        if not key or role not in ("sound", "imitation"):
            what = (
                "names no sound" if not key else f"has the role {role}, which is neither sound nor imitation"
            )
            faults.append(Fault("name", key, f"Line {number} of {path} {what}: it is left out."))
        elif key in seen:
            faults.append(Fault("name", key, f"Line {number} of {path} names {key} again: it is left out."))
        else:
            seen.add(key)
            words = tuple(filter(None, ((row.get(own) or "").strip() for own in captions)))
            labels = tuple(filter(None, (part.strip() for part in cells.get("labels", "").split(";"))))
            labels = labels or tuple(filter(None, (cells.get("label", "") or cells.get("class", ""),)))
            group = cells.get("group") or cells.get("means") or key
            where, means = SPLITS.get(split, split), cells.get("means") or None
            items.append(Item(key, path.parent / key, role, group, where, means, words, labels))  # type: ignore[arg-type]
            if not cells.get("group") and means:
                bare.add(key)
    # An imitation of no group of its own is in the group of what it means.
    groups = {item.key: item.group for item in items}
    items = [
        replace(item, group=groups.get(item.means or "", item.group)) if item.key in bare else item
        for item in items
    ]
    return complete(path.parent.name or path.stem, items, faults, str(path))


def write(collection: Collection, copies: Copies) -> None:
    """`sounds.csv` with everything that is known, and the sounds below `sounds/` under their own names."""
    for item in collection.items:
        key = safe_name(item.key)
        stem = key[: -len(Path(key).suffix)] if Path(key).suffix else key
        copies.put(item, copies.free(stem if stem.startswith("sounds/") else f"sounds/{stem}"))
    text = io.StringIO(newline="")
    several = max((len(item.captions) for item in collection.items), default=0)
    more = [f"caption_{number}" for number in range(2, several + 1)]
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *more])
    for item in collection.items:
        name = copies.written.get(item.key)
        if name is None:
            continue
        means = copies.written.get(item.means or "", "")
        words = [*item.captions, *[""] * (max(several, 1) - len(item.captions))]
        labels = ";".join(label.replace(";", ",") for label in item.labels)
        table.writerow([name, item.role, item.group, item.split, means, words[0], labels, *words[1:]])
    copies.text(NAME, text.getvalue())
