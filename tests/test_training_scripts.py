"""Every training command really trains, for a few seconds, and leaves weights that load strictly."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from torch import nn

parts.package("lightning")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402
from tiny import make_tiny_preset  # noqa: E402

from training import dataset, train_encoder, train_vocoder  # noqa: E402
from training.data.split import held_out  # noqa: E402
from training.drawn import draw_mels, drawn_once  # noqa: E402
from training.examples import make_sound  # noqa: E402
from training.run import save_weights  # noqa: E402
from vocaldm_live.checkpoints.places import resolve_preset  # noqa: E402
from vocaldm_live.checkpoints.preset import load_modules, read_preset  # noqa: E402
from vocaldm_live.model.encoder import Encoder  # noqa: E402
from vocaldm_live.model.vocoder import Vocoder  # noqa: E402
from vocaldm_live.sound.geometry import HOUSE  # noqa: E402
from vocaldm_live.sound.mel import log_mel  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four clips to train on and four held out."""
    folder = tmp_path_factory.mktemp("sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SHARD", 4)
        for name, is_held_out in (("train", False), ("held", True)):
            list(dataset.make_dataset(None, folder / name, 4, 1, 0.0, is_held_out, 1))
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that runs a training command's main with small settings."""

    def run(main: Callable[[], None], out: Path, *more: str) -> None:
        small = ["--minutes", "0.05", "--batch", "2", "--accelerator", "cpu", "--devices", "1"]
        monkeypatch.setattr(sys, "argv", ["train", "--out", str(out), *small, *more])
        main()

    return run


def weights(module: nn.Module, path: Path) -> nn.Module:
    """The module with the file's weights, every key matched."""
    state = load_file(path)
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())
    module.load_state_dict(state, strict=True)
    return module.eval()


def judged(folder: Path) -> dict[str, float]:
    """The last validation of a run."""
    with open(folder / "validation.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert int(last["step"]) > 0
    return {name: float(value) for name, value in last.items()}


def pair(sets: Path) -> list[str]:
    return ["--data", str(sets / "train"), "--held-out", str(sets / "held")]


def test_the_encoder_trains(sets: Path, tmp_path: Path, command: Callable[..., None]) -> None:
    command(train_encoder.main, tmp_path, *pair(sets))
    encoder = weights(Encoder(classifier=False), tmp_path / "encoder.safetensors")
    assert isinstance(encoder, Encoder)
    assert 0.25 <= judged(tmp_path)["reciprocal_rank"] <= 1.0
    with torch.inference_mode():
        assert encoder.embed_imitation(torch.randn(1, 1, 128, 96)).shape == (1, 960)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder with two hits to train on and one held out."""
    import soundfile

    sounds = tmp_path / "sounds"
    sounds.mkdir()
    names = [f"hit-{index}.wav" for index in range(40)]
    chosen = [name for name in names if not held_out(name)][:2] + [name for name in names if held_out(name)][
        :1
    ]
    for index, name in enumerate(chosen):
        hit = np.random.default_rng(index).standard_normal(24000) * np.exp(-np.arange(24000) / 6000)
        soundfile.write(sounds / name, 0.2 * hit, 48000)
    return sounds


@pytest.mark.parametrize("adversarial", ["1.0", "0.0"])
def test_the_vocoder_trains(
    sounds: Path, tmp_path: Path, command: Callable[..., None], adversarial: str
) -> None:
    more = ["--sounds", str(sounds), "--procedural", "2", "--adversarial-from", adversarial]
    command(train_vocoder.main, tmp_path / "run", *more)
    vocoder = weights(Vocoder(HOUSE), tmp_path / "run" / "vocoder.safetensors")
    assert judged(tmp_path / "run")["stft_distance"] > 0.0
    with torch.inference_mode():
        assert vocoder(torch.full((1, 128, 6), -5.0)).shape == (1, 6 * HOUSE.hop)


def test_the_vocoder_goes_on_with_mels_that_a_preset_draws(
    sounds: Path, tmp_path: Path, command: Callable[..., None]
) -> None:
    preset = make_tiny_preset(tmp_path)
    torch.manual_seed(4)
    save_weights(Vocoder(HOUSE), tmp_path / "first.safetensors")
    more = ["--sounds", str(sounds), "--procedural", "2", "--weights-of", str(tmp_path / "first.safetensors")]
    command(train_vocoder.main, tmp_path / "run", *more, "--drawn-by", str(preset), "--drawn", "3")
    first, second = (load_file(tmp_path / name) for name in ("first.safetensors", "run/vocoder.safetensors"))
    assert any((first[name] != second[name]).any() for name in first)
    kept = next((tmp_path / "run").glob("drawn-*-3.npz"))
    drawn = drawn_once(kept, 3, 0, [], load_modules(read_preset(preset)), "v")
    assert drawn.samples.shape == (3, 256 * HOUSE.hop) and drawn.mel.shape == (3, 128, 256)
    samples, mels = drawn.segments(2, 16, np.random.default_rng(0))
    assert samples.shape == (2, 16 * HOUSE.hop) and mels.shape == (2, 128, 16)


def test_a_drawn_mel_keeps_the_sound_it_set_out_from() -> None:
    modules = load_modules(read_preset(resolve_preset("house")))
    samples, _, _ = make_sound(0, 5, [], 0.0, False)
    mel = log_mel(torch.from_numpy(samples)[None], HOUSE).numpy()
    drawn = draw_mels(samples[None], modules, "v", 1)
    assert drawn.shape == mel.shape
    assert np.corrcoef(drawn.ravel(), mel.ravel())[0, 1] > 0.9
