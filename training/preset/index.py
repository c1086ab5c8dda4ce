"""Index: a folder's sounds read through once: which are learned from, chosen by and judged by, and which are copies.

What is learned is chosen by sounds that it was not learned from (`HELD_OUT`), and judged by others yet (`TEST`): a figure
that something was chosen by flatters it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from training.data.collection import HELD_OUT, TEST, TRAINING, Collection, Item
from training.data.duplicates import fingerprint, near_copies
from training.data.split import contents, split_by_group
from training.errors import DataError, RunError
from vocaldm_live.sound.audio import SHORTEST_SECONDS, SILENCE_PEAK

CHOOSING = 0.15
"""Share of the groups that are not held out to judge by, which choose."""

FEWEST_TO_CHOOSE = 8
"""Groups beside those from which on some choose: fewer are all needed to learn from."""

Problem = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Index:
    """What a folder holds, in plain numbers: the split of each sound by its key, sums, and a digest of the contents.

    held_out: sounds to judge by; choosing: sounds to choose by.
    """

    splits: dict[str, str]
    sounds: int
    held_out: int
    choosing: int
    recorded: int
    seconds: float
    digest: str
    problems: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "problems": list(self.problems)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Index:
        """Back from JSON."""
        return cls(**{**plain, "problems": tuple(plain["problems"])})

    def taken(self, collection: Collection) -> Collection:
        """The sounds of a collection that were indexed, split as they were, and the imitations of those.

        Raises RunError where the collection holds something else by now.
        """
        kept = [self._placed(collection, item) for item in collection.items]
        found, digests = contents(collection.of(item for item in kept if item is not None))
        missing = set(self.splits) - {item.key for item in found.items}
        if missing or _digest(digests) != self.digest:
            what = f"{min(missing)} has gone" if missing else "a sound has changed"
            raise RunError(
                f"{collection.name} is not what it was when the run began ({what}); put it back, or start anew "
                "with --fresh."
            )
        return found

    def _placed(self, collection: Collection, item: Item) -> Item | None:
        split = self.splits.get(item.key if item.role == "sound" else item.means or "")
        return None if split is None else replace(item, split=split)


def index(
    collection: Collection, held_out: float, problem: Problem, progress: Progress | None = None
) -> Index:
    """Read every sound of a collection and split them; raises DataError where none can be learned from.

    Sounds that belong together, or are copies but for level, format or silence around them, are on one side.
    `problem` hears a sentence for each that is left out.
    """
    sounds = [item for item in collection.items if item.role == "sound"]
    problems: list[str] = list(collection.problems)
    kept: list[Item] = []
    prints: dict[str, np.ndarray] = {}
    for sentence in problems:
        problem(sentence)
    for number, item in enumerate(sounds):
        if progress is not None:
            progress(number, len(sounds))
        try:
            picture = _heard(collection, item)
        except DataError as error:
            problems.append(str(error))
            problem(str(error))
            continue
        kept.append(item)
        prints[item.key] = picture
    if not kept:
        raise DataError(
            f"{collection.name} holds no sound that can be learned from: put sounds there, as WAV or FLAC files."
        )
    splits = _split(collection.of(kept), held_out, near_copies(prints))
    taken, digests = contents(
        collection.of(
            item for item in collection.items if (item.key if item.role == "sound" else item.means) in splits
        )
    )
    for sentence in taken.problems[len(collection.problems) :]:
        problems.append(sentence)
        problem(sentence)
    return Index(
        splits,
        len(kept),
        sum(place == TEST for place in splits.values()),
        sum(place == HELD_OUT for place in splits.values()),
        len({sound.key for _, sound in taken.pairs()}),
        round(sum(item.seconds for item in kept), 1),
        _digest(digests),
        tuple(problems),
    )


def _digest(digests: Mapping[str, str]) -> str:
    """SHA-256 of all contents, whatever their files are called."""
    return hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()


def _split(collection: Collection, held_out: float, twins: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """The split of each sound: first what judges is set apart, then, of enough others, what chooses."""
    judged = split_by_group(collection, held_out, twins)
    splits = {item.key: TEST for item in judged.part(HELD_OUT).items}
    rest = judged.part(TRAINING)
    if len(rest.groups()) >= FEWEST_TO_CHOOSE:
        # Groups are placed by what they contain, below `held_out` those that are gone.
        rest = split_by_group(rest, held_out + (1.0 - held_out) * CHOOSING, twins)
    return splits | {item.key: item.split for item in rest.items}


def _heard(collection: Collection, item: Item) -> np.ndarray:
    """A sound's picture; raises DataError where it is unreadable, too short or silent."""
    sound = collection.read(item)
    if sound.seconds < SHORTEST_SECONDS:
        length = f"{1000 * sound.seconds:.1f} ms long, less than {1000 * SHORTEST_SECONDS:.0f} ms"
        raise DataError(f"{item.key} is {length}: it is left out.")
    picture = fingerprint(sound) if float(np.abs(sound.samples).max()) >= SILENCE_PEAK else None
    if picture is None:
        raise DataError(f"{item.key} is silent (peak below -80 dBFS): it is left out.")
    return picture
