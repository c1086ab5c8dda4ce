"""`vocaldm-train ldm`: it learns whatever it predicts and is told, ends as an unbroken run, and what it makes plays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest
import torch
import yaml
from audioldm_files import networks, published, write_checkpoint
from cli_helpers import run, write_gesture
from data_sets import burst, put
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm
from torch.nn import functional

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402

from training.checkpoint import newest, read_facts  # noqa: E402
from training.cli import main  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.trainers.ldm_recipe import LDMRecipe  # noqa: E402
from vocaldm_live.checkpoints.preset import check_preset, read_preset  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
UNET = "{size: own, channels: [32, 32], head_width: 16}"
STEPS = {"eps": 30, "x0": 50, "v": 120}
KILLED = """
import os, signal, sys
from training.cli import main
from training.step import Step
real = Step.backward
def backward(self, loss):
    real(self, loss)
    if self.index == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
Step.backward = backward
main(sys.argv[2:])
"""
WORDS = ("a dog barks", "rain", "a door", "wind in a tree")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_audioldm(tmp_path_factory.mktemp("bases"), "small")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen sounds of four kinds, of different lengths, with captions in a table."""
    folder = tmp_path_factory.mktemp("sounds")
    rows = ["path,caption,labels"]
    for number in range(16):
        put(folder / f"{number:02d}.wav", burst(number, 0.3 + 0.04 * (number % 5)))
        rows.append(f"{number:02d}.wav,{WORDS[number % 4]},{WORDS[number % 4].split()[-1]}")
    (folder / "sounds.csv").write_text("\n".join(rows) + "\n")
    return folder


def command(sounds: Path, out: Path, *more: object, **changes: object) -> list[str]:
    fixed = {
        "machine.accelerator": "cpu",
        "machine.devices": 1,
        "machine.threads": 1,
        "machine.workers": 0,
        "cache": sounds.parent / "cache",
        "data.held_out": 0.25,
        "unet": UNET,
        "batch": 8,
        "average": 0.9,
        "optimiser.rates": "{peak: 5.0e-3, warmup: 5, schedule: cosine}",
        "keeping.validate": "{steps: 1000}",
    }
    told = {**fixed, **{key.replace("__", "."): value for key, value in changes.items()}}
    options = [part for key, value in told.items() for part in ("--set", f"{key}={value}")]
    return ["ldm", "--data", str(sounds), "--out", str(out), *options, *(str(part) for part in more)]


def judged(out: Path) -> list[float]:
    rows = read_rows(out / "validation.csv")
    name = next(name for name in ("eps", "x0", "v") if name in rows[0])
    return [float(row[name]) for row in rows]


