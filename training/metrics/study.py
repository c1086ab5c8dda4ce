"""Study: how the set distances depend on the number of clips, so that one knows how many it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.frechet import frechet
from training.metrics.interval import rows
from training.metrics.kernel import kernel_distance, median_bandwidth

SMALLEST = 8
DRAWS = 12


@dataclass(frozen=True)
class Point:
    """A distance at one size: mean over draws and the range that 95 % of them lie in."""

    size: int
    mean: float
    low: float
    high: float


def sizes_up_to(count: int) -> tuple[int, ...]:
    """Sizes from 8 to `count`, each about 1.4 times the one before; raises DataError below 16."""
    if count < 2 * SMALLEST:
        raise DataError(f"A study of the sample size needs at least {2 * SMALLEST} clips: there are {count}.")
    steps = int(np.ceil(np.log(count / SMALLEST) / np.log(np.sqrt(2)))) + 1
    return tuple(int(size) for size in np.unique(np.geomspace(SMALLEST, count, steps).round()))


def sample_size_study(
    reference: ArrayLike, made: ArrayLike, seed: int = 0, sizes: Sequence[int] | None = None
) -> Mapping[str, tuple[Point, ...]]:
    """FAD and KAD of subsets of the made set `[m, width]` against the whole reference `[n, width]`, by size.

    Twelve draws without replacement at each size; the last size has but one. FAD falls towards its limit as
    subsets grow, KAD stays where it is and its range narrows. Raises DataError.
    """
    first, second = rows(reference, "reference embeddings", 3), rows(made, "embeddings", 2 * SMALLEST)
    chosen = sizes_up_to(len(second)) if sizes is None else tuple(sizes)
    bandwidth = median_bandwidth(first)
    measures: Mapping[str, Callable[[np.ndarray], float]] = {
        "fad": lambda some: frechet(first, some),
        "kad": lambda some: kernel_distance(first, some, bandwidth).value,
    }
    draw = np.random.default_rng(seed)
    found: dict[str, list[Point]] = {name: [] for name in measures}
    for size in chosen:
        draws = 1 if size >= len(second) else DRAWS
        subsets = [second[draw.permutation(len(second))[:size]] for _ in range(draws)]
        for name, measure in measures.items():
            values = [measure(one) for one in subsets]
            low, high = np.percentile(values, [2.5, 97.5])
            found[name].append(Point(size, float(np.mean(values)), float(low), float(high)))
    return {name: tuple(points) for name, points in found.items()}
