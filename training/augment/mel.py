"""Mel augmentation: the encoder's picture of a sound with another level, other filter edges and parts left out."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from training.recipe import Share, Strict
from vocaldm_live.model.encoder_mel import FMAX, FMIN, NORMAL_SCALE, NORMAL_SHIFT

BLANK = NORMAL_SHIFT / NORMAL_SCALE
"""What EfficientAT's masks leave behind: the log value 0 in the normalised picture."""


class MelAugmentation(Strict):
    """level: how far all of the picture moves, up or down; bands, frames: a mask is narrower, and shorter, than this.

    masks: of each kind; share: of the pictures that get them. blank: what a mask leaves, EfficientAT's log value 0 or
    the picture's own floor. edge_low, edge_high: Hz by which the filters' edges are drawn, once a batch, upward from 0
    and around 15 kHz. Frames are of 10 ms.
    """

    level: Annotated[float, Field(ge=0, le=2)] = 0.0
    bands: Annotated[int, Field(ge=0, le=64)] = 8
    frames: Annotated[int, Field(ge=0, le=1000)] = 300
    masks: Annotated[int, Field(ge=0, le=8)] = 1
    share: Share = 1.0
    blank: Literal["zero", "floor"] = "zero"
    edge_low: Annotated[int, Field(ge=0, le=1000)] = 10
    edge_high: Annotated[int, Field(ge=0, le=2000)] = 2000


def masked(mel: np.ndarray, told: MelAugmentation, rng: np.random.Generator) -> np.ndarray:
    """A mel picture `[128, frames]` with its level moved and its masks laid on; the original stays.

    No mask of time is longer than half of the picture, or a short sound would be gone.
    """
    mel = mel.astype(np.float32) + np.float32(rng.uniform(-told.level, told.level))
    if rng.random() >= told.share:
        return mel
    blank = BLANK if told.blank == "zero" else float(mel.min())
    bands, frames = mel.shape
    for _ in range(told.masks):
        for axis, most in ((0, min(told.bands, bands // 2)), (1, min(told.frames, frames // 2))):
            size = int(rng.integers(0, max(1, most)))
            first = int(rng.integers(0, mel.shape[axis] - size + 1))
            place = slice(first, first + size)
            mel[place if axis == 0 else slice(None), place if axis == 1 else slice(None)] = blank
    return mel


def filter_edges(told: MelAugmentation, rng: np.random.Generator) -> tuple[float, float]:
    """The lowest and the highest frequency of the filters in Hz, as EfficientAT draws them."""
    low = FMIN + (int(rng.integers(told.edge_low)) if told.edge_low else 0)
    high = FMAX + (told.edge_high // 2 - int(rng.integers(told.edge_high)) if told.edge_high else 0)
    return float(low), float(high)
