"""Tones and strings: laser, synth, theremin, drone, bell, pluck."""

from __future__ import annotations

import numpy as np

from training.synthesis import dsp
from training.synthesis.curves import Curves, random_walk, strikes
from training.synthesis.dsp import Array
from training.synthesis.family_impacts import bursts, log_uniform, unit_hit

BELLS = (
    (0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166, 5.433, 6.796, 8.215),
    (1.0, 2.0, 2.4, 3.0, 4.5, 5.33, 6.0, 8.1, 10.2, 11.9),
    (1.0, 2.756, 5.404, 8.933, 13.34, 18.64),
    (1.0, 1.41, 1.95, 2.31, 2.83, 3.4, 3.77, 4.42, 5.12, 6.3, 7.7),
    (1.0, 3.93, 9.1, 10.8, 14.2),
)


def laser(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Zaps: a frequency-modulated tone that dives (or climbs) from each onset toward the pitch curve."""
    frames, _ = strikes(rng, curves.loudness, log_uniform(rng, 0.08, 0.7))
    age = np.arange(len(curves.pitch)) / 100.0
    for frame in frames:
        age[frame:] = np.arange(len(age) - frame) / 100.0
    reach = rng.uniform(0.8, 3.5) * (1.0 if rng.random() < 0.8 else -0.5)
    dive = 2.0 ** (reach * np.exp(-age / log_uniform(rng, 0.03, 0.4)))
    phase, _ = dsp.pitch_to_phase(np.clip(curves.pitch * dive, 40.0, 7000.0), n, rate)
    ratio = float(rng.choice([0.5, 1.0, 1.0, 1.5, 2.0, rng.uniform(0.3, 3.0)]))
    depth = dsp.to_samples(rng.uniform(0.1, 0.7) * np.clip(curves.brightness / 3000.0, 0.1, 3.0), n, rate)
    turn = 2.0 * np.pi * phase
    modulator = np.sin((ratio * turn) % (2.0 * np.pi)).astype(np.float32)
    tone = np.sin((turn % (2.0 * np.pi)).astype(np.float32) + depth * modulator)
    tone = tone + 0.3 * np.tanh(3.0 * tone)
    tone = dsp.shape_spectrum(tone, 1.5 * np.maximum(curves.brightness, curves.pitch), rate, slope=12.0)
    fizz = dsp.shape_spectrum(dsp.noise(rng, n), 14000.0, rate, low_cut=curves.brightness)
    return tone + rng.uniform(0.0, 0.08) * fizz


def synth(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Lead: sawtooth or pulse oscillators, slightly detuned, through a resonant moving low-pass."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    tone = np.zeros(n, np.float32)
    wide = rng.uniform(0.0, 6.0)
    kind = rng.choice(["saw", "pulse", "both"])
    for cents in np.linspace(-wide, wide, int(rng.integers(1, 4))):
        factor = 2.0 ** (cents / 1200.0)
        moved = phase * factor + rng.random()
        if kind != "pulse":
            tone = tone + dsp.saw(moved, (step * factor).astype(np.float32))
        if kind != "saw":
            tone = tone + dsp.pulse(moved, (step * factor).astype(np.float32), rng.uniform(0.15, 0.5))
    cutoff = np.maximum(curves.brightness, 1.2 * curves.pitch)
    return dsp.shape_spectrum(
        tone, cutoff, rate, slope=rng.uniform(12.0, 30.0), resonance=rng.uniform(0.0, 4.0), n_fft=2048
    )


def theremin(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Singing near-sine with hand vibrato and soft overtones that brightness opens."""
    frames = len(curves.pitch)
    time = np.arange(frames) / 100.0
    hand = rng.uniform(4.5, 7.0) * (1.0 + 0.1 * random_walk(rng, frames, 2.0))
    cents = (
        rng.uniform(0.0, 35.0) * np.clip(time / 0.3, 0.0, 1.0) * np.sin(2.0 * np.pi * np.cumsum(hand) / 100.0)
    )
    phase, _ = dsp.pitch_to_phase(curves.pitch * 2.0 ** (cents / 1200.0), n, rate)
    count = int(rng.integers(3, 15))
    tone = dsp.wavetable(phase, np.arange(1, count + 1) ** -rng.uniform(0.7, 2.2), rng)
    cutoff = np.maximum(curves.brightness, curves.pitch)
    tone = dsp.shape_spectrum(tone, cutoff, rate, slope=12.0, n_fft=2048)
    breath = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), cutoff, rate, low_cut=300.0)
    return tone + rng.uniform(0.0, 0.02) * breath


