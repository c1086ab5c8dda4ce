"""Retrieval: sounds are told apart by what they are, not by their level or the silence around them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from vocaldm_live.errors import SoundError
from vocaldm_live.measure.retrieval import (
    chance_mrr,
    chance_ndcg,
    distances,
    fingerprint,
    mrr,
    ndcg,
    rank,
    score_classes,
)

RATE = 24000


def sound(kind: int, seed: int) -> np.ndarray:
    """Six families; the seed changes pitch, rate and grain within one."""
    rng = np.random.default_rng(100 * kind + seed)
    time = np.arange(int(1.5 * RATE)) / RATE
    noise = rng.standard_normal(time.size)
    pitch = rng.uniform(0.9, 1.1)
    phase = 2 * np.pi * time
    if kind == 0:
        return noise
    if kind == 1:
        return np.sum([np.sin(phase * 220 * pitch * k) / k for k in range(1, 15)], axis=0)
    if kind == 2:
        return np.exp(-((time * 8 * pitch) % 1) * 6) * noise
    if kind == 3:
        return np.sin(phase * 1000 * pitch * (1 + time))
    if kind == 4:
        return np.cumsum(noise) * 0.02
    return np.exp(-time * 4) * sum(np.sin(phase * 400 * pitch * r) for r in (1, 2.76, 5.4, 8.9))


def test_a_sound_finds_its_family_among_others() -> None:
    candidates = [fingerprint(sound(kind, 0), RATE) for kind in range(6)]
    orders = [rank(fingerprint(sound(kind, 1), RATE), candidates) for kind in range(6)]
    result = mrr(orders, list(range(6)))
    assert result.recall_at_1 == 1.0 and result.mrr == 1.0
    assert result.chance_mrr == pytest.approx(2.45 / 6) and result.candidates == 6
    assert "chance 0.408" in str(result)


def test_gain_and_silence_around_do_not_matter() -> None:
    whole = fingerprint(sound(5, 0), RATE)
    quiet = fingerprint(np.pad(0.01 * sound(5, 0), 4800), RATE)
    others = [fingerprint(sound(kind, 3), RATE) for kind in range(5)]
    found = distances(quiet, [*others, whole])
    assert int(np.argmin(found)) == 5 and found[5] < 0.1


def test_the_order_of_the_candidates_changes_nothing() -> None:
    candidates = [fingerprint(sound(kind, 0), RATE) for kind in range(6)]
    query = fingerprint(sound(2, 1), RATE)
    there, back = rank(query, candidates), rank(query, candidates[::-1])
    assert there.tolist() == [5 - i for i in back.tolist()]


def test_a_recording_of_lower_rate_is_still_the_same_sound() -> None:
    time = np.arange(48000) / 48000
    swell = np.hanning(48000) * sum(np.sin(2 * np.pi * 300 * k * time) / k for k in range(1, 10))
    others = [fingerprint(sound(kind, 0), RATE) for kind in range(6)]
    order = rank(fingerprint(swell, 48000), [*others, fingerprint(swell[::3], 16000)])
    assert order[0] == 6


def test_chance_is_the_harmonic_mean_rank() -> None:
    assert chance_mrr(100) == pytest.approx(0.0519, abs=1e-4)
    rng = np.random.default_rng(0)
    guessed = mrr([rng.permutation(20) for _ in range(3000)], [0] * 3000)
    assert guessed.mrr == pytest.approx(guessed.chance_mrr, abs=0.02)
    assert guessed.recall_at_1 == pytest.approx(guessed.chance_recall_at_1, abs=0.015)


def test_wrong_orders_and_silence_are_refused() -> None:
    with pytest.raises(ValueError, match="one target"):
        mrr([[0, 1]], [])
    with pytest.raises(ValueError, match="once"):
        mrr([[0, 0]], [0])
    with pytest.raises(SoundError, match="silent"):
        fingerprint(np.zeros(RATE), RATE)


# A ranking made by hand: candidates a1 a2 b1 c1 of the classes a a b c.
CLASSES = ("a", "a", "b", "c")
ORDERS = ([1, 0, 2, 3], [2, 0, 1, 3], [3, 2, 0, 1])
TARGETS = (0, 2, 2)


def test_a_ranking_made_by_hand_has_the_scores_worked_out_by_hand() -> None:
    found = score_classes(ORDERS, TARGETS, CLASSES)
    # Places 2, 1 and 2: class a has 1/2, class b has (1 + 1/2) / 2.
    assert found.mrr == pytest.approx((0.5 + 1.0 + 0.5) / 3)
    assert found.by_class == {"a": pytest.approx(0.5), "b": pytest.approx(0.75)}
    assert found.class_mrr == pytest.approx(0.625) and found.recall_at_1 == pytest.approx(1 / 3)
    # Both of class a lead: 1. The one of class b leads: 1. It is second: 1 / log2(3).
    assert found.ndcg == pytest.approx((1.0 + 1.0 + 1 / math.log2(3)) / 3)
    assert (found.queries, found.candidates, found.classes) == (3, 4, 2)
    assert found.chance_mrr == pytest.approx(25 / 48)


def test_gain_is_discounted_and_normalised_as_worked_out_by_hand() -> None:
    relevant = [True, False, True, False]
    ideal = 1 + 1 / math.log2(3)
    assert ndcg([0, 2, 1, 3], relevant) == pytest.approx(1.0)
    assert ndcg([1, 0, 3, 2], relevant) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    with pytest.raises(ValueError, match="relevant"):
        ndcg([0, 1], [False, False])


def test_chance_is_the_mean_over_all_orders() -> None:
    relevant = [True, True, False, False]
    every = [ndcg(order, relevant) for order in itertools.permutations(range(4))]
    assert chance_ndcg(4, 2) == pytest.approx(np.mean(every))
    scores = [score_classes([order], [1], CLASSES) for order in itertools.permutations(range(4))]
    assert np.mean([one.mrr for one in scores]) == pytest.approx(scores[0].chance_mrr)
    assert np.mean([one.ndcg for one in scores]) == pytest.approx(scores[0].chance_ndcg)
    # As the QVIM challenge gives it for its 121 items.
    assert chance_mrr(121) == pytest.approx(0.0444, abs=1e-4)


def test_candidates_without_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a class"):
        score_classes(ORDERS, TARGETS, ("a", "b"))


def test_one_block_alone_ranks_too() -> None:
    candidates = [fingerprint(sound(kind, 0), RATE) for kind in range(6)]
    orders = [rank(fingerprint(sound(kind, 1), RATE), candidates, ("modulation",)) for kind in range(6)]
    assert mrr(orders, list(range(6))).mrr > 0.6
