"""Variations: pieces of sounds as they are, and at other speeds, repeated, faded or over one another, by number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.data.collection import Collection, Item
from training.errors import DataError
from training.examples import vary
from training.library import LibrarySound
from vocaldm_live.sound.audio import Sound

RATE = 48000  # Hz
SECONDS = 2.56  # of a variation
VERSION = 1


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
        samples = vary(sound.at(RATE).samples, round(SECONDS * RATE), _Library(self.pieces), rng)
        return Sound(samples, RATE)

    def mel(self, item: Item) -> np.ndarray:
        """Variations are sounds."""
        raise DataError(f"{item.key} is a variation of a sound and no mel image.")

    def content(self, item: Item) -> bytes:
        """What tells a variation from others: its piece, its number, and what else may lie over it."""
        piece, number = self.made.get(item.key, (item, 0))
        if number == 0:
            return f"piece {self.pieces.content_key(piece)}".encode()
        return self._mark(piece, number)

    def _mark(self, piece: Item, number: int) -> bytes:
        told = f"variation {VERSION} {self.seed} {number} {self.pieces.content_key(piece)} {len(self.pieces.items)}"
        return hashlib.sha256(told.encode()).digest()


class _Library(Sequence[LibrarySound]):
    """The pieces as `vary` takes them, each read when it is asked for."""

    def __init__(self, pieces: Collection) -> None:
        self.pieces = pieces

    def __len__(self) -> int:
        return len(self.pieces.items)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        item = self.pieces.items[at]
        return LibrarySound(item.key, self.pieces.read(item).at(RATE).samples, False)


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
        seconds = piece.seconds if number == 0 else SECONDS
        items.append(replace(piece, key=key, path=None, seconds=seconds))
    items += [item for item in pieces.items if item.role == "imitation" and item.means in made]
    return replace(pieces, items=tuple(items), faults=(), medium=Variations(pieces, made, seed))
