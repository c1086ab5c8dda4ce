"""Duplicates: sounds that are the same but for their level, their file format or the silence around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vocaldm_live.sound.audio import Sound

RATE = 16000
N_FFT, HOP = 512, 256
BANDS, TIMES = 24, 32
FLOOR_DB = 50.0  # below a sound's strongest cell; what is quieter counts as this quiet
NEAR_DB = 0.5  # root mean square difference of two prints
NEAR_LENGTH = 0.02  # relative
BLOCK = 1024


def fingerprint(sound: Sound) -> np.ndarray | None:
    """A sound's picture, float32 `[1 + 24 * 32]`: its seconds without silence at the ends, then dB in bands by time.

    Levels count from the strongest cell, so the picture of a copy at another gain is the same. None for silence.
    """
    samples = sound.at(RATE).samples
    samples = samples - samples.mean() if len(samples) else samples
    loud = np.flatnonzero(np.abs(samples) > max(1e-5, 0.01 * float(np.abs(samples).max(initial=0.0))))
    if not len(loud):
        return None
    samples = samples[loud[0] : loud[-1] + 1]
    seconds = len(samples) / RATE
    padded = np.pad(samples, (0, max(0, N_FFT - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32), axis=1)) ** 2
    edges = np.unique(np.geomspace(2, N_FFT // 2 + 1, BANDS + 1).round().astype(int))
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    at = (np.arange(TIMES) + 0.5) / TIMES * len(frames)
    width = max(1, len(frames) // TIMES)
    sums = np.concatenate([np.zeros((1, bands.shape[1])), np.cumsum(bands, axis=0)])
    start = np.clip(np.floor(at - width / 2).astype(int), 0, len(frames) - width)
    cells = np.maximum((sums[start + width] - sums[start]) / width, 1e-20)
    decibels = 10.0 * np.log10(cells / cells.max())
    return np.concatenate([[seconds], np.maximum(decibels, -FLOOR_DB).ravel()]).astype(np.float32)


def near_copies(prints: Mapping[str, np.ndarray]) -> list[tuple[str, ...]]:
    """Keys of sounds whose pictures are closer than 0.5 dB and whose lengths differ by less than 2 %, in tuples."""
    keys = sorted(prints, key=lambda key: float(prints[key][0]))
    if not keys:
        return []
    matrix = np.stack([prints[key] for key in keys])
    seconds, pictures = matrix[:, 0], matrix[:, 1:]
    above = list(range(len(keys)))

    def top(at: int) -> int:
        while above[at] != at:
            above[at] = above[above[at]]
            at = above[at]
        return at

    norms = (pictures**2).sum(axis=1)
    for begin in range(0, len(keys), BLOCK):
        end = min(begin + BLOCK, len(keys))
        # Sorted by length: only what follows within 2 % can be a copy.
        last = int(np.searchsorted(seconds, seconds[end - 1] * (1 + NEAR_LENGTH), side="right"))
        products = pictures[begin:end] @ pictures[begin:last].T
        squares = norms[begin:end, None] + norms[None, begin:last] - 2 * products
        # Rounding in the products is larger than 0.5 dB at first: what is close is measured exactly.
        for one, other in np.argwhere(squares < pictures.shape[1] * (2 * NEAR_DB) ** 2 + 1e-6 * norms[begin]):
            if other > one and _near(matrix[begin + one], matrix[begin + other]):
                above[top(begin + int(other))] = top(begin + int(one))
    return _together(keys, [top(at) for at in range(len(keys))])


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    if abs(one[0] - other[0]) > NEAR_LENGTH * max(one[0], other[0]):
        return False
    return bool(np.sqrt(np.mean((one[1:] - other[1:]) ** 2)) < NEAR_DB)


def same_content(digests: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Keys of items with equal content keys, in tuples."""
    return _together(list(digests), list(digests.values()))


def _together(keys: Sequence[str], marks: Sequence[object]) -> list[tuple[str, ...]]:
    found: dict[object, list[str]] = {}
    for key, mark in zip(keys, marks, strict=True):
        found.setdefault(mark, []).append(key)
    return sorted(tuple(sorted(part)) for part in found.values() if len(part) > 1)
