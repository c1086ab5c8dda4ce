"""Mel pairs: the house's shards as pairs: encoder pictures of sounds and of the voices that imitate them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.dataset import ARRAYS, Dataset, read_dataset
from training.errors import DataError
from training.sources import held_out_clips, refuse_shared

SHARDS = "shard-*.npz"


@dataclass(frozen=True, eq=False)
class MelPairs:
    """As `data.pairs.SoundPairs`, with pictures `[128, frames]` where that has samples; every clip is a sound.

    Two clips of one recording are the same; those of one procedural family are kin.
    """

    data: Dataset
    aligned = True

    def __len__(self) -> int:
        return len(self.data)

    @property
    def of(self) -> np.ndarray:
        return np.arange(len(self))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{source} {at}" for at, source in enumerate(self.data.source))

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.source

    @property
    def sames(self) -> np.ndarray:
        recordings: dict[str, int] = {}
        found = []
        for at, (family, source) in enumerate(zip(self.data.family, self.data.source, strict=True)):
            # Numbers from len(data) on are recordings, so that no clip shares one by chance.
            found.append(
                recordings.setdefault(source, len(self) + len(recordings)) if family == "real" else at
            )
        return np.array(found, dtype=np.int64)

    @property
    def families(self) -> np.ndarray:
        known = {name: at for at, name in enumerate(sorted(set(self.data.family) - {"real"}))}
        return np.array([known.get(family, -1) for family in self.data.family], dtype=np.int64)

    def digest(self) -> str:
        """SHA-256 of the pictures."""
        state = hashlib.sha256(self.data.imitation.tobytes())
        state.update(self.data.reference.tobytes())
        return state.hexdigest()

    def thinned(self, most: int) -> MelPairs:
        """At most so many of the clips, evenly from all of them."""
        if len(self) <= most:
            return self
        return self.of_clips(np.linspace(0, len(self) - 1, most).round().astype(np.int64))

    def of_clips(self, clips: np.ndarray) -> MelPairs:
        """The clips of these numbers alone."""
        arrays = {name: getattr(self.data, name)[clips] for name in ARRAYS}
        family, source = (tuple(told[at] for at in clips) for told in (self.data.family, self.data.source))
        return MelPairs(Dataset(**arrays, family=family, source=source))

    def sound(self, number: int) -> np.ndarray:
        """The picture of a sound, `[128, frames]`."""
        return self.data.reference[number]

    def imitation(self, number: int) -> np.ndarray:
        """The picture of an imitation, `[128, frames]`."""
        return self.data.imitation[number]


def looks(place: Path) -> bool:
    """Whether a folder holds shards."""
    return place.is_dir() and any(place.glob(SHARDS))


def open_mel_pairs(
    folder: Path, held_out: Path | None, share: float, limit: int | None
) -> tuple[MelPairs, MelPairs]:
    """Shards to train on and to judge by: those of another folder, else of about `share` of the families and recordings.

    Raises DataError where they cannot be read, one of the two is too small, or both have a recording in common.
    """
    whole = _read(folder, limit)
    if held_out is not None:
        bank = _read(held_out, None)
        refuse_shared(folder, whole.data.source, held_out, bank.data.source)
        return whole, bank
    apart = held_out_clips(folder, whole.data.source, share)
    if apart.sum() < 2:
        raise DataError(f"{folder} leaves one clip to judge by, two are needed: name others with held_out.")
    return whole.of_clips(np.flatnonzero(~apart)), whole.of_clips(np.flatnonzero(apart))


def _read(folder: Path, limit: int | None) -> MelPairs:
    try:
        return MelPairs(read_dataset(folder, limit))
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"The shards in {folder} cannot be read ({error}); make them again.") from error
