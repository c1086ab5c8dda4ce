"""Dataset: shards of examples on disk: python -m training.dataset --sounds DIR --out DIR --clips N [--workers W]"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from training.examples import Example, make_example
from training.library import LibrarySound, read_library

SHARD = 128
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


def write_shard(task: tuple[Path, int, int, list[LibrarySound], float, bool]) -> str:
    """Make the examples of one shard and write it; returns its file name."""
    folder, shard, seed, library, real_share, is_held_out = task
    path = folder / f"shard-{shard:05d}.npz"
    if path.exists():
        return path.name
    examples = [
        make_example(index, seed, library, real_share, is_held_out)
        for index in range(shard * SHARD, (shard + 1) * SHARD)
    ]
    part = folder / f".{path.name}.part.npz"
    arrays: dict[str, Any] = {
        name: np.stack([getattr(example, name) for example in examples]) for name in ARRAYS
    }
    np.savez(
        part,
        family=json.dumps([e.family for e in examples]),
        source=json.dumps([e.source for e in examples]),
        **arrays,
    )
    part.rename(path)
    return path.name


def make_dataset(
    sounds: Path | None,
    folder: Path,
    clips: int,
    seed: int,
    real_share: float,
    is_held_out: bool,
    workers: int,
) -> Iterator[str]:
    """Write the shards of a set, several at once; yields each finished one. Finished shards are kept on a second call."""
    folder.mkdir(parents=True, exist_ok=True)
    library = [sound for sound in read_library(sounds)[0] if sound.held_out == is_held_out] if sounds else []
    tasks = [(folder, shard, seed, library, real_share, is_held_out) for shard in range(-(-clips // SHARD))]
    if workers <= 1:
        yield from map(write_shard, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(workers, initializer=_one_thread) as pool:
        yield from pool.imap_unordered(write_shard, tasks)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def read_dataset(folder: Path, limit: int | None = None) -> Dataset:
    """Read the shards below `folder` into memory, at most `limit` clips."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    family: list[str] = []
    source: list[str] = []
    for path in sorted(folder.glob("shard-*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            for name in ARRAYS:
                parts[name].append(shard[name])
            family += json.loads(str(shard["family"]))
            source += json.loads(str(shard["source"]))
        if limit is not None and len(family) >= limit:
            break
    if not family:
        raise FileNotFoundError(
            f"{folder} holds no shards: make them with python -m training.dataset --out {folder}."
        )
    assert {field.name for field in fields(Example)} == {*ARRAYS, "family", "source"}
    arrays = {name: np.concatenate(parts[name])[:limit] for name in ARRAYS}
    return Dataset(**arrays, family=tuple(family[:limit]), source=tuple(source[:limit]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=Path, help="folder of real sounds to vary (none: procedural only)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real-share", type=float, default=0.3)
    parser.add_argument(
        "--held-out", action="store_true", help="held-out families, sounds and voices instead"
    )
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    begun = time.monotonic()
    for count, name in enumerate(
        make_dataset(
            arguments.sounds,
            arguments.out,
            arguments.clips,
            arguments.seed,
            arguments.real_share,
            arguments.held_out,
            arguments.workers,
        ),
        start=1,
    ):
        print(f"{name}: {count * SHARD} clips, {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
