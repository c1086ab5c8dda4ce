"""Machines and current: engine, servo, machine, turbine, electric."""

from __future__ import annotations

import numpy as np

from training.synthesis import dsp
from training.synthesis.curves import Curves, random_walk
from training.synthesis.dsp import Array
from training.synthesis.family_impacts import bursts, log_uniform


def engine(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Combustion: uneven cylinder pulses at the pitch curve's rate, exhaust, intake noise, whine."""
    frames = len(curves.pitch)
    shake = 2.0 ** (rng.uniform(0.001, 0.012) * random_walk(rng, frames, 20.0))
    phase, step = dsp.pitch_to_phase(curves.pitch * shake, n, rate)
    firing = np.floor(phase).astype(np.int64)
    cylinders = int(rng.choice([1, 2, 3, 4, 6, 8]))
    uneven = 1.0 - rng.uniform(0.0, 0.35) * rng.random(cylinders)
    each = uneven[np.arange(int(firing[-1]) + 1) % cylinders] * rng.normal(
        1.0, rng.uniform(0.01, 0.12), int(firing[-1]) + 1
    )
    turn = (phase % 1.0).astype(np.float32)
    sharp = rng.uniform(3.0, 14.0)
    blow = np.exp(-sharp * turn) * each.astype(np.float32)[firing]
    push = dsp.saw(phase, step) * each.astype(np.float32)[firing]
    hiss = dsp.noise(rng, n) * blow
    pipes = np.array(
        [
            rng.uniform(60.0, 180.0),
            rng.uniform(200.0, 500.0),
            rng.uniform(600.0, 1400.0),
            rng.uniform(1800.0, 4000.0),
        ]
    )
    source = push + blow + rng.uniform(0.1, 0.7) * hiss
    body = dsp.formant_filter(
        source, pipes[:, None], 0.25 * pipes + 40.0, rng.uniform(0.3, 1.0, 4), rate, floor=0.15, n_fft=2048
    )
    body = body / (np.std(body) + 1e-9)
    whine = dsp.wavetable(phase * rng.uniform(4.2, 11.7), np.array([1.0, 0.4, 0.2]))
    mix = np.tanh(body * rng.uniform(0.4, 1.8)) + rng.uniform(0.0, 0.12) * whine
    return dsp.shape_spectrum(mix.astype(np.float32), curves.brightness, rate, slope=rng.uniform(9.0, 18.0))


def servo(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Small electric motor: gear whine along the pitch curve with tooth ripple and brush noise in a case."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    ripple = 1.0 + rng.uniform(0.05, 0.5) * np.sin(2.0 * np.pi * phase / float(rng.integers(6, 24))).astype(
        np.float32
    )
    whine = dsp.pulse(phase, step, rng.uniform(0.1, 0.5)) + rng.uniform(0.1, 0.6) * dsp.saw(
        phase * 2.0, 2.0 * step
    )
    high = float(rng.choice([5.0, 7.0, 9.0]))
    whine = whine + rng.uniform(0.0, 0.3) * np.sin(2.0 * np.pi * ((phase * high) % 1.0)).astype(np.float32)
    brush = dsp.noise(rng, n, "pink") * np.maximum(0.0, np.sin(2.0 * np.pi * phase)).astype(np.float32)
    case = np.sort(rng.uniform(400.0, 7000.0, 5))[:, None]
    mix = whine * ripple + rng.uniform(0.1, 0.8) * brush
    mix = dsp.formant_filter(mix, case, 0.12 * case[:, 0] + 60.0, rng.uniform(0.3, 1.0, 5), rate, floor=0.15)
    return dsp.shape_spectrum(mix, curves.brightness, rate, slope=12.0)


def machine(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Mechanism: a repeating cycle of clanks, clicks and puffs in a resonant frame over motor hum."""
    cycle = log_uniform(rng, 0.8, 6.0) * (curves.pitch / np.median(curves.pitch)) ** 0.5
    phase, _ = dsp.pitch_to_phase(cycle, n, rate)
    slots = np.sort(rng.random(int(rng.integers(2, 9))))
    times = (
        np.arange(int(phase[-1]) + 2)[:, None]
        + slots
        + rng.normal(0.0, 0.004, (int(phase[-1]) + 2, len(slots)))
    ).ravel()
    kinds = np.tile(np.arange(len(slots)), int(phase[-1]) + 2)
    starts = np.searchsorted(phase, times)
    keep = starts < n
    starts, kinds = starts[keep], kinds[keep]
    parts = bursts(
        rng,
        np.exp(rng.uniform(np.log(800.0), np.log(12000.0), len(slots))),
        log_uniform(rng, 0.02, 0.15),
        rate,
    )
    size = rng.uniform(0.2, 1.0, len(slots))[kinds] * rng.uniform(0.8, 1.2, len(starts))
    clank = dsp.scatter(n, parts, starts, kinds, size)
    freqs = np.exp(rng.uniform(np.log(150.0), np.log(7000.0), 18))
    decays = log_uniform(rng, 0.03, 0.4) * (freqs / 150.0) ** -0.3
    frame = dsp.resonators(clank, freqs, decays, rng.uniform(0.2, 1.0, 18), rate)
    hum_phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    hum = dsp.saw(hum_phase, step) + 0.5 * dsp.noise(rng, n, "pink")
    share = rng.uniform(0.05, 0.4)
    mix = clank / (np.std(clank) + 1e-9) * rng.uniform(0.3, 1.0) + frame + share * hum
    return dsp.shape_spectrum(mix.astype(np.float32), curves.brightness, rate, slope=12.0, n_fft=512)


def turbine(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Jet, fan or vacuum cleaner: blade tones along the pitch curve in a wall of rushing air."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    count = int(rng.integers(3, 9))
    blades = dsp.wavetable(phase, rng.uniform(0.1, 1.0, count) / np.arange(1, count + 1) ** 0.7, rng)
    second = dsp.wavetable(phase * rng.uniform(1.3, 4.9), np.array([1.0, 0.5]))
    gust = 1.0 + 0.25 * dsp.noise(rng, n, -9.0)
    air = dsp.noise(rng, n, rng.uniform(-3.0, 0.0)) * (1.0 + rng.uniform(0.0, 0.5) * blades)
    air = dsp.formant_filter(
        air,
        np.array([[rng.uniform(200.0, 900.0)], [rng.uniform(1500.0, 5000.0)]]),
        np.array([200.0, 900.0]),
        rng.uniform(0.5, 2.0, 2),
        rate,
        floor=0.5,
    )
    mix = blades / (np.std(blades) + 1e-9) + rng.uniform(0.0, 0.3) * second
    mix = mix + rng.uniform(0.25, 1.2) * gust * air / (np.std(air) + 1e-9)
    return dsp.shape_spectrum(mix.astype(np.float32), curves.brightness, rate, slope=12.0)


def electric(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Hum, transformer buzz and arcs: distorted tone with noise that fires on the current's crests."""
    phase, step = dsp.pitch_to_phase(curves.pitch, n, rate)
    hum = dsp.saw(phase, step) + rng.uniform(0.2, 1.0) * np.sin(2.0 * np.pi * (phase % 1.0)).astype(
        np.float32
    )
    hum = np.tanh(hum * rng.uniform(1.0, 5.0)).astype(np.float32)
    crest = np.maximum(0.0, np.abs(np.sin(np.pi * phase)) - rng.uniform(0.5, 0.95)).astype(np.float32)
    on = dsp.to_samples(
        np.clip(
            3.0 * random_walk(rng, len(curves.pitch), log_uniform(rng, 3.0, 25.0)) + rng.uniform(-1.0, 1.5),
            0.0,
            1.0,
        ),
        n,
        rate,
    )
    arc = dsp.noise(rng, n, "blue") * crest * on
    snaps = bursts(rng, np.exp(rng.uniform(np.log(2000.0), np.log(16000.0), 12)), 0.012, rate, floor=1500.0)
    starts = dsp.poisson_starts(rng, n, rate, log_uniform(rng, 4.0, 120.0))
    spark = dsp.scatter(n, snaps, starts, rng.integers(0, 12, len(starts)), rng.random(len(starts)) ** 3)
    kind = rng.dirichlet([1.2, 1.0, 0.8])
    hum = dsp.shape_spectrum(hum, 0.7 * curves.brightness, rate, slope=12.0)
    mix = (
        kind[0] * hum / (np.std(hum) + 1e-9)
        + kind[1] * arc / (np.std(arc) + 1e-9)
        + 0.7 * kind[2] * spark / (np.std(spark) + 1e-9)
    )
    return dsp.shape_spectrum(mix.astype(np.float32), 1.5 * curves.brightness, rate, slope=9.0, n_fft=512)
