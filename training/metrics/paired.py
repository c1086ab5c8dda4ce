"""Paired: how much closer one set of clips is to the reference than another one of the same gestures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.interval import Array, Interval, rows, same_width
from training.metrics.kernel import SCALE, gaussian_kernel, median_bandwidth

DRAWS = 1000


def kernel_difference(
    reference: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[object],
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """KAD of `second` minus KAD of `first`, both `[m, width]` row by row of the same gestures; below 0: second is closer.

    The interval, of 95 % unless told, is by bootstrap over `groups` (the sound that a row comes from), drawn for both
    sets at once, so that what a gesture does to both cancels. The reference `[n, width]` stays as it is. Raises
    DataError below 3 rows or groups.
    """
    base = rows(reference, "reference embeddings", 3)
    one, other = rows(first, "first embeddings", 3), rows(second, "second embeddings", 3)
    same_width(base, one)
    same_width(base, other)
    if len(one) != len(other) or len(groups) != len(one):
        raise DataError(
            f"The sets have {len(one)} and {len(other)} clips of {len(groups)} gestures: give the same."
        )
    marks = {group: at for at, group in enumerate(dict.fromkeys(groups))}
    if len(marks) < 3:
        raise DataError(f"The clips come from {len(marks)} sounds and 3 are needed: give more sounds.")
    member = np.zeros((len(marks), len(one)))
    for row, group in enumerate(groups):
        member[marks[group], row] = 1.0
    width = median_bandwidth(base)
    kernels = [
        (gaussian_kernel(x, x, width), gaussian_kernel(x, base, width).mean(axis=1)) for x in (one, other)
    ]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(marks), np.full(len(marks), 1.0 / len(marks)), size=DRAWS) @ member
    value = _difference(kernels, np.ones((1, len(one))))[0]
    # A draw of one clip alone says nothing of how alike clips are.
    several = drawn[(drawn > 0).sum(axis=1) > 1]
    low, high = np.quantile(_difference(kernels, several), [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(SCALE * float(value), SCALE * float(low), SCALE * float(high), len(one))


def _difference(kernels: Sequence[tuple[Array, Array]], weights: Array) -> Array:
    """The difference for each row of weights `[draws, m]`; pairs of a clip with itself count in none."""
    terms = []
    for own, cross in kernels:
        between = np.einsum("di,ij,dj->d", weights, own, weights) - np.square(weights) @ np.diagonal(own)
        pairs = np.square(weights.sum(axis=1)) - np.square(weights).sum(axis=1)
        terms.append(between / pairs - 2.0 * (weights @ cross) / weights.sum(axis=1))
    return np.asarray(terms[1] - terms[0])
