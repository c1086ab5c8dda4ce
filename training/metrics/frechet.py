"""Frechet: the distance between two sets of embeddings, each taken for a Gaussian, and its limit for endless sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.interval import Array, Interval, rows, same_width

SIZES = 15  # of the subsets that the limit is extrapolated from
DRAWS = 4  # subsets of each size
FEWEST = 32  # sounds that an extrapolation needs
STUDENT = 2.160369  # standard errors of a line's 95 % with 15 points


def frechet(reference: ArrayLike, made: ArrayLike) -> float:
    """Frechet distance of two sets of embeddings `[n, width]`, `[m, width]` (Heusel et al. 2017; FAD: Kilgour et al. 2019).

    |mean difference|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) with the unbiased covariances. The trace of the square root
    is the sum of the singular values of A B^T, where S1 = A^T A and S2 = B^T B, so no root of a matrix that
    rounding has made indefinite is drawn and sets smaller than `width` are no special case. It grows as sets
    get smaller: compare only sets of one size, or `frechet_infinity`. Raises DataError.
    """
    first, second = rows(reference, "reference embeddings", 2), rows(made, "embeddings", 2)
    same_width(first, second)
    return _distance(first.mean(axis=0), _root(first), second.mean(axis=0), _root(second))


def frechet_infinity(reference: ArrayLike, made: ArrayLike, seed: int = 0) -> Interval:
    """The Frechet distance that endlessly many made sounds would have, with the 95 % interval of the fit.

    Subsets of the made set in 15 sizes from a third of it to all, four draws each, a line through their distances
    over 1 / size, and its value at 0 (Chong and Forsyth 2020; for audio Gui et al. 2023, arXiv 2311.01616). The
    reference stays whole, so what its own size adds stays in. Where sets are smaller than `width` the curve isn't
    a line and the limit only a better guess than the distance itself. The interval is the fit's alone: what another
    made set would give differs by more, and the limit of sets that are alike falls below 0 as often as above it.
    Raises DataError below 32 made sounds.
    """
    first, second = rows(reference, "reference embeddings", 2), rows(made, "embeddings", FEWEST)
    same_width(first, second)
    mean, root = first.mean(axis=0), _root(first)
    draw = np.random.default_rng(seed)
    # From a third: smaller subsets are far from the line that the larger ones lie on.
    sizes = np.unique(np.linspace(len(second) / 3, len(second), SIZES).round().astype(int))
    scores = []
    for size in sizes:
        drawn = [second[draw.permutation(len(second))[:size]] for _ in range(DRAWS)]
        scores.append(np.mean([_distance(mean, root, one.mean(axis=0), _root(one)) for one in drawn]))
    return _limit(1.0 / sizes, np.array(scores), len(second))


# Inside -------------------------------------------------------------------------------------------------


def _root(vectors: Array) -> Array:
    """A with A^T A the unbiased covariance: `[min(n, width), width]`."""
    centred = (vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    root: Array = np.asarray(np.linalg.qr(centred, mode="r"))
    return root


def _distance(mean_1: Array, root_1: Array, mean_2: Array, root_2: Array) -> float:
    traces = np.square(root_1).sum() + np.square(root_2).sum()
    shared = np.linalg.svd(root_1 @ root_2.T, compute_uv=False).sum()
    return float(max(0.0, np.square(mean_1 - mean_2).sum() + traces - 2.0 * shared))


def _limit(inverse: Array, scores: Array, count: int) -> Interval:
    """Where the line through scores over 1 / size meets 0."""
    if len(inverse) != SIZES:
        raise DataError(f"Only {len(inverse)} sizes of subsets differ: give more sounds.")
    middle = inverse.mean()
    spread = np.square(inverse - middle).sum()
    slope = float(((inverse - middle) * scores).sum() / spread)
    value = float(scores.mean() - slope * middle)
    residue = float(np.square(scores - value - slope * inverse).sum()) / (SIZES - 2)
    reach = STUDENT * float(np.sqrt(residue * (1.0 / SIZES + middle**2 / spread)))
    return Interval(value, value - reach, value + reach, count)
