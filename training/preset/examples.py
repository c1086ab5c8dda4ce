"""Examples: variations of a folder's pieces with voices that imitate them, as many as there is time for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.base import Base
from training.data.collection import Collection
from training.imitated_sounds import ImitatedSounds, Progress, imitated_pieces
from training.preset.recipe import PresetRecipe
from training.preset.variations import vary_all

VOICES_SHARE = 0.7
"""Of the time for examples that rendering the voices may take."""

Make = Callable[[Collection, int, int, Progress | None], ImitatedSounds]


@dataclass(frozen=True, eq=False)
class Examples:
    """The base opened for training, what is learned from, what is chosen by, and the pieces by split."""

    base: Base
    sounds: ImitatedSounds
    held_out: ImitatedSounds
    pieces: Mapping[str, Collection]


class TimeUp(Exception):
    """The time is over and so many voices are missing."""

    def __init__(self, missing: int) -> None:
        self.missing = missing


def make_examples(recipe: PresetRecipe, base: Base, cache: Path) -> Make:
    """What makes and encodes so many examples of a collection's pieces; all that `cache` holds is only looked up."""

    def make(pieces: Collection, count: int, workers: int, tell: Progress | None) -> ImitatedSounds:
        varied = vary_all(pieces, count, recipe.seed)
        return imitated_pieces(varied, base, cache, recipe.voices, recipe.seed, workers, tell)

    return make


def within(seconds: float, tell: Progress) -> Progress:
    """A teller that raises TimeUp where the voices, which take the most, are not done in their share of the time."""
    begun = time.monotonic()

    def told(stage: str, done: int, whole: int) -> None:
        tell(f"Making examples, {stage}", done, whole)
        late = time.monotonic() - begun > VOICES_SHARE * seconds
        if stage == "imitating" and late and done < whole:
            raise TimeUp(whole - done)

    return told
