"""Imitated sounds: a collection as a denoiser learns from it: its sounds encoded, and the voices that imitate them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.base import Base
from training.cluster.pool import Pool, lent
from training.data.collection import Collection
from training.data.encoding import Encoded, encode
from training.data.features import CLAP, IMITATION, LATENT, REFERENCE, SKETCH
from training.data.pieces import cut
from training.errors import DataError
from training.voices import imitated

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class ImitatedSounds:
    """Sounds and their voices by number; of each the base's encoder knows a vector, or CLAP where it has no encoder.

    which: the numbers in `sounds`; voices: for each of those the numbers in `heard` of what imitates it.
    """

    sounds: Encoded
    heard: Encoded
    which: tuple[int, ...]
    voices: tuple[tuple[int, ...], ...]
    towers: dict[str, str]

    def __len__(self) -> int:
        return len(self.which)

    def latent(self, index: int) -> Tensor:
        """The sound's latent `[channels, frames, bins]`."""
        return self.sounds.latent(self.which[index])

    def valid(self, index: int) -> int:
        """How many of its frames are sound."""
        return self.sounds.valid(self.which[index])

    def imitations(self, index: int) -> int:
        """How many voices imitate it; none where none could be heard."""
        return len(self.voices[index])

    def vector(self, index: int, tower: str, which: int = 0) -> Tensor:
        """`[width]`: a voice by the "imitation" tower, or the sound itself by the "reference" tower."""
        if tower == IMITATION:
            return self.heard.vector(self.voices[index][which], self.towers[IMITATION])
        return self.sounds.vector(self.which[index], self.towers[REFERENCE])

    def sketch(self, index: int) -> np.ndarray:
        """How the sound moves, float32 `[4, frames x factor]`."""
        return self.sounds.sketch(self.which[index])

    def voice_sketch(self, index: int, which: int = 0) -> np.ndarray:
        """How a voice moves that imitates it, float32 `[4, frames x factor]`."""
        return self.heard.sketch(self.voices[index][which])

    def part(self, split: str) -> ImitatedSounds:
        """The sounds of one split."""
        rows = [
            (at, voices)
            for at, voices in zip(self.which, self.voices, strict=True)
            if self.sounds.items[at].split == split
        ]
        return ImitatedSounds(
            self.sounds,
            self.heard,
            tuple(at for at, _ in rows),
            tuple(voices for _, voices in rows),
            self.towers,
        )

    def digest(self) -> str:
        """SHA-256 of what the sounds and voices contain, for a run's facts."""
        keys = [self.sounds.keys[at] for at in self.which]
        keys += [self.heard.keys[at] for voices in self.voices for at in voices]
        return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def imitated_sounds(
    collection: Collection,
    base: Base,
    cache: Path,
    voices: int = 1,
    seed: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
    problem: Callable[[str], None] | None = None,
    pool: Pool | None = None,
    device: torch.device | str = "cpu",
) -> ImitatedSounds:
    """Cut a collection into pieces, have each imitated, and encode sounds and voices, all of it once (data/store.py).

    The base needs its VAE, and its encoder or CLAP's audio tower; they compute on `device`. `voices`: how many are
    rendered of a sound that has no recorded one. `progress(stage, done, whole)` hears of "cutting", "imitating",
    "encoding" and "hearing"; `problem` a sentence for everything that is left out here; of its own the collection
    tells. Raises DataError, RecipeError.
    """
    told = set(collection.problems)

    def tell(sentence: str) -> None:
        if problem is not None and sentence not in told:
            problem(sentence)

    pieces = cut(collection, cache, progress=_stage(progress, "cutting"))
    return imitated_pieces(pieces, base, cache, voices, seed, workers, progress, tell, pool, device)


def imitated_pieces(
    pieces: Collection,
    base: Base,
    cache: Path,
    voices: int = 1,
    seed: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
    problem: Callable[[str], None] | None = None,
    pool: Pool | None = None,
    device: torch.device | str = "cpu",
) -> ImitatedSounds:
    """The same of a collection whose sounds stay as they are, none of them longer than a base hears."""
    has_encoder = "encoder" in base.networks
    towers = (
        {IMITATION: IMITATION, REFERENCE: REFERENCE} if has_encoder else {IMITATION: CLAP, REFERENCE: CLAP}
    )
    only = pieces.of(item for item in pieces.items if item.role == "sound")
    if not only.items:
        raise DataError(f"{pieces.name} holds imitations and no sounds: add what they imitate.")
    with lent(pool, workers) as one:
        spoken = imitated(pieces, cache, voices, seed, progress=_stage(progress, "imitating"), pool=one)
        wanted = (LATENT, towers[REFERENCE], SKETCH)
        sounds = encode(only, base, wanted, cache, 1, _stage(progress, "encoding"), one, device)
        told = (towers[IMITATION], SKETCH)
        heard = encode(spoken, base, told, cache, 1, _stage(progress, "hearing"), one, device)
    if problem is not None:
        for sentence in dict.fromkeys((*spoken.problems, *sounds.problems, *heard.problems)):
            problem(sentence)
    found: dict[str, list[int]] = {}
    for at, item in enumerate(heard.items):
        found.setdefault(item.means or "", []).append(at)
    rows = tuple(tuple(found.get(item.key, ())) for item in sounds.items)
    return ImitatedSounds(sounds, heard, tuple(range(len(sounds))), rows, towers)


def _stage(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, whole: progress(name, done, whole)
