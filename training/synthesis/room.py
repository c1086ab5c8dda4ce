"""The room and the microphone that a voice passes before it becomes a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """How a voice is picked up.

    Corners in Hz, presence bump in dB at `presence_hz`, floor and hum in dB below the peak (None: absent),
    reverberation time `decay` in s with `wet` in dB re the dry sound (None: none), `peak` linear full scale,
    `drive` in dB over the soft clipper's knee (0: no clipping), `handling` thumps per second.
    """

    highpass: float = 80.0
    lowpass: float = 16000.0
    presence: float = 0.0
    presence_hz: float = 4500.0
    floor: float | None = -60.0
    floor_tilt: float = 0.5
    hum: float | None = None
    hum_hz: float = 50.0
    decay: float = 0.2
    wet: float | None = None
    handling: float = 0.0
    peak: float = 0.5
    drive: float = 0.0


PLAIN_RECORDING = Recording(highpass=40.0, lowpass=20000.0, floor=None)


def random_recording(rng: np.random.Generator) -> Recording:
    """Draw a phone, laptop or studio pick-up."""
    return Recording(
        highpass=float(rng.uniform(60.0, 150.0)),
        lowpass=float(np.exp(rng.uniform(np.log(8000.0), np.log(20000.0)))),
        presence=float(rng.uniform(-2.0, 7.0)),
        presence_hz=float(rng.uniform(2500.0, 7000.0)),
        floor=float(-65.0 + 30.0 * rng.beta(1.2, 2.0)),
        floor_tilt=float(rng.uniform(0.2, 1.4)),
        hum=float(rng.uniform(-65.0, -42.0)) if rng.random() < 0.15 else None,
        hum_hz=float(rng.choice([50.0, 60.0])),
        decay=float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))),
        wet=float(rng.uniform(-28.0, -8.0)) if rng.random() < 0.75 else None,
        handling=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.1 else 0.0,
        peak=float(np.exp(rng.uniform(np.log(0.05), np.log(0.9)))),
        drive=float(rng.uniform(1.0, 6.0)) if rng.random() < 0.04 else 0.0,
    )


def fast_length(samples: int) -> int:
    """Smallest product of 2, 3 and 5 that is at least `samples`, for quick FFTs."""
    best = 1 << max(samples - 1, 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            size = three
            while size < samples:
                size *= 2
            best = min(best, size)
            three *= 3
        five *= 5
    return best


def _pick_up(frequencies: Floats, recording: Recording) -> Floats:
    safe = np.maximum(frequencies, 1.0)
    low = 1.0 / np.sqrt(1.0 + (recording.highpass / safe) ** 4)
    high = 1.0 / np.sqrt(1.0 + (safe / recording.lowpass) ** 8)
    octaves = np.log2(safe / recording.presence_hz)
    bump = 10.0 ** (recording.presence / 20.0 * np.exp(-0.5 * np.square(octaves / 0.6)))
    return (low * high * bump).astype(np.float32)


def _echo(recording: Recording, rng: np.random.Generator, sample_rate: int) -> Floats:
    length = max(int(recording.decay * sample_rate), 16)
    time = np.arange(length, dtype=np.float32) / sample_rate
    tail = rng.standard_normal(length, dtype=np.float32) * np.exp(-6.9 * time / recording.decay)
    tail = np.convolve(tail, np.asarray([0.25, 0.5, 0.25], np.float32), mode="same")
    gap = int(rng.uniform(0.002, 0.012) * sample_rate)
    tail *= 10.0 ** ((recording.wet or 0.0) / 20.0) / np.sqrt(np.sum(np.square(tail)) + 1e-12)
    echo = np.zeros(length + gap, np.float32)
    echo[gap:] = tail
    echo[0] = 1.0
    return echo


def _thumps(count: int, rng: np.random.Generator, samples: int, sample_rate: int) -> Floats:
    noise = np.zeros(samples, np.float32)
    for start in rng.integers(0, max(samples, 1), count):
        length = min(int(sample_rate * 0.12), samples - int(start))
        time = np.arange(length, dtype=np.float32) / sample_rate
        tone = np.sin(2 * np.pi * rng.uniform(40.0, 140.0) * time) * np.exp(-time / 0.025)
        noise[start : start + length] += (tone * np.minimum(time / 0.003, 1.0)).astype(np.float32)
    return noise


def record(voice: Floats, recording: Recording, rng: np.random.Generator, sample_rate: int) -> Floats:
    """Carry a dry voice [n] through room, microphone and level setting -> float32 [n], within -1..1."""
    samples = len(voice)
    if samples == 0:
        return np.zeros(0, np.float32)
    echo = _echo(recording, rng, sample_rate) if recording.wet is not None else None
    size = fast_length(samples + (len(echo) if echo is not None else 0))
    frequencies = np.linspace(0.0, sample_rate / 2.0, size // 2 + 1, dtype=np.float32)
    spectrum = np.fft.rfft(voice, size, norm="ortho")
    if echo is not None:
        spectrum *= np.fft.rfft(echo, size, norm="ortho") * np.float32(np.sqrt(size))
    spectrum *= _pick_up(frequencies, recording)
    sound = np.fft.irfft(spectrum, size, norm="ortho")[:samples].astype(np.float32, copy=False)
    peak = float(np.max(np.abs(sound)))
    scale = recording.peak / peak if peak > 1e-6 else 1.0
    sound *= scale
    floor_reference = recording.peak
    if recording.drive > 0.0:
        knee = recording.peak * 10.0 ** (-recording.drive / 20.0)
        sound = (knee * np.tanh(sound / knee)).astype(np.float32)
    if recording.floor is not None:
        sound += _room_noise(recording, rng, samples, sample_rate) * floor_reference
    if recording.hum is not None:
        level = floor_reference * 10.0 ** (recording.hum / 20.0)
        sound += np.float32(level) * _mains_hum(recording.hum_hz, rng, samples, sample_rate)
    if recording.handling > 0.0:
        count = int(rng.poisson(recording.handling * samples / sample_rate))
        sound += floor_reference * 0.06 * _thumps(count, rng, samples, sample_rate)
    return np.clip(sound, -1.0, 1.0)


def _mains_hum(frequency: float, rng: np.random.Generator, samples: int, sample_rate: int) -> Floats:
    second = np.arange(sample_rate) / sample_rate
    partials = [
        np.sin(2 * np.pi * (frequency * order * second + rng.random())) / order
        for order in (1.0, 2.0, 3.0, 4.0)
    ]
    return np.resize(np.sum(partials, axis=0).astype(np.float32), samples)


def _room_noise(recording: Recording, rng: np.random.Generator, samples: int, sample_rate: int) -> Floats:
    """Steady noise [samples] whose RMS lies `floor` dB below 1, falling with frequency."""
    size = fast_length(samples)
    half = size // 2 + 1
    frequencies = np.linspace(0.0, sample_rate / 2.0, half, dtype=np.float32)
    colour = np.power(np.maximum(frequencies, 60.0) / 60.0, -recording.floor_tilt, dtype=np.float32)
    colour *= frequencies < recording.lowpass * 1.3
    pairs = rng.standard_normal((half, 2), dtype=np.float32).view(np.complex64)[:, 0]
    noise = np.fft.irfft(pairs * colour, size, norm="ortho")[:samples].astype(np.float32, copy=False)
    level = float(np.sqrt(np.mean(np.square(noise))))
    return noise * np.float32(10.0 ** ((recording.floor or 0.0) / 20.0) / max(level, 1e-9))
