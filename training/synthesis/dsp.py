"""Vectorised signal tools for the procedural sounds: noise, filters that move, oscillators, modes, grains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synthesis.curves import FLOOR_DB, FRAME_RATE

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

COLOURS = {"white": 0.0, "pink": -3.0, "brown": -6.0, "blue": 3.0}


def fast_length(n: int) -> int:
    """Smallest length >= n whose prime factors are 2, 3 and 5, where the FFT is quick."""
    best = 1 << max(0, int(n - 1).bit_length())
    five = 1
    while five < best:
        three = five
        while three < best:
            two = three
            while two < n:
                two *= 2
            best = min(best, two)
            three *= 3
        five *= 5
    return best


def to_samples(curve: Floats, n: int, rate: int) -> Array:
    """Linear interpolation of a 100 Hz curve (frame i centred at i*10 + 5 ms) to `[n]` samples."""
    hop = rate // FRAME_RATE
    ends = np.concatenate([curve[:1], curve, curve[-1:]]).astype(np.float32)
    ramp = (np.arange(hop, dtype=np.float32) + 0.5) / hop
    dense = ends[:-1, None] + (ends[1:] - ends[:-1])[:, None] * ramp
    out = dense.reshape(-1)[hop // 2 : hop // 2 + n].astype(np.float32, copy=False)
    return out if len(out) == n else np.pad(out, (0, n - len(out)), mode="edge")


def noise(rng: np.random.Generator, n: int, colour: str | float = "white") -> Array:
    """Gaussian noise `[n]` of unit RMS; the colour is a name or a slope in dB per octave."""
    slope = COLOURS[colour] if isinstance(colour, str) else colour
    white = rng.standard_normal(n, np.float32)
    if slope == 0.0:
        return white
    size = fast_length(n)
    spectrum = np.fft.rfft(white, size)
    bins = np.maximum(np.arange(len(spectrum), dtype=np.float32) / size, 25.0 / 48000.0)
    gain = bins ** np.float32(slope / 6.0206)
    gain[0] = 0.0
    out = np.fft.irfft(spectrum * gain, size)[:n].astype(np.float32)
    return out / max(1e-9, float(np.sqrt(np.mean(out**2))))


def fft_convolve(signal: Array, response: Array) -> Array:
    """Causal convolution cut to the signal's length, `[n]`."""
    size = fast_length(len(signal) + len(response) - 1)
    product = np.fft.rfft(signal, size) * np.fft.rfft(response, size)
    return np.fft.irfft(product, size)[: len(signal)].astype(np.float32)


def pitch_to_phase(pitch: Floats, n: int, rate: int) -> tuple[NDArray[np.float64], Array]:
    """Running phase in cycles `[n]` and its step a sample `[n]` of a pitch curve (Hz, 100 Hz frames)."""
    step = to_samples(pitch, n, rate) / rate
    return np.cumsum(step, dtype=np.float64), step.astype(np.float32, copy=False)


def saw(phase: NDArray[np.float64], step: Array) -> Array:
    """Sawtooth `[n]` with its jumps rounded by a two-sample polynomial (polyBLEP) against aliasing."""
    turn = (phase % 1.0).astype(np.float32)
    out = 2.0 * turn - 1.0
    low = np.flatnonzero(turn < step)
    x = turn[low] / step[low]
    out[low] -= 2.0 * x - x * x - 1.0
    high = np.flatnonzero(turn > 1.0 - step)
    x = (turn[high] - 1.0) / step[high]
    out[high] -= x * x + 2.0 * x + 1.0
    return out


def pulse(phase: NDArray[np.float64], step: Array, width: float) -> Array:
    """Rectangle `[n]` of a duty cycle 0..1, without DC, as the difference of two sawtooths."""
    return 0.5 * (saw(phase, step) - saw(phase + width, step))


