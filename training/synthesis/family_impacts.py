"""Struck and breaking things: wood, metal, glass, stone, drum, explosion, debris."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthesis import dsp
from training.synthesis.curves import Curves, strikes
from training.synthesis.dsp import Array, Floats


@dataclass(frozen=True)
class Material:
    """Ranges of a struck material: base in Hz, mode count, spread, 60 dB decay in s, damping, noise share."""

    base: tuple[float, float]
    count: tuple[int, int]
    spread: tuple[float, float]
    decay: tuple[float, float]
    damping: tuple[float, float]
    noise: tuple[float, float]
    noise_decay: tuple[float, float]


MATERIALS = {
    "wood": Material(
        (140.0, 900.0), (7, 14), (6.0, 14.0), (0.05, 0.28), (0.5, 1.0), (0.2, 0.7), (0.006, 0.03)
    ),
    "metal": Material(
        (180.0, 1600.0), (22, 44), (8.0, 24.0), (0.4, 3.0), (0.15, 0.6), (0.05, 0.3), (0.004, 0.02)
    ),
    "glass": Material(
        (900.0, 4200.0), (12, 26), (3.0, 7.0), (0.15, 1.1), (0.2, 0.7), (0.1, 0.5), (0.003, 0.02)
    ),
    "stone": Material(
        (260.0, 2000.0), (16, 30), (5.0, 12.0), (0.02, 0.11), (0.2, 0.7), (0.4, 1.0), (0.008, 0.06)
    ),
}


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Random value, even over octaves."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def bursts(rng: np.random.Generator, cutoffs: Floats, decay: float, rate: int, floor: float = 150.0) -> Array:
    """Noise transients `[count, length]`, low-passed at each cut-off in Hz, falling 60 dB in `decay` s."""
    length = dsp.fast_length(max(256, int(min(decay * 1.2, 1.5) * rate)))
    white = rng.standard_normal((len(cutoffs), length), np.float32)
    freqs = np.arange(length // 2 + 1) * (rate / length)
    shape = 1.0 / (1.0 + (freqs / np.asarray(cutoffs)[:, None]) ** 2.5) * (freqs / (freqs + floor)) ** 2
    coloured = np.fft.irfft(np.fft.rfft(white) * shape, length)
    coloured *= np.exp(-6.9 * np.arange(length) / (decay * rate))
    peak = np.sqrt(np.mean(coloured[:, : int(0.01 * rate)] ** 2, axis=1, keepdims=True))
    return (coloured / np.maximum(peak, 1e-9)).astype(np.float32)


def unit_hit(sound: Array, rate: int) -> Array:
    """Scale so that the loudest 10 ms frame has RMS 1."""
    return sound / max(1e-9, float(dsp.envelope(sound, rate, 0.0).max()))


def _strike_material(
    rng: np.random.Generator, curves: Curves, n: int, rate: int, material: Material
) -> Array:
    frames, levels = strikes(rng, curves.loudness, log_uniform(rng, 0.07, 0.5))
    count = int(rng.integers(*material.count))
    spread = rng.uniform(*material.spread)
    ratios = np.sort(
        np.concatenate([[1.0], 1.0 + (spread - 1.0) * rng.random(count - 1) ** rng.uniform(0.8, 1.6)])
    )
    base = log_uniform(rng, *material.base)
    decay, damping = log_uniform(rng, *material.decay), rng.uniform(*material.damping)
    weights = rng.uniform(0.15, 1.0, count) * ratios ** rng.uniform(-0.6, 0.2)
    share, noise_decay = rng.uniform(*material.noise), log_uniform(rng, *material.noise_decay) * 3.0
    twins = rng.uniform(0.9985, 1.0015, count)
    order = np.argsort(curves.brightness[frames], kind="stable")
    scale = (curves.pitch / np.median(curves.pitch)) ** rng.uniform(0.0, 1.0)
    out = np.zeros(n, np.float32)
    for group in np.array_split(order, min(len(order), 10)):
        bright = float(np.mean(curves.brightness[frames[group]]))
        freqs = base * ratios * float(np.median(scale[frames[group]]))
        decays = np.clip(decay * (freqs / base) ** -damping, 0.008, 4.0)
        gains = weights * rng.uniform(0.5, 1.0, count) / (1.0 + (freqs / bright) ** 3)
        length = max(64, min(n, int(1.1 * decays.max() * rate)))
        ring = dsp.modes(
            np.concatenate([freqs, freqs * twins]),
            np.tile(decays, 2),
            np.tile(gains, 2),
            length,
            rate,
            rng.uniform(0.0, 2.0 * np.pi, 2 * count) * 0.3,
        )
        transient = bursts(rng, np.array([bright]), noise_decay, rate)[0]
        hit = np.zeros(max(len(ring), len(transient)), np.float32)
        hit[: len(ring)] = unit_hit(ring, rate)
        hit[: len(transient)] += share * transient
        hit = unit_hit(hit, rate)
        for index in group:
            start = int(frames[index]) * rate // 100
            piece = hit[: n - start]
            out[start : start + len(piece)] += piece * 10.0 ** (float(levels[index]) / 20.0)
    return out


def wood(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Knocks on boxes, boards and blocks."""
    return _strike_material(rng, curves, n, rate, MATERIALS["wood"])


