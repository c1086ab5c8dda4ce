"""Brightness: what a band without content should hold, by drawing the spectrum below it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vocaldm_live.sound.sketch import HOP, LOUDNESS_FLOOR, SKETCH_RATE, Sketch, hz_to_note, note_to_hz

WINDOW = 2048
STEEPEST, FLATTEST = -18.0, -4.5  # dB an octave between which a spectrum is drawn on
MISSING_DB = -20.0
HIGHEST_HERTZ = 16000.0


@dataclass(frozen=True)
class Drawn:
    """A sound's spectrum with a band drawn on.

    centroid: Hz `[frames]`; octave, under: levels in dB `[frames]` of the band's first octave as drawn, and of what
    lies from 0.4 to 0.9 times its low edge; missing: the sound's own band is 20 dB or more below the line.
    """

    centroid: np.ndarray
    octave: np.ndarray
    under: np.ndarray
    missing: bool


def drawn_on(
    samples: np.ndarray, sample_rate: int, low: float | None, high: float | None, frames: int
) -> Drawn | None:
    """The spectrum of samples `[n]` drawn on from `low` to `high` Hz in `frames` of 10 ms; None for a band at the bottom.

    The line is fitted to the mean magnitudes of each 50 ms, in dB over octaves, over the three octaves below `low`.
    """
    top = min(high or HIGHEST_HERTZ, HIGHEST_HERTZ, 0.5 * sample_rate)
    if low is None or not 100.0 <= low < top:
        return None
    magnitude = _magnitudes(samples, sample_rate, frames)
    hertz = np.arange(WINDOW // 2 + 1) * sample_rate / WINDOW
    below = (hertz >= low / 8.0) & (hertz <= 0.9 * low) & (hertz > 0.0)
    inside = (hertz >= low) & (hertz <= top)
    octaves = np.log2(hertz[below] / low)
    level = 20.0 * np.log10(np.maximum(magnitude[:, below], 1e-9))
    centred = octaves - octaves.mean()
    slope = np.clip((level @ centred) / (centred @ centred), STEEPEST, FLATTEST)
    start = level.mean(axis=1) - slope * octaves.mean()
    line = 10.0 ** ((start[:, None] + slope[:, None] * np.log2(hertz[inside] / low)) / 20.0)
    # A little above the edge, for whatever cut the sound off has a slope too.
    beyond = hertz[inside] >= min(1.25 * low, 0.5 * (low + top))
    own = float((magnitude[:, inside][:, beyond] ** 2).sum())
    expected = float((line[:, beyond] ** 2).sum())
    rest = (hertz > 0.0) & ~inside
    total = magnitude[:, rest].sum(1) + line.sum(1)
    centre = (magnitude[:, rest] @ hertz[rest] + line @ hertz[inside]) / np.maximum(total, 1e-9)
    first = line[:, hertz[inside] <= 2.0 * low]
    return Drawn(
        centre,
        _level(first),
        _level(magnitude[:, (hertz >= 0.4 * low) & (hertz <= 0.9 * low)]),
        10.0 * np.log10(own / max(expected, 1e-20) + 1e-12) < MISSING_DB,
    )


def brightened(
    sketch: Sketch, samples: np.ndarray, sample_rate: int, low: float | None, high: float | None
) -> Sketch:
    """The sketch with the centroid of the drawn-on spectrum, where the band is missing; else as it is."""
    drawn = drawn_on(samples, sample_rate, low, high, sketch.frames)
    if drawn is None or not drawn.missing:
        return sketch
    raised = hz_to_note(np.maximum(drawn.centroid, note_to_hz(sketch.centroid)))
    centroid = np.where(sketch.loudness > LOUDNESS_FLOOR, raised, sketch.centroid)
    return Sketch(sketch.loudness, centroid.astype(np.float32), sketch.pitch, sketch.salience)


def _level(magnitude: np.ndarray) -> np.ndarray:
    return 10.0 * np.log10(np.maximum((magnitude**2).sum(1), 1e-20))


def _magnitudes(samples: np.ndarray, sample_rate: int, frames: int) -> np.ndarray:
    """Mean magnitudes of 50 ms around each 10 ms frame, `[frames, WINDOW / 2 + 1]`."""
    hop = HOP * sample_rate // SKETCH_RATE
    padded = np.pad(samples, (WINDOW // 2, WINDOW // 2 + hop * frames))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[hop // 2 :: hop][:frames]
    magnitude = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1))
    kernel = np.ones(5) / 5.0
    return np.apply_along_axis(np.convolve, 0, magnitude, kernel, "same")