def drone(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Dark held chord of beating sawtooths and strings of partials that drift in and out, over low air."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    tone = np.zeros(n, np.float32)
    ratios = [1.0, 1.0, 2.0, float(rng.choice([1.0, 1.5, 3.0, 4.0]))]
    for ratio in ratios:
        factor = np.float32(ratio * 2.0 ** (rng.uniform(-9.0, 9.0) / 1200.0))
        swell = dsp.to_samples(
            0.6 + 0.4 * random_walk(rng, len(curves.pitch), rng.uniform(0.3, 2.0)), n, rate
        )
        tone = tone + swell * dsp.saw(phase * factor + rng.random(), step * factor) / ratio**0.5
    tone = dsp.shape_spectrum(
        tone,
        curves.brightness,
        rate,
        slope=rng.uniform(9.0, 24.0),
        resonance=rng.uniform(0.0, 2.0),
        n_fft=2048,
    )
    air = dsp.shape_spectrum(dsp.noise(rng, n, "brown"), curves.brightness, rate, slope=12.0, low_cut=40.0)
    return tone / (np.std(tone) + 1e-9) + rng.uniform(0.05, 0.5) * air / (np.std(air) + 1e-9)


def bell(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Bells, chimes, bars, gongs: each blow at the pitch of its moment; brightness hardens the clapper."""
    ratios = np.array(BELLS[int(rng.integers(len(BELLS)))]) * rng.uniform(0.997, 1.003)
    ratios = ratios * rng.normal(1.0, 0.003, len(ratios))
    weights = rng.uniform(0.3, 1.0, len(ratios)) * ratios**-0.3
    decay, damping = log_uniform(rng, 0.5, 5.0), rng.uniform(0.3, 1.0)
    split = 1.0 + rng.uniform(0.0002, 0.003, len(ratios))
    return _rung(
        rng, curves, n, rate, np.concatenate([ratios, ratios * split]), np.tile(weights, 2), decay, damping
    )


def pluck(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Plucked strings and bars: nearly harmonic partials, slightly stretched, high ones dying first."""
    index = np.arange(1.0, 41.0)
    ratios = index * np.sqrt(1.0 + log_uniform(rng, 1e-5, 8e-4) * index**2)
    place = rng.uniform(0.08, 0.5)
    weights = np.abs(np.sin(np.pi * index * place)) / index ** rng.uniform(0.2, 1.0)
    return _rung(rng, curves, n, rate, ratios, weights, log_uniform(rng, 0.3, 3.5), rng.uniform(0.4, 1.1))


def _rung(
    rng: np.random.Generator,
    curves: Curves,
    n: int,
    rate: int,
    ratios: dsp.Floats,
    weights: dsp.Floats,
    decay: float,
    damping: float,
) -> Array:
    """Blows of a bank of partials at the pitch curve's values, `[n]`."""
    frames, levels = strikes(rng, curves.loudness, log_uniform(rng, 0.12, 0.8))
    clicks = bursts(rng, 1.5 * curves.brightness[frames], log_uniform(rng, 0.01, 0.05), rate)
    share = rng.uniform(0.02, 0.35)
    out = np.zeros(n, np.float32)
    for index, frame in enumerate(frames):
        start = int(frame) * rate // 100
        freqs = ratios * float(curves.pitch[min(frame + 1, len(curves.pitch) - 1)])
        decays = np.clip(decay * ratios**-damping, 0.02, 6.0)
        gains = (
            weights
            * rng.uniform(0.7, 1.0, len(ratios))
            / (1.0 + (freqs / float(curves.brightness[frame])) ** 2)
        )
        ring = unit_hit(
            dsp.modes(freqs, decays, gains, min(n - start, int(1.1 * decays.max() * rate)), rate), rate
        )
        piece = clicks[index, : len(ring)]
        ring[: len(piece)] += share * piece
        out[start : start + len(ring)] += ring * 10.0 ** (float(levels[index]) / 20.0)
    return out
