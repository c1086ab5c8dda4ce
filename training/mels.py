"""Mels: log-mels to learn from and to judge by, of sounds, of stored mels, or of the house's shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.collection import HELD_OUT, TRAINING, Collection
from training.data.formats import open_collection, read_collection
from training.data.magnitudes import in_nepers, lowest_of
from training.data.spec import DataSpec
from training.dataset import read_dataset
from training.errors import DataError
from training.provenance import describe_data
from training.sounds import Sounds, read_sounds
from training.sources import held_out_clips, refuse_shared
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import log_mel

SHARDS = "shard-*.npz"


class Shards:
    """Clips of the house's examples, float16 `[clips, bands, frames]`."""

    def __init__(self, mels: np.ndarray, lowest: float) -> None:
        self.mels, self.lowest = mels, lowest

    def __len__(self) -> int:
        return len(self.mels)

    def crop(self, item: int, frames: int, gain: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """`[bands, frames]` or less, from a drawn frame on, at a drawn gain in nepers, not below the floor."""
        first = int(rng.integers(0, max(1, self.mels.shape[2] - frames + 1)))
        louder = float(rng.uniform(*gain))
        part = self.mels[item, :, first : first + frames].astype(np.float32) + louder
        return np.maximum(part, self.lowest, dtype=np.float32)

    def keys(self) -> list[str]:
        """What tells these clips from others."""
        return [hashlib.sha256(mel.tobytes()).hexdigest() for mel in self.mels]


class OfSounds:
    """Mels of parts of sounds; `peak`: each part without its mean and at that peak, as AudioLDM has it, not at a gain."""

    def __init__(self, sounds: Sounds, geometry: Geometry, peak: float | None) -> None:
        self.sounds, self.geometry, self.peak = sounds, geometry, peak
        self.lowest = float(np.log(geometry.mel_floor))

    def __len__(self) -> int:
        return len(self.sounds)

    def crop(self, item: int, frames: int, gain: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """As `Shards.crop`; the last frame of a short sound is the last that any of it lies in."""
        samples, length = self.sounds.rows[item], frames * self.geometry.hop
        first = int(rng.integers(0, max(1, len(samples) - length + 1)))
        part = np.array(samples[first : first + length], dtype=np.float32)
        louder = float(rng.uniform(*gain))
        if self.peak is None:
            part *= np.float32(np.exp(louder))
        else:
            part -= part.mean()
            part *= self.peak / max(float(np.abs(part).max()), 1e-8)
        return log_mel(torch.from_numpy(part)[None], self.geometry)[0].numpy()

    def keys(self) -> list[str]:
        """What tells these sounds from others."""
        return list(self.sounds.keys)


class Stored:
    """Mels that a collection holds, as natural logarithms: no gain is known of them."""

    def __init__(self, collection: Collection, geometry: Geometry) -> None:
        self.collection, self.bands = collection, geometry.mel_bands
        self.lowest = lowest_of(collection, geometry)

    def __len__(self) -> int:
        return len(self.collection.items)

    def crop(self, item: int, frames: int, gain: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """`[bands, frames]` or less, from a drawn frame on; raises DataError where it has other bands."""
        entry = self.collection.items[item]
        mel = in_nepers(self.collection, entry)
        if mel.shape[0] != self.bands:
            raise DataError(
                f"{entry.key} has {mel.shape[0]} bands where geometry.mel_bands is {self.bands}; correct the recipe."
            )
        first = int(rng.integers(0, max(1, mel.shape[1] - frames + 1)))
        return np.asarray(mel[:, first : first + frames], dtype=np.float32)

    def keys(self) -> list[str]:
        """What tells these mels from others."""
        return [self.collection.content_key(item) for item in self.collection.items]


Mels = Shards | OfSounds | Stored


@dataclass(frozen=True, eq=False)
class MelSet:
    """What is learnt from, what is judged by, and the description of the former for run.json."""

    training: Mels
    kept: Mels
    about: dict[str, object]


def read_mels(
    data: DataSpec,
    held_out: str | None,
    geometry: Geometry,
    peak: float | None,
    cache: Path,
    bank: int,
    problem: Callable[[str], None],
) -> MelSet:
    """Mels of a folder of the house's shards or of a collection, a share of whose groups is held out.

    held_out: of shards, a folder of others to judge by, at most `bank` of them; without it all clips of a share of
    their families and recordings. Raises DataError where nothing is left on either side, or both share a recording.
    """
    place = Path(data.source)
    training: Mels
    kept: Mels
    if any(place.glob(SHARDS)) or held_out is not None:
        training, kept = _shards(place, held_out, geometry, data, bank)
    else:
        # Only the collection itself says whether it holds sounds or mels.
        found = read_collection(data.source, data.format)
        if found.kind == "sound":
            pair = read_sounds(data, geometry.sample_rate, cache, problem)
            training, kept = (OfSounds(sounds, geometry, peak) for sounds in pair)
        else:
            collection = open_collection(data, problem)
            training, kept = (Stored(collection.part(one), geometry) for one in (TRAINING, HELD_OUT))
    if not len(training) or not len(kept):
        raise DataError(
            f"{data.source} holds {len(training)} mels to train on and {len(kept)} to judge by; give more."
        )
    return MelSet(training, kept, describe_data(data.source, training.keys()))


def stacked(rows: Sequence[np.ndarray], frames: int, lowest: float) -> tuple[Tensor, Tensor]:
    """One batch `[rows, bands, frames]`, padded with silence, and how many frames of each are real, long `[rows]`."""
    batch = np.full((len(rows), rows[0].shape[0], frames), lowest, dtype=np.float32)
    for at, row in enumerate(rows):
        batch[at, :, : row.shape[1]] = row
    return torch.from_numpy(batch), torch.tensor([row.shape[1] for row in rows])


def _shards(
    place: Path, held_out: str | None, geometry: Geometry, data: DataSpec, bank: int
) -> tuple[Shards, Shards]:
    lowest = float(np.log(geometry.mel_floor))
    found = read_dataset(place, data.limit)
    mels = found.mel
    if mels.shape[1] != geometry.mel_bands:
        raise DataError(
            f"The shards in {place} have {mels.shape[1]} bands where the geometry has {geometry.mel_bands}; train on "
            "sounds, or for the house's geometry."
        )
    if held_out is not None:
        others = read_dataset(Path(held_out), bank)
        refuse_shared(place, found.source, Path(held_out), others.source)
        return Shards(mels, lowest), Shards(others.mel, lowest)
    apart = held_out_clips(place, found.source, data.held_out)
    return Shards(mels[~apart], lowest), Shards(mels[apart], lowest)
