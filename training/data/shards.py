"""Shards: the house's own examples, mels of 2.56 s with the voices that imitate them (training/dataset.py)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from training.data.collection import Collection, Item
from training.dataset import read_arrays
from training.errors import DataError
from vocaldm_live.sound.audio import Sound

PATTERN = "shard-*.npz"


def looks(place: Path) -> bool:
    """A folder with shards in it."""
    return place.is_dir() and any(place.glob(PATTERN))


class Shards:
    """Reads clips: a row of an item is its number in all shards, its path the shard."""

    def __init__(self, starts: dict[str, int]) -> None:
        self.starts = starts

    def sound(self, item: Item) -> Sound:
        """There are none."""
        raise DataError(f"{item.key} is a mel image: shards hold no sounds.")

    def mel(self, item: Item) -> np.ndarray:
        """Natural-log mel magnitudes of the house's geometry, `[128, frames]`."""
        assert item.path is not None and item.row is not None
        mels = _mels(item.path)
        return np.asarray(mels[item.row - self.starts[item.path.name]], np.float32)

    def content(self, item: Item) -> bytes:
        """The mel's numbers."""
        return self.mel(item).tobytes()


@lru_cache(maxsize=1)
def _mels(path: Path) -> np.ndarray:
    return read_arrays(path, ("mel",))["mel"]


def read(source: str) -> Collection:
    """Every clip; its family is the label, what it was made of the group; raises DataError."""
    place = Path(source)
    items: list[Item] = []
    starts: dict[str, int] = {}
    for path in sorted(place.glob(PATTERN)):
        named = read_arrays(path, ("family", "source"))
        starts[path.name] = len(items)
        rows = zip(json.loads(str(named["family"])), json.loads(str(named["source"])), strict=True)
        for number, (family, origin) in enumerate(rows):
            key = f"{path.stem}#{number:03d}"
            items.append(Item(key, path, "sound", origin, labels=(family,), row=len(items)))
    if not items:
        raise DataError(
            f"{place} holds no shards: make them with vocaldm-train convert --synthesise {place}."
        )
    return Collection(place.name, tuple(items), (), "mel", Shards(starts))
