"""Spectra: distances between them, the texture of noise, the buzz of a frame rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vocaldm_live.errors import SoundError

Array = NDArray[np.float64]

# Smallest magnitude that enters a logarithm in `multi_resolution_stft_distance`. Magnitudes are those of
# a Hann-windowed DFT without normalisation, so at 1024 points 1e-5 lies about 150 dB below full scale.
MAGNITUDE_FLOOR = 1e-5
# Variance of ln|X| where X is complex Gaussian (Rayleigh magnitude): pi^2 / 24.
RAYLEIGH_LOG_VARIANCE = float(np.pi**2 / 24)


def mono(samples: ArrayLike, name: str = "sound") -> Array:
    """Check a sound and return it as float64, [samples]; raises SoundError when it can't be measured."""
    array = np.asarray(samples, dtype=np.float64)
    if array.ndim != 1:
        raise SoundError(f"The {name} has shape {array.shape}: give one channel as [samples].")
    if array.size == 0:
        raise SoundError(f"The {name} holds no samples: give at least one frame of sound.")
    if not np.isfinite(array).all():
        raise SoundError(f"The {name} holds NaN or infinite samples: remove them before measuring.")
    return array


def hann(size: int) -> Array:
    """Periodic Hann window, [size]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def frames_at(samples: Array, centres: NDArray[np.int64], size: int) -> Array:
    """Frames of `size` samples around ascending `centres` (sample numbers), zeros outside: [frames, size]."""
    starts = centres + size  # one frame of zeros is put in front
    padded = np.pad(samples, (size, size + max(0, int(centres[-1]) + size - samples.size)))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[starts - size // 2]


def stft_magnitude(samples: Array, size: int, hop: int, offset: int = 0) -> Array:
    """Hann STFT magnitudes, frame i centred at sample i*hop + offset: [ceil(samples/hop), size//2 + 1]."""
    centres = np.arange(max(1, -(-samples.size // hop)), dtype=np.int64) * hop + offset
    window = hann(size)
    blocks = [
        np.abs(np.fft.rfft(frames_at(samples, centres[i : i + 2048], size) * window))
        for i in range(0, len(centres), 2048)
    ]
    return np.concatenate(blocks)


def triangular_bands(corners: Array, size: int, sample_rate: int) -> Array:
    """Triangular bands, each summing to 1 and at least a bin wide: Hz [bands + 2] -> [size//2 + 1, bands]."""
    bins = np.arange(size // 2 + 1)[:, None]
    position = corners * size / sample_rate
    low, centre, high = position[:-2], position[1:-1], position[2:]
    rise = np.maximum(centre - low, 1.0)
    fall = np.maximum(high - centre, 1.0)
    weights = np.clip(np.minimum((bins - centre) / rise + 1, 1 - (bins - centre) / fall), 0, None)
    return weights / np.maximum(weights.sum(axis=0), 1e-12)


def multi_resolution_stft_distance(
    reference: ArrayLike, other: ArrayLike, sizes: Sequence[int] = (512, 1024, 2048)
) -> float:
    """Mean over window sizes of spectral convergence plus mean |difference of ln magnitudes|; 0 when equal.

    Both sounds [samples], compared over their common length; Hann windows, hop = size / 4, magnitudes
    floored at `MAGNITUDE_FLOOR`. Convergence is the Frobenius norm of the difference over that of the
    reference, so the distance is not symmetric. Yamamoto et al. 2020 (Parallel WaveGAN), section 2.2,
    with the window sizes given here. Raises SoundError on an unusable sound.
    """
    first, second = mono(reference, "reference"), mono(other, "other sound")
    length = min(first.size, second.size)
    total = 0.0
    for size in sizes:
        a = np.maximum(stft_magnitude(first[:length], size, size // 4), MAGNITUDE_FLOOR)
        b = np.maximum(stft_magnitude(second[:length], size, size // 4), MAGNITUDE_FLOOR)
        convergence = np.linalg.norm(a - b) / np.linalg.norm(a)
        total += float(convergence + np.mean(np.abs(np.log(a) - np.log(b))))
    return total / len(sizes)


def log_magnitude_variance(
    samples: ArrayLike, size: int = 1024, span: int = 41, range_db: float = 60.0
) -> float:
    """Variance over time of ln|STFT| within each bin: the grain of a noise-like sound.

    Of each bin the moving mean over `span` frames (hop = size / 2) is removed first, and the variance is
    corrected for that removal; so spectrum and slow dynamics do not count. Gaussian noise of any colour
    gives `RAYLEIGH_LOG_VARIANCE` (0.411), noise smoothed to a haze less, crackle more. Bins and frames
    whose mean power lies more than `range_db` below the strongest are left out, so are DC and Nyquist.
    Raises SoundError when the sound is silent or shorter than three frames.
    """
    array = mono(samples)
    if array.size < 2 * size:
        raise SoundError(f"The sound has {array.size} samples: texture needs at least {2 * size}.")
    hop = size // 2
    inside = (array.size - size) // hop + 1  # whole frames only: a frame over the edge is no noise
    magnitude = stft_magnitude(array, size, hop, size // 2)[:inside, 2:-2]
    power = magnitude**2
    limit = 10 ** (-range_db / 10)
    per_frame, per_bin = power.mean(axis=1), power.mean(axis=0)
    if per_frame.max() <= 1e-18:
        raise SoundError("The sound is silent: it has no texture to measure.")
    kept = magnitude[per_frame > limit * per_frame.max()][:, per_bin > limit * per_bin.max()]
    frames = len(kept)
    if frames < 3:
        raise SoundError(f"Only {frames} frames of the sound are audible: texture needs at least 3.")
    logs = np.log(np.maximum(kept, 1e-12))
    sums = np.concatenate([np.zeros((1, logs.shape[1])), np.cumsum(logs, axis=0)])
    index = np.arange(frames)
    low, high = np.maximum(index - span // 2, 0), np.minimum(index + span // 2 + 1, frames)
    count = (high - low)[:, None]
    residual = logs - (sums[high] - sums[low]) / count
    return float(np.mean(residual**2 / (1 - 1 / count)))


def frame_rate_tones(samples: ArrayLike, sample_rate: int, hop: int, shift: float = 0.0) -> Array:
    """How far the bin at each multiple of the frame rate stands above its neighbours, dB: [multiples].

    The spectrum is averaged over time (Hann windows of up to 32 hops, half overlapped), the neighbours
    are the bins 3 to 10 to either side, compared by mean dB, so that noise gives 0 on average. `shift`
    moves the comb by that fraction of a frame rate: what a comb of decoys gives. Multiples go up to
    12 kHz or just below Nyquist. Raises SoundError when the sound is shorter than 32 hops.
    """
    array = mono(samples)
    periods = 32
    size = periods * hop
    if array.size < size:
        raise SoundError(
            f"The sound has {array.size} samples: finding tones of the frame rate needs at least {size}."
        )
    starts = np.arange(0, array.size - size + 1, size // 2)
    window = hann(size)
    power = np.zeros(size // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft(array[start : start + size] * window)) ** 2
    level = 10 * np.log10(power / len(starts) + 1e-12)
    top = min(12_000.0, 0.95 * sample_rate / 2)
    comb = np.round((np.arange(1, int(top * hop / sample_rate) + 1) + shift) * periods).astype(np.int64)
    comb = comb[comb + 10 < level.size]
    beside = np.concatenate([np.arange(-10, -2), np.arange(3, 11)])
    return level[comb] - level[comb[:, None] + beside].mean(axis=1)


def frame_rate_tone_db(samples: ArrayLike, sample_rate: int, hop: int) -> float:
    """How far tones at multiples of the frame rate stand out, dB: about 0 without buzz.

    Mean of the strongest four of `frame_rate_tones`, less the median of the same figure for nine combs
    shifted by 1/4 to 3/4 of a frame rate, so that neither chance nor a busy spectrum counts as buzz. A
    sound whose own pitch is a multiple of the frame rate shows up too: compare with the original's figure.
    Scatter on noise is about 1 dB at 1 s and 0.4 dB at 5 s. Raises SoundError when the sound is shorter
    than 32 hops.
    """

    def strongest(shift: float) -> float:
        return float(np.sort(frame_rate_tones(samples, sample_rate, hop, shift))[-4:].mean())

    decoys = [strongest(shift) for shift in np.arange(4, 13) / 16]
    return strongest(0.0) - float(np.median(decoys))


def mel_distance(first: ArrayLike, second: ArrayLike, time_axis: int = -1) -> float:
    """Mean absolute difference of two log-mels over their common frames, in their own unit (ln or dB).

    Both [bands, frames], or any equal shapes but for `time_axis`. Raises SoundError when the rest differs.
    """
    a = np.moveaxis(np.asarray(first, dtype=np.float64), time_axis, 0)
    b = np.moveaxis(np.asarray(second, dtype=np.float64), time_axis, 0)
    if a.shape[1:] != b.shape[1:]:
        shapes = f"{a.shape[1:]} and {b.shape[1:]}"
        raise SoundError(f"The mels have {shapes} bands: use the same geometry for both.")
    frames = min(len(a), len(b))
    if frames == 0:
        raise SoundError("One of the mels holds no frames: give at least one.")
    return float(np.mean(np.abs(a[:frames] - b[:frames])))
