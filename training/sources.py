"""Sources: what the house's clips are made of, recordings and procedural families; none may be learned and judged by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.data.shards import PATTERN
from training.dataset import read_arrays
from training.errors import DataError


def read_sources(folder: Path, limit: int | None = None) -> tuple[str, ...]:
    """The source of every clip in a folder's shards, at most `limit`, in their order; raises DataError."""
    found: list[str] = []
    for path in sorted(folder.glob(PATTERN)):
        found += json.loads(str(read_arrays(path, ("source",))["source"]))
        if limit is not None and len(found) >= limit:
            break
    return tuple(found[:limit])


def held_out_clips(folder: Path, sources: Sequence[str], share: float) -> np.ndarray:
    """Which clips judge, bool `[clips]`: all of about `share` of the sources, whatever clips come beside them.

    Raises DataError where one of the two sides would be empty.
    """
    names = sorted(set(sources), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    chosen = set(names[: max(1, round(share * len(names)))])
    apart = np.array([source in chosen for source in sources], dtype=bool)
    if apart.all():
        raise DataError(
            f"{folder} holds {len(names)} families and recordings, too few to judge by: name others with held_out."
        )
    return apart


def refuse_shared(folder: Path, sources: Sequence[str], held_out: Path, others: Sequence[str]) -> None:
    """Raise DataError where those that judge are made of what is learned from: variations of it are no others."""
    both = set(sources) & set(others)
    if both:
        raise DataError(f"{held_out} holds {min(both)}, which {folder} holds too: take it out there.")
