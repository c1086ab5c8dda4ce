"""A run's folder: what a start that fails leaves there, and what one that begins anew takes away."""

from __future__ import annotations

from pathlib import Path

import parts
import pytest

parts.package("lightning_fabric")  # of the extra [training]

from train_toys import Toy, ToyRecipe, run_toy  # noqa: E402

from training.errors import RunError  # noqa: E402
from training.loop import train  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.runfolder import begin_run  # noqa: E402


def failing(fabric: object) -> Toy:
    raise RunError("The data are not there; name others.")


def test_a_start_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    recipe = read_recipe(None, ToyRecipe, ["budget.steps=2"])
    with pytest.raises(RunError, match="data are not there"):
        train(failing, recipe, tmp_path)
    assert not (tmp_path / "recipe.yaml").exists(), "no run was begun, so another command may begin one"
    (tmp_path / "recipe.yaml").write_text("command: vocoder\n")
    run_toy(tmp_path, "budget.steps=2")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RunError, match="data are not there"):
        train(failing, recipe, tmp_path, fresh=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_fresh_run_leaves_no_weights_of_the_old_one(tmp_path: Path) -> None:
    """They would be exported with the new run's story."""
    run_toy(tmp_path, "budget.steps=2")
    names = ("adapter.safetensors", "unet.safetensors", "vocoder.yaml", "best.previous.safetensors")
    heard, mine = tmp_path / "listening" / "step-0000040", ("mine.wav", "listening/mine.wav")
    heard.mkdir(parents=True)
    for name in (*names, *mine):
        (tmp_path / name).write_bytes(b"old")
    for name in ("clip-0.wav", "nearest.tsv"):
        (heard / name).write_bytes(b"old")
    run_toy(tmp_path, "budget.steps=1", fresh=True)
    assert [name for name in (*names, *mine) if (tmp_path / name).exists()] == [*mine]
    assert not heard.exists(), "clips of step 40 of another run"


def test_a_fresh_run_takes_nothing_away_that_no_run_wrote(tmp_path: Path) -> None:
    """A preset's folder, named as --out by mistake, keeps its weights."""
    for name in ("preset.yaml", "unet.safetensors", "encoder.safetensors"):
        (tmp_path / name).write_text("mine")
    begin_run(tmp_path, ToyRecipe(), fresh=True)
    assert all((tmp_path / f"{name}.safetensors").read_text() == "mine" for name in ("unet", "encoder"))


def test_a_fresh_diffusion_run_takes_its_old_preset_away(tmp_path: Path) -> None:
    preset = tmp_path / "old"
    preset.mkdir()
    for name in ("preset.yaml", "unet.safetensors", "notes.txt"):
        (preset / name).write_text("old")
    (tmp_path / "recipe.yaml").write_text("command: ldm\npreset: old\n")
    (tmp_path / "run.json").write_text("{}")
    begin_run(tmp_path, ToyRecipe(), fresh=True)
    assert [path.name for path in preset.iterdir()] == ["notes.txt"]
