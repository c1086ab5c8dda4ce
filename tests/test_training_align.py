"""`vocaldm-train align`: voices come to stand where CLAP has the sounds they mean, and an AudioLDM plays them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import parts
import pytest
import soundfile
import torch
from hearing_toys import RATE, ToyTowers, clap_like, pairs
from tiny import assert_sentence

parts.package("lightning_fabric")  # of the extra [training]

from hearing_aligned import heard, null, recipe, run_align  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from training.errors import DataError, RecipeError, RunError  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.trainers.align_recipe import Anchoring  # noqa: E402
from vocaldm_live.model.adapter import Adapter  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).resolve().parent / "hearing_toys.py"


def rows(folder: Path) -> list[dict[str, float]]:
    found = read_rows(folder / "validation.csv")
    return [{name: float(value) for name, value in row.items() if value} for row in found]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("align")
    assert run_align(out, []).ended == "done"
    return out


@pytest.mark.slow
def test_held_out_voices_come_near_to_clap(trained: Path) -> None:
    judged = rows(trained)
    first, last = judged[0], judged[-1]
    assert last["cosine"] > first["cosine"] + 0.3 and last["sound_cosine"] > first["sound_cosine"] + 0.3
    assert last["mrr"] > 3.0 * last["chance_mrr"]
    assert abs(last["alike"] - last["target_alike"]) < 0.15, "as far apart as CLAP's own"


def test_the_adapter_carries_the_bases_null_and_its_embeddings_mean(trained: Path) -> None:
    adapter = Adapter()
    adapter.load_state_dict(load_file(trained / "adapter.safetensors"), strict=True)
    torch.testing.assert_close(adapter.null_condition(1)[0], null())
    one = heard(96, 1)
    torch.testing.assert_close(
        adapter.mean, torch.cat([one.imitations, one.sounds]).mean(0), atol=1e-5, rtol=0
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_as_an_unbroken_one(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), "align", str(tmp_path), "41", "keeping.save_seconds=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL.value, done.stderr
    assert not (tmp_path / "adapter.safetensors").exists()
    assert run_align(tmp_path, []).steps == 60
    for name in ("adapter.safetensors", "checkpoint.safetensors"):
        one, other = load_file(tmp_path / name), load_file(trained / name)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_micro_batches_are_the_same_run(tmp_path: Path) -> None:
    told = ["budget.steps=6", "keeping.validate.steps=3"]
    for name, size in (("whole", "null"), ("parts", "5")):
        run_align(tmp_path / name, [*told, f"machine.micro_batch={size}"])
    found, wanted = rows(tmp_path / "parts"), rows(tmp_path / "whole")
    assert len(wanted) == 3 and wanted[0] != wanted[-1]
    for one, other in zip(found, wanted, strict=True):
        assert all(one[name] == pytest.approx(other[name], abs=1e-4) for name in one if name != "minutes")


@pytest.mark.slow
def test_every_loss_can_be_left_out(tmp_path: Path) -> None:
    for name in ("cosine", "choice", "moments"):
        others = [f"losses.{other}=0" for other in ("cosine", "choice", "moments") if other != name]
        run_align(tmp_path / name, [*others, "budget.steps=20", "keeping.validate.steps=20"])
        first, last = rows(tmp_path / name)
        step = {key: float(value) for key, value in read_rows(tmp_path / name / "train.csv")[-1].items()}
        assert step["loss"] == pytest.approx(getattr(Anchoring(), name) * step[name], rel=1e-5)
        assert last["cosine"] > first["cosine"] + 0.3
        # Moments alone bring all conditions to where CLAP's are, and none to its own sound.
        assert (last["mrr"] > 3.0 * last["chance_mrr"]) == (name != "moments")


# With a tiny AudioLDM and real files ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AudioLDM without an encoder, another preset with one, pairs, and pairs to judge by."""
    from tiny import make_tiny_preset
    from tiny_audioldm import make_tiny_audioldm

    folder = tmp_path_factory.mktemp("place")
    make_tiny_audioldm(folder, "small")
    make_tiny_preset(folder, "hearing")
    pairs(folder / "train", 0, 8)
    pairs(folder / "held", 100, 3)
    return folder


def command(place: Path, out: Path, *more: str) -> list[str]:
    fixed = {
        "held_out": place / "held",
        "cache": place / "cache",
        "batch": 4,
        "average": 0.5,
        "machine.accelerator": "cpu",
        "machine.devices": 1,
        "machine.threads": 1,
        "machine.workers": 1,
        "keeping.validate.steps": 2,
    }
    given = [part for key, value in fixed.items() for part in ("--set", f"{key}={value}")]
    base = [
        "--base",
        str(place / "small"),
        "--encoder",
        str(place / "hearing"),
        "--data",
        str(place / "train"),
    ]
    return ["align", "--out", str(out), "--steps", "4", *base, *given, *more]


