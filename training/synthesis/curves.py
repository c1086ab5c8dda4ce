"""Random control curves (loudness, pitch, brightness) at 100 frames a second for every sound family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FRAME_RATE = 100
FLOOR_DB = -60.0


@dataclass(frozen=True)
class Curves:
    """Three curves of one clip, each float32 `[frames]`: loudness in dB (-60..0), pitch and brightness in Hz.

    A loudness of exactly `FLOOR_DB` means digital silence.
    """

    loudness: Array
    pitch: Array
    brightness: Array


@dataclass(frozen=True)
class CurveRange:
    """What a family may be asked for: limits in Hz and the loudness shapes with their weights."""

    pitch: tuple[float, float] = (60.0, 1500.0)
    brightness: tuple[float, float] = (400.0, 12000.0)
    shapes: tuple[tuple[str, float], ...] = ()
    pitch_kinds: tuple[str, ...] = ("steady", "glide", "vibrato", "steps", "siren", "contour")


def random_walk(rng: np.random.Generator, frames: int, knots_per_second: float) -> Array:
    """Smooth random curve in -1..1 with about the given number of turning points a second, `[frames]`."""
    count = max(2, int(np.ceil(frames / FRAME_RATE * knots_per_second)) + 2)
    position = np.linspace(0.0, count - 1.001, frames) if frames > 1 else np.zeros(1)
    values = rng.uniform(-1.0, 1.0, count)
    left = position.astype(np.int64)
    blend = 0.5 - 0.5 * np.cos(np.pi * (position - left))
    return (values[left] * (1.0 - blend) + values[left + 1] * blend).astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _decay(rng: np.random.Generator, time: Array, start: float, seconds: float, level: float) -> Array:
    """dB curve of one struck event: silence, a short attack, then a straight or bent fall of 60 dB."""
    attack = rng.choice([0.001, 0.005, 0.02, 0.05])
    since = time - start
    bend = rng.uniform(0.7, 1.5)
    fall = FLOOR_DB * (np.clip(since - attack, 0.0, None) / seconds) ** bend
    rise = FLOOR_DB * (1.0 - np.clip(since / attack, 0.0, 1.0))
    return np.where(since < 0.0, FLOOR_DB, level + fall + rise).astype(np.float32)


def _hit(rng: np.random.Generator, time: Array) -> Array:
    length = float(time[-1])
    return _decay(rng, time, rng.uniform(0.0, 0.4 * length), _log_uniform(rng, 0.12, 3.0), 0.0)


def _events(rng: np.random.Generator, time: Array) -> Array:
    length = float(time[-1])
    gap = _log_uniform(rng, 0.14, 1.0)
    regular = rng.random() < 0.5
    curve = np.full(time.shape, FLOOR_DB, np.float32)
    start = rng.uniform(0.0, min(0.5, 0.2 * length))
    kind = rng.choice(["struck", "struck", "held", "swelled", "mixed"])
    fall = _log_uniform(rng, 0.08, 1.2)
    while start < length - 0.03:
        step = gap * (rng.uniform(0.95, 1.05) if regular else rng.uniform(0.5, 1.9))
        step *= 2.0 if rng.random() < 0.12 else 1.0
        level = -rng.choice([0.0, rng.uniform(0.0, 6.0), rng.uniform(0.0, 24.0)])
        now = kind if kind != "mixed" else rng.choice(["struck", "held", "swelled"])
        span = step * rng.uniform(0.3, 0.9)
        inside = (time >= start) & (time < start + span)
        if now == "struck":
            event = _decay(rng, time, start, fall * rng.uniform(0.7, 1.4), level)
        elif now == "held":
            event = np.where(inside, level, FLOOR_DB)
        else:
            bump = np.abs(np.sin(np.pi * np.clip((time - start) / span, 0.0, 1.0))) ** rng.uniform(0.5, 2.0)
            event = np.where(inside, level + 20.0 * np.log10(np.maximum(bump, 1e-3)), FLOOR_DB)
        curve = np.maximum(curve, event)
        start += step
    return curve.astype(np.float32)


def _swell(rng: np.random.Generator, time: Array) -> Array:
    length = float(time[-1])
    start, stop = rng.uniform(0.0, 0.25) * length, rng.uniform(0.7, 1.05) * length
    peak = start + (stop - start) * rng.uniform(0.15, 0.9)
    up = np.clip((time - start) / (peak - start), 0.0, 1.0)
    down = np.clip((stop - time) / (stop - peak), 0.0, 1.0)
    shape = np.minimum(up ** rng.uniform(0.4, 1.8), down ** rng.uniform(0.4, 1.8))
    return (-rng.uniform(20.0, 60.0) * (1.0 - shape) + np.where(shape <= 0.0, FLOOR_DB, 0.0)).astype(
        np.float32
    )


def _tremolo(rng: np.random.Generator, time: Array) -> Array:
    rate = _log_uniform(rng, 2.0, 12.0) * (1.0 + rng.uniform(-0.4, 0.4) * time / time[-1])
    phase = np.cumsum(rate) / FRAME_RATE + rng.random()
    turn = phase % 1.0
    shape = rng.choice(["sine", "square", "fall", "rise"])
    if shape == "sine":
        wave = 0.5 + 0.5 * np.cos(2.0 * np.pi * phase)
    elif shape == "square":
        wave = (turn < rng.uniform(0.3, 0.7)).astype(np.float32)
    else:
        wave = 1.0 - turn if shape == "fall" else turn
    slow = random_walk(rng, len(time), 0.8)
    return (-_log_uniform(rng, 6.0, 60.0) * (1.0 - wave) + rng.uniform(0.0, 10.0) * (slow - 1.0)).astype(
        np.float32
    )


def _ramp(rng: np.random.Generator, time: Array) -> Array:
    shape = (time / time[-1]) ** rng.uniform(0.5, 2.0)
    if rng.random() < 0.5:
        shape = shape[::-1]
    return (-rng.uniform(12.0, 60.0) * (1.0 - shape)).astype(np.float32)


def _walk(rng: np.random.Generator, time: Array) -> Array:
    curve = random_walk(rng, len(time), _log_uniform(rng, 0.8, 6.0))
    return (rng.uniform(6.0, 26.0) * (curve - curve.max())).astype(np.float32)


def _gate(rng: np.random.Generator, time: Array) -> Array:
    curve = np.full(len(time), FLOOR_DB, np.float32)
    on, frame = bool(rng.random() < 0.5), 0
    mean = _log_uniform(rng, 0.08, 0.7)
    while frame < len(time):
        stop = frame + max(4, int(mean * rng.uniform(0.4, 1.8) * FRAME_RATE))
        if on:
            curve[frame:stop] = -rng.choice([0.0, rng.uniform(0.0, 25.0)])
        frame, on = stop, not on
    return curve


def _plateau(rng: np.random.Generator, time: Array) -> Array:
    length = float(time[-1])
    start = rng.uniform(0.0, 0.25) * length if rng.random() < 0.7 else -1.0
    stop = rng.uniform(0.6, 1.0) * length if rng.random() < 0.7 else length + 2.0
    up = np.clip((time - start) / _log_uniform(rng, 0.005, 0.4), 0.0, 1.0)
    down = np.clip((stop - time) / _log_uniform(rng, 0.01, 0.8), 0.0, 1.0)
    shape = 20.0 * np.log10(np.maximum(np.minimum(up, down), 1e-3))
    return (shape + rng.uniform(0.0, 4.0) * (random_walk(rng, len(time), 2.0) - 1.0)).astype(np.float32)


SHAPES: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "hit": _hit,
    "events": _events,
    "swell": _swell,
    "tremolo": _tremolo,
    "ramp": _ramp,
    "walk": _walk,
    "gate": _gate,
    "plateau": _plateau,
}


def loudness_curve(
    rng: np.random.Generator, frames: int, shapes: tuple[tuple[str, float], ...] = ()
) -> Array:
    """Random loudness in dB, `[frames]`, peak about 0, never below `FLOOR_DB`; shapes are (name, weight)."""
    chosen = shapes or tuple((name, 1.0) for name in SHAPES)
    weights = np.array([weight for _, weight in chosen])
    index = int(rng.choice(len(chosen), p=weights / weights.sum()))
    time = ((np.arange(frames) + 0.5) / FRAME_RATE).astype(np.float32)
    curve = SHAPES[chosen[index][0]](rng, time)
    if rng.random() < 0.2 and chosen[index][0] not in ("hit", "events"):
        curve = curve + np.float32(0.7) * SHAPES[str(rng.choice(["swell", "tremolo", "walk", "ramp"]))](
            rng, time
        )
    if rng.random() < 0.4:
        curve = curve + np.float32(rng.uniform(0.3, 2.0)) * random_walk(rng, frames, 12.0)
    curve = np.where(curve - curve.max() < FLOOR_DB + 0.5, FLOOR_DB, curve - curve.max())
    if rng.random() < 0.3:
        curve = _with_silence(rng, curve.astype(np.float32))
    return np.clip(curve, FLOOR_DB, 0.0).astype(np.float32)


def _with_silence(rng: np.random.Generator, curve: Array) -> Array:
    """Set one to three stretches to the floor, never the loudest tenth of a second."""
    curve = curve.copy()
    frames = len(curve)
    loudest = int(np.argmax(curve))
    for _ in range(int(rng.integers(1, 4))):
        length = int(frames * rng.uniform(0.05, 0.3))
        start = int(rng.choice(np.array([0, frames - length, rng.integers(0, max(1, frames - length))])))
        stretch = np.arange(start, min(frames, start + length))
        curve[stretch[np.abs(stretch - loudest) > 5]] = FLOOR_DB
    return curve


def _unit_contour(rng: np.random.Generator, frames: int, kind: str) -> Array:
    """Shape in about -1..1 used for pitch in octaves around its base."""
    x = np.linspace(0.0, 1.0, frames, dtype=np.float32)
    time = np.arange(frames) / FRAME_RATE
    if kind == "glide":
        bent = x ** rng.uniform(0.4, 2.5)
        return ((2.0 * bent - 1.0) * rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.0)).astype(np.float32)
    if kind == "rise":
        return (2.0 * x ** rng.uniform(0.5, 2.0) - 1.0).astype(np.float32)
    if kind == "fall":
        return (1.0 - 2.0 * x ** rng.uniform(0.5, 2.0)).astype(np.float32)
    if kind == "vibrato":
        depth = rng.uniform(0.1, 0.9) / 12.0 * np.clip(time / rng.uniform(0.05, 0.8), 0.0, 1.0)
        return (
            depth * np.sin(2.0 * np.pi * rng.uniform(3.5, 8.0) * time) + 0.05 * random_walk(rng, frames, 1.0)
        ).astype(np.float32)
    if kind == "steps":
        length = _log_uniform(rng, 0.12, 0.8)
        index = (time / length).astype(np.int64)
        return (rng.integers(-12, 13, int(index[-1]) + 1)[index] / 12.0 * rng.uniform(0.2, 1.0)).astype(
            np.float32
        )
    if kind == "siren":
        wave = np.sin(2.0 * np.pi * (_log_uniform(rng, 0.4, 4.0) * time + rng.random()))
        shape = rng.uniform(0.3, 1.0)
        return (rng.uniform(0.2, 1.0) * np.sign(wave) * np.abs(wave) ** shape).astype(np.float32)
    if kind == "contour":
        return rng.uniform(0.3, 1.0) * random_walk(rng, frames, _log_uniform(rng, 0.7, 5.0))
    return (0.01 * random_walk(rng, frames, 3.0)).astype(np.float32)


def pitch_curve(
    rng: np.random.Generator, frames: int, low: float, high: float, kinds: tuple[str, ...]
) -> Array:
    """Random pitch in Hz, `[frames]`, within low..high; kinds are names such as glide, steps, siren."""
    contour = _unit_contour(rng, frames, str(rng.choice(kinds)))
    octaves = np.log2(high / low)
    reach = contour * min(1.0, 0.5 * octaves)
    top, bottom = float(reach.max()), float(reach.min())
    base = rng.uniform(np.log2(low) - bottom, max(np.log2(low) - bottom + 1e-3, np.log2(high) - top))
    return np.clip(2.0 ** (base + reach), low, high).astype(np.float32)


def brightness_curve(rng: np.random.Generator, frames: int, low: float, high: float, guide: Array) -> Array:
    """Random cut-off in Hz, `[frames]`, within low..high; a quarter of them lean on `guide` (0..1)."""
    kind = rng.choice(["steady", "glide", "contour", "contour", "wave", "guided", "guided", "steps"])
    if kind == "guided":
        shape = 2.0 * guide - 1.0 if rng.random() < 0.8 else 1.0 - 2.0 * guide
    elif kind == "wave":
        time = np.arange(frames) / FRAME_RATE
        shape = np.sin(2.0 * np.pi * (_log_uniform(rng, 0.3, 7.0) * time + rng.random()))
    else:
        shape = _unit_contour(rng, frames, str(kind))
    span = 0.5 * np.log2(high / low) * rng.uniform(0.25, 1.0)
    centre = rng.uniform(np.log2(low) + span, np.log2(high) - span)
    return (2.0 ** (centre + span * np.clip(shape, -1.0, 1.0))).astype(np.float32)


def draw(rng: np.random.Generator, frames: int, limits: CurveRange) -> Curves:
    """Draw the three curves of one clip within a family's limits."""
    loudness = loudness_curve(rng, frames, limits.shapes)
    pitch = pitch_curve(rng, frames, *limits.pitch, kinds=limits.pitch_kinds)
    guide = np.clip(1.0 + loudness / 40.0, 0.0, 1.0)
    if rng.random() < 0.3:
        logs = np.log(pitch)
        guide = (logs - logs.min()) / max(1e-3, float(np.ptp(logs)))
    return Curves(loudness, pitch, brightness_curve(rng, frames, *limits.brightness, guide=guide))


def strikes(rng: np.random.Generator, loudness: Array, interval: float) -> tuple[NDArray[np.int64], Array]:
    """Frames and levels (dB) at which a struck object is hit so that it follows a loudness curve.

    Every rise of 6 dB is a hit; while the curve stays up, further hits come at about `interval` seconds,
    and a falling curve is left to the object's own decay for a while.
    """
    frames: list[int] = []
    levels: list[float] = []
    spacing = max(3, int(interval * FRAME_RATE))
    low, last, wait = FLOOR_DB, -spacing, spacing
    for i, value in enumerate(loudness):
        low = min(low, float(value))
        peak = float(loudness[i : i + 4].max())
        rising = peak - low > 6.0 and float(value) >= peak - 3.0 and i - last >= 3
        held = i - last >= wait and levels and value > max(FLOOR_DB + 12.0, levels[-1] - 9.0)
        if value > FLOOR_DB + 5.0 and (rising or held):
            frames.append(i)
            levels.append(peak)
            low, last = float(value), i
            wait = max(3, int(spacing * rng.uniform(0.8, 1.25)))
    if not frames:
        frames, levels = [int(np.argmax(loudness))], [float(loudness.max())]
    return np.array(frames, np.int64), np.array(levels, np.float32)
