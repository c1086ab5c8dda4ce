"""Mel images as they were stored are what a model in pixel space learns: their level, their bands, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import package
from test_data_arrow import images, pixels

from training.cli import main
from training.data.collection import Collection, Item
from training.data.formats import read_collection
from training.data.latents import MelLatents
from training.errors import DataError
from vocaldm_live.sound.geometry import Geometry

GEOMETRY = Geometry(16000, 256, 128, 16, 0.0, 8000.0, 1, 1, 1, 1e-5, -5.0, 5.0)


class Mels:
    """A medium of natural-log mels."""

    def sound(self, item: Item) -> Any:
        raise DataError("no sound")

    def mel(self, item: Item) -> np.ndarray:
        return np.full((16, 5), -5.0, np.float32)

    def content(self, item: Item) -> bytes:
        return item.key.encode()


def test_mels_are_taken_as_they_are() -> None:
    found = MelLatents(Collection("mels", (Item("a"), Item("b")), (), "mel", Mels()), GEOMETRY)
    assert found.latent(1).shape == (1, 5, 16) and float(found.latent(1).abs().max()) == 0.0
    assert len(found.digest()) == 64
    with pytest.raises(DataError, match="16 mel bands where the model has 32"):
        other = Geometry(16000, 256, 128, 32, 0.0, 8000.0, 1, 1, 1, 1e-5, -5.0, 5.0)
        MelLatents(Collection("mels", (Item("a"),), (), "mel", Mels()), other)


@pytest.mark.slow
def test_audio_diffusions_images_are_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package("lightning_fabric")
    datasets = package("datasets")
    datasets.DatasetDict({"train": images(datasets, range(6), "a")}).save_to_disk(tmp_path / "set")
    found = MelLatents(read_collection(str(tmp_path / "set")), GEOMETRY)
    nepers = found.latent(0)[0].T.numpy() * 5.0 - 5.0
    wanted = (pixels(0) / 255.0 * 80.0 - 80.0) * math.log(10.0) / 20.0
    np.testing.assert_allclose(nepers, wanted, atol=1e-4)
    told = {
        "machine": "{accelerator: cpu, devices: 1, threads: 1, workers: 0}",
        "base": "null",
        "space": "pixels",
        "pixels": "{n_fft: 256, hop: 128, mel_bands: 16, griffin_lim: 1}",
        "unet": "{size: own, channels: [32, 32], head_width: 16, attention_from: 2}",
        "batch": 2,
        "bank": 2,
        "average": 0.5,
    }
    changes = [part for key, value in told.items() for part in ("--set", f"{key}={value}")]
    asked = ["ldm", "--data", str(tmp_path / "set"), "--out", str(tmp_path / "run"), "--steps", "2"]
    assert main([*asked, *changes]) == 0
    assert (tmp_path / "run" / "ldm" / "preset.yaml").exists()
    capsys.readouterr()
    # A model with a VAE does not learn images.
    latent = [*asked[:3], "--out", str(tmp_path / "other"), "--steps", "2", "--conditioner", "none"]
    assert main([*latent, "--set", f"machine={told['machine']}"]) == 1
    assert "holds mel images: they are for space pixels" in capsys.readouterr().err
