"""Examples: one sound, its sketch and a voice imitating it, as the networks take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from training.library import LibrarySound
from vocaldm_live.model.encoder_mel import EncoderMel
from vocaldm_live.sound.audio import resample
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.sketch import measure_sketch

HELD_OUT_FAMILIES = ("theremin", "turbine", "scrape", "explosion", "bubbles")
CLIP_FRAMES = 256
ENCODER_RATE = 32000


@dataclass(frozen=True)
class Example:
    """A training pair.

    mel: float16 `[128, frames]` log-mel of the sound; sketch: float32 `[4, frames]`;
    imitation_sketch: the same of the voice; imitation, reference: float16 `[128, frames]` encoder mels;
    family: its name, or "real"; source: what must not be split (family or sound name).
    """

    mel: np.ndarray
    sketch: np.ndarray
    imitation_sketch: np.ndarray
    imitation: np.ndarray
    reference: np.ndarray
    family: str
    source: str


def make_sound(
    index: int,
    seed: int,
    library: Sequence[LibrarySound],
    real_share: float,
    is_held_out: bool,
    frames: int = CLIP_FRAMES,
) -> tuple[np.ndarray, str, str]:
    """Samples `[frames * 480]` at 48 kHz, family name and source of example `index`."""
    from training.synthesis.families import FAMILIES, render

    rng = np.random.default_rng([seed, index])
    length = frames * HOUSE.hop
    if library and rng.random() < real_share:
        sound = library[int(rng.integers(len(library)))]
        return vary(sound.samples, length, library, rng), "real", sound.name
    names = [name for name in FAMILIES if (name in HELD_OUT_FAMILIES) == is_held_out]
    name = names[int(rng.integers(len(names)))]
    samples = render(name, rng, length / HOUSE.sample_rate)
    return level(samples[:length], rng), name, name


def vary(
    samples: np.ndarray, length: int, library: Sequence[LibrarySound], rng: np.random.Generator
) -> np.ndarray:
    """A real sound at another speed, reversed, repeated, faded or laid over another; `[length]`."""
    placed = np.zeros(length, dtype=np.float32)
    layers = 2 if rng.random() < 0.15 else 1
    for layer in range(layers):
        piece = samples if layer == 0 else library[int(rng.integers(len(library)))].samples
        speed = float(2.0 ** rng.uniform(-0.7, 0.7)) if rng.random() < 0.8 else 1.0
        piece = resample(piece[: int(length * 2.2)], 48000, max(8000, round(48000 / speed)))
        if rng.random() < 0.1:
            piece = piece[::-1]
        if len(piece) > length:
            start = int(rng.integers(0, len(piece) - length + 1))
            piece = piece[start : start + length]
        at = int(rng.integers(0, max(1, length // 4)))
        while at < length:
            part = piece[: length - at] * float(10.0 ** (rng.uniform(-14.0, 0.0) / 20.0))
            placed[at : at + len(part)] += part
            at += int(len(piece) * rng.uniform(0.5, 1.6)) + int(rng.integers(0, 24000)) + 2400
            if rng.random() < 0.25:
                break
    if rng.random() < 0.35:
        knots = rng.uniform(-30.0, 0.0, size=int(rng.integers(3, 9)))
        curve = np.interp(np.arange(length), np.linspace(0, length, len(knots)), knots)
        placed *= (10.0 ** (curve / 20.0)).astype(np.float32)
    return level(placed, rng)


def level(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound at a random level, its peak at -16..-0.5 dBFS."""
    peak = float(np.abs(samples).max())
    return (samples * (10.0 ** (rng.uniform(-16.0, -0.5) / 20.0) / max(peak, 1e-4))).astype(np.float32)


def make_example(
    index: int,
    seed: int,
    library: Sequence[LibrarySound],
    real_share: float = 0.3,
    is_held_out: bool = False,
    frames: int = CLIP_FRAMES,
) -> Example:
    """Example `index` of the set drawn with `seed`; the same arguments give the same example."""
    samples, family, source = make_sound(index, seed, library, real_share, is_held_out, frames)
    voice, sketch = imitate_sound(samples, np.random.default_rng([seed, index, 1]), is_held_out)
    front_end = EncoderMel()
    with torch.inference_mode():
        mel = log_mel(torch.from_numpy(samples)[None], HOUSE)[0].numpy()
        heard = [
            front_end(torch.from_numpy(resample(part, 48000, ENCODER_RATE))[None])[0, 0, :, :frames].numpy()
            for part in (voice, samples)
        ]
    return Example(
        mel.astype(np.float16),
        sketch.array()[:, :frames],
        measure_sketch(voice, 48000).fitted(frames).array(),
        heard[0].astype(np.float16),
        heard[1].astype(np.float16),
        family,
        source,
    )


def imitate_sound(samples: np.ndarray, rng: np.random.Generator, is_held_out: bool):  # type: ignore[no-untyped-def]
    """A synthetic voice imitating 48 kHz samples, `[n]`, and the sound's sketch; held-out voices for held-out sounds."""
    from training.synthesis.imitate import imitate
    from training.synthesis.voice import HELD_OUT_SPEAKERS

    sketch = measure_sketch(samples, 48000)
    speaker = HELD_OUT_SPEAKERS[int(rng.integers(len(HELD_OUT_SPEAKERS)))] if is_held_out else None
    return imitate(sketch, rng, 48000, speaker)[: len(samples)], sketch
