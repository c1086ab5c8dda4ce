"""Training runs: they learn, stop in time, leave logs, and go on after a kill as if nothing had happened."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import parts
import pytest
import torch
from torch import Tensor, nn

parts.package("lightning")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402

from training import run as run_module  # noqa: E402
from training.run import ExponentialAverage, Run, add_run_arguments, save_weights  # noqa: E402

WEIGHTS = torch.tensor([[1.0, -2.0, 0.5]])


class Clock:
    """A clock on which everything takes exactly `tick` seconds."""

    def __init__(self, tick: float = 1.0) -> None:
        self.now = 0.0
        self.tick = tick

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second a step, whatever this machine does."""
    monkeypatch.setattr(run_module, "time", Clock())


def arguments(out: Path, *more: str, minutes: float = 4.0) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, minutes=minutes)
    fixed = ["--out", str(out), "--accelerator", "cpu", "--devices", "1", "--lr", "0.05"]
    return parser.parse_args([*fixed, *more])


def toy() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1, affine=False), nn.Linear(1, 1))


def loss_of(run: Run) -> Callable[[int], dict[str, Tensor]]:
    """The same batch for the same step, in every run."""

    def loss(step: int) -> dict[str, Tensor]:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        error = (run.module(x) - x @ WEIGHTS.T).square().mean()
        return {"loss": error, "twice": 2 * error}

    return loss


def judge(module: nn.Module) -> dict[str, float]:
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(10**6))
    with torch.no_grad():
        return {"error": float((module(x) - x @ WEIGHTS.T).square().mean())}


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.usefixtures("steady")
def test_a_run_learns_and_its_average_is_what_comes_out(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path), toy())
    before = judge(run.average.module)["error"]
    best = run.train(loss_of(run), judge)
    assert run.step == 240
    assert best is run.average.module and not best.training
    assert judge(best)["error"] < 0.2 * before
    losses = [float(row["loss"]) for row in rows(tmp_path / "train.csv")]
    assert len(losses) == 4 and losses[-1] < 0.3 * losses[0]


@pytest.mark.usefixtures("steady")
def test_logs_can_be_read(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, "--validate-every", "1"), toy())
    run.train(loss_of(run), judge)
    train, validation = rows(tmp_path / "train.csv"), rows(tmp_path / "validation.csv")
    assert [int(row["step"]) for row in train] == [50, 100, 150, 200]
    assert set(train[0]) == {"step", "minutes", "loss", "twice", "rate"}
    assert float(train[1]["twice"]) == pytest.approx(2 * float(train[1]["loss"]))
    assert [int(row["step"]) for row in validation] == [61, 122, 183, 240]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/twice", "train/rate", "validation/error"}
    assert [event.step for event in events.Scalars("train/loss")] == [50, 100, 150, 200]


@pytest.mark.usefixtures("steady")
def test_a_loss_that_joins_late_gets_its_own_column(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, minutes=2.0), toy())
    usual = loss_of(run)
    run.train(lambda step: usual(step) | ({"late": torch.tensor(3.0)} if step >= 70 else {}))
    first, second = rows(tmp_path / "train.csv")
    assert first["late"] == "" and float(second["late"]) == 3.0
    assert float(second["twice"]) == pytest.approx(2 * float(second["loss"])) and None not in second


@pytest.mark.usefixtures("steady")
def test_the_rate_warms_up_and_falls(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path), toy())
    rates: list[float] = []
    usual = loss_of(run)

    def loss(step: int) -> dict[str, Tensor]:
        rates.append(run.optimiser.param_groups[0]["lr"])
        return usual(step)

    run.train(loss)
    assert rates[0] == pytest.approx(0.05 / 100) and max(rates) <= 0.05
    assert 60 <= rates.index(max(rates)) <= 100
    assert rates[-1] < 0.025 * 0.05


