"""`vocaldm-train`: the same rules as `vocaldm`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import parts
import pytest
from typer.main import get_command

from training.cli import app, main
from training.commands.run_options import OPTIONS, RunOptions
from training.recipe import Budget, Optimiser, Rates, Recipe, Strict
from vocaldm_live import __version__


class Source(Strict):
    source: str


class Told(Recipe):
    command: str = "told"
    data: Source
    budget: Budget
    optimiser: Optimiser = Optimiser(rates=Rates(peak=1e-3))


def test_help_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys\nfrom training.cli import main\nassert main(['--help']) == 0\n"
        "print(sorted({'torch', 'lightning_fabric', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "vocaldm-train" in said
    assert said.splitlines()[-1] == "[]"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "training", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"vocaldm-train {__version__}\n"


def test_an_unknown_command_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err == "No such command 'nonsense' (see `vocaldm-train --help`).\n"


def test_data_may_be_called_anything() -> None:
    """A folder's name is text, whatever YAML would make of it."""
    for name in ("2024", "a: b #c", "null", "\udcff.d", "\U0001f3a4 sounds", "drums\u00e9 " * 40):
        told = RunOptions(data=name, steps=1).read(Told)
        assert (told.data.source, told.budget.steps) == (name, 1)


def test_options_count_more_than_set_and_set_more_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "command: told\ndata: {source: filed}\nbudget: {steps: 1}\nseed: 7\n"
    )
    (tmp_path / "run.json").write_text("{}")
    options = RunOptions(out=tmp_path, changes=["data.source=set", "budget.steps=2"], steps=3)
    told = options.read(Told, {"seed": None})
    assert (told.data.source, told.budget.steps, told.seed) == ("set", 3, 7)


def test_a_run_whose_start_failed_leaves_no_values(tmp_path: Path) -> None:
    """Only a run that was begun goes on by its recipe; what a mistaken command said is not said again."""
    (tmp_path / "recipe.yaml").write_text("command: told\nseed: 7\n")
    options = RunOptions(out=tmp_path, data="here", steps=1)
    assert options.read(Told).seed == 1
    (tmp_path / "preset.json").write_text('{"done": {}}')
    assert options.read(Told).seed == 1
    (tmp_path / "preset.json").write_text('{"done": {"index": {}}}')
    assert options.read(Told).seed == 7
    (tmp_path / "preset.json").unlink()
    (tmp_path / "run.json").write_text("{}")
    assert options.read(Told).seed == 7
    assert replace(options, fresh=True).read(Told).seed == 1, "what begins anew begins with the defaults"
    assert replace(options, fresh=True, recipe=tmp_path / "recipe.yaml").read(Told).seed == 7


def test_only_the_first_process_exports_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts.package("lightning_fabric")
    from training import taught
    from training.trainer import Outcome

    exported: list[str] = []
    monkeypatch.setattr(taught, "export_taught", lambda told, run, name, to: exported.append(name))
    for first in (False, True):
        ended = Outcome(1, "done", {}, tmp_path, first)
        monkeypatch.setattr(taught, "run_distillation", lambda *given, ended=ended: ended)
        monkeypatch.setattr("training.commands.export.say_exported", lambda found: None)
        options = ["--out", str(tmp_path), "--data", "x", "--base", "y", "--name", "few", "--steps", "1"]
        assert main(["distill", *options]) == 0
        assert exported == ["few"] * first
        assert ("The run is done" in capsys.readouterr().err) == first


def test_all_commands_that_train_take_the_run_options() -> None:
    """`preset` alone names its data otherwise, and is one process's."""
    for name in ("qvim", "align", "vocaldm", "vae", "vocoder", "ldm", "distill", "preset"):
        taken = {one.name for one in get_command(app).commands[name].params}  # type: ignore[attr-defined]
        missing = set(OPTIONS) - taken
        assert missing == ({"data", "devices", "nodes"} if name == "preset" else set()), name
