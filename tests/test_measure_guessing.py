"""How likely a retrieval score is by chance: exact where it can be, and what it says of the house on real voices."""

from __future__ import annotations

import itertools
import json

import numpy as np
import parts
import pytest
from cli_helpers import run

from vocaldm_live.measure.guessing import chance_of, interval


@pytest.mark.parametrize(("queries", "candidates"), [(1, 5), (2, 4), (3, 4)])
def test_the_probability_is_that_of_all_ways_to_guess(queries: int, candidates: int) -> None:
    ways = [
        np.mean([1.0 / rank for rank in ranks])
        for ranks in itertools.product(range(1, candidates + 1), repeat=queries)
    ]
    for wanted in sorted(set(ways)):
        share = np.mean([way >= wanted - 1e-9 for way in ways])
        assert chance_of(float(wanted), queries, candidates) == pytest.approx(share, abs=1e-9)


@pytest.mark.slow
def test_many_queries_are_drawn() -> None:
    mean = float(np.mean(1.0 / np.arange(1, 122)))
    assert 0.3 < chance_of(mean, 400, 121) < 0.7
    assert chance_of(3.0 * mean, 400, 121) == pytest.approx(1 / 200_001)
    assert chance_of(0.0, 400, 121) == 1.0


def test_an_interval_holds_its_mean_and_narrows() -> None:
    rng = np.random.default_rng(1)
    few, many = (1.0 / rng.integers(1, 28, size) for size in (5, 500))
    for values in (few, many):
        low, high = interval(values)
        assert low <= values.mean() <= high
    assert interval(many)[1] - interval(many)[0] < interval(few)[1] - interval(few)[0]


@pytest.mark.slow
def test_the_house_finds_what_real_voices_mean_better_than_chance(capsys: pytest.CaptureFixture[str]) -> None:
    """Five voices that nothing was trained on or chosen by, among 27 recordings, two of which are one."""
    said = run(capsys, "library", "evaluate", parts.recordings() / "imitations", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)["methods"]["encoder"]
    low, high = found["mrr_interval"]
    print(f"MRR {found['mrr']:.3f} ({low:.3f} to {high:.3f}), by chance {found['probability_by_chance']:.3f}")
    assert found["queries"] == 5 and found["candidates"] == 27
    assert found["probability_by_chance"] < 0.05
