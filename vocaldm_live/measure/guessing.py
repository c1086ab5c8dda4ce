"""Guessing: how likely a score of retrieval is by chance, and how far a few queries pin it down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_SUMS = 2_000_000
DRAWS = 200_000


def chance_of(mrr: float, queries: int, candidates: int) -> float:
    """The probability that guessing reaches this mean reciprocal rank or more.

    Each query's rank is then uniform over 1 .. candidates. Exact while the sums of reciprocal ranks can be listed, else
    from 200,000 draws (of which one counts in any case). Raises ValueError without queries or candidates.
    """
    if queries < 1 or candidates < 1:
        raise ValueError(f"Chance needs queries and candidates, got {queries} and {candidates}.")
    wanted = mrr * queries - 1e-9
    single = 1.0 / np.arange(1, candidates + 1)
    sums: np.ndarray = np.zeros(1)
    shares: np.ndarray = np.ones(1)
    for _ in range(queries):
        if len(sums) * candidates > MOST_SUMS:
            return _drawn(wanted, queries, candidates)
        added = np.round((sums[:, None] + single[None]).ravel(), 10)
        listed, place = np.unique(added, return_inverse=True)
        sums, shares = listed, np.bincount(place, np.repeat(shares / candidates, candidates))
    return float(shares[sums >= wanted].sum())


def interval(reciprocals: Sequence[float] | np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a mean over queries, by bootstrap with a fixed seed: how it would vary with other ones.

    Of a handful of queries it says little beyond that they are few.
    """
    values = np.asarray(reciprocals, dtype=np.float64)
    chosen = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[chosen].mean(1), (2.5, 97.5))
    return float(low), float(high)


def _drawn(wanted: float, queries: int, candidates: int) -> float:
    rng, found = np.random.default_rng(0), 0
    size = max(1, 4_000_000 // queries)
    for first in range(0, DRAWS, size):
        ranks = rng.integers(1, candidates + 1, (min(size, DRAWS - first), queries))
        found += int(((1.0 / ranks).sum(1) >= wanted).sum())
    return (found + 1) / (DRAWS + 1)
