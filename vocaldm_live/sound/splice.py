"""Splice: joining new samples to kept ones, over time by cross-fades and over frequency by linear-phase filters."""

from __future__ import annotations

import numpy as np

STOPBAND_DB = 100.0
NARROWEST_TRANSITION = 60.0
BLOCK = 1 << 17


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of every stretch of true values in a mask `[n]`."""
    steps = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(steps[::2], steps[1::2], strict=True)]


def spliced(base: np.ndarray, new: np.ndarray, free: np.ndarray, fade: int) -> np.ndarray:
    """`base` where `free` is false, `new` where it is true, `[n]` each, with cross-fades of `fade` samples.

    The fades lie outside of what is free, where both sounds hold the same content, so that everything farther
    away than `fade` is exactly `base` and everything free exactly `new`. Their gains keep the power whatever
    the correlation of the two is: the sum is divided by its own expected level.
    """
    result = np.where(free, new, base)
    taken = free.copy()
    for begin, end in runs(free):
        for first, last, rising in ((begin - fade, begin, True), (end, end + fade, False)):
            inside = slice(max(0, first), min(len(base), last))
            if inside.stop <= inside.start:
                continue
            place = (np.arange(inside.start, inside.stop) - first + 0.5) / fade
            weight = np.sin(0.5 * np.pi * (place if rising else 1.0 - place)) ** 2
            one, other = base[inside].astype(np.float64), new[inside].astype(np.float64)
            both = float(np.sqrt((one @ one) * (other @ other)))
            alike = min(1.0, max(0.0, float(one @ other) / both)) if both > 0.0 else 1.0
            level = np.sqrt((1.0 - weight) ** 2 + weight**2 + 2.0 * alike * weight * (1.0 - weight))
            mixed = ((1.0 - weight) * one + weight * other) / level
            # Where two fades meet between close spans, what was faded or is free already stays.
            result[inside] = np.where(taken[inside], result[inside], mixed).astype(base.dtype)
            taken[inside] = True
    return result.astype(base.dtype)


def band_replaced(
    base: np.ndarray, new: np.ndarray, sample_rate: int, low: float | None, high: float | None
) -> np.ndarray:
    """`base` with what lies between `low` and `high` Hz taken from `new`, `[n]` each.

    base + h * (new - base) with a linear-phase band-pass h whose slopes lie inside the band: outside of it
    nothing that exceeds -100 dB of the difference changes.
    """
    difference = new.astype(np.float64) - base
    kernel = band_filter(sample_rate, low, high)
    return (base + convolved(difference, kernel)).astype(base.dtype)


def band_filter(sample_rate: int, low: float | None, high: float | None) -> np.ndarray:
    """A linear-phase band-pass of odd length, a windowed sinc (Kaiser and Schafer 1980): 1 inside, 0 outside.

    The slopes, a tenth of the edge's frequency and at least 60 Hz wide, begin at the edges and lie within.
    """
    nyquist = 0.5 * sample_rate
    edges = [edge for edge in (low, high) if edge is not None and 0.0 < edge < nyquist]
    if not edges:
        return np.ones(1)
    band = (high if high is not None else nyquist) - (low or 0.0)
    transition = min(max(0.1 * min(edges), NARROWEST_TRANSITION), 0.4 * band)
    count = int(np.ceil((STOPBAND_DB - 7.95) / (2.285 * 2.0 * np.pi * transition / sample_rate)))
    half = (count + 1) // 2
    at = np.arange(-half, half + 1)
    window = np.kaiser(2 * half + 1, 0.1102 * (STOPBAND_DB - 8.7))

    def low_pass(edge: float) -> np.ndarray:
        kernel = 2.0 * edge / sample_rate * np.sinc(2.0 * edge / sample_rate * at) * window
        return kernel / kernel.sum()

    kernel = np.zeros(2 * half + 1)
    kernel[half] = 1.0
    if high is not None and 0.0 < high < nyquist:
        kernel = low_pass(high - 0.5 * transition)
    if low is not None and 0.0 < low < nyquist:
        kernel = kernel - low_pass(low + 0.5 * transition)
    return kernel


def convolved(samples: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`samples` `[n]` through a filter of odd length without its delay, float64 `[n]`, block by block."""
    half = len(kernel) // 2
    size = 1 << int(np.ceil(np.log2(min(BLOCK, len(samples)) + 2 * len(kernel))))
    spectrum = np.fft.rfft(kernel, size)
    total = np.zeros(len(samples) + 2 * half)
    step = size - len(kernel) + 1
    for begin in range(0, len(samples), step):
        piece = samples[begin : begin + step]
        whole = np.fft.irfft(np.fft.rfft(piece, size) * spectrum, size)[: len(piece) + 2 * half]
        total[begin : begin + len(whole)] += whole
    return total[half : half + len(samples)]
