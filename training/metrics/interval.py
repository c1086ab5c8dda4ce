"""Interval: a figure with the range it may lie in and the number of items behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.errors import DataError
from vocaldm_live.measure.following import median_interval

Array = NDArray[np.float64]
NORMAL = 1.959964  # standard errors of a normal distribution's 95 %


@dataclass(frozen=True)
class Interval:
    """A figure, the limits of its 95 % interval (None where there is none) and how many items it rests on."""

    value: float
    low: float | None
    high: float | None
    count: int


def rows(vectors: ArrayLike, name: str, least: int) -> Array:
    """Embeddings as float64 `[n, width]`; raises DataError for another shape, values that are no numbers, too few rows."""
    array = np.asarray(vectors, dtype=np.float64)
    if array.ndim != 2 or not array.shape[1]:
        raise DataError(f"The {name} have the shape {array.shape}: give one row of numbers for each sound.")
    if not np.isfinite(array).all():
        raise DataError(f"The {name} hold values that are not numbers: look at the sounds they come from.")
    if len(array) < least:
        raise DataError(f"The {name} are {len(array)} and {least} are needed: give more sounds.")
    return array


def same_width(first: Array, second: Array) -> None:
    """Raises DataError where two sets come from different listeners."""
    if first.shape[1] != second.shape[1]:
        raise DataError(
            f"One set has {first.shape[1]} numbers a sound and the other {second.shape[1]}: use one listener for both."
        )


def median_of(values: Sequence[float]) -> Interval | None:
    """The median with its bootstrap interval; None of no values."""
    if not len(values):
        return None
    median, low, high = median_interval(values)
    return Interval(median, low, high, len(values))


def mean_of(values: ArrayLike) -> Interval | None:
    """The mean with the interval of its standard error; None of no values, no limits of a single one."""
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return None
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, None, None, 1)
    reach = NORMAL * float(array.std(ddof=1) / np.sqrt(array.size))
    return Interval(mean, mean - reach, mean + reach, int(array.size))
