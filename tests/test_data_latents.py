"""Mel images as they were stored are what a model in pixel space learns: their level, their bands, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from parts import package
from test_data_arrow import images, pixels

from training.cli import main
from training.data.collection import HELD_OUT, TRAINING, Collection, Item
from training.data.formats import read_collection
from training.data.latents import MelLatents, open_latents
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


class Torn(Mels):
    """Some of whose mels cannot be had."""

    def mel(self, item: Item) -> np.ndarray:
        if item.key.startswith("torn"):
            raise DataError(f"{item.key} is no image: make the set again.")
        return super().mel(item) if item.key != "tall" else np.zeros((17, 5), np.float32)


def opened(*keys: str) -> tuple[list[str], list[str]]:
    """Keys of the mels that are learned from, and what was told."""
    told: list[str] = []
    collection = Collection("mels", tuple(map(Item, keys)), (), "mel", Torn())
    base: Any = SimpleNamespace(geometry=GEOMETRY)
    found = open_latents(collection, base, (), Path("nowhere"), 1.0, 0, told.append)
    return [item.key for item in found.items], told


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    """One row that did not decode ended a run, hours after its start."""
    kept, told = opened("a", "torn 1", "b", "tall")
    assert kept == ["a", "b"]
    assert told == [
        "Left out: torn 1 is no image: make the set again.",
        "Left out: tall has 17 mel bands where the model has 16: set pixels.mel_bands.",
    ]
    with pytest.raises(DataError, match="torn 1 is no image"):
        opened("torn 1", "torn 2")


def test_held_out_images_that_cannot_be_read_end_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that none is held out; those to learn from have to be readable."""
    package("lightning_fabric")
    from training import diffusion

    told: list[str] = []
    recipe: Any = SimpleNamespace(data=None, seconds=1.0, machine=SimpleNamespace(workers=0))
    blueprint: Any = SimpleNamespace(encoding_base=lambda: SimpleNamespace(geometry=GEOMETRY))
    conditioner: Any = SimpleNamespace(sounds=())

    def examples(learned: str, judged: str) -> tuple[Any, Any]:
        items = (Item(learned, split=TRAINING), Item(judged, split=HELD_OUT))
        whole = Collection("mels", items, (), "mel", Torn())
        monkeypatch.setattr(diffusion, "open_collection", lambda *_: whole)
        return diffusion.open_examples(recipe, blueprint, conditioner, Path("nowhere"), told.append)

    found, judged = examples("a", "torn 1")
    assert [item.key for item in found.items] == ["a"] and judged is None
    assert told == ["None is held out: torn 1 is no image: make the set again."]
    with pytest.raises(DataError, match="torn 1"):
        examples("torn 1", "a")


@pytest.mark.slow
def test_audio_diffusions_images_are_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package("lightning_fabric")
    datasets = package("datasets")
    whole = images(datasets, range(7), "a")
    broken = whole.cast_column("image", datasets.Image(decode=False)).map(
        lambda row, at: {"image": {"bytes": b"no image" if at == 6 else row["image"]["bytes"], "path": None}},
        with_indices=True,
    )
    datasets.DatasetDict({"train": broken}).save_to_disk(tmp_path / "set")
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
    assert "Left out: a/3.mp3#0 of set is no image: make the set again." in capsys.readouterr().err
    # A model with a VAE does not learn images.
    latent = [*asked[:3], "--out", str(tmp_path / "other"), "--steps", "2", "--conditioner", "none"]
    assert main([*latent, "--set", f"machine={told['machine']}"]) == 1
    assert "holds mel images: they are for space pixels" in capsys.readouterr().err
