"""The loop: runs learn, end in time, survive kills, full disks and bad numbers, and are the same run on any machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import parts
import pytest
import torch
from torch import nn

parts.package("lightning_fabric")  # of the extra [training]

from disks import remount, small_disk  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tiny import assert_sentence  # noqa: E402
from train_toys import Toy, ToyRecipe, run_toy  # noqa: E402

from training import budget, loop  # noqa: E402
from training.checkpoint import load, previous_of  # noqa: E402
from training.errors import RunError  # noqa: E402
from training.journal import Journal, read_rows  # noqa: E402
from training.launch import in_first_process  # noqa: E402
from training.loop import train  # noqa: E402
from training.recipe import Optimiser, Rates  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.runfolder import held  # noqa: E402
from training.turns import Group, Turn  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).resolve().parent / "train_toys.py"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder / "checkpoint.safetensors")[0]


def assert_equal(one: Path, other: Path, within: float = 0.0) -> None:
    """Weights, averages, moments and what came out."""
    for a, b in (
        (weights(one), weights(other)),
        (load_file(one / "body.safetensors"), load_file(other / "body.safetensors")),
    ):
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=within, atol=within, msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = run_toy(folder)
    assert (outcome.steps, outcome.ended) == (60, "done")
    return folder


SHORT = ("budget.steps=24", "keeping.validate.steps=8")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unbroken run that others are held against: the judge comes in at its sixth step."""
    folder = tmp_path_factory.mktemp("short")
    assert run_toy(folder, *SHORT).ended == "done"
    return folder


def test_a_run_learns_and_tells_of_it(whole: Path) -> None:
    judged = read_rows(whole / "validation.csv")
    assert [int(row["step"]) for row in judged] == [0, 20, 40, 60]
    assert float(judged[-1]["error"]) < 0.3 * float(judged[0]["error"])
    rows = read_rows(whole / "train.csv")
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    wanted = {
        "main_loss",
        "judge_loss",
        "rate",
        "gradient.body",
        "gradient.judge",
        "gradient.main.0",
        "gradient.main.1",
    }
    assert wanted <= set(rows[-1]) and float(rows[-1]["gradient.body"]) > 0
    told = json.loads((whole / "run.json").read_text())
    assert told["state"] == "done" and set(told["frozen"]) == {"ear", "body"} and "torch" in told["versions"]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(whole))
    events.Reload()
    assert [event.step for event in events.Scalars("train/main_loss")] == [20, 40, 60]
    assert [event.step for event in events.Scalars("validation/error")] == [0, 20, 40, 60]


