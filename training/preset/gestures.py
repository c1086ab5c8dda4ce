"""Gestures: voices that a preset is judged by: imitations of the folder's held-out sounds, and a fixed bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.collection import Collection, Item
from training.examples import imitate_sound, make_sound
from vocaldm_live.sound.audio import Sound

RATE = 48000  # Hz, at which voices are rendered
BANK_SEED = 77  # of the bank's gestures, whatever the recipe's: figures of two presets compare
BANK = 16
SHORTEST = 0.5  # s that a gesture lasts at least; shorter ones have silence behind them
LONGEST = 2.56  # s


@dataclass(frozen=True)
class Gesture:
    """A voice with what it imitates, both float32 at 48 kHz; `group` is the sound it comes from."""

    name: str
    group: str
    voice: np.ndarray
    sound: np.ndarray
    recorded: bool = False

    @property
    def imitation(self) -> Sound:
        """The voice as requests take it."""
        return Sound(self.voice, RATE)

    @property
    def imitated(self) -> Sound:
        """The sound that the voice imitates."""
        return Sound(self.sound, RATE)


def of_folder(pieces: Collection, count: int, seed: int) -> Iterator[Gesture]:
    """So many gestures of a collection of pieces: every sound in turn, then again by other voices.

    A recorded imitation goes before rendered ones; those are by voices that training never hears. Raises DataError.
    """
    recorded = {sound.key: imitation for imitation, sound in pieces.pairs()}
    order = spread([item for item in pieces.items if item.role == "sound"])[:count]
    for number in range(count if order else 0):
        item, take = order[number % len(order)], number // len(order)
        sound = _fitted(pieces.read(item))
        name = f"{number + 1:03d}"
        if item.key in recorded and take == 0:
            voice = _fitted(pieces.read(recorded[item.key]))
            yield Gesture(name, item.group, voice, sound, recorded=True)
            continue
        rendered, _ = imitate_sound(sound, np.random.default_rng([seed, 9, number]), True)
        yield Gesture(name, item.group, rendered.astype(np.float32), sound)


def bank(count: int = BANK, first: int = 0) -> Iterator[Gesture]:
    """Gestures of a bank that is the same for every folder: made sounds, imitated by held-out voices."""
    for number in range(first, first + count):
        sound, family, _ = make_sound(number, BANK_SEED, [], 0.0, False)
        rendered, _ = imitate_sound(sound, np.random.default_rng([8, number]), True)
        yield Gesture(f"bank-{number + 1:03d}", f"{family} {number}", rendered.astype(np.float32), sound)


def spread(items: Sequence[Item]) -> list[Item]:
    """Items so that each group's first ones come first, and long sounds of many pieces do not crowd out others."""
    turns: dict[str, int] = {}
    ranked = []
    for at, item in enumerate(items):
        turns[item.group] = turn = turns.get(item.group, -1) + 1
        ranked.append((turn, at, item))
    return [item for _, _, item in sorted(ranked, key=lambda one: one[:2])]


def _fitted(sound: Sound) -> np.ndarray:
    """At 48 kHz, no longer than a gesture may be, and no shorter."""
    samples = sound.at(RATE).samples
    longest, shortest = int(LONGEST * RATE), int(SHORTEST * RATE)
    return np.pad(samples[:longest], (0, max(0, shortest - len(samples)))).astype(np.float32)