@pytest.mark.usefixtures("steady")
def test_a_killed_run_goes_on_as_an_unbroken_one(tmp_path: Path) -> None:
    whole = Run(arguments(tmp_path / "whole", "--validate-every", "1", minutes=2.0), toy())
    whole.train(loss_of(whole))

    killed = Run(arguments(tmp_path / "killed", "--validate-every", "1", minutes=2.0), toy())
    usual = loss_of(killed)

    def interrupted(step: int) -> dict[str, Tensor]:
        if step == 100:
            raise KeyboardInterrupt
        return usual(step)

    with pytest.raises(KeyboardInterrupt):
        killed.train(interrupted)

    again = Run(arguments(tmp_path / "killed", "--validate-every", "1", minutes=2.0), toy())
    assert (again.step, again.average.count, again.spent) == (61, 61, 61.0)
    saved = torch.load(again.checkpoint, weights_only=True)
    moments = again.optimiser.state_dict()["state"]
    assert moments and all(
        torch.equal(torch.as_tensor(moments[key][name]), torch.as_tensor(value))
        for key, state in saved["optimiser"]["state"].items()
        for name, value in state.items()
    )
    again.train(loss_of(again))
    assert again.step == whole.step == 120
    assert same(again.module, whole.module) and same(again.average.module, whole.average.module)


@pytest.mark.usefixtures("steady")
def test_a_run_whose_time_is_up_takes_no_step(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, minutes=0.5), toy())
    run.train(loss_of(run), judge)
    again = Run(arguments(tmp_path, minutes=0.5), toy())
    kept = judge(again.average.module)
    again.train(lambda step: pytest.fail("no step may be taken"), judge)
    assert again.step == run.step == 30 and judge(again.average.module) == kept


@pytest.mark.usefixtures("steady")
def test_fresh_starts_anew(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, minutes=0.5), toy())
    run.train(loss_of(run))
    fresh = Run(arguments(tmp_path, "--fresh", minutes=0.5), toy())
    assert (fresh.step, fresh.spent, fresh.average.count) == (0, 0.0, 0)
    assert same(fresh.module, toy()) and not fresh.optimiser.state_dict()["state"]


@pytest.mark.usefixtures("steady")
def test_a_loss_that_is_not_a_number_spoils_nothing(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, minutes=0.5), toy())
    usual = loss_of(run)

    def loss(step: int) -> dict[str, Tensor]:
        parts = usual(step)
        return {"loss": parts["loss"] * float("nan")} if step == 10 else parts

    run.train(loss)
    assert run.step == 30 and run.average.count == 29
    assert all(value.isfinite().all() for value in run.average.module.state_dict().values())


@pytest.mark.usefixtures("steady")
def test_an_unfinished_checkpoint_is_never_read(tmp_path: Path) -> None:
    run = Run(arguments(tmp_path, minutes=0.5), toy())
    run.train(loss_of(run))
    (tmp_path / "checkpoint.part").write_bytes(b"the power went out here")
    assert Run(arguments(tmp_path, minutes=0.5), toy()).step == 30
    run.save()
    assert sorted(path.suffix for path in tmp_path.glob("checkpoint*")) == [".pt"]


def test_minutes_are_a_box_on_the_real_clock_too(tmp_path: Path) -> None:
    spent: list[float] = []
    run = Run(arguments(tmp_path, minutes=0.02), toy())
    usual = loss_of(run)

    def loss(step: int) -> dict[str, Tensor]:
        spent.append(run.spent)
        return usual(step)

    run.train(loss)
    assert run.spent >= 1.2 and max(spent) < 1.2 and run.step == len(spent) > 0


def test_the_average_warms_up() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = ExponentialAverage(module, decay=0.5)
    nn.init.ones_(module.weight)
    wanted = 0.0
    for decay in (2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5):
        average.update(module)
        wanted = decay * wanted + (1 - decay)
        assert average.module.state_dict()["weight"].item() == pytest.approx(wanted, abs=1e-6)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())


def test_the_average_takes_buffers_as_they_are() -> None:
    module = nn.BatchNorm1d(2)
    average = ExponentialAverage(module, decay=0.99)
    module(torch.randn(8, 2) + 5.0)
    average.update(module)
    assert torch.equal(average.module.state_dict()["running_mean"], module.state_dict()["running_mean"])


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
