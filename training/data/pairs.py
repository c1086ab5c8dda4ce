"""Pairs: imitations with the sounds that they mean, recorded or rendered, at the encoder's rate, out of a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from training.data.collection import HELD_OUT, TRAINING, Collection, Item
from training.data.encoding import readable
from training.data.formats import open_collection
from training.data.spec import DataSpec
from training.data.store import Store
from training.errors import DataError
from training.recipe import Count, Strict
from training.voices import imitated
from vocaldm_live.errors import VocalDMError
from vocaldm_live.model.embedder import ENCODER_SECONDS, SHORTEST_ENCODED
from vocaldm_live.model.encoder_mel import SAMPLE_RATE
from vocaldm_live.sound.audio import resample

VERSION = "1"  # of what is kept: another program must not take the old samples for its own

Problem = Callable[[str], None]
Progress = Callable[[int, int], None] | None


class Voices(Strict):
    """Whose imitations: those recorded in the data, or rendered by the voice synthesiser; both: rendered ones of the
    sounds that have no recorded one; auto: recorded ones alone where there are any. takes: rendered ones of a sound;
    seconds: of a clip that are heard, from its beginning.
    """

    source: Literal["auto", "recorded", "rendered", "both"] = "auto"
    takes: Count = 4
    seconds: Annotated[float, Field(ge=0.5, le=ENCODER_SECONDS)] = ENCODER_SECONDS


@dataclass(frozen=True, eq=False)
class SoundPairs:
    """Sounds and imitations by number, as samples; `of[i]` is the sound that imitation i means.

    names, classes: of each sound, the class being its first label or else its name. aligned: an imitation runs along
    with its sound, frame by frame. `sames` and `families`, long `[imitations]`: equal where the sounds are the same,
    where they have the same label (-1: none).
    """

    sounds: tuple[str, ...]
    imitations: tuple[str, ...]
    of: np.ndarray
    names: tuple[str, ...]
    classes: tuple[str, ...]
    labelled: tuple[bool, ...]
    aligned: bool
    store: Store

    def __len__(self) -> int:
        return len(self.imitations)

    @property
    def sames(self) -> np.ndarray:
        return self.of.copy()

    @property
    def families(self) -> np.ndarray:
        known = {name: at for at, name in enumerate(dict.fromkeys(self.classes))}
        own = [known[name] if told else -1 for name, told in zip(self.classes, self.labelled, strict=True)]
        return np.array(own, dtype=np.int64)[self.of]

    def sound(self, number: int) -> np.ndarray:
        """Samples of a sound, float32 `[n]` at 32 kHz."""
        return self._samples(self.sounds[number])

    def imitation(self, number: int) -> np.ndarray:
        """Samples of an imitation, float32 `[n]` at 32 kHz."""
        return self._samples(self.imitations[number])

    def digest(self) -> str:
        """SHA-256 of what the pairs are, whatever their files are called."""
        told = (*self.sounds, *self.imitations, *map(str, self.of))
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def thinned(self, most: int) -> SoundPairs:
        """At most so many of the imitations, evenly from all of them; every sound stays."""
        if len(self) <= most:
            return self
        kept = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        names = tuple(self.imitations[at] for at in kept)
        return SoundPairs(
            self.sounds,
            names,
            self.of[kept],
            self.names,
            self.classes,
            self.labelled,
            self.aligned,
            self.store,
        )

    def _samples(self, key: str) -> np.ndarray:
        found = self.store.get(key)
        if found is None:
            raise DataError(
                f"Samples are no longer in {self.store.folder}: give the same command again to make them anew."
            )
        return found.astype(np.float32)


def open_pairs(
    spec: DataSpec,
    voices: Voices,
    cache: Path,
    workers: int,
    problem: Problem,
    held_out: str | None = None,
    progress: Progress = None,
) -> tuple[SoundPairs, SoundPairs]:
    """Training pairs and those to judge by: the data's held-out part, or all of another place. No sound is in both.

    Raises DataError where nothing is left of one, or the other place has a sound that is trained on. `problem` hears a
    sentence for all that is left out.
    """
    if held_out is not None:
        spec = spec.model_copy(update={"held_out": 0.0})
    collection = open_collection(spec, problem)
    rendered = _is_rendered(collection, voices)

    def side(some: Collection, rendered: bool) -> SoundPairs:
        return gather(some, voices, rendered, cache, workers, problem, progress)

    training = side(collection.part(TRAINING), rendered)
    if held_out is None:
        bank = side(collection.part(HELD_OUT), rendered)
    else:
        other = open_collection(DataSpec(source=held_out, held_out=0.0), problem)
        other = other.of(replace(item, split=HELD_OUT) for item in other.items)
        bank = side(other, _is_rendered(other, voices))
        both = set(bank.sounds) & set(training.sounds)
        if both:
            name = next(name for key, name in zip(bank.sounds, bank.names, strict=True) if key in both)
            raise DataError(
                f"{name} of {held_out} is among the sounds that are trained on: take it out there."
            )
    for pairs, what in ((training, "train on"), (bank, "judge by")):
        if not len(pairs) or len(pairs.sounds) < 2:
            raise DataError(
                f"{held_out or spec.source} leaves {len(pairs)} imitations of {len(pairs.sounds)} sounds to {what}, "
                "two sounds at least are needed: add some, or set data.held_out, data.split or voices.source."
            )
    return training, bank


def gather(
    collection: Collection,
    voices: Voices,
    rendered: bool,
    cache: Path,
    workers: int,
    problem: Problem,
    progress: Progress = None,
) -> SoundPairs:
    """The pairs of a collection with all samples in the cache; those that cannot be heard are told and left out.

    What is held out is rendered by speakers of its own. Nothing is read again that the cache has.
    """
    store = Store(cache, "samples", hashlib.sha256(f"{VERSION} {SAMPLE_RATE}".encode()).hexdigest())
    singing = _imitations(collection, voices, rendered, cache, workers, problem, progress)
    meant = {item.means for item in singing.items}
    sounds = [item for item in collection.items if item.role == "sound" and item.key in meant]
    keyed: dict[str, str] = {}
    work: dict[str, Callable[[], np.ndarray]] = {}
    for one, items in ((collection, sounds), (singing, singing.items)):
        for item in items:
            try:
                keyed[item.key] = f"{one.content_key(item)} {voices.seconds:g} s"
            except DataError as error:
                problem(str(error))
                continue
            work.setdefault(keyed[item.key], _reading(one, item, voices.seconds))
    bad = _fill(store, work, workers, problem, progress)
    good = {name: key for name, key in keyed.items() if key not in bad}
    # Copies of one sound are one sound.
    first: dict[str, Item] = {}
    for item in sounds:
        if item.key in good:
            first.setdefault(good[item.key], item)
    kept, place = list(first.values()), {key: at for at, key in enumerate(first)}
    heard = [item for item in singing.items if item.key in good and item.means in good]
    return SoundPairs(
        tuple(place),
        tuple(good[item.key] for item in heard),
        np.array([place[good[item.means or ""]] for item in heard], dtype=np.int64),
        tuple(item.key for item in kept),
        tuple(item.labels[0] if item.labels else item.key for item in kept),
        tuple(bool(item.labels) for item in kept),
        rendered and voices.source != "both",
        store,
    )


def _is_rendered(collection: Collection, voices: Voices) -> bool:
    if voices.source == "auto":
        return not collection.pairs()
    return voices.source in ("rendered", "both")


def _imitations(
    collection: Collection,
    voices: Voices,
    rendered: bool,
    cache: Path,
    workers: int,
    problem: Problem,
    progress: Progress,
) -> Collection:
    """The collection's imitations, recorded, rendered, or rendered where none is recorded."""
    if not rendered or not collection.items:
        return collection.of(item for item, _ in collection.pairs())
    if voices.source != "both":
        collection = collection.of(item for item in collection.items if item.role == "sound")
    sung = imitated(collection, cache, voices.takes, workers=max(1, workers), progress=progress)
    for fault in sung.faults[len(collection.faults) :]:
        problem(fault.sentence)
    return sung


