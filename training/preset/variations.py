"""Variations: pieces of sounds as they are, and a little faster or slower, by number; each gets a voice of its own.

Stronger ones (layers, repeats, octaves) teach a base the variations and not the folder: with them a run's error on
held-out sounds fell by a tenth, and its clips came out farther from the folder than the base's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from training.data.collection import Collection, Item
from training.errors import DataError
from vocaldm_live.sound.audio import Sound, resample

RATE = 48000  # Hz
OCTAVES = 0.12  # by which a variation is faster or slower at most
VERSION = 2


@dataclass(frozen=True, eq=False)
class Variations:
    """What reads variations: which piece each is of, and which number; number 0 is the piece as it is."""

    pieces: Collection
    made: dict[str, tuple[Item, int]]
    seed: int

    def sound(self, item: Item) -> Sound:
        """The samples of a variation; raises DataError where its sound has gone."""
        piece, number = self.made.get(item.key, (item, 0))
        sound = self.pieces.read(piece)
        if number == 0:
            return sound
        rng = np.random.default_rng(list(self._mark(piece, number)))
        speed = float(2.0 ** rng.uniform(-OCTAVES, OCTAVES))
        return Sound(resample(sound.at(RATE).samples, RATE, round(RATE / speed)), RATE)

    def mel(self, item: Item) -> np.ndarray:
        """Variations are sounds."""
        raise DataError(f"{item.key} is a variation of a sound and no mel image.")

    def content(self, item: Item) -> bytes:
        """What tells a variation from others: its piece and its number."""
        piece, number = self.made.get(item.key, (item, 0))
        if number == 0:
            return f"piece {self.pieces.content_key(piece)}".encode()
        return self._mark(piece, number)

    def _mark(self, piece: Item, number: int) -> bytes:
        told = f"variation {VERSION} {self.seed} {number} {self.pieces.content_key(piece)}"
        return hashlib.sha256(told.encode()).digest()


def vary_all(pieces: Collection, count: int, seed: int) -> Collection:
    """So many sounds: every piece as it is first, in an order that is not that of names, then variations in turn.

    Recorded imitations come along with the sounds that they imitate; variations have none, being other sounds.
    """
    sounds = sorted(
        (item for item in pieces.items if item.role == "sound"),
        key=lambda item: hashlib.sha256(pieces.content_key(item).encode()).hexdigest(),
    )
    if not sounds:
        raise DataError(f"{pieces.name} holds no sound to learn from.")
    made: dict[str, tuple[Item, int]] = {}
    items: list[Item] = []
    for at in range(count):
        piece, number = sounds[at % len(sounds)], at // len(sounds)
        key = piece.key if number == 0 else f"{piece.key} variation {number}"
        made[key] = (piece, number)
        items.append(replace(piece, key=key, path=None))
    items += [item for item in pieces.items if item.role == "imitation" and item.means in made]
    return replace(pieces, items=tuple(items), faults=(), medium=Variations(pieces, made, seed))
