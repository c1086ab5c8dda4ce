"""Moving air and sweeps: whoosh, wind, steam, riser, faller."""

from __future__ import annotations

import numpy as np

from training.synthesis import dsp
from training.synthesis.curves import Curves, random_walk
from training.synthesis.dsp import Array
from training.synthesis.family_impacts import log_uniform


def whoosh(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """An object passing: a band of turbulent noise along brightness, with flutter and a hollow whistle."""
    width = rng.uniform(0.7, 3.0)
    source = dsp.noise(rng, n, rng.uniform(-3.0, 0.0))
    if rng.random() < 0.4:
        flutter = log_uniform(rng, 8.0, 40.0) * (1.0 + 0.3 * random_walk(rng, len(curves.pitch), 3.0))
        phase, _ = dsp.pitch_to_phase(flutter, n, rate)
        source *= 1.0 + rng.uniform(0.2, 0.8) * np.sin(2.0 * np.pi * phase).astype(np.float32)
    band = dsp.shape_spectrum(
        source,
        curves.brightness,
        rate,
        slope=rng.uniform(12.0, 30.0),
        low_cut=curves.brightness / 2.0**width,
        low_slope=rng.uniform(6.0, 18.0),
        resonance=rng.uniform(0.0, 2.5),
        resonance_width=rng.uniform(0.1, 0.5),
    )
    breath = dsp.shape_spectrum(
        dsp.noise(rng, n, "pink"), 2.2 * curves.brightness, rate, slope=9.0, low_cut=150.0
    )
    return band / (np.std(band) + 1e-9) + rng.uniform(0.05, 0.4) * breath / (np.std(breath) + 1e-9)


def wind(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Gusts: a low bed and two to four wandering howls that rise with brightness."""
    frames = len(curves.brightness)
    count = int(rng.integers(2, 5))
    spread = 2.0 ** np.sort(rng.uniform(-1.6, 1.0, count))
    wander = np.stack([2.0 ** (0.35 * random_walk(rng, frames, rng.uniform(0.5, 3.0))) for _ in range(count)])
    centres = np.clip(curves.brightness * spread[:, None] * wander, 90.0, 9000.0)
    sharp = log_uniform(rng, 0.05, 0.5)
    source = dsp.noise(rng, n, "pink")
    howl = dsp.formant_filter(
        source,
        centres,
        sharp * centres.mean(axis=1),
        rng.uniform(0.3, 1.0, count),
        rate,
        floor=0.004,
        n_fft=2048,
    )
    bed = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), 1.3 * curves.brightness, rate, slope=12.0)
    return howl / (np.std(howl) + 1e-9) + rng.uniform(0.15, 0.8) * bed / (np.std(bed) + 1e-9)


def steam(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Jets and leaks: bright hiss with nozzle resonances and spitting turbulence."""
    source = dsp.noise(rng, n, rng.uniform(-2.0, 2.0))
    spit = np.abs(dsp.noise(rng, n, rng.uniform(-9.0, -5.0)))
    source *= 1.0 + rng.uniform(0.0, 1.0) * spit
    hiss = dsp.shape_spectrum(
        source,
        1.4 * curves.brightness,
        rate,
        slope=rng.uniform(9.0, 24.0),
        low_cut=0.4 * curves.brightness,
        low_slope=rng.uniform(9.0, 24.0),
        resonance=rng.uniform(0.0, 1.5),
    )
    nozzle = np.array([[rng.uniform(900.0, 4000.0)], [rng.uniform(3000.0, 11000.0)]])
    colour = dsp.formant_filter(
        hiss, nozzle, np.array([200.0, 500.0]), rng.uniform(0.2, 2.0, 2), rate, floor=0.6
    )
    return colour


def riser(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Tension sweep: detuned sawtooths and resonant noise that travel together along the pitch curve."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    detune = 2.0 ** (np.array([0.0, rng.uniform(3.0, 14.0), -rng.uniform(3.0, 14.0)]) / 1200.0)
    tone = sum((dsp.saw(phase * d, (step * d).astype(np.float32)) for d in detune), np.zeros(n, np.float32))
    if rng.random() < 0.4:
        tone = tone + dsp.saw(phase * 2.0, 2.0 * step) * rng.uniform(0.3, 1.0)
    tone = dsp.shape_spectrum(
        tone, np.maximum(curves.brightness, 2.0 * curves.pitch), rate, slope=15.0, resonance=1.0
    )
    sweep = np.clip(curves.pitch * log_uniform(rng, 3.0, 12.0), 200.0, 16000.0)
    air = dsp.shape_spectrum(
        dsp.noise(rng, n), sweep, rate, slope=18.0, low_cut=sweep / 2.0, resonance=rng.uniform(0.0, 3.0)
    )
    share = rng.uniform(0.1, 0.7)
    return tone / (np.std(tone) + 1e-9) + share * air / (np.std(air) + 1e-9)


def faller(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Dive and drop: a whistling tone with a Doppler-like fall over darkening air."""
    phase, _ = dsp.pitch_to_phase(curves.pitch, n, rate)
    count = int(rng.integers(2, 9))
    tone = dsp.wavetable(phase, np.arange(1, count + 1) ** -rng.uniform(1.0, 2.5), rng)
    tone *= 1.0 + 0.3 * dsp.noise(rng, n, -9.0)
    air = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), curves.brightness, rate, slope=15.0, low_cut=200.0)
    narrow = dsp.shape_spectrum(
        dsp.noise(rng, n),
        1.1 * curves.pitch,
        rate,
        slope=60.0,
        low_cut=0.9 * curves.pitch,
        low_slope=60.0,
        n_fft=2048,
    )
    mix = tone / (np.std(tone) + 1e-9) + rng.uniform(0.1, 0.6) * narrow / (np.std(narrow) + 1e-9)
    return mix + rng.uniform(0.1, 0.5) * air / (np.std(air) + 1e-9)
