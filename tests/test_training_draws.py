"""Draws: a number belongs to a row of a step, whoever draws it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from training.draws import Draws

CPU = torch.device("cpu")


def draws(step: int = 3, rows: tuple[int, ...] = tuple(range(8)), seed: int = 1, batch: int = 8) -> Draws:
    return Draws(seed, step, rows, batch, CPU)


def test_parts_draw_what_the_whole_draws() -> None:
    whole = draws()
    for rows in ((0, 2, 4, 6), (1, 3), (7,)):
        part = draws(rows=rows)
        index = list(rows)
        assert torch.equal(part.normal((2, 3), "noise"), whole.normal((2, 3), "noise")[index])
        assert torch.equal(part.uniform("drop"), whole.uniform("drop")[index])
        assert torch.equal(part.timesteps(1000), whole.timesteps(1000)[index])
        assert np.array_equal(part.choose(5), whole.choose(5)[index])
        assert part.shared("length").integers(10**9) == whole.shared("length").integers(10**9)


def test_step_seed_row_and_stream_matter() -> None:
    first = draws().normal((50,), "noise")
    for other in (draws(step=4).normal((50,), "noise"), draws(seed=2).normal((50,), "noise")):
        assert not torch.equal(first, other)
    assert not torch.equal(first, draws().normal((50,), "other"))
    assert len({float(row[0]) for row in first}) == 8
    assert abs(float(first.mean())) < 0.2 and abs(float(first.std()) - 1) < 0.2


def test_every_item_comes_once_an_epoch() -> None:
    items = np.concatenate([draws(step=step).choose(12) for step in range(6)])
    epochs = items.reshape(4, 12)
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_set_smaller_than_the_batch_is_used_evenly() -> None:
    counted = Counter(draws().choose(3).tolist())
    assert set(counted) == {0, 1, 2} and max(counted.values()) - min(counted.values()) <= 1


def test_timesteps_cover_the_schedule_in_every_batch() -> None:
    for step in range(20):
        found = draws(step=step).timesteps(1000)
        assert sorted((found // 125).tolist()) == list(range(8))
    drawn = torch.cat([draws(step=step).timesteps(1000) for step in range(500)]).float()
    assert abs(float(drawn.mean()) - 499.5) < 5 and drawn.max() <= 999
