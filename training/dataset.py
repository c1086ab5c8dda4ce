"""Dataset: the house's examples in shards on disk, which `vocaldm-train convert --synthesise` writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from training.cluster.pool import spread
from training.data.copying import whole_file, write_whole
from training.errors import DataError
from training.examples import Example, make_example
from training.library import LibrarySound, read_library

SHARD = 128
FACTS = "shards.json"
# What tells one set from another, by its name in that file.
MADE_OF = {
    "seed": "seed",
    "held_out": "side (held out, or not)",
    "library_sha256": "choice of sounds",
    "real_share": "share of real sounds",
}
ARRAYS = ("mel", "sketch", "imitation_sketch", "imitation", "reference")


@dataclass(frozen=True)
class Dataset:
    """Stacked examples: the arrays of `Example` with a leading clip axis, and their families and sources."""

    mel: np.ndarray
    sketch: np.ndarray
    imitation_sketch: np.ndarray
    imitation: np.ndarray
    reference: np.ndarray
    family: tuple[str, ...]
    source: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.family)


@dataclass(frozen=True)
class Synthesis:
    """Which examples are made and where they go: what a worker needs to write one shard after the other."""

    folder: Path
    seed: int
    library: tuple[LibrarySound, ...]
    real_share: float
    is_held_out: bool

    def __call__(self, shard: int) -> str:
        """Make the examples of one shard and write it, unless it is there; returns its file name."""
        path = self.folder / f"shard-{shard:05d}.npz"
        if path.exists():
            return path.name
        examples = [
            make_example(index, self.seed, self.library, self.real_share, self.is_held_out)
            for index in range(shard * SHARD, (shard + 1) * SHARD)
        ]
        arrays: dict[str, Any] = {
            name: np.stack([getattr(example, name) for example in examples]) for name in ARRAYS
        }
        with whole_file(path) as file:
            np.savez(
                file,
                family=json.dumps([e.family for e in examples]),
                source=json.dumps([e.source for e in examples]),
                **arrays,
            )
        return path.name


def make_dataset(
    sounds: Path | None,
    folder: Path,
    clips: int,
    seed: int,
    real_share: float,
    is_held_out: bool,
    workers: int,
    problem: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Write the shards of a set, several at once; yields each finished one. Finished shards are kept on a second call.

    sounds: a folder of real ones to vary, of which `problem` hears what was left out. Raises DataError where it holds
    none for this side, where the folder's shards were made otherwise, or where the disk says no.
    """
    library: tuple[LibrarySound, ...] = ()
    if sounds is not None:
        found, left_out = read_library(sounds)
        for sentence in left_out if problem is not None else ():
            problem(sentence)  # type: ignore[misc]
        if not found:
            why = f" ({left_out[0].rstrip('.')})" if left_out else ""
            raise DataError(f"{sounds} holds no sound that can be used{why}: put sound files there.")
        library = tuple(sound for sound in found if sound.held_out == is_held_out)
        if not library and real_share > 0:
            side = "held out" if is_held_out else "to train on"
            raise DataError(
                f"{sounds} holds {len(found)} sounds, none of them {side} by its name: give more sounds, or a real "
                "share of 0."
            )
    work = Synthesis(folder, seed, library, real_share, is_held_out)
    _keep_facts(work)
    with spread(workers) as pool:
        yield from pool.run(work, range(-(-clips // SHARD)))


def _keep_facts(work: Synthesis) -> None:
    """Write down what shards are made of; raises DataError where those that are there were made otherwise."""
    library = hashlib.sha256()
    for sound in work.library:
        library.update(f"{sound.name} {len(sound.samples)} ".encode("utf-8", "surrogateescape"))
        library.update(sound.samples.tobytes())
    facts = {
        "seed": work.seed,
        "real_share": work.real_share if work.library else 0.0,
        "held_out": work.is_held_out,
        "library_sha256": library.hexdigest() if work.library else "",
    }
    path = work.folder / FACTS
    if any(work.folder.glob("shard-*.npz")):
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            other = [what for name, what in MADE_OF.items() if there.get(name) != facts[name]]
        except (OSError, ValueError, AttributeError):
            raise DataError(
                f"{work.folder} holds shards, and {FACTS} does not say what they were made of: name another folder."
            ) from None
        if other:
            raise DataError(f"{work.folder} holds shards of another {other[0]}: name another folder.")
    write_whole(path, json.dumps(facts, indent=1).encode())


def read_dataset(folder: Path, limit: int | None = None) -> Dataset:
    """Read the shards below `folder` into memory, at most `limit` clips; raises DataError."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    family: list[str] = []
    source: list[str] = []
    for path in sorted(folder.glob("shard-*.npz")):
        shard = read_arrays(path, (*ARRAYS, "family", "source"))
        for name in ARRAYS:
            parts[name].append(shard[name])
        family += json.loads(str(shard["family"]))
        source += json.loads(str(shard["source"]))
        if limit is not None and len(family) >= limit:
            break
    if not family:
        raise DataError(
            f"{folder} holds no shards: make them with vocaldm-train convert --synthesise {folder}."
        )
    assert {field.name for field in fields(Example)} == {*ARRAYS, "family", "source"}
    arrays = {name: np.concatenate(parts[name])[:limit] for name in ARRAYS}
    return Dataset(**arrays, family=tuple(family[:limit]), source=tuple(source[:limit]))


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Some arrays of a shard; raises DataError where the file is damaged or no shard."""
    try:
        with np.load(path, allow_pickle=False) as shard:
            return {name: shard[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(f"The shard {path} is damaged: delete it and make it again.") from error
