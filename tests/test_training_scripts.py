"""Every training command really trains, for a few seconds, and leaves weights that load strictly."""

from __future__ import annotations

import csv
import math
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

from training import dataset, train_diffusion  # noqa: E402
from training.drawn import draw_mels  # noqa: E402
from training.examples import make_sound  # noqa: E402
from training.run import save_weights  # noqa: E402
from vocaldm_live.checkpoints.places import resolve_preset  # noqa: E402
from vocaldm_live.checkpoints.preset import load_modules, read_preset  # noqa: E402
from vocaldm_live.model.adapter import Adapter  # noqa: E402
from vocaldm_live.model.encoder import Encoder  # noqa: E402
from vocaldm_live.model.unet import SketchUNet  # noqa: E402
from vocaldm_live.model.vae import MelVAE  # noqa: E402
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


def test_the_denoiser_trains(sets: Path, tmp_path: Path, command: Callable[..., None]) -> None:
    torch.manual_seed(3)
    save_weights(MelVAE(HOUSE), tmp_path / "vae.safetensors")
    save_weights(Encoder(classifier=False), tmp_path / "encoder.safetensors")
    before = (tmp_path / "vae.safetensors").read_bytes()
    others = ["--vae", str(tmp_path / "vae.safetensors"), "--encoder", str(tmp_path / "encoder.safetensors")]
    command(train_diffusion.main, tmp_path / "run", *pair(sets), *others)
    unet = weights(SketchUNet(HOUSE), tmp_path / "run" / "unet.safetensors")
    adapter = weights(Adapter(), tmp_path / "run" / "adapter.safetensors")
    assert isinstance(unet, SketchUNet) and isinstance(adapter, Adapter)
    assert unet.get_parameter("network.conv_in.sketch.weight").abs().max() > 0, (
        "the sketch has begun to count"
    )
    assert adapter.mean.abs().max() > 0, "the adapter knows the embeddings' mean"
    found = judged(tmp_path / "run")
    assert 0.0 < found["v"] < 3.0 and math.isfinite(found["v_noisy"]) and math.isfinite(found["v_clean"])
    assert (tmp_path / "vae.safetensors").read_bytes() == before


def test_a_drawn_mel_keeps_the_sound_it_set_out_from() -> None:
    modules = load_modules(read_preset(resolve_preset("house")))
    samples, _, _ = make_sound(0, 5, [], 0.0, False)
    mel = log_mel(torch.from_numpy(samples)[None], HOUSE).numpy()
    drawn = draw_mels(samples[None], modules, "v", 1)
    assert drawn.shape == mel.shape
    assert np.corrcoef(drawn.ravel(), mel.ravel())[0, 1] > 0.9