def _reading(collection: Collection, item: Item, seconds: float) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        sound = readable(collection, item)
        samples = sound.samples[: round(seconds * sound.sample_rate)]
        return fitted(resample(samples, sound.sample_rate, SAMPLE_RATE), seconds)

    return read


def fitted(samples: np.ndarray, seconds: float) -> np.ndarray:
    """Samples at 32 kHz, so many seconds at most and a quarter of one at least, as the encoder hears them."""
    samples = samples[: round(seconds * SAMPLE_RATE)]
    return np.pad(samples, (0, max(0, round(SHORTEST_ENCODED * SAMPLE_RATE) - len(samples))))


def _fill(
    store: Store,
    work: Mapping[str, Callable[[], np.ndarray]],
    workers: int,
    problem: Problem,
    progress: Progress,
) -> set[str]:
    """Put into the store what it lacks; returns the keys of what could not be made, each told once."""
    missing: Sequence[str] = [key for key in work if key not in store]

    def make(key: str) -> np.ndarray | str:
        try:
            return work[key]()
        except VocalDMError as error:
            return str(error)

    bad: set[str] = set()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        # A few at a time: what is made waits in memory until it is kept.
        for first in range(0, len(missing), 64):
            some = missing[first : first + 64]
            for at, (key, made) in enumerate(zip(some, pool.map(make, some), strict=True), start=first + 1):
                if isinstance(made, str):
                    problem(made)
                    bad.add(key)
                else:
                    store.put(key, made.astype(np.float16))
                if progress is not None:
                    progress(at, len(missing))
    return bad