def plays(capsys: pytest.CaptureFixture[str], preset: Path, tmp_path: Path, *more: object) -> dict[str, Any]:
    asked = ("--preset", preset, "--duration", "0.4", "--steps", "2", "--json", "--out", tmp_path / "clips")
    said = run(capsys, "generate", *more, *asked)
    assert (said.code, said.err) == (0, "")
    (clip,) = said.objects
    return clip


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_it_learns_from_scratch_and_plays(
    base: Path,
    sounds: Path,
    tmp_path: Path,
    prediction: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = command(
        sounds, tmp_path / "run", "--base", base, "--steps", STEPS[prediction], prediction=prediction
    )
    assert main(asked) == 0
    assert "told by clap, predicting" in capsys.readouterr().err.replace("predicts", "predicting")
    errors = judged(tmp_path / "run")
    assert errors[-1] < 0.7 * errors[0]
    preset = tmp_path / "run" / "ldm"
    assert check_preset(preset) == [] and read_preset(preset).header.parts.unet.prediction == prediction
    plays(capsys, preset, tmp_path, "--text", "a dog")


@pytest.mark.slow
def test_a_killed_run_ends_as_an_unbroken_one(base: Path, sounds: Path, tmp_path: Path) -> None:
    more = ("--base", base, "--steps", 6)
    assert main(command(sounds, tmp_path / "whole", *more)) == 0
    broken = tmp_path / "broken"
    asked = command(sounds, broken, *more, keeping__save_seconds=0)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "3", *asked],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL.value, done.stderr
    saved = newest(broken)
    assert saved is not None and 0 < read_facts(saved)["step"] < 6
    # The folder alone is enough to go on.
    assert main(["ldm", "--out", str(broken)]) == 0
    one, other = (load_file(folder / "unet.safetensors") for folder in (broken, tmp_path / "whole"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in other)
    told, whole = (read_preset(folder / "ldm") for folder in (broken, tmp_path / "whole"))
    assert told.sha256 == whole.sha256


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint_with_another_condition(
    sounds: Path,
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As seed models change only the width of the vector: one tensor does not fit, and is told."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkpoint = write_checkpoint(tmp_path / "s-full.ckpt", published(networks(32)))
    vectors = {word: np.random.default_rng(at).standard_normal(24) for at, word in enumerate(WORDS)}
    np.savez(tmp_path / "vectors.npz", **vectors)
    asked = command(
        sounds,
        tmp_path / "run",
        *("--base", base, "--steps", 1, "--start", checkpoint, "--conditioner", "vectors"),
        conditioner__source=tmp_path / "vectors.npz",
        unet="{size: auto}",
        batch=2,
        bank=2,
    )
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "689 tensors taken" in said and "averaged weights (EMA) were taken" in said
    assert said.count("reshaped") == 1 and "class_embedding.weight [128, 512] -> [128, 24]" in said
    part = read_preset(tmp_path / "run" / "ldm").header.parts
    assert part.unet.vector_width == 24 and part.vectors is not None and part.vectors.count == 4  # type: ignore[union-attr]
    plays(capsys, tmp_path / "run" / "ldm", tmp_path, "--text", "a door")


def test_another_size_is_refused_before_anything_is_trained(
    sounds: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(sounds, tmp_path / "run", "--base", base, "--steps", 3, "--start", base)
    assert main(asked) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "they are of another size" in said or "belong to another network" in said
    assert_sentence(said)


@pytest.mark.slow
def test_low_ranks_alone_are_trained(base: Path, sounds: Path, tmp_path: Path) -> None:
    asked = command(
        sounds,
        tmp_path / "run",
        *("--base", base, "--steps", 4, "--start", base),
        unet="{size: auto}",
        adapt="{attention: 4, film: true}",
        average=0.5,
    )
    assert main(asked) == 0
    before = load_file(base / "unet.safetensors")
    after = load_file(tmp_path / "run" / "ldm" / "unet.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("attn1.to_q" in name for name in changed) and "network.class_embedding.weight" in changed
    assert not any("conv1" in name or "time_embedding" in name for name in changed)
    name = next(name for name in changed if name.endswith("time_emb_proj.weight"))
    half = before[name].shape[1] // 2
    assert torch.equal(before[name][:, :half], after[name][:, :half])
    assert not torch.equal(before[name][:, half:], after[name][:, half:])


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [1, 3])
def test_vectors_by_cross_attention(
    base: Path,
    sounds: Path,
    tmp_path: Path,
    tokens: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    shapes = [(tokens, 20) if tokens > 1 else (20,) for _ in WORDS]
    table = {word: rng.standard_normal(shape) for word, shape in zip(WORDS, shapes, strict=True)}
    np.savez(tmp_path / "tokens.npz", **table)
    asked = command(
        sounds,
        tmp_path / "run",
        *("--base", base, "--steps", 2, "--conditioner", "vectors"),
        conditioner__source=tmp_path / "tokens.npz",
        conditioner__attend="true",
    )
    assert main(asked) == 0
    part = read_preset(tmp_path / "run" / "ldm").header.parts.unet
    assert (part.context_width, part.context_places) == (20, tokens)  # type: ignore[union-attr]
    plays(capsys, tmp_path / "run" / "ldm", tmp_path, "--text", "rain")


@pytest.mark.slow
def test_pixels_need_no_base(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = command(
        sounds,
        tmp_path / "run",
        *("--steps", 40),
        base="null",
        space="pixels",
        batch=4,
        bank=4,
        seconds=0.16,
        unet="{size: own, channels: [32, 32], head_width: 16, attention_from: 2}",
        pixels="{mel_bands: 32, griffin_lim: 2}",
        keeping__listen="{steps: 40}",
        listening="{clips: 1, steps: 2}",
    )
    assert main(asked) == 0
    errors = judged(tmp_path / "run")
    assert errors[-1] < 0.7 * errors[0]
    assert (tmp_path / "run" / "listening" / "step-0000040" / "clip-0.wav").exists()
    header = read_preset(tmp_path / "run" / "ldm").header
    assert header.parts.vae.kind == "pixels" and header.geometry.mel_bands == 32
    plays(capsys, tmp_path / "run" / "ldm", tmp_path)


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"conditioner__name": "mert"}, 2, "There is no conditioner 'mert'"),
        ({"conditioner__name": "vectors"}, 2, "needs an npz file of vectors"),
        ({"conditioner__name": "encoder"}, 2, "needs a base with encoder and adapter"),
        ({"base": "null"}, 2, "space latent needs a base"),
        ({"unet": "{size: own}"}, 2, "has channels where size is own"),
        ({"noise": "{zero_terminal_snr: true}"}, 2, "take v or x0"),
        ({"start__source": "nowhere"}, 1, "nowhere"),
        ({"preset": "a b"}, 2, "letters, digits"),
        ({"seconds": 30}, 2, "no more than 10.24 of a sound are encoded"),
        ({"guidance": 3}, 2, "there is no key guidance"),
    ],
)
def test_mistakes_are_sentences(
    base: Path,
    sounds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    code: int,
    part: str,
) -> None:
    told = {"base": base, **changes}
    assert main(command(sounds, tmp_path / "run", "--steps", 2, **told)) == code
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert part in said
    assert_sentence(said)


def test_recipes_are_whole() -> None:
    read = set()
    for path in sorted((ROOT / "training" / "recipes").glob("*.yaml")):
        if yaml.safe_load(path.read_text(encoding="utf-8")).get("command") == "ldm":
            read_recipe(path, LDMRecipe, ["data.source=somewhere"])
            read.add(path.stem)
    assert read >= {"audioldm-finetune", "audioldm-m", "audioldm-s", "mel-diffusion"}


@pytest.mark.slow
def test_a_run_says_what_it_made(base: Path, sounds: Path, tmp_path: Path) -> None:
    assert main(command(sounds, tmp_path / "run", "--base", base, "--steps", 1)) == 0
    header = read_preset(tmp_path / "run" / "ldm").header
    assert header.training["conditioner"] == "clap" and str(tmp_path) not in json.dumps(header.training)


@pytest.mark.slow
def test_the_houses_kind_is_a_base_and_its_encoder_tells(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_tiny_preset(tmp_path, "tiny")
    assert main(command(sounds, tmp_path / "run", "--base", base, "--steps", 2, batch=2, bank=2)) == 0
    assert "told by encoder" in capsys.readouterr().err
    preset = read_preset(tmp_path / "run" / "ldm")
    assert preset.geometry == read_preset(base).geometry
    unet = load_file(preset.folder / "unet.safetensors")
    null = functional.normalize(load_file(base / "adapter.safetensors")["null"].float(), dim=0)
    torch.testing.assert_close(unet["null"], null)
    voice = write_gesture(tmp_path / "voice.wav")
    more = ("--preset", preset.folder, "--steps", 1, "--json", "--out", tmp_path / "clips")
    said = run(capsys, "generate", voice, *more)
    assert (said.code, said.err) == (0, "")


def test_a_run_knows_how_many_heads_its_unet_has(tmp_path: Path) -> None:
    """No tensor tells: what was trained with heads of 8 would go on with a quarter of them, and nothing would fail."""
    from safetensors.torch import save_file

    from training.starting import read_beginning
    from vocaldm_live.model.audioldm import AudioLDMUNet
    from vocaldm_live.sound.geometry import HOUSE

    unet = AudioLDMUNet(HOUSE, (32, 64), 1, (4, 8), 1)
    save_file(unet.state_dict(), tmp_path / "unet.safetensors")
    guessed = read_beginning(str(tmp_path))
    assert guessed.sizes["heads"] == [1, 2] and len(guessed.notes) == 1
    assert_sentence(guessed.notes[0])
    told = {"channels": [32, 64], "layers": 1, "heads": [4, 8], "transformers": 1, "kind": "audioldm"}
    (tmp_path / "run.json").write_text(json.dumps({"state": "done", "about": {"parts": {"unet": told}}}))
    (tmp_path / "recipe.yaml").write_text("command: ldm\n")
    for place in (tmp_path, tmp_path / "unet.safetensors"):
        known = read_beginning(str(place))
        assert (known.sizes["heads"], known.notes) == ([4, 8], ())
        assert "kind" not in known.sizes