PLACES = ("step:13", "save:13", "swap:13")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ended by SIGKILL: in a step, at a save before its renames, and between them."""
    folder = tmp_path_factory.mktemp("broken")
    command = [sys.executable, str(PROGRAM), str(folder), *SHORT]
    done = subprocess.run(
        command, env=environment(TOY_KILLED_AT=" ".join(PLACES)), capture_output=True, text=True
    )
    assert done.stdout.split() == [str(-signal.SIGKILL.value)] * 3, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_killed_run_goes_on_as_an_unbroken_one(short: Path, broken: Path, place: str) -> None:
    folder = broken / place.replace(":", "-")
    assert (folder / "validation.csv").exists() and not (folder / "body.safetensors").exists()
    assert (folder / "checkpoint.safetensors").exists() == (place != "swap:13")
    assert run_toy(folder, *SHORT).steps == 24
    assert_equal(folder, short)
    assert [row["step"] for row in read_rows(folder / "validation.csv")] == ["0", "8", "16", "24"]


@pytest.mark.parametrize("size", [1, 3])
def test_micro_batches_are_the_same_run(short: Path, tmp_path: Path, size: int) -> None:
    run_toy(tmp_path, *SHORT, f"machine.micro_batch={size}", "batch=8")
    ours, theirs = weights(tmp_path), weights(short)
    for name in theirs:
        if name.startswith("network.") and not name.endswith("seen"):
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_two_processes_are_the_same_run(short: Path, tmp_path: Path) -> None:
    """Started by Fabric; tests/test_training_launch.py has torchrun's."""
    command = [sys.executable, str(PROGRAM), str(tmp_path), *SHORT, "machine.devices=2"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_equal(tmp_path, short, within=1e-5)
    for kind in ("train", "validation"):
        for ours, theirs in zip(
            read_rows(tmp_path / f"{kind}.csv"), read_rows(short / f"{kind}.csv"), strict=True
        ):
            assert all(
                float(ours[name]) == pytest.approx(float(theirs[name]), abs=1e-5)
                for name in theirs
                if name != "minutes"
            )


def test_max_hours_end_a_sitting_and_the_next_goes_on(short: Path, tmp_path: Path) -> None:
    outcome = run_toy(tmp_path, *SHORT, "budget.max_hours=1e-9")
    assert (outcome.steps, outcome.ended) == (1, "paused")
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "paused"
    assert run_toy(tmp_path, *SHORT).ended == "done"
    assert_equal(tmp_path, short)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_saves_and_goes_on(short: Path, tmp_path: Path, number: int) -> None:
    ask = lambda index: os.kill(os.getpid(), number) if index == 12 else None  # noqa: E731
    assert run_toy(tmp_path, *SHORT, "keeping.save_seconds=1000", at_step=ask).ended == "paused"
    assert run_toy(tmp_path, *SHORT).steps == 24
    assert_equal(tmp_path, short)


def test_a_full_disk_is_told_and_the_run_goes_on(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", "200k") as disk:
        ballast = disk / "ballast"

        def filled() -> None:
            with pytest.raises(OSError), open(ballast, "wb", buffering=0) as file:
                while file.write(bytes(4096)) == 4096:
                    pass
                raise OSError

        def fill(index: int) -> None:
            if index == 12:
                filled()
            if index == 20:
                ballast.unlink()

        assert run_toy(disk, *SHORT, at_step=fill).ended == "done"
        told = [line for line in capsys.readouterr().err.splitlines() if "free space" in line]
        assert any("checkpoint.safetensors" in line for line in told)
        assert len(told) == len(set(told))
        for line in told:
            assert_sentence(line.replace("; ", ", "))
        assert_equal(disk, short)
        assert all(None not in row for row in read_rows(disk / "validation.csv"))
        again = disk / "again"
        with pytest.raises(RunError, match="free space"):
            run_toy(again, *SHORT, at_step=lambda index: filled() if index == 12 else None)
        assert load(again / "checkpoint.safetensors")[1]["step"] == 12
        ballast.unlink()
        assert run_toy(again, *SHORT).ended == "done"
        assert_equal(again, short)


def test_rows_that_do_not_fit_are_told_once_and_leave_no_halves(tmp_path: Path) -> None:
    told: list[str] = []
    with small_disk(tmp_path / "disk", "32k") as disk:
        journal = Journal(disk, tell=told.append)
        for step in range(2000):
            journal.validation(step, {"error": step / 7})
        troubles = [line for line in told if "free space" in line]
        assert len(troubles) == 1
        assert_sentence(troubles[0])
        remount(disk, "size=1m")
        journal.validation(2000, {"error": 0.5, "late": 1.0})
        journal.close()
        rows = read_rows(disk / "validation.csv")
        steps = [int(row["step"]) for row in rows]
        assert steps == sorted(set(steps)) and steps[:100] == list(range(100)) and steps[-1] == 2000
        assert rows[-1]["late"] == "1.0" and all(None not in row.values() for row in rows)


def test_a_step_that_is_not_a_number_spoils_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_toy(tmp_path, "wrong=[10, 13]").ended == "done"
    state = weights(tmp_path)
    assert all(value.isfinite().all() for value in state.values())
    assert state["network.body.seen"] == 60 - 3 + 45, "the judge's turns hear the body too"
    assert state["optimiser.main.body.layers.0.weight.step"] == 60 - 3
    assert capsys.readouterr().err.count("no finite gradient") == 1


def test_a_run_without_numbers_ends(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="lower optimiser.rates.peak"):
        run_toy(tmp_path, "wrong=[10, 100]")
    assert load(tmp_path / "checkpoint.safetensors")[1]["step"] < 40


def test_another_recipe_is_refused_by_its_keys(tmp_path: Path) -> None:
    run_toy(tmp_path, "budget.steps=2")
    with pytest.raises(RunError, match=r"batch, optimiser.rates.peak differ") as caught:
        run_toy(tmp_path, "batch=4", "optimiser.rates.peak=0.1", "machine.threads=2")
    assert_sentence(str(caught.value))
    assert run_toy(tmp_path, "budget.steps=3", "keeping.save_seconds=5").steps == 3
    assert run_toy(tmp_path, "budget.steps=2", "batch=4", fresh=True).steps == 2
    (tmp_path / "recipe.yaml").write_text("command: vocoder\n")
    with pytest.raises(RunError, match="holds a run of 'vocoder', not of 'toy'"):
        run_toy(tmp_path)


def test_another_frozen_part_is_refused(tmp_path: Path) -> None:
    run_toy(tmp_path, "budget.steps=2")
    recipe = ToyRecipe()

    def make(fabric: object) -> Toy:
        toy = Toy(recipe)
        nn.init.zeros_(toy.frozen["ear"].bias)  # type: ignore[arg-type]
        return toy

    with pytest.raises(RunError, match="around another ear"):
        train(make, recipe, tmp_path)


def test_what_a_run_stands_on_is_kept_and_others_are_refused(tmp_path: Path) -> None:
    recipe = read_recipe(None, ToyRecipe, ["budget.steps=2"])

    def make(base: str):  # type: ignore[no-untyped-def]
        toy = Toy(recipe)
        toy.identity = {"base": base, "data": "one"}  # type: ignore[attr-defined]
        return lambda fabric: toy

    train(make("a"), recipe, tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["identity"] == {"base": "a", "data": "one"}
    with pytest.raises(RunError, match="whose base was different") as caught:
        train(make("b"), recipe, tmp_path)
    assert_sentence(str(caught.value).replace("; ", ", "))
    assert train(make("b"), recipe, tmp_path, fresh=True).steps == 2


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    with held(tmp_path):
        with pytest.raises(RunError, match="Another process trains in") as caught:
            run_toy(tmp_path, "budget.steps=2")
    assert_sentence(str(caught.value))
    assert run_toy(tmp_path, "budget.steps=2").steps == 2


def test_a_trained_tensor_without_a_turn_is_refused(tmp_path: Path) -> None:
    recipe = ToyRecipe()

    def make(fabric: object) -> Toy:
        toy = Toy(recipe)
        toy.networks["more"] = nn.Linear(1, 1)
        return toy

    with pytest.raises(RunError, match=r"No turn trains more.weight"):
        train(make, recipe, tmp_path)


@pytest.mark.parametrize(("better", "step"), [("lower", 60), ("higher", 0)])
def test_the_best_follows_the_criterion(tmp_path: Path, better: str, step: int) -> None:
    outcome = run_toy(tmp_path, f"better={better}", "keeping.listen.steps=30")
    assert outcome.best["step"] == step
    best = load(tmp_path / "best.safetensors")[0]
    out = load_file(tmp_path / "body.safetensors")
    assert torch.equal(out["layers.0.weight"], best["average.body.layers.0.weight"])
    assert (tmp_path / "listening" / "step-0000030" / "heard.txt").exists()


def test_patience_ends_a_run(tmp_path: Path) -> None:
    outcome = run_toy(tmp_path, "better=higher", "keeping.patience=2", "keeping.validate.steps=5")
    assert (outcome.ended, outcome.steps) == ("patience", 10)


def test_a_plateau_halves_the_rate(tmp_path: Path) -> None:
    run_toy(tmp_path, "better=higher", "optimiser.rates.schedule=plateau", "keeping.validate.steps=5")
    rates = [float(row["rate"]) for row in read_rows(tmp_path / "train.csv")]
    assert rates[2] < 0.6 * rates[1] and rates[2] >= 0.05 / 16


def test_lower_precision_learns_too(tmp_path: Path) -> None:
    run_toy(tmp_path, "machine.precision=bf16-mixed")
    judged = read_rows(tmp_path / "validation.csv")
    assert float(judged[-1]["error"]) < 0.3 * float(judged[0]["error"])
    assert all(value.isfinite().all() for value in weights(tmp_path).values())


def test_minutes_become_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One second a step, whatever this machine does; twice as slow after a break, the plan stays and the box holds."""

    class Steady:
        now, tick = 0.0, 1.0

        def monotonic(self) -> float:
            self.now += self.tick
            return self.now

    clock = Steady()
    monkeypatch.setattr(budget, "time", clock)
    stop = lambda index: os.kill(os.getpid(), signal.SIGTERM) if index == 40 else None  # noqa: E731
    assert run_toy(tmp_path, "budget.minutes=1.5", at_step=stop).ended == "paused"
    facts = load(tmp_path / "checkpoint.safetensors")[1]
    assert facts["planned"] == pytest.approx(90, abs=2)
    clock.tick = 2.0
    outcome = run_toy(tmp_path, "budget.minutes=1.5")
    assert outcome.ended == "done" and 60 <= outcome.steps <= 68


def test_small_gradients_move_weights_as_fast_as_large_ones() -> None:
    moved = []
    for scale in (1.0, 1e-6):
        weight = nn.Parameter(torch.zeros(4))
        told = Optimiser(rates=Rates(peak=1e-2))
        turn = Turn("main", [Group(("x",))], {"x": weight}, told)
        for step in range(20):
            turn.begin(1e-2)
            weight.grad = scale * 1e-3 * torch.randn(4, generator=torch.Generator().manual_seed(step))
            turn.optimiser.step()
        moved.append(weight.detach())
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-2, atol=1e-5)


def test_the_clock_tells_what_is_left() -> None:
    clock = budget.Clock(budget.Budget(steps=100))
    for step in range(1, 31):
        clock.tick(step, float(step))
    assert clock.left(30) == pytest.approx(70.0) and clock.done(30) == 0.3
    assert time.monotonic() > 0


def test_more_processes_than_rows_are_refused_before_anything_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without a row has no losses: the others would wait for it at the first row of figures."""
    monkeypatch.setattr(loop, "launched", lambda machine: SimpleNamespace(world_size=16, is_global_zero=True))
    with pytest.raises(RunError, match="A batch of 8 has no row for each of 16 processes") as caught:
        run_toy(tmp_path / "run")
    assert_sentence(str(caught.value).replace("; ", ", "))
    assert not (tmp_path / "run").exists()


def test_what_the_first_process_refuses_all_refuse() -> None:
    """Were it alone in that, the others would wait for it for ever."""
    said: list[str | None] = []

    def refuse() -> None:
        raise RunError("The disk is full.")

    def fabric(first: bool) -> SimpleNamespace:
        def send(value: str | None, src: int) -> str | None:
            if first:
                said.append(value)
            return said[-1]

        return SimpleNamespace(is_global_zero=first, world_size=2, broadcast=send)

    for first in (True, False):
        with pytest.raises(RunError, match="The disk is full"):
            in_first_process(fabric(first), refuse)  # type: ignore[arg-type]
    for first in (True, False):
        in_first_process(fabric(first), lambda: None)  # type: ignore[arg-type]
    assert said == ["The disk is full.", None]


def test_a_run_that_has_ended_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for changes, ended in (
        (("budget.steps=20",), "done"),
        (("better=higher", "keeping.patience=2", "keeping.validate.steps=5"), "patience"),
    ):
        folder = tmp_path / ended
        first = run_toy(folder, *changes)
        names = ("validation.csv", "run.json", "body.safetensors", "checkpoint.safetensors")
        before = {name: (folder / name).stat().st_mtime_ns for name in names}
        again = run_toy(folder, *changes)
        assert (again.ended, again.steps, again.best) == (ended, first.steps, first.best)
        assert {name: (folder / name).stat().st_mtime_ns for name in names} == before
    (folder / "body.safetensors").unlink()
    assert run_toy(folder, *changes).ended == "patience" and (folder / "body.safetensors").exists()
    assert run_toy(tmp_path / "done", "budget.steps=22").steps == 22


def test_the_first_row_of_a_sitting_is_a_mean_too(whole: Path, tmp_path: Path) -> None:
    stop = lambda index: os.kill(os.getpid(), signal.SIGTERM) if index == 29 else None  # noqa: E731
    assert run_toy(tmp_path, at_step=stop).steps == 30
    losses: list[float] = []
    recipe = ToyRecipe()

    class Noted(Toy):
        def step(self, turn: str, step: object) -> Mapping[str, torch.Tensor]:
            found = super().step(turn, step)  # type: ignore[arg-type]
            losses.extend(float(value) for name, value in found.items() if name == "main_loss")
            return found

    train(lambda fabric: Noted(recipe), recipe, tmp_path)
    row = next(row for row in read_rows(tmp_path / "train.csv") if row["step"] == "40")
    assert float(row["main_loss"]) == pytest.approx(sum(losses[:10]) / 10)


def test_preparing_can_be_broken_off_and_counts_in_a_sitting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(None, ToyRecipe, ["budget.max_hours=1", "budget.steps=5"])

    def asked(fabric: object) -> Toy:
        os.kill(os.getpid(), signal.SIGINT)
        return Toy(recipe)

    # What was started in the background may have been told to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(asked, recipe, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(budget, "time", clock)

    def slow(fabric: object) -> Toy:
        clock.now += 2 * 3600.0
        return Toy(recipe)

    outcome = train(slow, recipe, tmp_path)
    assert (outcome.steps, outcome.ended) == (1, "paused")
    assert load(tmp_path / "checkpoint.safetensors")[1]["spent"] == 0.0, "what is prepared is not trained"


def full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A disk that takes no best weights while the list says so."""
    from training import best

    real, says_no = best.save, [True]

    def save(path: Path, *more: object) -> None:
        if says_no[0]:
            raise RunError(f"{path} cannot be written (No space left on device); free space there.")
        real(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(best, "save", save)
    return says_no


def test_what_the_disk_did_not_take_is_not_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says_no = full(tmp_path, monkeypatch)
    says_no[0] = False

    def at_step(index: int) -> None:
        says_no[0] = index >= 20

    outcome = run_toy(tmp_path, at_step=at_step)
    tensors, facts = load(tmp_path / "best.safetensors")
    assert outcome.best == facts["best"] and outcome.best["step"] == 20
    out = load_file(tmp_path / "body.safetensors")
    assert torch.equal(out["layers.0.weight"], tensors["average.body.layers.0.weight"])
    assert json.loads((tmp_path / "run.json").read_text())["best"] == outcome.best


def test_the_best_is_what_its_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed between the best's two renames, or after them and before the next checkpoint."""
    stop = lambda index: os.kill(os.getpid(), signal.SIGTERM) if index == 24 else None  # noqa: E731
    for name, changes in (("renames", ("better=higher",)), ("checkpoint", ())):
        assert run_toy(tmp_path / name, "budget.steps=40", *changes, at_step=stop).ended == "paused"
    path = tmp_path / "renames" / "best.safetensors"
    path.rename(previous_of(path))
    assert run_toy(path.parent, "better=higher", "budget.steps=40").best["step"] == 0
    assert "goes on from best.previous.safetensors" in capsys.readouterr().err
    assert_best_came_out(path.parent, previous_of(path))

    path = tmp_path / "checkpoint" / "best.safetensors"
    tensors, facts = load(path)
    assert facts["best"]["step"] == 20
    loop.save(path, tensors, {"best": {"error": 1e-9, "step": 20.0}})
    tensors, facts = load(path.with_name("checkpoint.safetensors"))
    facts["best"] = {"error": 1e9, "step": 0.0}
    loop.save(path.with_name("checkpoint.safetensors"), tensors, facts)
    assert run_toy(path.parent, "budget.steps=40").best == {"error": 1e-9, "step": 20.0}
    assert_best_came_out(path.parent, path)


def assert_best_came_out(folder: Path, best: Path) -> None:
    out = load_file(folder / "body.safetensors")
    assert torch.equal(out["layers.0.weight"], load_file(best)["average.body.layers.0.weight"])


def test_weights_that_are_gone_are_not_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = lambda index: (tmp_path / "best.safetensors").unlink() if index == 25 else None  # noqa: E731
    outcome = run_toy(tmp_path, "better=higher", "budget.steps=30", at_step=lost)
    assert outcome.best["step"] == 30 and "the last ones come out" in capsys.readouterr().err
    average = load(tmp_path / "checkpoint.safetensors")[0]["average.body.layers.0.weight"]
    assert torch.equal(load_file(tmp_path / "body.safetensors")["layers.0.weight"], average)


def test_examples_that_do_not_fit_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """libsndfile says that a disk is full in ways of its own, which ended the run."""
    from training.listening import write_example

    recipe = read_recipe(None, ToyRecipe, ["budget.steps=6", "keeping.listen.steps=2"])
    with small_disk(tmp_path / "disk", "500k") as disk:

        class Heard(Toy):
            def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
                write_example(folder / "clip.wav", torch.rand(300_000).numpy(), 48000)

        assert train(lambda fabric: Heard(recipe), recipe, disk).ended == "done"
    told = [line for line in capsys.readouterr().err.splitlines() if "free space" in line]
    assert len(told) == 1, told
