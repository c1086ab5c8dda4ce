"""Speakers: the people who imitate, and the few among them who are kept for validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESERVED_TRACTS = ((0.86, 0.89), (1.0, 1.03), (1.12, 1.15))


@dataclass(frozen=True)
class Speaker:
    """One person's voice: tract length (1 = neutral, longer = darker), pitch range in MIDI notes, larynx.

    `jitter` and `shimmer` are relative standard deviations, vibrato is in Hz and semitones, the rest 0..1.
    """

    kind: str
    tract: float
    pitch_low: float
    pitch_high: float
    breathiness: float
    jitter: float
    shimmer: float
    vibrato_rate: float
    vibrato_depth: float
    roughness: float
    open_quotient: float


def is_reserved(tract: float) -> bool:
    """Whether a tract length belongs to the voices kept for validation."""
    return any(low <= tract <= high for low, high in RESERVED_TRACTS)


def _draw_speaker(rng: np.random.Generator, tract_band: tuple[float, float] | None) -> Speaker:
    kind = str(rng.choice(["man", "woman", "child"], p=[0.45, 0.4, 0.15]))
    low_band, span_band, tract_range = {
        "man": ((38.0, 46.0), (17.0, 28.0), (0.97, 1.25)),
        "woman": ((50.0, 57.0), (16.0, 26.0), (0.86, 1.06)),
        "child": ((55.0, 61.0), (14.0, 22.0), (0.8, 0.93)),
    }[kind]
    low = float(rng.uniform(*low_band))
    return Speaker(
        kind=kind,
        tract=float(rng.uniform(*(tract_band or tract_range))),
        pitch_low=low,
        pitch_high=low + float(rng.uniform(*span_band)),
        breathiness=float(rng.beta(1.5, 5.0)),
        jitter=float(rng.uniform(0.002, 0.012)),
        shimmer=float(rng.uniform(0.02, 0.12)),
        vibrato_rate=float(rng.uniform(4.0, 7.0)),
        vibrato_depth=float(rng.choice([0.0, 1.0], p=[0.45, 0.55]) * rng.uniform(0.05, 0.5)),
        roughness=float(rng.beta(1.0, 7.0)),
        open_quotient=float(rng.uniform(0.45, 0.75)),
    )


def random_speaker(rng: np.random.Generator) -> Speaker:
    """Draw a voice whose tract length lies outside every reserved band, so never a held-out one."""
    while True:
        speaker = _draw_speaker(rng, None)
        if not is_reserved(speaker.tract):
            return speaker


def _held_out_speakers() -> tuple[Speaker, ...]:
    short, middle, long = RESERVED_TRACTS
    bands = {"man": (middle, long), "woman": (short, middle), "child": (short,)}
    speakers: list[Speaker] = []
    seed = 7000
    for kind in ("man", "woman", "child", "man", "woman", "child"):
        options = bands[kind]
        band = options[len(speakers) // 3 % len(options)]
        while True:
            seed += 1
            speaker = _draw_speaker(np.random.default_rng(seed), band)
            if speaker.kind == kind:
                speakers.append(speaker)
                break
    return tuple(speakers)


HELD_OUT_SPEAKERS = _held_out_speakers()
