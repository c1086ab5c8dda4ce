"""Audio augmentation: samples that sound a little different and mean the same, each kind by its name.

The kinds and their ranges are those of the winning entry of the AES challenge on query by vocal imitation, 2025: a
sound gets one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from training.recipe import Count, Positive, Share, Strict
from vocaldm_live.sound.audio import resample

Kind = Literal["shift", "gain", "pitch", "stretch", "noise", "drop"]
KINDS: tuple[Kind, ...] = ("shift", "gain", "pitch", "stretch", "noise", "drop")
WINDOW, HOP = 1024, 256
FRAME = 640  # samples that fall silent, come twice or go, at least: 20 ms at 32 kHz


class AudioAugmentation(Strict):
    """kinds: those to draw from; share: of the sounds that get some; at_once: how many kinds a sound gets.

    shift: later or earlier by this share of its length at most; gain: dB up or down; pitch: semitones up or down;
    stretch: times as slow or fast; noise: least and greatest deviation of white noise; drop: share of the length
    that falls silent, comes twice or is left out.
    """

    kinds: tuple[Kind, ...] = KINDS
    share: Share = 0.85
    at_once: Count = 1
    shift: Share = 0.3
    gain: Annotated[float, Field(ge=0, le=60)] = 10.0
    pitch: Annotated[float, Field(ge=0, le=24)] = 3.0
    stretch: Annotated[float, Field(ge=1, le=4)] = 1.25
    noise: tuple[Positive, Positive] = (0.001, 0.015)
    drop: Annotated[float, Field(ge=0, le=0.5)] = 0.1


def vary(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    """Samples `[n]` with the kinds that are drawn for them; the length may change, silence stays silence."""
    if not told.kinds or rng.random() >= told.share or not len(samples):
        return samples
    count = min(told.at_once, len(told.kinds))
    for place in np.sort(rng.choice(len(told.kinds), count, replace=False)):
        samples = _KINDS[told.kinds[int(place)]](samples, told, rng)
    return samples.astype(np.float32, copy=False)


def _shift(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    """Later, after silence, or earlier, without its beginning."""
    size = int(rng.uniform(-told.shift, told.shift) * len(samples))
    if size >= 0:
        return np.concatenate([np.zeros(size, np.float32), samples])
    return samples[-size:]


def _gain(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    return samples * np.float32(10.0 ** (rng.uniform(-told.gain, told.gain) / 20.0))


def _pitch(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    """Another pitch at the same length: stretched, then played faster."""
    factor = 2.0 ** (rng.uniform(-told.pitch, told.pitch) / 12.0)
    return resample(stretched(samples, factor), round(16000 * factor), 16000)


def _stretch(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    return stretched(samples, float(told.stretch ** rng.uniform(-1.0, 1.0)))


def _noise(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    least, greatest = sorted(told.noise)
    deviation = np.float32(rng.uniform(least, greatest))
    return samples + deviation * rng.standard_normal(len(samples), dtype=np.float32)


def _drop(samples: np.ndarray, told: AudioAugmentation, rng: np.random.Generator) -> np.ndarray:
    """A stretch of time is silent, comes twice, or is gone."""
    size = min(len(samples), max(FRAME, int(told.drop * rng.random() * len(samples))))
    first = int(rng.integers(0, len(samples) - size + 1))
    part = samples[first : first + size]
    way = int(rng.integers(3))
    middle = (np.zeros_like(part), np.concatenate([part, part]), part[:0])[way]
    rest = np.concatenate([samples[:first], middle, samples[first + size :]])
    return rest if len(rest) else samples


_KINDS: dict[Kind, Callable[[np.ndarray, AudioAugmentation, np.random.Generator], np.ndarray]] = {
    "shift": _shift,
    "gain": _gain,
    "pitch": _pitch,
    "stretch": _stretch,
    "noise": _noise,
    "drop": _drop,
}


def stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """Samples `[n]` over `factor` times their length at the same pitch, `[about n * factor]`, by a phase vocoder.

    Flanagan and Golden 1966: magnitudes between neighbouring frames, phases that advance as they did there. What is
    shorter than a window is only laid out again.
    """
    size = max(1, round(len(samples) * factor))
    if len(samples) < WINDOW or size == len(samples):
        places = np.linspace(0.0, len(samples) - 1.0, size)
        return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(samples, (WINDOW // 2, WINDOW + HOP))
    starts = np.arange(0, len(samples) + HOP, HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[starts] * window
    spectra = np.fft.rfft(frames, axis=1)
    magnitude, phase = np.abs(spectra), np.angle(spectra)
    expected = 2.0 * np.pi * HOP * np.arange(WINDOW // 2 + 1) / WINDOW
    advance = np.diff(phase, axis=0) - expected
    advance = expected + advance - 2.0 * np.pi * np.round(advance / (2.0 * np.pi))
    places = np.arange(0.0, len(frames) - 1, 1.0 / factor)
    left = places.astype(int)
    share = (places - left)[:, None]
    loud = (1.0 - share) * magnitude[left] + share * magnitude[left + 1]
    turned = phase[0] + np.concatenate([np.zeros((1, len(expected))), np.cumsum(advance[left[:-1]], axis=0)])
    pieces = np.fft.irfft(loud * np.exp(1j * turned), n=WINDOW, axis=1) * window
    whole = np.zeros(HOP * (len(pieces) - 1) + WINDOW)
    weight = np.zeros_like(whole)
    for at, piece in enumerate(pieces):
        whole[at * HOP : at * HOP + WINDOW] += piece
        weight[at * HOP : at * HOP + WINDOW] += window**2
    whole /= np.maximum(weight, 1e-3)
    found = whole[WINDOW // 2 : WINDOW // 2 + size]
    return np.pad(found, (0, size - len(found))).astype(np.float32)
