"""`vocaldm-train qvim`: it learns to find sounds by voices, whoever computes it and whenever it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from hearing_toys import RATE, ToyTowers, changes, pairs, run_qvim, sound
from tiny import assert_sentence

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file, save_file  # noqa: E402

from training.errors import DataError, RecipeError  # noqa: E402
from training.journal import read_rows  # noqa: E402
from vocaldm_live.model.encoder import Encoder  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).resolve().parent / "hearing_toys.py"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pairs")
    return pairs(folder / "train", 0, 32, takes=2), pairs(folder / "held", 100, 16)


@pytest.fixture(scope="module")
def trained(sets: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("qvim")
    outcome = run_qvim(out, changes(*sets, "budget.steps=60", "audio.kinds=[]"))
    assert outcome.ended == "done"
    return out


@pytest.mark.slow
def test_it_learns_to_find_held_out_sounds(trained: Path) -> None:
    judged = [
        {name: float(value) for name, value in row.items() if value}
        for row in read_rows(trained / "validation.csv")
    ]
    assert max(row["mrr"] for row in judged) >= 3.0 * judged[0]["chance_mrr"]
    losses = [float(row["loss"]) for row in read_rows(trained / "train.csv")]
    assert losses[-1] < 0.6 * losses[0]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from training.checkpoint import load

    return load(folder / "checkpoint.safetensors")[0] | load_file(folder / "encoder.safetensors")


QUICK = ("budget.steps=12", "batch=6", "keeping.validate.steps=6", "voices.seconds=0.5")


@pytest.mark.slow
def test_a_killed_run_goes_on_as_an_unbroken_one(sets: tuple[Path, Path], tmp_path: Path) -> None:
    given = changes(*sets, *QUICK, "budget.steps=6", "keeping.validate.steps=3")
    run_qvim(tmp_path / "whole", given, normed=True)
    command = [sys.executable, str(PROGRAM), "qvim", str(tmp_path / "killed"), "4", *given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL.value, done.stderr
    assert not (tmp_path / "killed" / "encoder.safetensors").exists()
    assert run_qvim(tmp_path / "killed", given, normed=True).steps == 6
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert one.keys() == other.keys() and any("running" in name for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("triplet.weight=0.5", "train_tau=true", "family_share=0.3")])
def test_micro_batches_are_the_same_run(
    sets: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    found = []
    for name, size in (("whole", "null"), ("small", "2")):
        told = ("budget.steps=4", "batch_norm=frozen", f"machine.micro_batch={size}")
        given = changes(*sets, *QUICK, *told, *more)
        run_qvim(tmp_path / name, given, normed=True)
        found.append(weights(tmp_path / name))
    # Adam divides by the gradient's own size, so what is rounding there is more here.
    moved = max(
        float((found[0][name] - found[1][name]).abs().max()) for name in found[0] if "tau" not in name
    )
    assert moved < 1e-3
    losses = [float(read_rows(tmp_path / name / "validation.csv")[-1]["mrr"]) for name in ("whole", "small")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.slow
def test_two_processes_are_the_same_run(sets: tuple[Path, Path], tmp_path: Path) -> None:
    given = changes(
        *sets, *QUICK, "budget.steps=4", "batch=5", "batch_norm=frozen", "train_tau=true", "audio.kinds=[]"
    )
    run_qvim(tmp_path / "one", given, normed=True)
    command = [sys.executable, str(PROGRAM), "qvim", str(tmp_path / "two"), "-1", *given, "machine.devices=2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [read_rows(tmp_path / name / "validation.csv")[-1] for name in ("one", "two")]
    assert float(rows[0]["ndcg"]) == pytest.approx(float(rows[1]["ndcg"]), abs=1e-5)
    one, other = weights(tmp_path / "one"), weights(tmp_path / "two")
    moments = [name for name in one if name.endswith("exp_avg")]
    assert any("tau" in name for name in moments)
    for name in moments:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.slow
def test_it_begins_with_weights_that_the_user_has(tmp_path: Path) -> None:
    """The first alignment rebuilt the encoder without its SE modules and loaded the rest loosely: half stayed random."""
    from training.towers import open_towers

    torch.manual_seed(5)
    tower = Encoder(classifier=True, shared=True).imitation_encoder
    torch.save(tower.state_dict(), tmp_path / "mn10_as.pt")
    for number in ("two", "shared"):
        found = open_towers(number, str(tmp_path / "mn10_as.pt"))  # type: ignore[arg-type]
        for side in (found.imitation_encoder, found.reference_encoder):
            state, wanted = side.state_dict(), tower.state_dict()
            assert sum(".conc_se_layers." in name for name in state) == 8 * 4
            assert all(torch.equal(state[name], wanted[name]) for name in state)
    two = Encoder(classifier=False)
    with torch.no_grad():
        two.reference_encoder.features[0][0].weight.add_(1.0)  # type: ignore[index, union-attr]
    save_file(two.state_dict(), tmp_path / "encoder.safetensors")
    again = open_towers("two", str(tmp_path / "encoder.safetensors"))
    assert all(torch.equal(again.state_dict()[name], value) for name, value in two.state_dict().items())
    with pytest.raises(RecipeError) as caught:
        open_towers("shared", str(tmp_path / "encoder.safetensors"))
    assert_sentence(str(caught.value))


def test_bad_sounds_are_told_and_left_out(
    sets: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    data = pairs(tmp_path / "data", 0, 6)
    (data / "001_reference.wav").write_bytes(b"RIFF....WAVE")
    soundfile.write(data / "002_imitation_0.wav", np.zeros(4000), RATE)
    soundfile.write(data / "003_imitation_0.wav", np.array([0.3]), RATE)
    soundfile.write(data / "004_imitation_0.wav", sound(4, True), 48000)
    with open(data / "005_imitation_0.wav", "r+b") as file:
        file.truncate(100)
    run_qvim(
        tmp_path / "run", changes(data, sets[1], *QUICK, "budget.steps=2", f"cache={tmp_path / 'cache'}")
    )
    told = [
        line for line in capfd.readouterr().err.splitlines() if "_imitation_" in line or "_reference" in line
    ]
    assert any("001_reference" in line for line in told) and any("002_imitation" in line for line in told)
    for line in told:
        assert_sentence(line)


def test_what_is_judged_by_is_not_trained_on(sets: tuple[Path, Path], tmp_path: Path) -> None:
    """Splits by pair had every sound on both sides: here a renamed copy is found, and groups stay together."""
    data = pairs(tmp_path / "data", 0, 6)
    copy = tmp_path / "other"
    copy.mkdir()
    for name in ("000", "100"):
        source = (data if name == "000" else sets[1]) / f"{name}_reference.wav"
        (copy / f"a{name}_reference.wav").write_bytes(source.read_bytes())
        other = source.with_name(f"{name}_imitation_0.wav")
        (copy / f"a{name}_imitation_0.wav").write_bytes(other.read_bytes())
    with pytest.raises(DataError) as caught:
        run_qvim(tmp_path / "run", changes(data, copy, *QUICK))
    assert "a000_reference.wav" in str(caught.value)
    assert_sentence(str(caught.value))
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (empty, pairs(tmp_path / "one", 0, 1)):
        with pytest.raises(DataError) as caught:
            run_qvim(tmp_path / "run", changes(place, sets[1], *QUICK))
        assert_sentence(str(caught.value))


def test_voices_are_rendered_where_none_were_recorded(tmp_path: Path) -> None:
    import soundfile

    from training.data.pairs import Voices, open_pairs
    from training.data.spec import DataSpec

    for number in range(8):
        (tmp_path / "sounds").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", sound(number), RATE)
    told: list[str] = []
    spec, voices = DataSpec(source=str(tmp_path / "sounds"), held_out=0.3), Voices(takes=2)
    train, bank = open_pairs(spec, voices, tmp_path / "cache", 1, told.append)
    assert not told and len(train.sounds) + len(bank.sounds) == 8 and not set(train.names) & set(bank.names)
    assert len(train) == 2 * len(train.sounds) and train.aligned
    first = train.imitation(0)
    assert np.abs(first).max() > 1e-3 and abs(len(first) - len(train.sound(int(train.of[0])))) < 400
    again, _ = open_pairs(spec, voices, tmp_path / "cache", 1, told.append)
    other, _ = open_pairs(spec, voices, tmp_path / "new", 1, told.append)
    for each in (again, other):
        np.testing.assert_array_equal(each.imitation(0), first)
    assert train.digest() == again.digest() == other.digest()


def test_the_houses_shards_are_pairs(tmp_path: Path) -> None:
    from training.data.mel_pairs import open_mel_pairs
    from training.dataset import ARRAYS
    from training.recipe_file import read_recipe
    from training.trainers.qvim import QVIMRecipe

    def shards(folder: Path, names: list[tuple[str, str]]) -> Path:
        folder.mkdir()
        draw = np.random.default_rng(len(names))
        arrays = {name: np.zeros((len(names), 1), np.float16) for name in ARRAYS}
        base = draw.normal(-1.0, 0.4, (len(names), 128, 1))
        for name in ("imitation", "reference"):
            arrays[name] = (base + draw.normal(0, 0.1, (len(names), 128, 64))).astype(np.float16)
        told = {key: json.dumps([each[at] for each in names]) for at, key in enumerate(("family", "source"))}
        np.savez(folder / "shard-00000.npz", **told, **arrays)
        return folder

    names = [("real", "a.wav"), ("real", "a.wav"), ("rain", "rain"), ("rain", "rain"), ("bell", "bell")]
    train = shards(tmp_path / "train", names * 2)
    held = shards(tmp_path / "held", [("gong", "gong"), ("real", "b.wav"), ("gong", "gong")])
    pairs_, bank = open_mel_pairs(train, held, 0.1, None)
    sames, families = pairs_.sames, pairs_.families
    assert sames[0] == sames[1] == sames[5] and len(set(sames[[2, 3, 4, 7]])) == 4
    assert families[0] == -1 and families[2] == families[3] != families[4]
    assert len(bank) == 3 and len(bank.thinned(2)) == 2
    with pytest.raises(DataError):
        open_mel_pairs(train, train, 0.1, None)
    apart = open_mel_pairs(train, None, 0.3, None)
    assert not set(apart[0].data.source) & set(apart[1].data.source)

    house = ["family_share=0.35", "crop=[32, 48]", "batch=8", "budget.steps=40"]
    run_qvim(tmp_path / "run", [*changes(train, held), *house, "audio.kinds=[]", "keeping.validate.steps=20"])
    judged = [float(row["mrr"]) for row in read_rows(tmp_path / "run" / "validation.csv")]
    losses = [float(row["loss"]) for row in read_rows(tmp_path / "run" / "train.csv")]
    assert len(judged) == 3 and losses[-1] < 0.7 * losses[0]
    recipe = read_recipe(ROOT / "training" / "recipes" / "house-encoder.yaml", QVIMRecipe)
    assert recipe.family_share == 0.35 and recipe.crop == (96, 128, 192) and recipe.settle == 24
    assert read_recipe(ROOT / "training" / "recipes" / "qvim.yaml", QVIMRecipe).start == "mn10_as_mAP_471.pt"


@pytest.mark.slow
def test_the_command_trains_an_encoder_that_a_preset_plays(
    sets: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli_helpers import run
    from tiny import make_tiny_preset

    from training.cli import main

    given = changes(*sets, "batch=2", "settle=1", "bank=2", "keeping.validate.steps=2", "crop=[32]")[1:]
    command = ["qvim", "--data", str(sets[0]), "--out", str(tmp_path / "run"), "--steps", "2"]
    make_tiny_preset(tmp_path, "small")
    shared = ["--start", str(tmp_path / "small"), "--set", "towers=shared"]
    assert main([*command, *shared, *(part for change in given for part in ("--set", change))]) == 0
    assert main(["export", "--base", str(tmp_path / "small"), "--encoder", str(tmp_path / "run"),
                 "--name", "mine", "--to", str(tmp_path)]) == 0  # fmt: skip
    preset = tmp_path / "mine"
    capsys.readouterr()
    said = run(capsys, "library", "evaluate", sets[1], "--preset", preset, "--limit", 2, "--json")
    assert said.code == 0, said.err
    assert said.objects[0]["methods"]["encoder"]["queries"] == 2
    assert main([*command[:3], str(tmp_path / "none"), *command[3:]]) == 2


@pytest.mark.slow
def test_the_real_towers_train_and_their_statistics_settle(sets: tuple[Path, Path], tmp_path: Path) -> None:
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.qvim import QVIMRecipe, QVIMTrainer

    more = ("batch=6", "crop=[32]", "audio.kinds=[]", "bank=4", "keeping.validate.steps=4", "towers=shared")
    told = read_recipe(None, QVIMRecipe, changes(*sets, "budget.steps=4", *more))
    before: dict[str, torch.Tensor] = {}

    def make(fabric: object) -> QVIMTrainer:
        trainer = QVIMTrainer(told, torch.device("cpu"), tmp_path)
        before.update({name: value.clone() for name, value in trainer.towers.state_dict().items()})
        return trainer

    train(make, told, tmp_path)
    state = load_file(tmp_path / "encoder.safetensors")
    Encoder(classifier=False, shared=True).load_state_dict(state, strict=True)
    assert all(value.isfinite().all() for value in state.values())
    for name, value in state.items():
        if "running" in name or name.endswith("0.weight") and value.ndim == 4:
            assert not torch.equal(value, before[name]), name
        if name.endswith("num_batches_tracked"):
            assert int(value) == 2 * told.settle, "both sides of each batch, and nothing from before"


def test_toy_towers_hear_no_padding() -> None:
    towers = ToyTowers()
    mel = torch.randn(1, 1, 128, 40)
    padded = torch.cat([mel, torch.full((1, 1, 128, 20), 7.0)], dim=3)
    torch.testing.assert_close(
        towers.embed_imitation(padded, torch.tensor([40])), towers.embed_imitation(mel), atol=1e-5, rtol=0
    )
