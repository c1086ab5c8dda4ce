"""What a preset from a folder is made of: the run's weights in the shares that were chosen, begun anew, told wrongly."""

from __future__ import annotations

import shutil
from pathlib import Path

import parts
import pytest
import torch
from data_sets import burst, put
from safetensors.torch import load_file
from tiny import assert_sentence, make_tiny_preset

parts.package("lightning_fabric")  # of the extra [training]

from preset_program import SMALLER, run  # noqa: E402

from training.cli import main  # noqa: E402
from training.data.store import Store  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.export import export  # noqa: E402
from training.preset.choosing import Choice  # noqa: E402
from training.preset.examples import TimeUp, within  # noqa: E402
from training.preset.recipe import PresetRecipe  # noqa: E402
from training.preset.trial import parts_of  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from vocaldm_live.checkpoints.preset import read_preset  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base `tiny`, sounds, and a run whose every network was trained."""
    folder = tmp_path_factory.mktemp("place")
    make_tiny_preset(folder, "tiny")
    for number in range(5):
        put(folder / "sounds" / f"{number}.wav", burst(number, 0.4, 16000))
    changes = ("method=full", "voices=2", "optimiser.rates.warmup=0")
    assert run("nowhere", folder / "sounds", folder / "tiny", folder / "run", folder / "to", *changes) == 0
    return folder


def state(folder: Path, part: str) -> dict[str, torch.Tensor]:
    preset = read_preset(folder)
    return load_file(folder / preset.header.parts.with_weights()[part].file)


def test_all_of_the_unet_may_learn(place: Path) -> None:
    """The run trains the adapter too, which had been aimed before: the one that it trained is the one that belongs."""
    trained = load_file(place / "run" / "train" / "adapter.safetensors")
    aimed = load_file(place / "run" / "aim" / "adapter.safetensors")
    assert any(not torch.equal(trained[name], aimed[name]) for name in trained)
    made = state(place / "to" / "mine", "adapter")
    base = state(place / "tiny", "adapter")
    share = read_preset(place / "to" / "mine").header.training["shares"]["adapter"]
    assert share > 0
    for name, value in trained.items():
        if value.is_floating_point():
            wanted = torch.lerp(base[name].float(), value.float(), share)
            torch.testing.assert_close(made[name].float(), wanted, atol=2e-3, rtol=2e-3)


def test_every_trained_tensor_goes_so_far_as_was_chosen(place: Path) -> None:
    base, run_folder = read_preset(place / "tiny"), place / "run"
    before, after = state(place / "tiny", "unet"), load_file(run_folder / "train" / "unet.safetensors")
    assert any(not torch.equal(before[name], value) for name, value in after.items())
    half = parts_of(base, run_folder, Choice(0.5, 1.0))["unet"].state
    for name, value in after.items():
        wanted = torch.lerp(before[name].to(value), value, 0.5) if value.is_floating_point() else value
        torch.testing.assert_close(half[name], wanted, msg=name)
    assert set(parts_of(base, run_folder, Choice(0.0, 1.0))) == {"adapter"}
    whole = export(base, parts_of(base, run_folder, Choice()), "whole", place / "whole")
    stored = state(whole.preset.folder, "unet")
    for name, value in after.items():
        assert torch.equal(stored[name], value.to(stored[name].dtype)), name


def test_as_many_voices_as_were_told_imitate_each_example(place: Path) -> None:
    assert len(Store(place / "run" / "cache", "voice", "1")) == 2 * 12


def test_fresh_learns_anew(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--fresh` took a finished training up again where the sounds were the same, and refused others."""
    for module, values in SMALLER:
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.copytree(place / "sounds", tmp_path / "sounds")
    put(tmp_path / "sounds" / "more.wav", burst(9, 0.4, 16000))
    fixed = [
        "machine.workers=1",
        "machine.accelerator=cpu",
        "machine.threads=1",
        "examples=6",
        "batch=2",
        "gestures=3",
        "bank=1",
    ]
    words = [
        "preset",
        "--sounds",
        tmp_path / "sounds",
        "--name",
        "mine",
        "--base",
        place / "tiny",
        "--steps",
        2,
    ]
    words += ["--out", tmp_path / "run", "--to", tmp_path / "to", "--fresh"]
    words += [word for change in fixed for word in ("--set", change)]
    assert main([str(word) for word in words]) == 0
    told = read_preset(tmp_path / "to" / "mine").header.training
    assert told["data"]["items"] == 6
    trained = load_file(tmp_path / "run" / "train" / "unet.safetensors")
    before = load_file(place / "run" / "train" / "unet.safetensors")
    assert any(not torch.equal(trained[name], before[name]) for name in trained)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("machine.devices=2", "one process"),
        ("machine.nodes=2", "one process"),
        ("data.split=given", "split in three"),
    ],
)
def test_what_a_preset_cannot_be_told(change: str, wanted: str) -> None:
    with pytest.raises(RecipeError, match=wanted) as caught:
        read_recipe(None, PresetRecipe, ["data.source=here", "name=mine", change])
    assert_sentence(str(caught.value))


def test_a_preset_does_not_replace_its_base(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was told only when all minutes were spent."""
    words = [
        "preset",
        "--sounds",
        place / "sounds",
        "--name",
        "tiny",
        "--base",
        place / "tiny",
        "--to",
        place,
    ]
    assert main([str(word) for word in (*words, "--out", tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "replace its own base" in said and not (tmp_path / "run").exists()
    assert_sentence(said)


def test_when_time_is_up_what_is_there_counts() -> None:
    """A run that went on with no time left for voices kept one example of the hundreds that lay in its cache."""
    told = within(0.0, lambda what, done, whole: None)
    told("encoding", 1, 9)
    with pytest.raises(TimeUp) as caught:
        told("imitating", 1, 20)
    assert caught.value.missing == 19
