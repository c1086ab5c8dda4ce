"""Folders: plain folders of sounds, however deep, maybe with imitations beside them or below train/ and test/."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

from training.data.collection import SPLITS, Collection, Fault, Item, complete
from training.data.copying import Copies, safe_name
from training.errors import DataError
from vocaldm_live.library.scan import path_of, walk

IMITATIONS, REFERENCES = "imitations", "references"
MARK, ANCHOR = "_imitation", "_reference"


def looks(place: Path) -> bool:
    """Any folder will do."""
    return place.is_dir()


def read(source: str) -> Collection:
    """Every sound below a folder.

    An imitation is NAME_imitation* beside NAME_reference* or NAME, or lies in imitations/ with the name of a
    sound in references/. Where all first folders are called train, validation or test, they are the splits.
    Folders below give the label. Raises DataError.
    """
    root = Path(source)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder: give one with sounds.")
    faults: list[Fault] = []

    def problem(below: bytes, sentence: str) -> None:
        faults.append(Fault("unreadable", os.fsdecode(below), sentence))

    found = [(os.fsdecode(file.path), path_of(root, file.path)) for file in walk(root, problem)]
    tops = {key.partition("/")[0].lower() if "/" in key else "" for key, _ in found}
    splits = bool(tops) and tops <= set(SPLITS)
    items = [_item(key, path, splits) for key, path in found]
    return complete(root.name, _paired(items), faults, str(root))


def _item(key: str, path: Path, splits: bool) -> Item:
    first, _, rest = key.partition("/")
    split, below = (SPLITS[first.lower()], rest) if splits else ("", key)
    folders = [part for part in PurePosixPath(below).parent.parts if part not in (IMITATIONS, REFERENCES)]
    stem = PurePosixPath(below).stem
    imitation = MARK in stem or IMITATIONS in PurePosixPath(below).parent.parts
    labels = ("/".join(folders),) if folders else ()
    group = "/".join((*folders, stem.partition(MARK)[0].partition(ANCHOR)[0] or stem))
    role = "imitation" if imitation else "sound"
    return Item(key, path, role, group, split, labels=labels)  # type: ignore[arg-type]


def _paired(items: list[Item]) -> list[Item]:
    """Imitations know the sound of their group; a sound that nothing imitates is a group of its own."""
    imitated = {item.group for item in items if item.role == "imitation"}
    sounds: dict[str, str] = {}
    for item in items:
        if item.role == "sound":
            kept = sounds.get(item.group)
            if kept is None or (ANCHOR in item.key and ANCHOR not in kept):
                sounds[item.group] = item.key
    paired = []
    for item in items:
        if item.role == "imitation":
            paired.append(replace(item, means=sounds.get(item.group)))
        else:
            paired.append(item if item.group in imitated else replace(item, group=item.key))
    return paired


def write(collection: Collection, copies: Copies) -> None:
    """SPLIT/LABEL/NAME for sounds; NAME_reference and NAME_imitation_N in one folder where there are pairs."""
    takes: dict[str, int] = {}
    imitated = {reference.key for _, reference in collection.pairs()}
    places: dict[str, str] = {}
    for item in collection.items:
        if item.role == "sound":
            parts = [item.split, *(safe_name(label) for label in item.labels[:1])]
            stem = safe_name(str(PurePosixPath(item.key).with_suffix(""))).replace("/", "-")
            stem = stem.replace(MARK, "").replace(ANCHOR, "")
            stem = copies.free("/".join([*filter(None, parts), stem]))
            if copies.put(item, f"{stem}{ANCHOR}" if item.key in imitated else stem) is not None:
                places[item.key] = stem
    for item in collection.items:
        if item.role != "imitation":
            continue
        stem = places.get(item.means or "", "")
        if not stem:
            copies.skip(f"{item.key} means no sound of the collection: it is left out.")
            continue
        if copies.put(item, f"{stem}{MARK}_{takes.get(stem, 0) + 1}") is not None:
            takes[stem] = takes.get(stem, 0) + 1
