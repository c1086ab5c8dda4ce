"""Gestures: imitations that came from no file, kept so that their clips can be made again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vocaldm_live.errors import DeliveryError
from vocaldm_live.sound.audio import Sound


class Gestures:
    """A folder of imitations, each named by its digest and written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, digest: str) -> Path | None:
        """The file of a digest (`Sound.digest`), None where there is none."""
        path = self.folder / f"{digest}.wav"
        return path if path.is_file() else None

    def keep(self, sound: Sound) -> Path:
        """Write a sound as 32-bit float WAV, so that it reads back with the same digest; raises DeliveryError."""
        import soundfile

        path = self.folder / f"{sound.digest()}.wav"
        if path.is_file():
            return path
        part = self.folder / f".{path.stem}.{os.getpid()}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            samples = np.asarray(sound.samples, dtype=np.float32)
            soundfile.write(part, samples, sound.sample_rate, subtype="FLOAT", format="WAV")
            os.replace(part, path)
        except (OSError, soundfile.LibsndfileError) as error:
            part.unlink(missing_ok=True)
            raise DeliveryError(
                f"The gesture can't be kept in {self.folder} ({error}): free some space there."
            ) from error
        return path
