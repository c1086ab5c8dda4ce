"""Libraries for tests: folders of short sounds, and ears that need no network. As a program: a slow build to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from vocaldm_live.library.build import Built, build
from vocaldm_live.library.search import Search
from vocaldm_live.sound.audio import Sound

RATE = 8000


class Bands:
    """The energy in 16 bands, at unit length: a tone's vector points at its own band."""

    name = "bands"
    width = 16

    def __init__(self, sha256: str = "a" * 64, pause: float = 0.0) -> None:
        self.sha256 = sha256
        self.heard = 0
        self._pause = pause

    def __call__(self, sound: Sound) -> np.ndarray:
        self.heard += 1
        time.sleep(self._pause)
        power = np.abs(np.fft.rfft(sound.samples)) ** 2
        bands = np.array([part.sum() for part in np.array_split(power, self.width)]) + 1e-9
        return (bands / np.linalg.norm(bands)).astype(np.float32)


def tone(path: Path, note: float, seconds: float = 0.2) -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * note * times), RATE)
    return path


def note_of(band: int) -> float:
    """The middle of a band, Hz."""
    return (band + 0.5) * RATE / 2 / Bands.width


def pointing(band: int) -> np.ndarray:
    """The vector of a band alone."""
    return np.eye(Bands.width, dtype=np.float32)[band]


def built(root: Path, index: Path, ears: Bands | None = None, **more: object) -> tuple[Built, list[str]]:
    """A build, and what it complained of."""
    said: list[str] = []
    return build(root, index, ears or Bands(), said.append, **more), said  # type: ignore[arg-type]


def nearest(index: Path, band: int, count: int = 3) -> list[str]:
    """Names of the sounds nearest to a band."""
    search = Search(index, "bands", "a" * 64)
    try:
        return [hit.path.name for hit in search.find(pointing(band), count)]
    finally:
        search.close()


if __name__ == "__main__":
    build(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        Bands(pause=0.01),
        print,
        lambda *_: print(".", flush=True),
        workers=1,
    )
