"""`vocaldm-train vocaldm` from end to end: sounds or shards, a run, a preset, a clip; signals; mistakes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import parts
import pytest
import soundfile
import torch
from data_sets import put
from safetensors.torch import load_file

parts.package("lightning_fabric")  # of the extra [training]

from tiny import assert_sentence, make_tiny_preset  # noqa: E402

from training import dataset  # noqa: E402
from training.cli import main  # noqa: E402
from training.errors import RunError  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.runfolder import held, save_weights  # noqa: E402
from training.step import Step  # noqa: E402
from training.trainers.vocaldm import VocalDMTrainer  # noqa: E402
from vocaldm_live.checkpoints.preset import load_part, read_preset  # noqa: E402
from vocaldm_live.cli import main as vocaldm  # noqa: E402
from vocaldm_live.model.encoder import Encoder  # noqa: E402
from vocaldm_live.model.vae import MelVAE  # noqa: E402
from vocaldm_live.sound.geometry import HOUSE  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny preset `one`, a folder of sounds with a corrupt and a silent one, and its voices once rendered."""
    folder = tmp_path_factory.mktemp("place")
    make_tiny_preset(folder / "presets", "one")
    for number in range(4):
        put(folder / "My: sounds #1" / f"{number} ä.wav", number)
    (folder / "My: sounds #1" / "corrupt.wav").write_bytes(b"RIFF and nothing else")
    put(folder / "My: sounds #1" / "silent.wav", np.zeros(8000, np.float32))
    return folder


def command(place: Path, out: Path, *more: str) -> list[str]:
    fixed = {
        "machine.accelerator": "cpu",
        "machine.devices": 1,
        "machine.threads": 1,
        "machine.workers": 0,
        "least_vae_db": "null",
        "cache": json.dumps(str(place / "cache")),
        "data.held_out": 0.3,
        "batch": 2,
        "bank": 4,
        "lengths": "[8]",
        "keeping.validate.steps": 100,
    }
    changes = [part for key, value in fixed.items() for part in ("--set", f"{key}={value}")]
    data = ["--data", str(place / "My: sounds #1"), "--base", str(place / "presets" / "one")]
    return ["vocaldm", "--out", str(out), *data, *changes, *more]


