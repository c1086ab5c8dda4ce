"""AudioLDM's trees of JSON: a root file, a file for each split, a table of classes (AudioLDM-training-finetuning)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from training.data.collection import (
    HELD_OUT,
    SPLITS,
    TEST,
    TRAINING,
    Collection,
    Fault,
    Item,
    complete,
    text_file,
)
from training.data.copying import Copies, safe_name
from training.errors import DataError

ROOT = "dataset_root.json"
WHERE = ("", "metadata", "data/dataset/metadata")
CLASSES = "class_label_indices"
THEIRS = {TRAINING: "train", HELD_OUT: "val", TEST: "test"}


def looks(place: Path) -> bool:
    """A JSON file, or a folder with a root file in one of its usual places."""
    return place.suffix.lower() == ".json" or _inside(place) is not None


def _inside(place: Path) -> Path | None:
    return next((path for below in WHERE if (path := place / below / ROOT).is_file()), None)


def read(source: str) -> Collection:
    """All sets and splits of a root file, or what one split's file names; raises DataError.

    A path that is not absolute is looked for from the file's own folder upward. Captions are all keys that hold
    "caption"; labels are `labels` or `label`, with the names of the table of classes where there is one. A file
    that is named and not there is a fault, and not silence.
    """
    place = Path(source)
    path = _inside(place) if place.is_dir() else place
    if path is None:
        raise DataError(f"{place} holds no {ROOT}: give the root file or the JSON file of a split.")
    content = _json(path)
    items: dict[str, Item] = {}
    faults: list[Fault] = []
    if isinstance(content.get("data"), list):
        split = next((SPLITS[word] for word in _words(path.stem) if word in SPLITS), "")
        _add(items, faults, content["data"], path.parent, split, {}, path, path.parent.name)
        return complete(path.stem, items.values(), faults, str(path))
    sets = (content.get("metadata") or {}).get("path") if isinstance(content.get("metadata"), dict) else None
    if not isinstance(sets, dict):
        raise DataError(
            f"{path} has neither `metadata: path` nor `data`: give AudioLDM's root or split file."
        )
    roots = {name: _resolved(root, path) for name in sets if isinstance(root := content.get(name), str)}
    for name, files in sets.items():
        root = roots.get(name)
        if root is None or not isinstance(files, dict):
            sentence = f"{path} names no folder of sounds for the set {name}: it is left out."
            faults.append(Fault("missing", str(name), sentence))
            continue
        classes = _classes(files, path)
        for given, listed in files.items():
            if given == CLASSES or not isinstance(listed, str) or not listed:
                continue
            list_path = _resolved(listed, path)
            if not list_path.is_file():
                sentence = f"{path} names {listed} for {given} of {name}, which is not there: it is left out."
                faults.append(Fault("missing", f"{name}/{given}", sentence))
                continue
            entries = _json(list_path).get("data")
            if not isinstance(entries, list):
                raise DataError(f"{list_path} has no list `data`: give AudioLDM's split file.")
            where = SPLITS.get(str(given).lower(), str(given))
            _add(items, faults, entries, root, where, classes, list_path, _called(name, roots))
    return complete("+".join(map(str, sets)), items.values(), faults, str(path))


def _add(
    items: dict[str, Item],
    faults: list[Fault],
    entries: list[Any],
    root: Path,
    split: str,
    classes: dict[str, str],
    path: Path,
    called: str,
) -> None:
    for number, entry in enumerate(entries):
        wav = entry.get("wav") if isinstance(entry, dict) else None
        if not isinstance(wav, str) or not wav:
            sentence = f"Entry {number} of {path} has no `wav`: it is left out."
            faults.append(Fault("name", f"{path.name}[{number}]", sentence))
            continue
        file = Path(wav)
        if not file.is_absolute() or not file.is_file():
            file = root / wav.lstrip("/")
        key = group = f"{called}/{wav.lstrip('/')}"
        if key in items:
            if items[key].split == split:
                faults.append(Fault("name", key, f"{path} names {wav} more than once: once is enough."))
                continue
            key = f"{split}:{key}"
        captions = tuple(text for name, value in entry.items() if "caption" in name for text in _texts(value))
        given = entry.get("labels") or entry.get("label") or ""
        labels = [part.strip() for text in _texts(given) for part in text.split(",")]
        names = tuple(classes.get(label, label) for label in labels if label)
        items[key] = Item(key, file, "sound", group, split, None, captions, names)


def _called(name: str, roots: dict[str, Path]) -> str:
    """What a set's sounds are called below: its folder's name, and the set's before it where other folders have it."""
    own = roots[name]
    alike = any(root.name == own.name and root.resolve() != own.resolve() for root in roots.values())
    return f"{name}/{own.name}" if alike else own.name


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one.strip():
            yield one.strip()


