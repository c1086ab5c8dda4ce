"""Segments: the parts of a sound that are worth learning from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SILENCE = 1e-4  # a peak below this is silence
FLOOR_DB = -60.0  # what lies so far below the loudest window is silence too
WINDOW_SECONDS = 0.02


def loud_spans(
    samples: np.ndarray, sample_rate: int, floor_db: float = FLOOR_DB, gap_seconds: float = 0.3
) -> list[tuple[int, int]]:
    """Where samples `[n]` sound: (start, end) in samples, in order.

    Silences shorter than `gap_seconds` stay inside, because a rhythm is made of them; half a gap is kept on both
    sides of a span. Nothing where all is silent.
    """
    size = max(1, round(WINDOW_SECONDS * sample_rate))
    windows = -(-len(samples) // size)
    if not windows:
        return []
    padded = np.zeros(windows * size, dtype=np.float32)
    padded[: len(samples)] = samples
    levels = np.abs(padded).reshape(windows, size).max(axis=1)
    floor = max(SILENCE, float(levels.max()) * 10.0 ** (floor_db / 20.0))
    loud = np.flatnonzero(levels >= floor)
    if not len(loud):
        return []
    gap = max(1, round(gap_seconds * sample_rate / size))
    cuts = np.flatnonzero(np.diff(loud) > gap) + 1
    keep = gap // 2
    spans = []
    for part in np.split(loud, cuts):
        start, end = max(0, int(part[0]) - keep) * size, (int(part[-1]) + 1 + keep) * size
        spans.append((start, min(end, len(samples))))
    return spans


def without_silence(samples: np.ndarray, sample_rate: int, gap_seconds: float = 0.3) -> np.ndarray:
    """The loud spans of samples `[n]` one after another; empty where all is silent."""
    spans = loud_spans(samples, sample_rate, gap_seconds=gap_seconds)
    return np.concatenate([samples[start:end] for start, end in spans]) if spans else samples[:0]


def slices(samples: np.ndarray, length: int) -> Iterator[tuple[int, np.ndarray]]:
    """Parts of `length` samples with their numbers, the last one padded with zeros; silent parts are left out."""
    for number in range(-(-len(samples) // length)):
        part = samples[number * length : (number + 1) * length]
        if np.abs(part).max() >= SILENCE:
            yield number, np.pad(part, (0, length - len(part)))
