"""What a run keeps of its weights: their moving average, and files without what is skipped; and its rate."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from training.budget import rate_at
from training.moving_average import MovingAverage
from training.recipe import Rates
from training.runfolder import save_weights


def test_the_average_warms_up() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = MovingAverage({"one": module}, 0.5)
    nn.init.ones_(module.weight)
    wanted = 0.0
    for decay in (2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5):
        average.update()
        wanted = decay * wanted + (1 - decay)
        assert average.networks["one"].state_dict()["weight"].item() == pytest.approx(wanted, abs=1e-6)
    assert not any(parameter.requires_grad for parameter in average.networks["one"].parameters())


def test_the_average_takes_buffers_as_they_are() -> None:
    module = nn.BatchNorm1d(2)
    average = MovingAverage({"one": module}, 0.99)
    module(torch.randn(8, 2) + 5.0)
    average.update()
    kept = average.networks["one"].state_dict()["running_mean"]
    assert torch.equal(kept, module.state_dict()["running_mean"])


def test_the_rate_warms_up_and_falls() -> None:
    rates = Rates(peak=0.1, floor=0.1, warmup=10)
    assert [rate_at(rates, step, 0.0) for step in (0, 4, 9)] == pytest.approx([0.01, 0.05, 0.1])
    falling = [rate_at(rates, 100, done) for done in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == pytest.approx(0.1) and falling[-1] == pytest.approx(0.01)


def test_weights_are_saved_without_what_is_skipped(tmp_path: Path) -> None:
    module = nn.ModuleDict(
        {"body": nn.Linear(3, 3), "classifier": nn.Linear(3, 2), "norm": nn.BatchNorm1d(3)}
    )
    path = tmp_path / "deeper" / "weights.safetensors"
    save_weights(module, path, skip=("classifier",))
    state = load_file(path)
    assert set(state) == {key for key in module.state_dict() if not key.startswith("classifier")}
    assert all(torch.equal(state[key], module.state_dict()[key]) for key in state)


def test_half_precision_leaves_counters_whole(tmp_path: Path) -> None:
    module = nn.BatchNorm1d(3)
    save_weights(module, tmp_path / "half.safetensors", torch.float16)
    state = load_file(tmp_path / "half.safetensors")
    assert state["weight"].dtype == torch.float16 and state["num_batches_tracked"].dtype == torch.int64
    module.load_state_dict(state)