def metal(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Clangs of plates, pipes and anvils with many inharmonic, beating modes."""
    return _strike_material(rng, curves, n, rate, MATERIALS["metal"])


def stone(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Dry, dense clacks of stones with grit."""
    return _strike_material(rng, curves, n, rate, MATERIALS["stone"])


def glass(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Clinks, and in a third of the clips a shatter: each blow followed by falling shards."""
    out = _strike_material(rng, curves, n, rate, MATERIALS["glass"])
    if rng.random() < 0.65:
        return out
    frames, levels = strikes(rng, curves.loudness, 0.5)
    shards = _chips(rng, 24, rate, (1800.0, 9000.0), (0.03, 0.25))
    per = min(60, 400 // len(frames))
    delay = rng.exponential(log_uniform(rng, 0.04, 0.3), (len(frames), per))
    starts = (frames[:, None] / 100.0 + delay) * rate
    gains = 10.0 ** (levels[:, None] / 20.0) * np.exp(-delay * 4.0) * rng.random((len(frames), per)) ** 3
    keep = starts < n
    which = rng.integers(0, len(shards), int(keep.sum()))
    return out + 0.8 * dsp.scatter(n, shards, starts[keep].astype(np.int64), which, gains[keep])


def drum(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Skins whose pitch drops after the blow, with a beater click or snare rattle."""
    frames, levels = strikes(rng, curves.loudness, log_uniform(rng, 0.08, 0.5))
    ratios = np.array([1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501])
    base, decay = log_uniform(rng, 45.0, 260.0), log_uniform(rng, 0.12, 0.9)
    drop, settle = rng.uniform(0.0, 1.2), rng.uniform(0.01, 0.06)
    rattle = rng.uniform(0.0, 0.9) if rng.random() < 0.5 else 0.0
    weights = rng.uniform(0.1, 1.0, 8) * ratios ** -rng.uniform(0.5, 2.0)
    time = np.arange(min(n, int(decay * 1.1 * rate))) / rate
    warped = time + drop * settle * (1.0 - np.exp(-time / settle))
    out = np.zeros(n, np.float32)
    bright = curves.brightness[frames]
    clicks = bursts(rng, bright, 0.03, rate)
    snares = bursts(rng, np.maximum(bright, 1500.0), max(0.05, 0.6 * decay), rate, floor=900.0)
    for index, frame in enumerate(frames):
        damping = 1.0 / (1.0 + (base * ratios / float(bright[index])) ** 2)
        tune = base * (1.0 + rng.uniform(-0.01, 0.01))
        hit = np.zeros(n - int(frame) * rate // 100, np.float32)
        if index % 6 == 0:
            turn = np.exp(2j * np.pi * np.outer(ratios, tune * warped))
            fall = np.exp(-6.9 * np.outer(ratios**0.7, time / decay))
            skin = ((weights * damping)[:, None] * turn.imag * fall).sum(axis=0).astype(np.float32)
            skin = unit_hit(skin, rate)
        for layer, share in ((skin, 1.0), (clicks[index], 0.35), (snares[index], rattle)):
            piece = layer[: len(hit)]
            hit[: len(piece)] += share * piece
        out[n - len(hit) :] += unit_hit(hit, rate) * 10.0 ** (float(levels[index]) / 20.0)
    return out


def explosion(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Blasts: a crack, a body of overdriven low noise that darkens after each onset, and late debris."""
    frames, _ = strikes(rng, curves.loudness, 10.0)
    age = np.full(len(curves.loudness), 9.0)
    for frame in frames:
        age[frame:] = np.arange(len(age) - frame) / 100.0
    dark = np.exp(-age / rng.uniform(0.15, 0.9))
    cutoff = curves.brightness * (0.12 + 0.88 * dark)
    body = dsp.noise(rng, n, rng.uniform(-7.0, -4.0))
    body = np.tanh(body * rng.uniform(1.0, 4.0))
    grit = dsp.noise(rng, n) * np.abs(dsp.noise(rng, n, "brown")) ** 1.5
    mix = body + rng.uniform(0.15, 0.6) * grit
    mix = dsp.shape_spectrum(mix, cutoff, rate, slope=rng.uniform(9.0, 18.0))
    crack = bursts(rng, np.full(len(frames), 14000.0), 0.06, rate)
    flash = dsp.scatter(n, crack, frames * (rate // 100), np.arange(len(frames)), np.full(len(frames), 1.0))
    level = float(np.sqrt(np.mean(mix**2)))
    return mix / max(level, 1e-6) + rng.uniform(0.3, 1.5) * flash


def _chips(
    rng: np.random.Generator, kinds: int, rate: int, base: tuple[float, float], decay: tuple[float, float]
) -> Array:
    """Small fragments `[kinds, length]`: a few short modes with a click each, sorted from dark to bright."""
    length = int(min(0.25, 1.1 * decay[1]) * rate)
    bases = np.sort(np.exp(rng.uniform(np.log(base[0]), np.log(base[1]), kinds)))
    clicks = bursts(rng, bases * 2.0, 0.008, rate)
    out = np.zeros((kinds, length), np.float32)
    for kind in range(kinds):
        freqs = bases[kind] * rng.uniform(1.0, 4.0, 7)
        decays = log_uniform(rng, *decay) * (freqs / bases[kind]) ** -0.5
        out[kind] = dsp.modes(freqs, decays, rng.uniform(0.2, 1.0, 7), length, rate)
        piece = clicks[kind, :length]
        out[kind, : len(piece)] += rng.uniform(0.1, 0.8) * piece
    return out / np.maximum(np.abs(out).max(axis=1, keepdims=True), 1e-9)


def debris(rng: np.random.Generator, curves: Curves, n: int, rate: int) -> Array:
    """Falling gravel, shards, coins or splinters: grains whose size follows brightness."""
    decay = log_uniform(rng, 0.01, 0.15)
    chips = _chips(rng, 32, rate, (250.0, 9000.0), (0.4 * decay, 1.6 * decay))
    starts = dsp.poisson_starts(rng, n, rate, log_uniform(rng, 30.0, 260.0))
    frame = np.minimum(starts * 100 // rate, len(curves.brightness) - 1)
    wanted = np.log(curves.brightness[frame] / 250.0) / np.log(9000.0 / 250.0) * 32.0
    which = np.clip(wanted * 0.8 + rng.normal(0.0, 4.0, len(starts)), 0, 31).astype(np.int64)
    gains = rng.random(len(starts)) ** rng.uniform(1.5, 4.0)
    grains = dsp.scatter(n, chips, starts, which, gains)
    dust = dsp.shape_spectrum(dsp.noise(rng, n, "pink"), curves.brightness, rate, low_cut=400.0)
    return grains + rng.uniform(0.0, 0.06) * dust