def wavetable(phase: NDArray[np.float64], harmonics: Floats, rng: np.random.Generator | None = None) -> Array:
    """Periodic wave `[n]` with the given harmonic amplitudes `[k]` (not band-limited: mind the pitch)."""
    size = 4096
    spectrum = np.zeros(size // 2 + 1, np.complex64)
    angle = rng.uniform(0.0, 2.0 * np.pi, len(harmonics)) if rng is not None else np.zeros(len(harmonics))
    spectrum[1 : len(harmonics) + 1] = harmonics * np.exp(1j * angle) * -1j
    table = np.fft.irfft(spectrum, size).astype(np.float32)
    table /= max(1e-9, float(np.abs(table).max()))
    table = np.append(table, table[0])
    position = (phase % 1.0).astype(np.float32) * size
    index = position.astype(np.int32)
    np.minimum(index, size - 1, out=index)
    left = table[index]
    return left + (table[index + 1] - left) * (position - index)


def _stft_gain(signal: Array, gains: Array, n_fft: int) -> Array:
    """Multiply the spectra of half-overlapping sine-window frames by gains `[frames, bins]`; overlap-add."""
    half = n_fft // 2
    frames = len(gains)
    padded = np.zeros((frames + 1) * half, np.float32)
    padded[half : half + len(signal)] = signal
    blocks = padded.reshape(-1, half)
    window = np.sin(np.pi * (np.arange(n_fft, dtype=np.float32) + 0.5) / n_fft)
    spectra = np.fft.rfft(np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window)
    spectra *= gains
    back = np.fft.irfft(spectra, n_fft).astype(np.float32, copy=False) * window
    out = np.zeros_like(blocks)
    out[:-1] += back[:, :half]
    out[1:] += back[:, half:]
    return out.reshape(-1)[half : half + len(signal)]


def _frame_curve(curve: Floats | float, n: int, rate: int, n_fft: int) -> tuple[Array, int]:
    """Values of a 100 Hz curve (or a constant) at the filter's own frames, `[frames]`."""
    half = n_fft // 2
    frames = -(-n // half) + 1
    values = np.atleast_1d(np.asarray(curve, np.float32))
    centre = np.arange(frames) * half / rate * FRAME_RATE - 0.5
    return np.interp(centre, np.arange(len(values)), values).astype(np.float32), frames


def shape_spectrum(
    signal: Array,
    cutoff: Floats | float,
    rate: int,
    slope: float = 18.0,
    low_cut: Floats | float | None = None,
    low_slope: float = 18.0,
    resonance: float = 0.0,
    resonance_width: float = 0.15,
    tilt: float = 0.0,
    n_fft: int = 1024,
) -> Array:
    """Low-pass that moves with a cut-off curve in Hz at 100 Hz, optionally a band-pass, `[n]`, DC removed.

    Slopes are dB per octave, `resonance` is the linear height of a bump at the cut-off (`resonance_width` in
    octaves), `tilt` dB per octave over the whole spectrum around 1 kHz.
    """
    edge, frames = _frame_curve(cutoff, len(signal), rate, n_fft)
    log_bins = np.log2(np.maximum(np.arange(n_fft // 2 + 1, dtype=np.float32), 0.5) * (rate / n_fft)).astype(
        np.float32
    )
    above = log_bins - np.log2(np.clip(edge, 20.0, 0.49 * rate))[:, None]
    gains = 1.0 / (1.0 + np.exp2(np.clip(above * np.float32(slope / 6.0206), -40.0, 40.0)))
    if resonance > 0.0:
        gains *= 1.0 + resonance * np.exp(-np.square(above / np.float32(resonance_width)))
    if low_cut is not None:
        low, _ = _frame_curve(low_cut, len(signal), rate, n_fft)
        below = np.log2(np.maximum(low, 20.0))[:, None] - log_bins
        gains /= 1.0 + np.exp2(np.clip(below * np.float32(low_slope / 6.0206), -40.0, 40.0))
    if tilt:
        gains *= np.exp2((log_bins - np.float32(np.log2(1000.0))) * np.float32(tilt / 6.0206))
    gains[:, 0] = 0.0
    return _stft_gain(signal, gains.astype(np.float32, copy=False), n_fft)


def formant_filter(
    signal: Array,
    centres: Floats,
    widths: Floats,
    levels: Floats,
    rate: int,
    floor: float = 0.01,
    n_fft: int = 1024,
) -> Array:
    """Sum of moving resonances: centres in Hz `[k, frames]` (or `[k, 1]`), widths in Hz, levels `[k]`."""
    count = -(-len(signal) // (n_fft // 2)) + 1
    bins = np.arange(n_fft // 2 + 1, dtype=np.float32) * (rate / n_fft)
    gains = np.full((count, len(bins)), floor, np.float32)
    for centre, width, level in zip(np.atleast_2d(centres), widths, levels, strict=True):
        middle, _ = _frame_curve(centre, len(signal), rate, n_fft)
        gains += np.float32(level) / (1.0 + np.square((bins - middle[:, None]) / np.float32(width)))
    gains[:, 0] = 0.0
    return _stft_gain(signal, gains, n_fft)


def modes(
    freqs: Floats, decays: Floats, gains: Floats, n: int, rate: int, phases: Floats | None = None
) -> Array:
    """Decaying sinusoids summed, `[n]`: Hz, seconds to fall 60 dB, amplitudes, phases (rad), each `[k]`."""
    keep = (freqs < 0.47 * rate) & (freqs > 20.0)
    block = 256
    pole = -6.9078 / (np.maximum(decays[keep], 1e-3) * rate) + 2j * np.pi * freqs[keep] / rate
    start = gains[keep] * np.exp(1j * (0.0 if phases is None else phases[keep]))
    rows = -(-n // block)
    coarse = start * np.exp(np.outer(np.arange(rows) * block, pole))
    fine = np.exp(np.outer(pole, np.arange(block)))
    return (coarse.astype(np.complex64) @ fine.astype(np.complex64)).imag.reshape(-1)[:n]


def resonators(excitation: Array, freqs: Floats, decays: Floats, gains: Floats, rate: int) -> Array:
    """An excitation `[n]` through a bank of resonances (Hz, 60 dB decay in s, amplitude), by convolution."""
    length = min(len(excitation), int(max(0.02, float(decays.max())) * rate))
    out = fft_convolve(excitation, modes(freqs, decays, gains, length, rate))
    return out / max(1e-9, float(np.sqrt(np.mean(out**2))))


def envelope(signal: Array, rate: int, smooth: float = 0.03) -> Array:
    """RMS in 10 ms frames, `[frames]`, smoothed by a Hann window of `smooth` seconds."""
    hop = rate // FRAME_RATE
    frames = -(-len(signal) // hop)
    padded = np.zeros(frames * hop, np.float32)
    padded[: len(signal)] = signal
    power = np.mean(padded.reshape(frames, hop) ** 2, axis=1)
    width = 2 * int(smooth * FRAME_RATE / 2.0) + 1
    if width > 1:
        window = np.hanning(width + 2)[1:-1]
        power = np.convolve(
            np.pad(power, width // 2, mode="reflect" if width < frames else "edge"),
            window / window.sum(),
            "valid",
        )
    return np.sqrt(np.maximum(power, 0.0)).astype(np.float32)


def gain_of(loudness: Floats) -> Array:
    """Linear gain of a dB curve; exactly 0 at the floor."""
    return np.where(loudness <= FLOOR_DB, 0.0, 10.0 ** (np.asarray(loudness) / 20.0)).astype(np.float32)


def shape_loudness(signal: Array, loudness: Floats, rate: int, flatten: float = 0.05) -> Array:
    """Impose a dB curve at 100 Hz on a signal, `[n]`.

    `flatten` in seconds divides by the signal's own envelope smoothed that long first (0 leaves it alone):
    short follows tightly, long keeps the texture.
    """
    gain = gain_of(loudness)
    if flatten > 0.0:
        own = envelope(signal, rate, flatten)[: len(gain)]
        floor = 0.1 * float(np.sqrt(np.mean(own**2))) + 1e-9
        gain[: len(own)] /= np.maximum(own, floor)
    return signal * to_samples(gain, len(signal), rate)


def damp(signal: Array, loudness: Floats, rate: int) -> Array:
    """Pull a struck sound down, as a hand would, wherever it rings louder than its dB curve, `[n]`."""
    wide = np.pad(gain_of(loudness), (2, 1), mode="edge")
    target = np.max([wide[i : i + len(loudness)] for i in range(4)], axis=0)
    own = envelope(signal, rate, 0.0)[: len(target)]
    gain = np.minimum(1.0, target[: len(own)] / np.maximum(own, 1e-6))
    return signal * to_samples(gain, len(signal), rate)


def scatter(
    n: int, grains: Array, starts: NDArray[np.int64], which: NDArray[np.int64], gains: Floats
) -> Array:
    """Add grains `[kinds, length]` chosen by `which` at sample positions `starts` with gains, `[n]`."""
    out = np.zeros(n + grains.shape[1], np.float32)
    length = grains.shape[1]
    for start, kind, gain in zip(starts.tolist(), which.tolist(), gains.tolist(), strict=True):
        out[start : start + length] += gain * grains[kind]
    return out[:n]


def poisson_starts(rng: np.random.Generator, n: int, rate: int, density: float) -> NDArray[np.int64]:
    """Sorted random sample positions, on average `density` a second, at least one."""
    return np.sort(rng.integers(0, n, max(1, int(rng.poisson(density * n / rate)))))


def room(rng: np.random.Generator, signal: Array, rate: int) -> Array:
    """A random small or large room: the signal plus an exponentially decaying, darkening tail, `[n]`."""
    seconds = float(np.exp(rng.uniform(np.log(0.15), np.log(1.2))))
    length = int(seconds * rate)
    tail = noise(rng, length, rng.uniform(-5.0, -1.0)) * np.exp(-6.9 * np.arange(length) / length)
    tail *= rng.uniform(0.05, 0.5) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    return fft_convolve(signal, tail.astype(np.float32))
