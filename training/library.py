"""Library: folders of real sounds, read once, split by sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.split import held_out
from vocaldm_live.errors import SoundError
from vocaldm_live.sound.audio import SOUND_SUFFIXES, read_sound


@dataclass(frozen=True)
class LibrarySound:
    """A real sound at 48 kHz, float32 `[n]`, with its name and whether it is held out."""

    name: str
    samples: np.ndarray
    held_out: bool


def read_library(
    folder: Path, sample_rate: int = 48000, longest: float = 10.0
) -> tuple[list[LibrarySound], list[str]]:
    """All sounds below `folder` (sorted), and a sentence for each that was left out."""
    sounds: list[LibrarySound] = []
    skipped: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES):
        name = path.relative_to(folder).as_posix()
        try:
            samples = trim_silence(read_sound(path, longest).at(sample_rate).samples)
        except SoundError as error:
            skipped.append(str(error))
            continue
        if len(samples) < sample_rate // 20:
            skipped.append(f"{path} is shorter than 50 ms without its silence: left out.")
            continue
        sounds.append(LibrarySound(name, samples, held_out(name)))
    return sounds, skipped


def trim_silence(samples: np.ndarray, floor: float = 1e-3) -> np.ndarray:
    """Samples without the leading and trailing parts below `floor` of the peak."""
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    loud = np.flatnonzero(np.abs(samples) > max(1e-5, floor * peak))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]
