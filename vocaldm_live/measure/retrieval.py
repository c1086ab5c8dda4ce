"""Retrieval: can a sound be told among others, by a fingerprint no network has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vocaldm_live.errors import SoundError
from vocaldm_live.measure.spectra import Array, mono, stft_magnitude, triangular_bands

BANDS = 40  # from 50 Hz to 7.6 kHz, evenly spaced in mel: inside the range of every recording
RANGE_DB = 70.0
COEFFICIENTS = 20
BLOCKS = ("timbre", "motion", "modulation")
MODULATION_SPAN = 128  # frames of 10 ms
MODULATION_RATES = 32  # lowest modulation rates kept, 0 to 25 Hz
MODULATION_SCALES = 12  # lowest spectral scales kept


@dataclass(frozen=True)
class Fingerprint:
    """What a sound is like, apart from its level: three blocks of numbers."""

    timbre: Array  # [38] means and spreads of the cepstrum, without the level
    motion: Array  # [40] spreads of its frame-to-frame changes, and its slow drift
    modulation: Array  # [12 * 32] magnitudes of the two-dimensional Fourier transform of the log-mel


@dataclass(frozen=True)
class Retrieval:
    """How well targets were found among candidates, with what guessing would give."""

    mrr: float  # mean reciprocal rank
    recall_at_1: float
    queries: int
    candidates: int
    chance_mrr: float  # H(M) / M
    chance_recall_at_1: float  # 1 / M

    def __str__(self) -> str:
        return (
            f"MRR {self.mrr:.3f} (chance {self.chance_mrr:.3f}), R@1 {self.recall_at_1:.3f}"
            f" (chance {self.chance_recall_at_1:.3f}), {self.queries} queries among {self.candidates}"
        )


@dataclass(frozen=True)
class ClassRetrieval:
    """How well items and their classes were found, as VocalDM and the QVIM challenge measure it."""

    mrr: float  # mean reciprocal rank of each query's own item
    class_mrr: float  # the same, averaged within each class first
    ndcg: float  # all items of the query's class count as found
    recall_at_1: float
    queries: int
    candidates: int
    classes: int  # those that queries have
    chance_mrr: float  # H(M) / M, for classes too
    chance_ndcg: float
    chance_recall_at_1: float
    by_class: Mapping[str, float]  # MRR of each class


def _mel_corners() -> Array:
    low, high = 2595 * np.log10(1 + np.array([50.0, 7600.0]) / 700)
    return 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)


def _cosines() -> Array:
    """Orthonormal DCT-II, [COEFFICIENTS, BANDS]."""
    matrix = np.cos(np.pi / BANDS * (np.arange(BANDS) + 0.5) * np.arange(COEFFICIENTS)[:, None])
    matrix[0] *= np.sqrt(0.5)
    return matrix * np.sqrt(2 / BANDS)


def fingerprint(samples: ArrayLike, sample_rate: int) -> Fingerprint:
    """Fingerprint of a sound [samples]: independent of gain and nearly of silence around the sound.

    Log-mel in dB re its peak (40 bands, 10 ms), its DCT's statistics, and the magnitude of the 2-D Fourier
    transform of half-overlapped 1.28 s patches, averaged (Pishdadian, Seetharaman, Kim, Pardo 2019, who use
    it on a constant-Q spectrogram). Raises SoundError on a silent or unusable sound.
    """
    array = mono(samples)
    size = 1 << round(np.log2(0.04 * sample_rate))
    magnitude = stft_magnitude(array, size, max(1, round(sample_rate / 100)))
    power = magnitude**2 @ triangular_bands(_mel_corners(), size, sample_rate)
    peak = power.max()
    if peak <= 1e-14:
        raise SoundError("The sound is silent: it has no fingerprint.")
    level = np.maximum(10 * np.log10(power / peak + 1e-12), -RANGE_DB) + RANGE_DB
    heard = np.flatnonzero(level.max(axis=1) > RANGE_DB - 50)
    level = level[heard[0] : heard[-1] + 1]
    cepstrum = level @ _cosines().T
    loud = cepstrum[level.max(axis=1) > RANGE_DB - 40]
    change = np.diff(cepstrum, axis=0) if len(cepstrum) > 1 else np.zeros((1, COEFFICIENTS))
    drift = np.linspace(-1, 1, len(cepstrum)) @ (cepstrum - cepstrum.mean(axis=0)) / len(cepstrum)
    return Fingerprint(
        timbre=np.concatenate([loud.mean(axis=0)[1:], np.log1p(loud.std(axis=0)[1:])]),
        motion=np.concatenate([np.log1p(change.std(axis=0)), drift]),
        modulation=_modulation(level),
    )


def _modulation(level: Array) -> Array:
    """Averaged ln magnitudes of the 2-D Fourier transform of patches of [frames, bands], flattened."""
    frames = max(MODULATION_SPAN, len(level))
    padded = np.pad(level, ((0, frames - len(level)), (0, 0)))
    starts = np.unique(np.append(np.arange(0, frames - MODULATION_SPAN, 64), frames - MODULATION_SPAN))
    window = np.hanning(MODULATION_SPAN + 2)[1:-1, None]
    total = np.zeros((MODULATION_RATES, MODULATION_SCALES))
    for start in starts:
        patch = padded[start : start + MODULATION_SPAN]
        turned = np.abs(np.fft.rfft2((patch - patch.mean()) * window, axes=(0, 1)))
        both_ways = turned[:MODULATION_RATES] + np.roll(turned[::-1], 1, axis=0)[:MODULATION_RATES]
        total += both_ways[:, :MODULATION_SCALES]
    return np.log1p(total / len(starts)).ravel()


def distances(query: Fingerprint, candidates: Sequence[Fingerprint], blocks: Sequence[str] = BLOCKS) -> Array:
    """Distance of a query to each candidate, 0 (alike) to 2: [candidates].

    Each number is centred and scaled by its mean and spread over query and candidates, then each block
    compared by cosine; the cosine distances are averaged. `blocks` chooses among the three.
    """
    if not candidates:
        raise ValueError("distances needs at least one candidate.")
    total = np.zeros(len(candidates))
    for block in blocks:
        rows = np.stack([getattr(each, block) for each in (query, *candidates)])
        rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-6)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        total += 1 - rows[1:] @ rows[0]
    return total / len(blocks)


def rank(
    query: Fingerprint, candidates: Sequence[Fingerprint], blocks: Sequence[str] = BLOCKS
) -> NDArray[np.int64]:
    """Indices of the candidates, most alike first: [candidates]."""
    return np.argsort(distances(query, candidates, blocks), kind="stable").astype(np.int64)


def chance_mrr(candidates: int) -> float:
    """Mean reciprocal rank of guessing among M candidates: H(M) / M, with H the harmonic number."""
    return float(np.sum(1 / np.arange(1, candidates + 1)) / candidates)


def mrr(orders: Sequence[ArrayLike], targets: Sequence[int]) -> Retrieval:
    """Score the orders that `rank` gave for several queries, each with the index of its one target.

    All orders must list the same candidates, the target among them. Raises ValueError otherwise.
    """
    table, places = _places(orders, targets)
    candidates = len(table[0])
    return Retrieval(
        mrr=float(np.mean(1 / places)),
        recall_at_1=float(np.mean(places == 1)),
        queries=len(table),
        candidates=candidates,
        chance_mrr=chance_mrr(candidates),
        chance_recall_at_1=1 / candidates,
    )


def reciprocal_ranks(orders: Sequence[ArrayLike], targets: Sequence[int]) -> Array:
    """1 / rank of each order's one target, `[queries]`; raises ValueError as `mrr` does."""
    return 1.0 / _places(orders, targets)[1]


