"""Sounds: a collection's samples at one rate, without their silences, prepared once and mapped into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from training.data.collection import HELD_OUT, TRAINING, Collection, shown
from training.data.formats import limited, open_collection, read_collection
from training.data.segments import without_silence
from training.data.spec import DataSpec
from training.data.split import held_out
from training.data.store import Store
from training.errors import DataError

SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 60.0

HeldOutBy = Literal["content", "name"]


@dataclass(frozen=True, eq=False)
class Sounds:
    """Names, samples, float32 `[n]` each, all at `sample_rate`, and content keys of the files they come from."""

    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    sample_rate: int
    keys: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def read_sounds(
    data: DataSpec,
    sample_rate: int,
    cache: Path,
    problem: Callable[[str], None],
    held_out_by: HeldOutBy = "content",
) -> tuple[Sounds, Sounds]:
    """The sounds to train on and those held out, read from the cache where they lie in it; imitations are left out.

    held_out_by: a share by what sounds contain (or the data's own split), or the tenth by name that the house's
    presets never heard. `problem` hears a sentence for every sound that cannot be used.
    Raises DataError where nothing is left to train on or nothing is held out.
    """
    collection = _collection(data, held_out_by, problem)
    maker = hashlib.sha256(f"samples 1 {sample_rate} {SHORTEST_SECONDS} {LONGEST_SECONDS}".encode())
    store = Store(cache, "samples", maker.hexdigest()[:32])
    parts = [_prepared(collection.part(split), store, sample_rate, problem) for split in (TRAINING, HELD_OUT)]
    for sentence in store.troubles:
        problem(sentence)
    training, kept = parts
    if not len(training) or not len(kept):
        raise DataError(
            f"{data.source} holds {len(training)} sounds to train on and {len(kept)} held out; give more sounds, or a "
            "larger data.held_out."
        )
    return training, kept


def held_out_of(
    data: DataSpec, sample_rate: int, which: Literal["content", "name", "all"], problem: Callable[[str], None]
) -> Sounds:
    """The sounds that `read_sounds` would hold out, or all of them, read without a cache; raises DataError for none."""
    collection = _collection(data, "content" if which == "all" else which, problem)
    if which != "all":
        collection = collection.part(HELD_OUT)
    with TemporaryDirectory() as cache:
        store = Store(Path(cache), "samples", "once")
        found = _prepared(collection, store, sample_rate, problem)
        kept = Sounds(found.names, tuple(np.array(row) for row in found.rows), sample_rate, found.keys)
        store.close()
    if not len(kept):
        raise DataError(f"{data.source} holds no sounds that are held out; give more, or another --held-out.")
    return kept


def _collection(data: DataSpec, held_out_by: HeldOutBy, problem: Callable[[str], None]) -> Collection:
    """The sounds of a place, imitations left out, each with its split; raises DataError for mels."""
    if held_out_by == "name":
        collection = limited(read_collection(data.source, data.format), data.limit)
        for sentence in collection.problems:
            problem(sentence)
        collection = collection.of(
            replace(item, split=HELD_OUT if held_out(item.key) else TRAINING) for item in collection.items
        )
    else:
        collection = open_collection(data, problem)
    if collection.kind != "sound":
        raise DataError(f"{data.source} holds mels and no sounds; give the sounds that they were made of.")
    return collection.of(item for item in collection.items if item.role == "sound")


def _prepared(
    collection: Collection, store: Store, sample_rate: int, problem: Callable[[str], None]
) -> Sounds:
    names: list[str] = []
    rows: list[np.ndarray] = []
    keys: list[str] = []
    seen: set[str] = set()
    for item in collection.items:
        try:
            key = collection.content_key(item)
        except DataError as error:
            problem(str(error))
            continue
        if key in seen:
            continue
        seen.add(key)
        samples = store.get(key)
        if samples is None:
            try:
                sound = collection.read(item)
            except DataError as error:
                problem(str(error))
                continue
            loud = without_silence(sound.at(sample_rate).samples, sample_rate)
            store.put(key, loud[: round(LONGEST_SECONDS * sample_rate)].astype(np.float32))
            samples = store.get(key)
        if samples is None or len(samples) < SHORTEST_SECONDS * sample_rate:
            problem(f"{shown(item.key)} is shorter than 50 ms without its silence: left out.")
            continue
        names.append(item.key)
        rows.append(samples)
        keys.append(key)
    return Sounds(tuple(names), tuple(rows), sample_rate, tuple(keys))


def place_of(source: str) -> Path:
    """The folder that the credits of data at a place lie in."""
    place = Path(source)
    return place if place.is_dir() else place.parent


def procedural(count: int, seed: int, sample_rate: int, seconds: float = 2.0) -> Sounds:
    """`count` sounds of the synthesiser's families in turn; none of them is of a held-out family."""
    from training.examples import HELD_OUT_FAMILIES
    from training.synthesis.families import FAMILIES, render
    from vocaldm_live.sound.audio import resample

    families = [name for name in FAMILIES if name not in HELD_OUT_FAMILIES]
    names, rows = [], []
    for index in range(count):
        name = families[index % len(families)]
        samples = render(name, np.random.default_rng([seed, index]), seconds)
        names.append(f"{name}-{index}")
        rows.append(np.asarray(resample(samples, 48000, sample_rate), dtype=np.float32))
    return Sounds(tuple(names), tuple(rows), sample_rate)


def segment(
    rows: Sequence[np.ndarray], length: int, gain_db: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A random part `[length]` of a random row, at a random gain, its peak below 1.

    In three of ten it begins after some silence, and a row that is shorter is followed by silence: a vocoder has to
    know what stands before and after a sound.
    """
    made = np.zeros(length, dtype=np.float32)
    samples = rows[int(rng.integers(len(rows)))]
    lead = int(rng.integers(0, length // 4)) if rng.random() < 0.3 or len(samples) < length else 0
    start = int(rng.integers(0, max(1, len(samples) - length + lead + 1)))
    piece = samples[start : start + length - lead]
    gain = 10.0 ** (rng.uniform(*gain_db) / 20.0)
    peak = float(np.abs(piece).max()) if len(piece) else 0.0
    made[lead : lead + len(piece)] = piece * min(gain, 0.98 / max(peak, 1e-4))
    return made
