"""Onsets: when something begins in a sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vocaldm_live.measure.spectra import Array, mono, stft_magnitude, triangular_bands

RANGE_DB = 60.0  # band levels are clamped this far below the strongest
LEAST_RISE_DB = 3.0  # mean rise over all bands, above what is usual around it, that makes an onset
NEIGHBOURHOOD = 15  # frames to either side from which the usual flux is taken
APART = 5  # frames between two onsets at least


def spectral_flux(samples: ArrayLike, sample_rate: int) -> Array:
    """Mean rise in dB over 24 bands, 60 Hz to 16 kHz, within 20 ms, one value each 10 ms: [frames].

    Frame i lies at i*10 ms. Rises are taken against the loudest of the neighbouring bands, so that
    vibrato makes no onsets (Boeck and Widmer 2013). Raises SoundError on an unusable sound.
    """
    array = mono(samples)
    hop = max(1, round(sample_rate / 100))
    size = 1 << max(5, round(np.log2(0.022 * sample_rate)))
    frames = max(1, -(-array.size // hop))
    top = min(16_000.0, 0.45 * sample_rate)
    corners = np.geomspace(60.0, top, 26)
    # Silence before the start, so that a sound that begins at once has an onset at 0; a mirrored tail,
    # so that a sound that is cut off does not end in a click.
    padded = np.concatenate([np.zeros(3 * hop), array, array[::-1][: 2 * hop]])
    bands = stft_magnitude(padded, size, hop) ** 2 @ triangular_bands(corners, size, sample_rate)
    strongest = bands.max()
    if strongest <= 1e-14:
        return np.zeros(frames)
    level = np.maximum(10 * np.log10(bands / strongest + 1e-12), -RANGE_DB)
    wide = np.pad(level, ((0, 0), (1, 1)), mode="edge")
    before = np.maximum(np.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
    flux = np.zeros(len(level))
    flux[2:] = np.maximum(level[2:] - before[:-2], 0).mean(axis=1)
    return flux[3 : 3 + frames]


def onset_times(samples: ArrayLike, sample_rate: int) -> Array:
    """Onset times in seconds, ascending, at least 50 ms apart: [onsets].

    Peaks of `spectral_flux` that rise LEAST_RISE_DB above the median of the 300 ms around them. A silent
    sound has none. Raises SoundError on an unusable sound.
    """
    flux = spectral_flux(samples, sample_rate)
    padded = np.pad(flux, NEIGHBOURHOOD, mode="reflect" if len(flux) > NEIGHBOURHOOD else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURHOOD + 1)
    rise = flux - np.median(around, axis=1)
    edge = np.pad(flux, APART, constant_values=-1.0)
    highest = np.lib.stride_tricks.sliding_window_view(edge, 2 * APART + 1).max(axis=1)
    peaks = np.flatnonzero((flux >= highest) & (rise >= LEAST_RISE_DB))
    kept: list[int] = []
    for peak in peaks:
        if not kept or peak - kept[-1] >= APART:
            kept.append(int(peak))
    return np.asarray(kept, dtype=np.float64) / 100


def match_onsets(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    tolerance: float = 0.05,
) -> list[tuple[int, int]]:
    """Pair as many onsets as possible one to one, each pair at most `tolerance` seconds apart, in order."""
    one, two = np.sort(np.asarray(first, dtype=np.float64)), np.sort(np.asarray(second, dtype=np.float64))
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(one) and j < len(two):
        gap = two[j] - one[i]
        if abs(gap) <= tolerance + 1e-9:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif gap > 0:
            i += 1
        else:
            j += 1
    return pairs


def onset_f1(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    tolerance: float = 0.05,
) -> float | None:
    """F1 of two lists of onset times in seconds, matched one to one: 0..1, None when both are empty."""
    if len(first) + len(second) == 0:
        return None
    return 2 * len(match_onsets(first, second, tolerance)) / (len(first) + len(second))