def discounts(count: int) -> Array:
    """What an item is worth at each place, 1 / log2(place + 1): [count] (Jarvelin and Kekalainen 2002)."""
    return 1 / np.log2(np.arange(2, count + 2))


def ndcg(order: ArrayLike, relevant: ArrayLike) -> float:
    """Normalised discounted cumulative gain of a whole order [candidates]; `relevant` [candidates] is true or false.

    Raises ValueError where nothing is relevant.
    """
    wanted = np.asarray(relevant, dtype=bool)
    if not wanted.any():
        raise ValueError("ndcg needs at least one relevant candidate.")
    worth = discounts(len(wanted))
    return float(worth[wanted[np.asarray(order)]].sum() / worth[: wanted.sum()].sum())


def chance_ndcg(candidates: int, relevant: int) -> float:
    """The mean NDCG over all orders of so many candidates, so many of them relevant."""
    worth = discounts(candidates)
    return float(relevant / candidates * worth.sum() / worth[:relevant].sum())


def score_classes(
    orders: Sequence[ArrayLike], targets: Sequence[int], classes: Sequence[str]
) -> ClassRetrieval:
    """Score orders as `mrr` does, and by class: `classes` names that of each candidate, a query has its target's.

    Relevance is binary: gain 2^1 - 1 for a candidate of the query's class, over the full list. Raises
    ValueError where orders, targets and classes do not fit together.
    """
    table, places = _places(orders, targets)
    labels = np.asarray(classes, dtype=object)
    if len(labels) != len(table[0]):
        raise ValueError(f"Each of the {len(table[0])} candidates needs a class, got {len(labels)}.")
    own = labels[np.asarray(targets)]
    reciprocal = 1 / places
    by_class = {str(name): float(reciprocal[own == name].mean()) for name in sorted(set(own))}
    members = {name: labels == name for name in set(own)}
    gains = [ndcg(order, members[name]) for order, name in zip(table, own, strict=True)]
    chances = [chance_ndcg(len(labels), int(members[name].sum())) for name in own]
    return ClassRetrieval(
        mrr=float(reciprocal.mean()),
        class_mrr=float(np.mean(list(by_class.values()))),
        ndcg=float(np.mean(gains)),
        recall_at_1=float(np.mean(places == 1)),
        queries=len(table),
        candidates=len(labels),
        classes=len(by_class),
        chance_mrr=chance_mrr(len(labels)),
        chance_ndcg=float(np.mean(chances)),
        chance_recall_at_1=1 / len(labels),
        by_class=by_class,
    )


def _places(
    orders: Sequence[ArrayLike], targets: Sequence[int]
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """The orders as arrays, checked, and the place of each one's target, from 1."""
    if not orders or len(orders) != len(targets):
        raise ValueError(f"mrr needs one target for each order, got {len(targets)} for {len(orders)}.")
    table = [np.asarray(order, dtype=np.int64) for order in orders]
    candidates = len(table[0])
    if any(not np.array_equal(np.sort(order), np.arange(candidates)) for order in table):
        raise ValueError(f"Each order must list all the candidates 0 to {candidates - 1} once.")
    if not all(0 <= target < candidates for target in targets):
        raise ValueError(f"Each target must be one of the candidates 0 to {candidates - 1}.")
    found = [np.flatnonzero(order == target)[0] for order, target in zip(table, targets, strict=True)]
    return table, 1 + np.array(found, dtype=np.int64)
