"""Pairs: imitations with the sounds that they mean, recorded or rendered, at the encoder's rate, out of a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from training.data.collection import HELD_OUT, TRAINING, Collection, Item
from training.data.formats import open_collection
from training.data.spec import DataSpec
from training.data.store import Store
from training.errors import DataError
from training.recipe import Count, Strict
from vocaldm_live.errors import VocalDMError
from vocaldm_live.model.embedder import ENCODER_SECONDS, SHORTEST_ENCODED
from vocaldm_live.model.encoder_mel import SAMPLE_RATE
from vocaldm_live.sound.audio import SILENCE_PEAK, resample

VOICE_RATE = 48000
VERSION = "1"  # of what is kept: another program must not take the old samples for its own

Problem = Callable[[str], None]
Progress = Callable[[int, int], None] | None


class Voices(Strict):
    """Whose imitations: those recorded in the data, rendered by the voice synthesiser, or both; auto: recorded ones
    where there are any. takes: rendered ones of each sound; seconds: of a clip that are heard, from its beginning.
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

    def side(some: Collection, rendered: bool, judged: bool) -> SoundPairs:
        return gather(some, voices, rendered, judged, cache, workers, problem, progress)

    training = side(collection.part(TRAINING), rendered, False)
    if held_out is None:
        bank = side(collection.part(HELD_OUT), rendered, True)
    else:
        other = open_collection(DataSpec(source=held_out, held_out=0.0), problem)
        bank = side(other, _is_rendered(other, voices), True)
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
    is_held_out: bool,
    cache: Path,
    workers: int,
    problem: Problem,
    progress: Progress = None,
) -> SoundPairs:
    """The pairs of a collection with all samples in the cache; those that cannot be heard are told and left out.

    What is held out is rendered by voices of its own. Nothing is read again that the cache has.
    """
    store = Store(cache, "samples", hashlib.sha256(f"{VERSION} {SAMPLE_RATE}".encode()).hexdigest())
    recorded = collection.pairs() if voices.source in ("recorded", "both") or not rendered else ()
    sounds = [item for item in collection.items if item.role == "sound"]
    if not rendered:
        sounds = list({reference.key: reference for _, reference in recorded}.values())
    keyed = _keys(collection, [*sounds, *(item for item, _ in recorded)], voices, problem)
    work = {key: _reading(collection, item, voices.seconds) for item, key in keyed.values()}
    place: dict[str, int] = {}
    kept: list[Item] = []
    bad = _fill(store, work, workers, problem, progress)
    for item in sounds:
        if item.key in keyed and (key := keyed[item.key][1]) not in bad and key not in place:
            place[key] = len(kept)
            kept.append(item)
    names, of = [], []
    for item, reference in recorded:
        own, meant = (keyed.get(one.key, (one, ""))[1] for one in (item, reference))
        if own and own not in bad and meant in place:
            names.append(own)
            of.append(place[meant])
    aligned = not names
    if rendered:
        takes = {
            f"{key} take {take}{' held out' if is_held_out else ''}": (key, take)
            for key in place
            for take in range(voices.takes)
        }
        jobs = {name: _singing(store, key, take, is_held_out) for name, (key, take) in takes.items()}
        bad = _fill(store, jobs, workers, problem, progress)
        for name, (key, _) in takes.items():
            if name not in bad:
                names.append(name)
                of.append(place[key])
    return SoundPairs(
        tuple(place),
        tuple(names),
        np.array(of, dtype=np.int64),
        tuple(item.key for item in kept),
        tuple(item.labels[0] if item.labels else item.key for item in kept),
        tuple(bool(item.labels) for item in kept),
        aligned,
        store,
    )


def _is_rendered(collection: Collection, voices: Voices) -> bool:
    if voices.source == "auto":
        return not collection.pairs()
    return voices.source in ("rendered", "both")


def _keys(
    collection: Collection, items: Iterable[Item], voices: Voices, problem: Problem
) -> dict[str, tuple[Item, str]]:
    """Each item with the key of its samples: its content and how much of it is heard."""
    found = {}
    for item in items:
        try:
            found[item.key] = (item, f"{collection.content_key(item)} {voices.seconds:g} s")
        except DataError as error:
            problem(str(error))
    return found


def _reading(collection: Collection, item: Item, seconds: float) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        sound = collection.read(item)
        samples = sound.samples[: round(seconds * sound.sample_rate)]
        if not len(samples) or np.abs(samples - samples.mean()).max() < SILENCE_PEAK:
            raise DataError(f"{item.key} is silent (peak below -80 dBFS): it is left out.")
        return fitted(resample(samples, sound.sample_rate, SAMPLE_RATE), seconds)

    return read


def _singing(store: Store, key: str, take: int, is_held_out: bool) -> Callable[[], np.ndarray]:
    """A rendered imitation of the sound under a key; the same key and take give the same voice."""

    def sing() -> np.ndarray:
        from training.examples import imitate_sound

        samples = store.get(key)
        assert samples is not None
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        rng = np.random.default_rng([seed, take, int(is_held_out)])
        wide = resample(samples.astype(np.float32), SAMPLE_RATE, VOICE_RATE)
        voice, _ = imitate_sound(wide, rng, is_held_out)
        voice = np.asarray(voice, dtype=np.float32)
        if not np.isfinite(voice).all() or np.abs(voice).max(initial=0.0) < SILENCE_PEAK:
            raise DataError(f"Take {take} of a sound came out silent: it is left out.")
        return fitted(resample(voice, VOICE_RATE, SAMPLE_RATE), ENCODER_SECONDS)

    return sing


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
