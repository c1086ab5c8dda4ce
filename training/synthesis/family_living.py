"""Living things that are not people: creature, screech, cricket, swarm, bird."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synthesis import dsp
from training.synthesis.curves import Curves, random_walk
from training.synthesis.dsp import Array
from training.synthesis.family_impacts import log_uniform


def _throat(rng: np.random.Generator, source: Array, curves: Curves, rate: int, size: float) -> Array:
    """Four moving resonances of an animal's tract of scale `size` (1 = a person's), opened by brightness."""
    frames = len(curves.pitch)
    opening = 2.0 ** (0.5 * random_walk(rng, frames, rng.uniform(0.8, 4.0)))
    bright = np.clip(curves.brightness / 2000.0, 0.4, 3.0) ** 0.5
    rests = np.array(
        [rng.uniform(300.0, 800.0), rng.uniform(900.0, 1900.0), rng.uniform(2200.0, 3200.0), 4300.0]
    )
    centres = np.stack([rests[i] / size * opening ** (1.0, 0.6, 0.3, 0.1)[i] * bright for i in range(4)])
    widths = np.array([90.0, 140.0, 240.0, 400.0]) / size**0.5 * rng.uniform(0.8, 2.0)
    levels = np.array([1.0, rng.uniform(0.3, 0.9), rng.uniform(0.15, 0.6), rng.uniform(0.05, 0.4)])
    voiced = dsp.formant_filter(source, centres, widths, levels, rate, floor=0.02)
    return dsp.shape_spectrum(voiced, 1.6 * curves.brightness, rate, slope=12.0)


def creature(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Growls and roars: uneven glottal pulses with subharmonics, flutter and breath in a large throat."""
    frames = len(curves.pitch)
    shake = 2.0 ** (rng.uniform(0.005, 0.06) * random_walk(rng, frames, 40.0))
    phase, step = dsp.pitch_to_phase(curves.pitch * shake, n, rate)
    pulses = dsp.saw(phase, step)
    beat = np.floor(phase).astype(np.int64)
    uneven = 1.0 + rng.uniform(0.05, 0.5) * rng.standard_normal(int(beat[-1]) + 1).astype(np.float32)
    if rng.random() < 0.5:
        uneven[:: int(rng.integers(2, 4))] *= rng.uniform(0.2, 0.7)
    pulses = pulses * uneven[beat]
    flutter, _ = dsp.pitch_to_phase(
        log_uniform(rng, 18.0, 70.0) * (1.0 + 0.25 * random_walk(rng, frames, 6.0)), n, rate
    )
    rough = 1.0 + rng.uniform(0.0, 0.8) * np.sin(2.0 * np.pi * flutter).astype(np.float32)
    breath = dsp.noise(rng, n, "pink") * (0.3 + np.maximum(pulses, 0.0))
    source = (pulses + rng.uniform(0.1, 1.0) * breath) * rough
    voiced = _throat(rng, source, curves, rate, log_uniform(rng, 0.8, 2.4))
    voiced = voiced / (np.std(voiced) + 1e-9)
    return np.tanh(voiced * rng.uniform(0.5, 2.5)).astype(np.float32)


def screech(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Shrieks and yelps: high pulses that break into subharmonics and noise, through a small, hard throat."""
    frames = len(curves.pitch)
    shake = 2.0 ** (rng.uniform(0.005, 0.05) * random_walk(rng, frames, 30.0))
    phase, step = dsp.pitch_to_phase(curves.pitch * shake, n, rate)
    broken = dsp.to_samples(np.clip(2.0 * random_walk(rng, frames, 3.0), 0.0, 1.0), n, rate)
    half = np.sin(np.pi * (phase % 2.0)).astype(np.float32)
    source = dsp.saw(phase, step) * (1.0 + rng.uniform(0.0, 0.9) * broken * half)
    source = source + broken * rng.uniform(0.2, 1.0) * dsp.noise(rng, n) * (0.4 + np.abs(half))
    source = source + rng.uniform(0.02, 0.2) * dsp.noise(rng, n)
    voiced = _throat(rng, source, curves, rate, log_uniform(rng, 0.3, 0.8))
    return np.tanh(2.0 * voiced / (np.std(voiced) + 1e-9) * rng.uniform(0.2, 1.0)).astype(np.float32)


def syllables(
    rng: np.random.Generator, n: int, rate: int, per_second: float, fill: float
) -> tuple[Array, NDArray[np.int64], int]:
    """Random syllables: position 0..1 while sounding (above 1 in gaps) `[n]`, index `[n]`, their count."""
    count = max(2, int(n / rate * per_second * 1.6) + 2)
    lengths = np.maximum(64, (rate / per_second * rng.uniform(0.7, 1.3, count))).astype(np.int64)
    while int(lengths.sum()) < n:
        lengths = np.concatenate([lengths, lengths])
    index = np.repeat(np.arange(len(lengths)), lengths)[:n]
    starts = np.cumsum(lengths) - lengths
    position = (np.arange(n) - starts[index]) / (lengths[index] * fill)
    return position.astype(np.float32), index, len(lengths)


def cricket(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Stridulation: high carriers cut into wing strokes, in chirps or a steady trill; up to three insects."""
    out = np.zeros(n, np.float32)
    shift = curves.brightness / np.median(curves.brightness)
    for voice in range(int(rng.integers(1, 4))):
        carrier = log_uniform(rng, 2000.0, 8500.0) * shift ** rng.uniform(0.05, 0.3)
        stroke, index, count = syllables(rng, n, rate, log_uniform(rng, 14.0, 70.0), rng.uniform(0.45, 0.95))
        group = int(rng.integers(2, 7)) if rng.random() < 0.6 else 10**6
        rest = rng.integers(1, 6) if group < 10**6 else 0
        loud = ((np.arange(count) % (group + rest)) < group) * rng.uniform(0.5, 1.0, count)
        shape = np.where(
            stroke < 1.0, np.abs(np.sin(np.pi * np.minimum(stroke, 1.0))) ** rng.uniform(0.5, 2.0), 0.0
        )
        sag = dsp.to_samples(carrier, n, rate) * (1.0 - 0.04 * np.minimum(stroke, 1.0))
        phase = np.cumsum(sag / rate, dtype=np.float64)
        tone = np.sin(2.0 * np.pi * (phase % 1.0)) + rng.uniform(0.05, 0.4) * np.sin(
            4.0 * np.pi * (phase % 1.0)
        )
        rasp = 1.0 + rng.uniform(0.0, 0.4) * dsp.noise(rng, n, -5.0)
        out += (tone * rasp * shape * loud[index]).astype(np.float32) * (
            1.0 if voice == 0 else rng.uniform(0.1, 0.6)
        )
    bed = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), curves.brightness, rate, low_cut=500.0)
    return out + rng.uniform(0.0, 0.015) * bed


