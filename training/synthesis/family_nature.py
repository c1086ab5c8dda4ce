"""Water, fire and friction: bubbles, stream, fire, rain, scrape, squeak."""

from __future__ import annotations

import numpy as np

from training.synthesis import dsp
from training.synthesis.curves import Curves, random_walk
from training.synthesis.dsp import Array, Floats
from training.synthesis.family_impacts import bursts, log_uniform


def _drops(rng: np.random.Generator, freqs: Floats, seconds: Floats, rise: Floats, rate: int) -> Array:
    """Bubbles `[kinds, length]`: sinusoids that climb as they near the surface (Minnaert resonance)."""
    length = int(float(seconds.max()) * 1.1 * rate)
    time = np.arange(length, dtype=np.float32) / rate
    age = time / seconds[:, None].astype(np.float32)
    cycles = freqs[:, None] * (time + rise[:, None] * time * age / 2.0)
    attack = np.minimum(1.0, time * 1500.0)
    return (np.sin(2.0 * np.pi * cycles.astype(np.float32)) * np.exp(-6.9 * age) * attack).astype(np.float32)


def _watery(
    rng: np.random.Generator, curves: Curves, n: int, rate: int, density: float, low: float, seconds: float
) -> Array:
    kinds = 40
    freqs = np.geomspace(low, 16.0 * low, kinds) * rng.uniform(0.95, 1.05, kinds)
    lengths = np.clip(seconds * (freqs / low) ** -0.5 * rng.uniform(0.5, 1.6, kinds), 0.004, 0.3)
    grains = _drops(rng, freqs, lengths, rng.uniform(0.0, 1.2, kinds), rate)
    starts = dsp.poisson_starts(rng, n, rate, density)
    frame = np.minimum(starts * 100 // rate, len(curves.brightness) - 1)
    wanted = np.log2(curves.brightness[frame] / 3.0 / low) / 4.0 * kinds
    which = np.clip(wanted + rng.normal(0.0, 7.0, len(starts)), 0, kinds - 1).astype(np.int64)
    return dsp.scatter(n, grains, starts, which, rng.random(len(starts)) ** 2.5 + 0.03)


def bubbles(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Glugs, drips and boiling: separate bubbles whose size follows brightness."""
    wet = _watery(
        rng,
        curves,
        n,
        rate,
        log_uniform(rng, 6.0, 60.0),
        log_uniform(rng, 110.0, 400.0),
        log_uniform(rng, 0.06, 0.25),
    )
    wash = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), curves.brightness, rate, low_cut=250.0)
    return wet / (np.std(wet) + 1e-9) + rng.uniform(0.0, 0.06) * wash


def stream(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Brook, tap or pour: hundreds of small bubbles a second over broadband splash."""
    wet = _watery(
        rng,
        curves,
        n,
        rate,
        log_uniform(rng, 90.0, 420.0),
        log_uniform(rng, 250.0, 700.0),
        log_uniform(rng, 0.02, 0.09),
    )
    splash = dsp.noise(rng, n, rng.uniform(-4.0, -1.0)) * (1.0 + 0.4 * dsp.noise(rng, n, -6.0))
    splash = dsp.shape_spectrum(
        splash, 1.5 * curves.brightness, rate, slope=12.0, low_cut=0.2 * curves.brightness
    )
    return wet / (np.std(wet) + 1e-9) + rng.uniform(0.1, 0.9) * splash / (np.std(splash) + 1e-9)


def fire(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Flames: a flickering low roar, airy hiss, and clusters of crackles up to the top of the band."""
    frames = len(curves.brightness)
    flicker = 1.0 + 0.6 * random_walk(rng, frames, rng.uniform(4.0, 14.0))
    roar = dsp.noise(rng, n, "brown") * dsp.to_samples(flicker, n, rate)
    roar = dsp.shape_spectrum(roar, np.clip(0.25 * curves.brightness, 120.0, 1500.0), rate, slope=12.0)
    hiss = dsp.shape_spectrum(
        dsp.noise(rng, n, "pink"), 1.3 * curves.brightness, rate, low_cut=0.3 * curves.brightness
    )
    snaps = bursts(rng, np.geomspace(700.0, 20000.0, 24), log_uniform(rng, 0.004, 0.03), rate, floor=600.0)
    density = log_uniform(rng, 8.0, 90.0)
    heads = dsp.poisson_starts(rng, n, rate, density / 3.0)
    family = rng.integers(1, 6, len(heads))
    starts = np.repeat(heads, family) + rng.exponential(0.02 * rate, int(family.sum())).astype(np.int64)
    starts = np.minimum(starts, n - 1)
    frame = np.minimum(starts * 100 // rate, frames - 1)
    wanted = np.log(1.5 * curves.brightness[frame] / 700.0) / np.log(20000.0 / 700.0) * 24.0
    which = np.clip(wanted + rng.normal(0.0, 4.0, len(starts)), 0, 23).astype(np.int64)
    crackle = dsp.scatter(n, snaps, starts, which, rng.pareto(1.7, len(starts)).clip(0.02, 8.0))
    mix = rng.uniform(0.2, 1.0) * roar / (np.std(roar) + 1e-9) + rng.uniform(0.05, 0.4) * hiss / (
        np.std(hiss) + 1e-9
    )
    return mix + rng.uniform(0.6, 2.0) * crackle / (np.std(crackle) + 1e-9)


def rain(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Rain on leaves, roof or water: thousands of drops of heavy-tailed size, some plinks, a far bed."""
    drops = np.zeros(n, np.float32)
    starts = dsp.poisson_starts(rng, n, rate, log_uniform(rng, 150.0, 3000.0))
    drops[starts] = rng.pareto(2.2, len(starts)).clip(0.0, 12.0) * rng.choice([-1.0, 1.0], len(starts))
    surface = np.exp(rng.uniform(np.log(500.0), np.log(9000.0), 10))
    ring = dsp.modes(
        surface,
        rng.uniform(0.001, log_uniform(rng, 0.003, 0.025), 10),
        rng.uniform(0.3, 1.0, 10),
        int(0.05 * rate),
        rate,
    )
    patter = dsp.fft_convolve(drops, ring)
    splat = np.float32(rng.uniform(0.2, 1.0)) * drops / (np.std(drops) + 1e-9)
    bed = np.float32(rng.uniform(0.05, 0.8)) * dsp.noise(rng, n, rng.uniform(-3.0, 0.0))
    mix = patter / (np.std(patter) + 1e-9) + splat + bed
    if rng.random() < 0.4:
        plink = _watery(
            rng, curves, n, rate, log_uniform(rng, 4.0, 40.0), log_uniform(rng, 600.0, 1200.0), 0.04
        )
        mix = mix + np.float32(rng.uniform(0.3, 1.5)) * plink / (np.std(plink) + 1e-9)
    return dsp.shape_spectrum(
        mix,
        1.3 * curves.brightness,
        rate,
        slope=12.0,
        low_cut=0.15 * curves.brightness,
        n_fft=512,
    )


def scrape(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Rubbing, dragging, sawing: noise torn by an uneven surface, ringing in the body that is scraped."""
    grain = log_uniform(rng, 25.0, 240.0)
    speed = 2.0 ** (0.6 * random_walk(rng, len(curves.pitch), rng.uniform(1.0, 5.0)))
    phase, _ = dsp.pitch_to_phase(grain * speed, n, rate)
    ridge = np.floor(phase).astype(np.int64)
    bump = (rng.random(int(ridge[-1]) + 1) ** rng.uniform(0.4, 2.0)).astype(np.float32)[ridge] + 0.15
    tooth = np.exp(-rng.uniform(0.5, 6.0) * (phase % 1.0)).astype(np.float32)
    force = dsp.noise(rng, n, rng.uniform(-2.0, 1.0)) * bump * tooth
    count = int(rng.integers(8, 24))
    freqs = np.exp(rng.uniform(np.log(200.0), np.log(9000.0), count))
    decays = log_uniform(rng, 0.008, 0.12) * (freqs / 200.0) ** -0.2
    body = dsp.resonators(force, freqs, decays, rng.uniform(0.2, 1.0, count), rate)
    mix = force / (np.std(force) + 1e-9) + rng.uniform(0.1, 1.2) * body
    return dsp.shape_spectrum(
        mix.astype(np.float32),
        1.3 * curves.brightness,
        rate,
        slope=15.0,
        low_cut=0.15 * curves.brightness,
        n_fft=512,
    )


def squeak(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Stick and slip: doors, brakes, rubber; a jittery sawtooth that excites a body and tears into noise."""
    frames = len(curves.pitch)
    shake = 2.0 ** (rng.uniform(0.003, 0.03) * random_walk(rng, frames, 35.0))
    phase, step = dsp.pitch_to_phase(curves.pitch * shake, n, rate)
    slip = np.floor(phase).astype(np.int64)
    uneven = rng.normal(1.0, rng.uniform(0.05, 0.4), int(slip[-1]) + 1).astype(np.float32)[slip]
    tone = dsp.saw(phase, step) * uneven
    tear = dsp.noise(rng, n) * np.exp(-6.0 * (phase % 1.0)).astype(np.float32)
    source = tone + rng.uniform(0.1, 1.0) * tear
    count = int(rng.integers(6, 16))
    freqs = np.exp(rng.uniform(np.log(300.0), np.log(8000.0), count))
    body = dsp.resonators(source, freqs, rng.uniform(0.01, 0.08, count), rng.uniform(0.2, 1.0, count), rate)
    mix = source / (np.std(source) + 1e-9) + rng.uniform(0.2, 1.0) * body
    return dsp.shape_spectrum(mix.astype(np.float32), curves.brightness, rate, slope=12.0)
