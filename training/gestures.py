"""Gestures: sketches as voices might give them, so that a denoiser follows voices and not measurements alone."""

from __future__ import annotations

import numpy as np

from training.recipe import Share, Strict
from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, Sketch, loosened

LEVEL_DB = 1.5
NOISE_BELOW_DB = (32.0, 62.0)
LOOSEST = 0.05


class Gestures(Strict):
    """Shares of the sketches that are changed: dropped whole, loosened as `follow` does, without pitch, in room noise."""

    drop: Share = 0.1
    loosen: Share = 0.2
    drop_pitch: Share = 0.1
    room_noise: Share = 0.3


def disturbed(sketch: np.ndarray, rng: np.random.Generator, told: Gestures) -> tuple[np.ndarray, float]:
    """A sketch `[4, frames]` as a voice might give it, and the `follow` it is given with (0: dropped)."""
    loudness, centroid, pitch, salience = (row.copy() for row in sketch)
    if rng.random() < told.room_noise:
        floor = loudness.max() - rng.uniform(*NOISE_BELOW_DB)
        loudness = 10.0 * np.log10(10.0 ** (loudness / 10.0) + 10.0 ** (floor / 10.0))
    loudness = np.maximum(loudness + rng.uniform(-LEVEL_DB, LEVEL_DB), LOUDNESS_FLOOR)
    if rng.random() < told.drop_pitch:
        pitch, salience = np.zeros_like(pitch), np.zeros_like(salience)
    draw = rng.random()
    if draw < told.drop:
        return sketch, 0.0
    curves = np.stack([loudness, centroid, pitch, salience]).astype(np.float32)
    if draw < told.drop + told.loosen:
        follow = float(rng.uniform(LOOSEST, 1.0))
        return loosened(Sketch.of(curves), follow).array(), follow
    return curves, 1.0
