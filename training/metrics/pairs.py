"""Pairs: how near a clip comes to its own reference or its own words, pair by pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.interval import Array, Interval, mean_of, rows, same_width
from vocaldm_live.measure.spectra import hann, mono

SIZE = 2048  # of the analysis window at 48 kHz, in samples; other rates take the same 43 ms
RANGE_DB = 80.0  # below the louder sound's strongest bin; what is quieter counts as this quiet
FARTHEST_LAG = 0.1  # s; HiFi-GAN gives a sound back up to seven frames of 10 ms late
FINE = 8  # positions between two hops


def cosine_score(first: ArrayLike, second: ArrayLike) -> Interval:
    """Mean cosine of pairs of embeddings `[n, width]`, row by row, -1 to 1: the CLAP score where CLAP made them.

    Raises DataError.
    """
    one, two = rows(first, "embeddings", 1), rows(second, "embeddings to compare with", 1)
    same_width(one, two)
    if len(one) != len(two):
        raise DataError(f"{len(one)} and {len(two)} embeddings are no pairs: pair them first.")
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    found = mean_of((one * two).sum(axis=1) / np.maximum(norms, 1e-12))
    assert found is not None
    return found


def log_spectral_distance(
    reference: ArrayLike, other: ArrayLike, rate: int, farthest: float = FARTHEST_LAG
) -> tuple[float, float]:
    """Log-spectral distance in dB of two sounds `[samples]` at one rate, and the lag in seconds at which it is least.

    Root mean square over bins of the difference of the levels in dB, mean over frames of 43 ms every 11 ms (Gray
    and Markel 1976), floored 80 dB below the louder sound's peak, over what they share at that lag; + where the
    other is later. Lags up to `farthest` seconds are tried, first by hops, then by eighths of a hop, because a
    vocoder may give everything back a few frames late. 0 is the original. Raises SoundError.
    """
    one, two = mono(reference, "reference"), mono(other, "other sound")
    size = 1 << round(np.log2(SIZE * rate / 48000))
    hop = size // 4
    levels = [_levels(each, size, hop) for each in (one, two)]
    floor = max(float(level.max()) for level in levels) - RANGE_DB
    first, second = (np.maximum(level, floor) for level in levels)
    reach = min(round(farthest * rate / hop), max(len(first), len(second)) - 1)
    # Half of the shorter one must be shared, or the last frames' silence would fit best.
    shared = max(1, min(len(first), len(second)) // 2)
    scores = {lag * hop: _apart(first, second, lag, shared) for lag in range(-reach, reach + 1)}
    best = min(scores, key=lambda lag: (scores[lag], abs(lag)))
    for fine in range(1 - FINE, FINE) if farthest > 0 else ():
        lag = best + fine * hop // FINE
        if fine and abs(lag) <= farthest * rate:
            # The reference's frames begin later by what is left of a hop.
            whole, rest = divmod(lag, hop)
            moved = np.maximum(_levels(two[rest:] if rest < two.size else two[-1:], size, hop), floor)
            scores[lag] = _apart(first, moved, whole, shared)
    lag = min(scores, key=lambda lag: (scores[lag], abs(lag)))
    return scores[lag], lag / rate


# Inside -------------------------------------------------------------------------------------------------


def _levels(samples: Array, size: int, hop: int) -> Array:
    """Levels in dB of frames beginning at multiples of `hop`: `[frames, size / 2 + 1]`."""
    padded = np.pad(samples, (0, max(0, size - samples.size) + (-samples.size % hop)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    return 20.0 * np.log10(np.abs(np.fft.rfft(frames * hann(size))) + 1e-9)


def _apart(first: Array, second: Array, lag: int, shared: int) -> float:
    """Distance with `second` taken `lag` frames later; infinite where too little is shared."""
    one, two = first[max(0, -lag) :], second[max(0, lag) :]
    frames = min(len(one), len(two))
    if frames < shared:
        return float("inf")
    return float(np.sqrt(np.square(one[:frames] - two[:frames]).mean(axis=1)).mean())
