"""Curves: sketches cut, continued, bridged and blended, for what an edit makes anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, Sketch
from vocaldm_live.sound.splice import runs

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