def swarm(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Flies and bees: one or more wing buzzes that wander around the pitch curve and pass near and far."""
    frames = len(curves.pitch)
    out = np.zeros(n, np.float32)
    for voice in range(int(rng.integers(1, 5))):
        drift = 2.0 ** (rng.uniform(0.0, 0.03) * (voice > 0) + 0.02 * random_walk(rng, frames, 5.0))
        phase, step = dsp.pitch_to_phase(curves.pitch * drift, n, rate)
        near = 1.0 if voice == 0 else dsp.to_samples(0.3 + 0.3 * random_walk(rng, frames, 1.5), n, rate)
        out = out + near * dsp.pulse(phase, step, rng.uniform(0.2, 0.5))
    out = out * (1.0 + rng.uniform(0.1, 0.4) * dsp.noise(rng, n, "pink"))
    body = np.array(
        [[rng.uniform(300.0, 900.0)], [rng.uniform(1000.0, 2500.0)], [rng.uniform(3000.0, 6000.0)]]
    )
    out = dsp.formant_filter(
        out, body, np.array([150.0, 300.0, 700.0]), rng.uniform(0.3, 1.0, 3), rate, floor=0.1
    )
    return dsp.shape_spectrum(out, curves.brightness, rate, slope=12.0)


def bird(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Chirps and trills: whistled syllables with sweeps and fast warbles around the pitch curve."""
    position, index, count = syllables(rng, n, rate, log_uniform(rng, 2.0, 14.0), rng.uniform(0.5, 0.9))
    inside = np.minimum(position, 1.0)
    motif = int(rng.integers(1, 5))
    bend = np.tile(rng.uniform(-0.7, 0.7, motif), count // motif + 1)[index]
    arch = np.tile(rng.uniform(-0.5, 0.5, motif), count // motif + 1)[index]
    warble = np.tile(rng.uniform(0.0, 0.15, motif) * (rng.random(motif) < 0.5), count // motif + 1)[index]
    octaves = bend * (inside - 0.5) + arch * np.sin(np.pi * inside)
    octaves += warble * np.sin(2.0 * np.pi * rng.uniform(20.0, 60.0) * np.arange(n) / rate)
    pitch = np.clip(dsp.to_samples(curves.pitch, n, rate) * np.exp2(octaves), 200.0, 11000.0)
    phase = np.cumsum(pitch / rate, dtype=np.float64) % 1.0
    opened = dsp.to_samples(np.clip(curves.brightness / 12000.0, 0.0, 1.0), n, rate)
    tone = np.sin(2.0 * np.pi * phase) + opened * rng.uniform(0.1, 0.7) * np.sin(4.0 * np.pi * phase)
    shape = np.where(position < 1.0, np.abs(np.sin(np.pi * inside)) ** rng.uniform(0.3, 1.2), 0.0)
    gains = rng.uniform(0.4, 1.0, count)[index]
    breath = 1.0 + rng.uniform(0.0, 0.15) * dsp.noise(rng, n, -5.0)
    song = (tone * shape * gains * breath).astype(np.float32)
    bed = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), curves.brightness, rate, low_cut=400.0)
    return song + rng.uniform(0.0, 0.006) * bed
