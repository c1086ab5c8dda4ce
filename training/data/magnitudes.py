"""Magnitudes: the mels that a collection holds as natural logarithms, whatever they were stored in."""

from __future__ import annotations

import math

import numpy as np

from training.data.collection import Collection, Item
from training.data.rows import IMAGE, TOP_DB, Rows
from vocaldm_live.sound.geometry import Geometry

NEPERS_PER_DB = math.log(10.0) / 20.0


def in_nepers(collection: Collection, item: Item) -> np.ndarray:
    """An item's natural-log mel magnitudes, float32 `[bands, frames]`; raises DataError.

    audio-diffusion's images are dB below each image's own loudest pixel; other mels are natural-log magnitudes.
    """
    mel = collection.mel(item)
    return np.asarray(mel * NEPERS_PER_DB if _is_image(collection) else mel, dtype=np.float32)


def lowest_of(collection: Collection, geometry: Geometry) -> float:
    """What silence is in a collection's mels, in nepers: an image's darkest pixel, else the geometry's floor."""
    return -TOP_DB * NEPERS_PER_DB if _is_image(collection) else math.log(geometry.mel_floor)


def _is_image(collection: Collection) -> bool:
    return isinstance(collection.medium, Rows) and collection.medium.column == IMAGE
