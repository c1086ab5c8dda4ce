"""Curves: sketches cut, continued, bridged, blended and brightened, for what an edit makes anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vocaldm_live.sound.sketch import HOP, LOUDNESS_FLOOR, SKETCH_RATE, Sketch, hz_to_note, note_to_hz
from vocaldm_live.sound.splice import runs

WINDOW = 2048
STEEPEST, FLATTEST = -12.0, -4.5  # dB an octave between which a spectrum is drawn on
MISSING_DB = -20.0
HIGHEST_HERTZ = 16000.0
BANK_FRAMES = 10


def cut(sketch: Sketch, begin: int, frames: int) -> Sketch:
    """`frames` of a sketch from frame `begin` on."""
    return Sketch.of(sketch.array()[:, begin : begin + max(1, frames)])


def extended(sketch: Sketch, before: int, after: int, mirror: bool) -> Sketch:
    """Frames put before and after a sketch: its curves to and fro from the edge, or the edge's values held."""
    return Sketch.of(
        np.pad(sketch.array(), ((0, 0), (before, after)), mode="symmetric" if mirror else "edge")
    )


def bridged(sketch: Sketch, holes: np.ndarray) -> Sketch:
    """Curves drawn straight across `holes`, bool `[frames]`, between the means of 100 ms on either side.

    Pitch is drawn only where both edges are voiced.
    """
    if holes.all() or not holes.any():
        return sketch
    frames = np.arange(sketch.frames)
    known = frames[~holes]
    banks = {edge: _bank(holes, edge) for begin, end in runs(holes) for edge in (begin - 1, end)}
    banks = {edge: bank for edge, bank in banks.items() if len(bank)}

    def across(curve: np.ndarray, of_bank: Callable[[np.ndarray], float]) -> np.ndarray:
        steady = curve.copy()
        for edge, bank in banks.items():
            steady[edge] = of_bank(curve[bank])
        return np.where(holes, np.interp(frames, known, steady[known]), curve).astype(np.float32)

    pitch, salience = across(sketch.pitch, _last), across(sketch.salience, _last)
    for begin, end in runs(holes):
        edges = [edge for edge in (begin - 1, end) if 0 <= edge < sketch.frames]
        if not all(sketch.salience[edge] > 0.0 for edge in edges):
            pitch[begin:end] = salience[begin:end] = 0.0
    return Sketch(across(sketch.loudness, _mean_level), across(sketch.centroid, _median), pitch, salience)


def _bank(holes: np.ndarray, edge: int) -> np.ndarray:
    """The frames beside a hole, from its edge away, as far as they are known."""
    step = -1 if edge + 1 < len(holes) and holes[edge + 1] else 1
    frames = np.arange(edge, edge + step * BANK_FRAMES, step)
    frames = frames[(frames >= 0) & (frames < len(holes))]
    return frames[np.cumsum(holes[frames]) == 0]


def _last(values: np.ndarray) -> float:
    return float(values[0])


def _median(values: np.ndarray) -> float:
    return float(np.median(values))


def _mean_level(levels: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (levels / 10.0))))


def performed(sketch: Sketch, holes: np.ndarray, voice: Sketch) -> Sketch:
    """A voice's gesture, fitted to its length, in each of the `holes`."""
    curves = sketch.array()
    for begin, end in runs(holes):
        curves[:, begin:end] = voice.stretched(end - begin).array()
    return Sketch.of(curves)


def between(one: Sketch, other: Sketch, weight: float) -> Sketch:
    """Two sketches of one length blended: curves in a straight line, pitch where one or both are voiced.

    `weight` 0 is `one`, 1 `other`. Where only one is voiced its pitch stands, as salient as its share.
    """
    first, second = 1.0 - weight, weight
    shares = first * (one.salience > 0.0), second * (other.salience > 0.0)
    total = shares[0] + shares[1]
    pitch = np.where(
        total > 0.0, (shares[0] * one.pitch + shares[1] * other.pitch) / np.maximum(total, 1e-9), 0.0
    )
    return Sketch(
        np.maximum(first * one.loudness + second * other.loudness, LOUDNESS_FLOOR).astype(np.float32),
        (first * one.centroid + second * other.centroid).astype(np.float32),
        pitch.astype(np.float32),
        (first * one.salience + second * other.salience).astype(np.float32),
    )


def brightened(
    sketch: Sketch, samples: np.ndarray, sample_rate: int, low: float | None, high: float | None
) -> Sketch:
    """The centroid of a sound whose spectrum is drawn on from `low` to `high` Hz, where it has nothing there.

    The line is fitted to the mean magnitudes of each 50 ms in dB over octaves, over the three octaves below `low`. A
    sound that has energy in the band (less than 20 dB below the line) keeps its own centroid, and so does a band
    that begins at the bottom.
    """
    top = min(high or HIGHEST_HERTZ, HIGHEST_HERTZ, 0.5 * sample_rate)
    if low is None or not 100.0 <= low < top:
        return sketch
    hop = HOP * sample_rate // SKETCH_RATE
    padded = np.pad(samples, (WINDOW // 2, WINDOW // 2 + hop * sketch.frames))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[hop // 2 :: hop][: sketch.frames]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1))
    kernel = np.ones(5) / 5.0
    magnitude = np.apply_along_axis(np.convolve, 0, magnitude, kernel, "same")
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
    own, expected = magnitude[:, inside][:, beyond], line[:, beyond]
    heard = sketch.loudness > sketch.loudness.max() - 30.0
    ratio = 10.0 * np.log10((own[heard] ** 2).sum() / max(float((expected[heard] ** 2).sum()), 1e-20) + 1e-12)
    if ratio > MISSING_DB:
        return sketch
    rest = (hertz > 0.0) & ~inside
    total = magnitude[:, rest].sum(1) + line.sum(1)
    centre = (magnitude[:, rest] @ hertz[rest] + line @ hertz[inside]) / np.maximum(total, 1e-9)
    raised = np.maximum(centre, note_to_hz(sketch.centroid))
    centroid = np.where(sketch.loudness > LOUDNESS_FLOOR, hz_to_note(raised), sketch.centroid)
    return Sketch(sketch.loudness, centroid.astype(np.float32), sketch.pitch, sketch.salience)