def _words(stem: str) -> list[str]:
    return stem.lower().replace("-", "_").replace(".", "_").split("_")


def _resolved(name: str, path: Path) -> Path:
    if Path(name).is_absolute():
        return Path(name)
    return next((at / name for at in path.resolve().parents if (at / name).exists()), path.parent / name)


def _classes(files: dict[str, Any], path: Path) -> dict[str, str]:
    """Class names by their mid, from `index,mid,display_name`; none where the root file names no table."""
    listed = files.get(CLASSES)
    if not isinstance(listed, str) or not listed:
        return {}
    table = _resolved(listed, path)
    if not table.is_file():
        raise DataError(
            f"{path} names the classes {listed}, which is not there: put it there or take the line out."
        )
    rows = list(csv.reader(io.StringIO(text_file(table, "table"))))
    if not rows or not {"mid", "display_name"} <= set(rows[0]):
        raise DataError(
            f"The table {table} has no columns mid and display_name: give AudioSet's class table."
        )
    mid, name = rows[0].index("mid"), rows[0].index("display_name")
    return {row[mid]: row[name] for row in rows[1:] if len(row) > max(mid, name)}


def _json(path: Path) -> dict[str, Any]:
    text = text_file(path, "file")
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({str(error).rstrip('.')}): check the file.") from error
    if isinstance(content, list):
        return {"data": content}
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no JSON object: give AudioLDM's root or split file.")
    return content


def write(collection: Collection, copies: Copies) -> None:
    """Root file, splits and classes in `metadata/`, sounds in a folder of the collection's name.

    Imitations have no place there and are left out. A sound without a split goes into train.
    """
    name = safe_name(collection.name).replace("/", "-").lower()
    name = f"{name}-sounds" if name in ("metadata", "comments") else name
    labels = sorted({label for item in collection.items for label in item.labels})
    mids = {label: f"/v/{at:05d}" for at, label in enumerate(labels)}
    splits: dict[str, list[dict[str, str]]] = {their: [] for their in THEIRS.values()}
    imitations = 0
    for item in collection.items:
        if item.role == "imitation":
            imitations += 1
            continue
        stem = copies.free(str(PurePosixPath(safe_name(item.key)).with_suffix("")))
        written = copies.put(item, f"{name}/{stem}", ".wav")
        if written is None:
            continue
        entry = {"wav": written.partition("/")[2]}
        for number, caption in enumerate(item.captions or ("",), start=1):
            entry["caption" if number == 1 else f"caption_{number}"] = caption
        entry["labels"] = ",".join(mids[label] for label in item.labels)
        splits[THEIRS.get(item.split, "train")].append(entry)
    if imitations:
        copies.skip(f"{imitations} imitations are left out: AudioLDM's lists have no place for them.")
    paths = {}
    for their, entries in splits.items():
        if entries:
            paths[their] = f"metadata/{their}.json"
            copies.text(paths[their], json.dumps({"data": entries}, indent=1, ensure_ascii=False) + "\n")
    if labels:
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["index", "mid", "display_name"])
        table.writerows([at, mids[label], label] for at, label in enumerate(labels))
        paths[CLASSES] = f"metadata/{CLASSES}.csv"
        copies.text(paths[CLASSES], text.getvalue())
    root = {name: name, "comments": {}, "metadata": {"path": {name: paths}}}
    copies.text(f"metadata/{ROOT}", json.dumps(root, indent=1, ensure_ascii=False) + "\n")
