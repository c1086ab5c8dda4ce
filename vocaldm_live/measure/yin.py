"""A pitch tracker by normalised autocorrelation, independent of the one that makes the sketch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vocaldm_live.measure.spectra import Array, frames_at, hann, mono

FRAME_RATE = 100  # frames a second; frame i is centred at i*10 ms + 5 ms, as in a Sketch
BANDWIDTH = 4500.0  # Hz kept for tracking: higher partials add more breath than pitch
FIRST_PEAK = 0.9  # the first peak at this fraction of the highest one is the period
SILENCE_DB = 55.0  # frames this far below the loudest one, or below -80 dBFS, are unvoiced
SHORTEST_RUN = 3  # frames: fewer voiced frames in a row are no pitch


@dataclass(frozen=True)
class PitchTrack:
    """Pitch at 100 frames a second."""

    frequency: NDArray[np.float32]  # Hz, [frames]; 0 where unvoiced
    aperiodicity: NDArray[np.float32]  # 0 periodic .. 1 noise or silence, [frames]


def _filtered(samples: Array, kernel: Array) -> Array:
    """Convolve with an odd-length linear-phase kernel without delay: same length as `samples`."""
    return np.convolve(samples, kernel)[len(kernel) // 2 :][: samples.size]


def _decimated(samples: Array, sample_rate: int) -> tuple[Array, float]:
    """Band-limit to 40 Hz .. BANDWIDTH and decimate by a whole factor to 16 kHz or a little more."""
    factor = max(1, sample_rate // 16_000)
    if sample_rate > 2.4 * BANDWIDTH:
        half = int(2.75 * sample_rate / 1500)
        time = np.arange(-half, half + 1)
        kernel = np.sinc(2 * BANDWIDTH / sample_rate * time) * np.blackman(2 * half + 1)
        samples = _filtered(samples, kernel / kernel.sum())
    samples = samples[::factor]
    rate = sample_rate / factor
    # Subtracting a 50 ms Hann average takes away everything below 40 Hz (the first zero of its response).
    average = hann(int(0.05 * rate) // 2 * 2)[1:]
    return samples - _filtered(samples, average / average.sum()), rate


def _periods(frames: Array, shortest: float, longest: int) -> tuple[Array, Array]:
    """Period in samples (0 where none) and clarity 0..1 of each frame, [frames, size] -> 2 x [frames].

    Normalised square difference by FFT: 2 r / m, with r the autocorrelation of the frame and m the energy
    under both of its halves; symmetric about the frame's centre at every lag.
    """
    count, size = frames.shape
    lags = longest + 2
    width = 1 << (size + lags - 1).bit_length()
    spectrum = np.fft.rfft(frames, width)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, width)[:, :lags]
    energy = np.concatenate([np.zeros((count, 1)), np.cumsum(frames**2, axis=1)], axis=1)
    under = energy[:, size - np.arange(lags)] + energy[:, -1:] - energy[:, :lags]
    clarity = 2 * correlation / np.maximum(under, 1e-12)

    left, middle, right = clarity[:, :-2], clarity[:, 1:-1], clarity[:, 2:]
    curve = np.minimum(left - 2 * middle + right, -1e-12)
    shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    height = middle - 0.25 * (left - right) * shift
    after_dip = np.logical_or.accumulate(middle < 0, axis=1)
    peak = (middle > left) & (middle >= right) & after_dip & (middle > 0)
    height = np.where(peak, height, 0.0)
    chosen = np.argmax(peak & (height >= FIRST_PEAK * height.max(axis=1, keepdims=True)), axis=1)
    row = np.arange(count)
    found = peak[row, chosen]
    period = np.where(found, chosen + 1 + shift[row, chosen], 0.0)
    # A first peak at a shorter lag than allowed is a pitch above the range, not one of its subharmonics.
    inside = (period >= shortest) & (period <= longest)
    return np.where(inside, period, 0.0), np.clip(np.where(inside, height[row, chosen], 0.0), 0.0, 1.0)


def _long_runs(voiced: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Keep only the runs of at least `shortest` voiced frames, [frames]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    kept = voiced.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < shortest:
            kept[start:end] = False
    return kept


def track_pitch(
    samples: ArrayLike,
    sample_rate: int,
    lowest: float = 60.0,
    highest: float = 1500.0,
    most_aperiodic: float = 0.25,
) -> PitchTrack:
    """Track the pitch of one voice or sound: [samples] -> PitchTrack of ceil(seconds * 100) frames.

    `lowest` and `highest` in Hz; frames with an aperiodicity above `most_aperiodic` are unvoiced, so are
    silent ones and voiced stretches under 30 ms. Normalised square difference and first-peak rule after
    McLeod and Wyvill 2005 ("A smarter way to find pitch"), a close kin of YIN (de Cheveigne and Kawahara
    2002). Raises SoundError on an unusable sound.
    """
    array = mono(samples)
    count = max(1, int(np.ceil(array.size * FRAME_RATE / sample_rate)))
    signal, rate = _decimated(array, sample_rate)
    longest = int(np.ceil(rate / lowest))
    size = int(2.5 * longest)
    centres = np.round((np.arange(count) + 0.5) * rate / FRAME_RATE).astype(np.int64)
    period, clarity, level = np.zeros(count), np.zeros(count), np.zeros(count)
    for start in range(0, count, 1024):
        part = slice(start, start + 1024)
        frames = frames_at(signal, centres[part], size)
        # One percent of slack at the ends of the range: a tone at the limit itself is in range.
        period[part], clarity[part] = _periods(frames, rate / highest / 1.01, int(longest * 1.01))
        level[part] = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-20)
    audible = level > max(level.max() - SILENCE_DB, -80.0)
    voiced = _long_runs((period > 0) & (clarity >= 1 - most_aperiodic) & audible, SHORTEST_RUN)
    frequency = np.where(voiced, rate / np.maximum(period, 1.0), 0.0)
    return PitchTrack(
        frequency=frequency.astype(np.float32),
        aperiodicity=np.where(audible, 1 - clarity, 1.0).astype(np.float32),
    )
