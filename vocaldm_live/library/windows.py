"""Windows: the parts of a sound file that are embedded, ten seconds each, from its first minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vocaldm_live.errors import SoundError
from vocaldm_live.sound.audio import SILENCE_PEAK, Sound, read_sound

WINDOW_SECONDS = 10.0
MOST_WINDOWS = 6
# A rest shorter than this gets no window of its own.
SHORTEST_REST = 2.5
LOWEST_RATE = 4000


@dataclass(frozen=True)
class Window:
    """A part of a file: where it begins in seconds, and its sound."""

    start: float
    sound: Sound


def window_starts(seconds: float) -> list[float]:
    """Where the windows of a sound begin: 0 first, the last one at its end, at most six in its first minute."""
    heard = min(seconds, MOST_WINDOWS * WINDOW_SECONDS)
    count = max(1, min(MOST_WINDOWS, math.ceil((heard - SHORTEST_REST) / WINDOW_SECONDS)))
    last = max(0.0, heard - WINDOW_SECONDS)
    return [0.0] if count == 1 else [last * index / (count - 1) for index in range(count)]


def read_windows(path: Path) -> list[Window]:
    """The windows of a sound file that are not silent; raises SoundError where there is none."""
    sound = read_sound(path, MOST_WINDOWS * WINDOW_SECONDS)
    if sound.sample_rate < LOWEST_RATE:
        raise SoundError(f"{path} has a sample rate of {sound.sample_rate} Hz: {LOWEST_RATE} are needed.")
    windows = []
    for start in window_starts(sound.seconds):
        first = round(start * sound.sample_rate)
        part = sound.samples[first : first + round(WINDOW_SECONDS * sound.sample_rate)]
        if np.abs(part - part.mean()).max() >= SILENCE_PEAK:
            windows.append(Window(start, Sound(part, sound.sample_rate)))
    if not windows:
        raise SoundError(f"{path} is silent (peak below -80 dBFS): nothing can be found by it.")
    return windows