@pytest.mark.slow
def test_from_a_folder_of_sounds_to_a_clip(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    more = ["--steps", "3", "--set", "keeping.listen.steps=3", "--set", "listening.steps=2"]
    assert main(command(place, out, "--train", "film,attention,adapter", *more)) == 0
    said = capsys.readouterr().err
    assert "3 sounds to learn from and 1 held out" in said or "2 sounds to learn from and 2 held out" in said
    assert "corrupt.wav" in said and "silent.wav is silent" in said
    assert len(list((out / "listening" / "step-0000003").glob("clip-*.wav"))) == 3
    told = json.loads((out / "run.json").read_text())
    base = read_preset(place / "presets" / "one")
    assert told["identity"]["base"] == base.sha256 and len(told["identity"]["data"]) == 64
    assert main(["export", "--base", str(base.folder), "--name", "two", "--to", str(tmp_path / "presets"),
                 "--unet", str(out), "--adapter", str(out)]) == 0  # fmt: skip
    two = read_preset(tmp_path / "presets" / "two")
    assert two.sha256 != base.sha256
    voice = put(tmp_path / "voice.wav", 50)
    clips = []
    for preset in (base, two):
        folder = tmp_path / f"clips {preset.name}"
        told = ["--preset", str(preset.folder), "--out", str(folder), "--seed", "3"]
        assert vocaldm(["generate", str(voice), *told]) == 0
        (path,) = folder.glob("*.wav")
        samples, rate = soundfile.read(path)
        assert rate == 48000 and np.isfinite(samples).all()
        clips.append(samples)
    assert len(clips[0]) == len(clips[1]) and not np.array_equal(clips[0], clips[1])


@pytest.mark.slow
def test_a_command_that_is_asked_to_end_saves_and_goes_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, step = tmp_path / "run", VocalDMTrainer.step

    def asked(trainer: VocalDMTrainer, turn: str, one: Step) -> Mapping[str, torch.Tensor]:
        if one.index == 3:
            with pytest.raises(RunError, match="Another process trains in"), held(out):
                pass
            os.kill(os.getpid(), signal.SIGTERM)
        return step(trainer, turn, one)

    with monkeypatch.context() as patch:
        patch.setattr(VocalDMTrainer, "step", asked)
        assert main(command(place, out, "--steps", "6")) == 0
    assert "is saved and goes on with the same command" in capsys.readouterr().err
    run = json.loads((out / "run.json").read_text())
    assert (run["state"], run["steps"]) == ("paused", 4)
    assert main(["vocaldm", "--out", str(out), "--max-hours", "1e-9"]) == 0
    again = json.loads((out / "run.json").read_text())
    assert (again["state"], again["steps"]) == ("paused", 5)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of four examples to train on and four held out."""
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SHARD", 4)
        for name, is_held_out in (("train", False), ("held", True)):
            list(dataset.make_dataset(None, folder / name, 4, 1, 0.0, is_held_out, 1))
    return folder


@pytest.mark.slow
def test_the_houses_way_from_shards(place: Path, shards: Path, tmp_path: Path) -> None:
    """What made the house's denoiser: weights drawn anew, a VAE and an encoder of other runs, two folders of shards."""
    tiny = read_preset(place / "presets" / "one")
    torch.manual_seed(3)
    part = tiny.header.parts.vae
    save_weights(MelVAE(HOUSE, part.channels, part.layers, part.groups), tmp_path / "vae.safetensors")  # type: ignore[union-attr]
    save_weights(Encoder(classifier=False, shared=True), tmp_path / "encoder.safetensors")
    before = (tmp_path / "vae.safetensors").read_bytes()
    recipe = ROOT / "training" / "recipes" / "house-diffusion.yaml"
    changes = {
        "data.source": shards / "train",
        "held_out": shards / "held",
        "base": tiny.folder,
        "vae": tmp_path / "vae.safetensors",
        "encoder": tmp_path / "encoder.safetensors",
        "least_vae_db": "null",
        "batch": 2,
        "bank": 4,
        "machine.accelerator": "cpu",
        "machine.devices": 1,
        "machine.threads": 1,
    }
    told = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    out = tmp_path / "run"
    assert main(["vocaldm", str(recipe), "--out", str(out), *told, "--steps", "4"]) == 0
    unet, adapter = (load_file(out / f"{name}.safetensors") for name in ("unet", "adapter"))
    for name, state in (("unet", unet), ("adapter", adapter)):
        network = load_part(tiny, name)
        network.load_state_dict(state, strict=True)
        assert all(value.isfinite().all() for value in state.values())
    assert unet["network.conv_in.sketch.weight"].abs().max() > 0, "the sketch has begun to count"
    assert adapter["mean"].abs().max() > 0, "the adapter knows the embeddings' mean"
    found = read_rows(out / "validation.csv")[-1]
    assert 0.0 < float(found["v"]) < 3.0 and float(found["v_noisy"]) > 0 and float(found["v_clean"]) > 0
    assert (tmp_path / "vae.safetensors").read_bytes() == before
    # A second run begins at once: what was encoded is there.
    kept = sorted((out / "encoded").glob("shards-*.safetensors"))
    times = [path.stat().st_mtime_ns for path in kept]
    time.sleep(0.01)
    assert len(kept) == 2 and main(["vocaldm", "--out", str(out), "--steps", "5"]) == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    identity = json.loads((out / "run.json").read_text())["identity"]["base"]
    assert identity.startswith(tiny.sha256) and " vae " in identity and " encoder " in identity


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (["--base", "nowhere"], 1, "nowhere"),
        (["--data", "nowhere"], 1, "nowhere does not exist"),
        (["--train", "everything"], 2, "'everything' does not fit"),
        (["--set", "least_vae_db=6"], 1, "are of another kind than its mels"),
        (["--set", "vae=nowhere.safetensors"], 2, "nowhere.safetensors holds no weights for the vae"),
    ],
)
def test_mistakes_are_sentences(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, part: str
) -> None:
    assert main(command(place, tmp_path, "--steps", "1", *more)) == code
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert part in said
    assert_sentence(said.replace(": ", ", "))


def test_without_data_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocaldm", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "The recipe: data is missing; set it.\n"