@pytest.mark.slow
def test_an_aligned_audioldm_hears_voices(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from cli_helpers import run

    from training.cli import main
    from vocaldm_live.checkpoints.preset import load_modules, read_preset

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(command(place, tmp_path / "run")) == 0
    export = ["export", "--base", str(place / "small"), "--name", "aligned", "--to", str(tmp_path)]
    capsys.readouterr()
    assert main([*export, "--adapter", str(tmp_path / "run")]) == 1, "without the encoder it means nothing"
    assert_sentence(capsys.readouterr().err.strip())
    assert main([*export, "--adapter", str(tmp_path / "run"), "--encoder", str(tmp_path / "run")]) == 0
    modules = load_modules(read_preset(tmp_path / "aligned"))
    state = load_file(tmp_path / "run" / "adapter.safetensors")
    assert all(torch.equal(state[name], value) for name, value in modules.adapter.state_dict().items())
    capsys.readouterr()
    clips = {}
    for name in ("100", "101"):
        voice = place / "held" / f"{name}_imitation_0.wav"
        fixed = (
            "--preset",
            tmp_path / "aligned",
            "--seed",
            3,
            "--steps",
            2,
            "--out",
            tmp_path / name,
            "--json",
        )
        said = run(capsys, "generate", voice, *fixed)
        assert said.code == 0, said.err
        clips[name] = soundfile.read(said.objects[0]["clip"])[0]
    shortest = min(map(len, clips.values()))
    assert np.abs(clips["100"][:shortest] - clips["101"][:shortest]).max() > 0


@pytest.mark.slow
def test_direct_trains_towers_into_claps_space(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.aligning import open_trainer
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.align_recipe import AlignRecipe

    monkeypatch.setattr("training.aligning.clap_targets", clap_like)
    pairs(place / "more", 0, 16)
    given = [part for part in command(place, tmp_path)[11:] if part != "--set"]
    given += [f"base={place / 'small'}", f"encoder={place / 'hearing'}", f"data.source={place / 'more'}",
              "mode=direct", "batch=8", "average=0.9", "audio.kinds=[]",
              "optimiser.rates.peak=0.002", "optimiser.rates.warmup=5"]  # fmt: skip

    def run(name: str, steps: int, *more: str) -> list[dict[str, float]]:
        lengths = (f"budget.steps={steps}", f"keeping.validate.steps={steps}")
        told = read_recipe(None, AlignRecipe, [*given, *lengths, *more])
        out = tmp_path / name
        train(lambda fabric: open_trainer(told, fabric.device, tmp_path, ToyTowers()), told, out)
        return rows(out)

    one, other = run("one", 3), run("parts", 3, "machine.micro_batch=3")
    assert one[-1]["cosine"] == pytest.approx(other[-1]["cosine"], abs=1e-3)
    judged = run("whole", 40)
    logged = read_rows(tmp_path / "whole" / "train.csv")
    for loss in ("imitation_sound", "sound_clap", "imitation_clap", "cosine"):
        assert float(logged[-1][loss]) < float(logged[0][loss]), loss
    assert judged[-1]["cosine"] > judged[0]["cosine"] + 0.3
    assert judged[-1]["alike"] < judged[-1]["target_alike"] + 0.1
    Adapter().load_state_dict(load_file(tmp_path / "whole" / "adapter.safetensors"), strict=True)


def test_targets_belong_to_sounds_and_not_to_places(place: Path, tmp_path: Path) -> None:
    """CLAP's vectors were kept by the batch's number while the loader shuffled: wrong from the second epoch on."""
    from training.base import open_base
    from training.data.pairs import Voices, open_pairs
    from training.data.spec import DataSpec
    from training.targets import clap_targets

    tower = open_base(str(place / "small"), ["clap_audio"]).networks["clap_audio"]
    spec = DataSpec(source=str(place / "train"))
    one, bank = open_pairs(spec, Voices(), tmp_path, 1, print, str(place / "held"))
    wanted = clap_targets(one, tower, 16000, tmp_path / "a", torch.device("cpu"))  # type: ignore[arg-type]
    calls = []
    tower.register_forward_hook(lambda *_: calls.append(1))
    with torch.autocast("cpu", torch.bfloat16):
        again = clap_targets(one, tower, 16000, tmp_path / "a", torch.device("cpu"))  # type: ignore[arg-type]
        anew = clap_targets(one, tower, 16000, tmp_path / "b", torch.device("cpu"))  # type: ignore[arg-type]
    assert len(calls) == len(one.sounds), "once a sound"
    assert torch.equal(wanted, again) and torch.equal(wanted, anew) and wanted.dtype == torch.float32
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for at, path in enumerate(sorted((place / "train").iterdir(), reverse=True)):
        stem, _, rest = path.name.partition("_")
        (renamed / f"{90 - int(stem):03d}_{rest}").write_bytes(path.read_bytes())
        assert at < 99
    other, _ = open_pairs(DataSpec(source=str(renamed)), Voices(), tmp_path, 1, print, str(place / "held"))
    moved = clap_targets(other, tower, 16000, tmp_path / "a", torch.device("cpu"))  # type: ignore[arg-type]
    assert len(calls) == len(one.sounds), "a new name is no new sound"
    assert torch.equal(moved.flip(0), wanted)


def test_mistakes_are_sentences(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.cli import main

    for wrong in (
        ["--base", str(place / "hearing")],
        ["--base", str(place / "none")],
        ["--set", "mode=other"],
    ):
        assert main(command(place, tmp_path / "wrong", *wrong)) in (1, 2)
        assert_sentence(capsys.readouterr().err.strip().splitlines()[-1])
    one = heard(8, 1)
    one.imitations[0, 0] = float("nan")
    with pytest.raises(DataError):
        one.__post_init__()
    with pytest.raises(RecipeError) as caught:
        from training.trainers.align import fresh_adapter

        fresh_adapter(torch.ones(4, 960), null())
    assert_sentence(str(caught.value))
    run_align(tmp_path / "run", ["budget.steps=2", "keeping.validate.steps=2"])
    with pytest.raises(RunError):
        run_align(tmp_path / "run", ["budget.steps=4", "tau=0.1"])
    assert recipe().mode == "adapter" and RATE == 16000


def test_the_recipe_is_one() -> None:
    from training.recipe_file import read_recipe
    from training.trainers.align_recipe import AlignRecipe

    told = read_recipe(ROOT / "training" / "recipes" / "align.yaml", AlignRecipe)
    assert (told.base, told.mode, told.budget.steps) == ("small", "adapter", 4000)
