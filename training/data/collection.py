"""Collection: sounds, imitations and mel images with what is known of them, wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from training.errors import DataError
from vocaldm_live.errors import SoundError
from vocaldm_live.sound.audio import Sound, read_sound, sound_length

Role = Literal["sound", "imitation"]
TRAINING, HELD_OUT, TEST = "train", "validation", "test"
# How others call the three splits.
SPLITS = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation", "dev", "held-out", "held_out"), HELD_OUT),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), TEST),
}


@dataclass(frozen=True)
class Item:
    """One sound, imitation or mel image: `key` is its name in the collection, `group` what may not be torn apart.

    `split` is "" where the data say nothing. `means` is the key of the sound that an imitation imitates.
    `seconds` is 0 where it is not known. `row` is the place in a table that holds the data themselves.
    """

    key: str
    path: Path | None = None
    role: Role = "sound"
    group: str = ""
    split: str = ""
    means: str | None = None
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    seconds: float = 0.0
    row: int | None = None


@dataclass(frozen=True)
class Fault:
    """What was left out when the collection was read, and why, in one sentence."""

    kind: Literal["missing", "unreadable", "name"]
    key: str
    sentence: str


class Medium(Protocol):
    """Where the samples or images of items are read from."""

    def sound(self, item: Item) -> Sound:
        """The item's samples; raises DataError or SoundError."""

    def mel(self, item: Item) -> np.ndarray:
        """The item's mel image, float32 `[bands, frames]`; raises DataError."""

    def content(self, item: Item) -> bytes:
        """What is stored of the item, to be told from other content; raises DataError."""


class Files:
    """Sound files on disk."""

    def sound(self, item: Item) -> Sound:
        return read_sound(_path(item))

    def mel(self, item: Item) -> np.ndarray:
        raise DataError(f"{_path(item)} is a sound and no mel image: convert the data to mel-images first.")

    def content(self, item: Item) -> bytes:
        try:
            return _path(item).read_bytes()
        except OSError as error:
            raise DataError(f"{item.path} cannot be read ({error.strerror}): check the disk.") from error


def _path(item: Item) -> Path:
    if item.path is None:
        raise DataError(f"{item.key} has no file: open the collection again.")
    return item.path


@dataclass(frozen=True, eq=False)
class Collection:
    """Items in the order of their keys, what was left out, and what reads them."""

    name: str
    items: tuple[Item, ...]
    faults: tuple[Fault, ...] = ()
    kind: Literal["sound", "mel"] = "sound"
    medium: Medium = Files()

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each thing that was left out."""
        return tuple(fault.sentence for fault in self.faults)

    def read(self, item: Item) -> Sound:
        """An item's sound, mono; raises DataError of one sentence where it cannot be read."""
        try:
            return self.medium.sound(item)
        except SoundError as error:
            raise DataError(str(error)) from error

    def mel(self, item: Item) -> np.ndarray:
        """An item's mel image, float32 `[bands, frames]`, as stored; raises DataError."""
        return self.medium.mel(item)

    def content_key(self, item: Item) -> str:
        """SHA-256 of what is stored of an item: a renamed copy has the same, and a WAV file with other tags."""
        return content_key(self.medium.content(item))

    def pairs(self) -> tuple[tuple[Item, Item], ...]:
        """Every imitation with the sound that it means."""
        sounds = {item.key: item for item in self.items if item.role == "sound"}
        return tuple((item, sounds[item.means]) for item in self.items if item.means in sounds)

    def part(self, split: str) -> Collection:
        """The items of one split."""
        return self.of(item for item in self.items if item.split == split)

    def of(self, items: Iterable[Item]) -> Collection:
        """The same collection with other items."""
        return replace(self, items=tuple(items))

    def groups(self) -> dict[str, tuple[Item, ...]]:
        """Items by group, in order."""
        found: dict[str, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.group or item.key, []).append(item)
        return {group: tuple(items) for group, items in found.items()}


def content_key(data: bytes) -> str:
    """SHA-256 of a file's bytes; of a WAV file only format and samples, since writers put the time of day beside them."""
    found = dict(_chunks(data))
    state = hashlib.sha256()
    # A writer that was stopped leaves a length of 0: then all bytes count.
    for part in (found[b"fmt "], found[b"data"]) if b"fmt " in found and found.get(b"data") else (data,):
        state.update(part)
    return state.hexdigest()


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Names and contents of a RIFF file's chunks; none where it is no WAV file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    at, whole = 12, memoryview(data)
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], whole[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def measured(items: Iterable[Item]) -> tuple[list[Item], list[Fault]]:
    """Items of files with their lengths from the headers, and a fault for each that is not there or no sound."""
    kept: list[Item] = []
    faults: list[Fault] = []
    for item in items:
        path = _path(item)
        if not path.is_file():
            faults.append(Fault("missing", item.key, f"{path} is listed and not there: it is left out."))
            continue
        try:
            frames, rate = sound_length(path)
        except SoundError as error:
            faults.append(Fault("unreadable", item.key, str(error)))
            continue
        kept.append(replace(item, seconds=frames / rate if rate else 0.0))
    return kept, faults


def complete(name: str, items: Iterable[Item], faults: Iterable[Fault], place: str) -> Collection:
    """A collection of sound files, by key; imitations of what is gone mean nothing; raises DataError when empty."""
    kept, bad = measured(items)
    there = {item.key for item in kept}
    kept = [item if item.means is None or item.means in there else replace(item, means=None) for item in kept]
    faults = (*faults, *bad)
    if not kept:
        more = f" ({faults[0].sentence.rstrip('.')})" if faults else ""
        raise DataError(f"{place} holds no sound that can be read{more}: put sound files there.")
    return Collection(name, tuple(sorted(kept, key=lambda item: item.key)), tuple(faults))


def shown(key: str) -> str:
    """A name that every terminal can print."""
    return key.encode("utf-8", "backslashreplace").decode()


def text_file(path: Path, what: str) -> str:
    """The text of a list; raises DataError where it is not there or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape" if what == "table" else "strict")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise DataError(f"The {what} {path} cannot be read ({reason}): check the file.") from error
