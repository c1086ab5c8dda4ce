"""Voices: an imitation of every sound: a recorded one where there is one, else one by the voice synthesiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.cluster.pool import Pool, lent
from training.data.collection import HELD_OUT, TEST, Collection, Fault, Item, Medium, shown
from training.data.encoding import contents, readable
from training.data.features import LONGEST_SECONDS
from training.data.store import Store
from training.errors import DataError
from vocaldm_live.sound.audio import Sound

VERSION = 1  # of the synthesiser: another one renders anew
RATE = 48000
PEAK = 10.0 ** (-8.0 / 20.0)  # at which a sound is heard by the one who imitates it
FULL_SCALE = 32767.0


@dataclass(eq=False)
class Voices:
    """What reads imitations: rendered ones from the store, recorded ones as the sounds' own collection reads them."""

    recorded: Medium
    store: Store
    rendered: dict[str, str]  # key of an item -> its key in the store

    def sound(self, item: Item) -> Sound:
        """The voice's samples."""
        key = self.rendered.get(item.key)
        if key is None:
            return self.recorded.sound(item)
        kept = self.store.get(key)
        if kept is None:
            raise DataError(
                f"{shown(item.key)} is no longer in {self.store.folder}: give the same command again."
            )
        return Sound(kept.astype(np.float32) / np.float32(FULL_SCALE), RATE)

    def mel(self, item: Item) -> np.ndarray:
        """Voices are sounds."""
        return self.recorded.mel(item)

    def content(self, item: Item) -> bytes:
        """What tells one voice from another."""
        key = self.rendered.get(item.key)
        return self.recorded.content(item) if key is None else f"voice {VERSION} {key}".encode()


@dataclass(frozen=True)
class Task:
    """A sound to be imitated: its key in the store and its samples, the number of the voice, and whose voice it is."""

    key: str
    sound: Sound
    numbers: tuple[int, int]
    is_held_out: bool


def perform(task: Task) -> tuple[str, np.ndarray]:
    """The task's key and a synthetic voice imitating its sound, int16 `[n]` at 48 kHz."""
    from training.examples import imitate_sound

    samples = task.sound.at(RATE).samples[: round(LONGEST_SECONDS * RATE)]
    samples = samples * np.float32(PEAK / max(float(np.abs(samples).max()), 1e-4))
    voice, _ = imitate_sound(samples, np.random.default_rng(task.numbers), task.is_held_out)
    return task.key, np.round(np.clip(voice, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def imitated(
    collection: Collection,
    cache: Path,
    count: int = 1,
    seed: int = 1,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    pool: Pool | None = None,
) -> Collection:
    """The imitations of a collection's sounds, as items whose `means` is the sound's key.

    A sound with recorded imitations has those and no others; every other one has `count` rendered ones, whose
    speakers, habits and rooms are drawn from `seed` and the sound's content. Sounds that are held out, or for testing,
    are imitated by speakers whom no other sound is imitated by. What the folder `cache` holds is not rendered again.
    A sound that cannot be read or heard is a fault. Raises DataError where no sound is left, or the disk says no.
    """
    store = Store(cache, "voice", str(VERSION))
    recorded = [imitation for imitation, _ in collection.pairs()]
    meant = {item.means for item in recorded}
    alone = [item for item in collection.items if item.role == "sound" and item.key not in meant]
    keyed, problems = contents(collection.of(alone))
    faults = [*collection.faults, *(Fault("unreadable", "", problem) for problem in problems)]
    rendered: dict[str, str] = {}
    items: list[Item] = list(recorded)
    wanted: dict[str, tuple[Item, Task]] = {}
    for item, content in keyed:
        held_out = item.split in (HELD_OUT, TEST)
        for number in range(count):
            key = f"{content} {seed} {number}{' held out' if held_out else ''}"
            name = f"{item.key} voice {number + 1}"
            rendered[name] = key
            items.append(replace(item, key=name, path=None, role="imitation", means=item.key, row=None))
            if key not in store:
                numbers = (int(content[:15], 16), seed * 1000 + number)
                wanted[key] = (item, Task(key, Sound(np.zeros(0, np.float32), RATE), numbers, held_out))
    dumb: dict[str, str] = {}

    def tasks() -> Iterator[Task]:
        for item, task in wanted.values():
            try:
                yield replace(task, sound=readable(collection, item))
            except DataError as error:
                dumb[item.key] = str(error)

    with lent(pool, workers) as performers:
        for done, (key, voice) in enumerate(performers.run(perform, tasks()), start=1):
            store.put(key, voice)
            if progress is not None:
                progress(done, len(wanted))
    faults += [Fault("unreadable", key, sentence) for key, sentence in dumb.items()]
    items = [item for item in items if item.means not in dumb]
    if not items:
        why = f" ({faults[0].sentence.rstrip('.')})" if faults else ""
        raise DataError(f"Nothing of {collection.name} can be imitated{why}: put sounds there.")
    medium = Voices(collection.medium, store, rendered)
    return replace(collection, items=tuple(items), faults=tuple(faults), medium=medium)
