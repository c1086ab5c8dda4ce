"""Encoding: the features of a whole collection, computed once by content and kept, mapped into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from collections.abc import Collection as Some
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.base import Base
from training.cluster.pool import Pool, lent
from training.data.collection import Collection, Item, Role, shown
from training.data.features import CLAP, LATENT, SKETCH, Features
from training.data.store import Store
from training.errors import DataError
from vocaldm_live.errors import RequestError, SoundError
from vocaldm_live.sound.audio import SHORTEST_SECONDS, Sound, check_imitation


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of sounds by number; `items[i]` is the i-th one's item, `keys[i]` its content key.

    problems: a sentence for each item that was left out. Arrays are read from the store when they are asked for.
    """

    items: tuple[Item, ...]
    keys: tuple[str, ...]
    problems: tuple[str, ...]
    stores: dict[str, Store]
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places.update({item.key: at for at, item in enumerate(self.items)})

    def __len__(self) -> int:
        return len(self.items)

    def latent(self, i: int) -> Tensor:
        """The VAE's latent `[channels, frames, bins]`, standardised, float32, as long as the sound."""
        return torch.from_numpy(self._array(i, LATENT).copy())

    def valid(self, i: int) -> int:
        """Latent frames with sound in them; what a batch has beyond is padding and no target."""
        return int(self._array(i, LATENT).shape[1])

    def vector(self, i: int, tower: str) -> Tensor:
        """A unit vector, float32 `[width]`: heard by the encoder's "imitation" or "reference" tower, or by "clap"."""
        return torch.from_numpy(self._array(i, tower).copy())

    def clap(self, i: int) -> Tensor:
        """CLAP's unit vector of the sound, float32 `[512]`."""
        return self.vector(i, CLAP)

    def sketch(self, i: int) -> np.ndarray:
        """The sketch `[4, latent frames x factor]`, read-only and mapped."""
        return self._array(i, SKETCH)

    def place(self, key: str) -> int | None:
        """The number of the item with this key, None where it was left out."""
        return self._places.get(key)

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The number of every imitation with that of the sound which it means."""
        found = ((at, self._places.get(item.means or "")) for at, item in enumerate(self.items))
        return tuple((at, means) for at, means in found if means is not None)

    def digest(self) -> str:
        """SHA-256 of what was encoded, for a run's facts: contents in order, whatever their names."""
        return hashlib.sha256("".join(self.keys).encode()).hexdigest()

    def _array(self, i: int, kind: str) -> np.ndarray:
        if kind not in self.stores:
            raise ValueError(f"{kind} was not asked for; encode with it in `wanted`.")
        array = self.stores[kind].get(self.keys[i])
        if array is None:
            raise DataError(
                f"The {kind} of {shown(self.items[i].key)} is no longer in {self.stores[kind].folder}: give the same "
                "command again."
            )
        return array


@dataclass(frozen=True)
class Task:
    """A sound and which of its features are wanted."""

    key: str
    role: Role
    sound: Sound
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Encoding:
    """What a worker does: features of one task after the other, or a sentence about the sound."""

    features: Features

    def to(self, device: str) -> None:
        """Compute there from now on."""
        self.features.to(device)

    def __call__(self, task: Task) -> tuple[str, dict[str, np.ndarray] | str]:
        """The task's key and its arrays by kind."""
        try:
            return task.key, self.features.of(task.sound, task.role, task.key, task.kinds)
        except (DataError, RequestError, SoundError) as error:
            return task.key, str(error)


def encode(
    collection: Collection,
    base: Base,
    wanted: Some[str],
    cache: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    pool: Pool | None = None,
    device: torch.device | str = "cpu",
) -> Encoded:
    """Features of every item of a collection of sounds: "latent", "imitation", "reference", "clap", "sketch".

    What the folder `cache` holds already is not computed again, and what is the same under two names is computed once;
    a run that was stopped goes on. Sounds are read here and sent to `workers` processes, or to those of `pool`, which
    compute on `device`: all networks that are needed move there. Items that cannot be read, are shorter than 50 ms or
    silent are left out and told; of longer ones than `features.LONGEST_SECONDS` the beginning is heard (data/pieces.py
    cuts them). Raises DataError where nothing is left or the disk says no, RecipeError where the base has no part for a
    feature.
    """
    if collection.kind != "sound":
        raise DataError(f"{collection.name} holds mel images: encoding needs sounds.")
    features = Features(base, wanted, device)
    stores = {kind: Store(cache, kind, features.maker(kind)) for kind in wanted}
    keyed, problems = contents(collection)
    missing: dict[str, Item] = {}
    for item, key in keyed:
        if key not in missing and any(key not in store for store in stores.values()):
            missing[key] = item
    tell = progress or (lambda done, whole: None)
    left_out: dict[str, str] = {}

    def tasks() -> Iterator[Task]:
        for key, item in missing.items():
            kinds = tuple(kind for kind, store in stores.items() if key not in store)
            try:
                sound = readable(collection, item)
            except DataError as error:
                left_out[key] = str(error)
                continue
            yield Task(key, item.role, sound, kinds)

    with lent(pool, workers) as encoders:
        results = encoders.run(Encoding(features), tasks())
        for done, (key, result) in enumerate(results, start=1):
            if isinstance(result, str):
                left_out[key] = (
                    f"{shown(missing[key].key)} cannot be encoded ({result.rstrip('.')}): take it out."
                )
            else:
                for kind, array in result.items():
                    stores[kind].put(key, array)
            tell(done, len(missing))
    problems += [left_out[key] for key in missing if key in left_out]
    kept = [(item, key) for item, key in keyed if key not in left_out]
    if not kept:
        why = f" ({problems[0].rstrip('.')})" if problems else ""
        raise DataError(f"Nothing of {collection.name} can be encoded{why}: put sounds there.")
    items, keys = zip(*kept, strict=True)
    return Encoded(items, keys, tuple(problems), stores)


def contents(collection: Collection) -> tuple[list[tuple[Item, str]], list[str]]:
    """Every item with its content key, and a sentence for each that cannot be read.

    A sound and an imitation of the same content have keys of their own, since only sounds are brought to a level.
    """
    keyed, problems = [], []
    for item in collection.items:
        try:
            key = collection.content_key(item)
        except DataError as error:
            problems.append(str(error))
            continue
        keyed.append((item, key if item.role == "sound" else f"{key} {item.role}"))
    return keyed, problems


def readable(collection: Collection, item: Item) -> Sound:
    """An item's sound where there is something to hear; raises DataError in one sentence where not."""
    sound = collection.read(item)
    name = shown(item.key)
    if not len(sound.samples) or sound.seconds < SHORTEST_SECONDS:
        raise DataError(
            f"{name} is {sound.seconds * 1000:.1f} ms long, less than {SHORTEST_SECONDS * 1000:.0f} ms: "
            "it is left out."
        )
    try:
        check_imitation(Sound(sound.samples[: 60 * sound.sample_rate], sound.sample_rate), name)
    except SoundError as error:
        raise DataError(f"{str(error).partition(':')[0]}: it is left out.") from error
    return sound
