"""Kernel: the distance between two sets of embeddings without taking them for Gaussians; for small sets too."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.interval import NORMAL, Array, Interval, rows, same_width

SCALE = 100.0  # as the published tool gives it, so that figures compare


def median_bandwidth(reference: ArrayLike) -> float:
    """The median distance between two rows of `[n, width]`: the kernel's width. Raises DataError where all are one."""
    vectors = rows(reference, "reference embeddings", 2)
    squared = _squared(vectors, vectors)[np.triu_indices(len(vectors), 1)]
    bandwidth = float(np.sqrt(np.median(squared)))
    if bandwidth <= 1e-9 * max(1.0, float(np.abs(vectors).max())):
        raise DataError("Most reference sounds are one and the same: take the duplicates out.")
    return bandwidth


def kernel_distance(reference: ArrayLike, made: ArrayLike, bandwidth: float | None = None) -> Interval:
    """KAD of two sets of embeddings `[n, width]`, `[m, width]`: 100 times the unbiased squared MMD, with its 95 % interval.

    The kernel is exp(-d^2 / (2 bandwidth^2)), its bandwidth the reference's median distance unless given, so the
    two sets do not change places (Chung et al. 2025, arXiv 2502.15602; Gretton et al. 2012, lemma 6). It does not
    depend on the sets' sizes on average and may come out below 0 for sets that are alike. The interval is by the
    jackknife over both sets, bandwidth fixed. Raises DataError below 3 sounds.
    """
    first, second = rows(reference, "reference embeddings", 3), rows(made, "embeddings", 3)
    same_width(first, second)
    width = median_bandwidth(first) if bandwidth is None else bandwidth
    own = [gaussian_kernel(each, each, width) for each in (first, second)]
    cross = gaussian_kernel(first, second, width)
    counts = len(first), len(second)
    sums = [matrix.sum() - np.trace(matrix) for matrix in own]
    means = [total / (n * (n - 1)) for total, n in zip(sums, counts, strict=True)]
    value = float(sum(means) - 2.0 * cross.mean())

    variance = 0.0
    for side in (0, 1):
        n, other = counts[side], counts[1 - side]
        matrix = own[side]
        along = 2.0 * (matrix.sum(axis=1) - np.diagonal(matrix))
        inside = (sums[side] - along) / ((n - 1) * (n - 2))
        across = (cross.sum() - cross.sum(axis=1 - side)) / ((n - 1) * other)
        left = inside + means[1 - side] - 2.0 * across
        variance += (n - 1) / n * float(np.square(left - left.mean()).sum())
    reach = NORMAL * float(np.sqrt(variance))
    return Interval(SCALE * value, SCALE * (value - reach), SCALE * (value + reach), counts[1])


def gaussian_kernel(first: Array, second: Array, bandwidth: float) -> Array:
    """exp(-d^2 / (2 bandwidth^2)) for every pair of rows, `[n, m]`."""
    return np.exp(_squared(first, second) / (-2.0 * bandwidth**2))


# Inside -------------------------------------------------------------------------------------------------


def _squared(first: Array, second: Array) -> Array:
    """Squared distances `[n, m]`."""
    crossed = first @ second.T
    squared = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)[None] - 2.0 * crossed
    return np.maximum(squared, 0.0)
