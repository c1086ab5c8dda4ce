"""Vocoders of every kind in a preset: written, read, loaded, played, refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_model_bigvgan import quiet
from tiny import assert_sentence, change_header, tiny_header, tiny_networks

from vocaldm_live.checkpoints.preset import check_preset, load_modules, read_preset, write_preset
from vocaldm_live.checkpoints.vocoders import resolve_vocoder
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request
from vocaldm_live.errors import PresetError
from vocaldm_live.model.bigvgan import BigVGAN
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.sound.audio import Sound

HIFI_GAN: dict[str, Any] = {
    "channels": 16,
    "rates": (10, 8, 6),
    "kernels": (20, 16, 12),
    "block_kernels": (3, 5),
    "block_dilations": ((1, 3), (1, 2)),
    "slope": 0.1,
    "padding": "half",
    "normalised": False,
}
SHAPE = {key: HIFI_GAN[key] for key in ("channels", "rates", "kernels", "block_kernels", "block_dilations")}
BIGVGAN: dict[str, Any] = {
    **SHAPE,
    "paired": True,
    "activation": "snakebeta",
    "logarithmic": True,
    "tanh_at_end": False,
    "bias_at_end": False,
}
GRIFFIN_LIM_32 = {"kind": "griffin-lim", "iterations": 32}
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "hifi-gan": (HiFiGAN, HIFI_GAN),
    "bigvgan": (BigVGAN, BIGVGAN),
}


def preset_with(folder: Path, kind: str) -> tuple[Path, torch.nn.Module]:
    """A tiny preset whose vocoder is of that kind, and the vocoder."""
    make, shape = NETWORKS[kind]
    network = quiet(make(128, **shape))
    states = {part: one.state_dict() for part, one in tiny_networks().items()}
    states["vocoder"] = network.state_dict()
    header = tiny_header()
    header["parts"]["vocoder"] = {"kind": kind, **shape}
    return write_preset(folder / "other", header, states, torch.float32).folder, network


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sound preset of each kind that nobody may change."""
    return {kind: preset_with(tmp_path_factory.mktemp(kind), kind)[0] for kind in NETWORKS}


def copied(folder: Path, place: Path) -> Path:
    return shutil.copytree(folder, place / folder.name, copy_function=os.link)


def gesture() -> Sound:
    times = np.arange(96000) / 48000.0
    return Sound((0.3 * np.sin(700.0 * times) * np.sin(2.0 * times) ** 2).astype(np.float32), 48000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_preset_plays_with_that_vocoder_listened_to_or_not(tmp_path: Path, kind: str) -> None:
    folder, network = preset_with(tmp_path, kind)
    preset = read_preset(folder)
    assert check_preset(folder) == [] and preset.header.parts.vocoder.kind == kind
    engine = Engine(preset, "cpu")
    mel = torch.randn(1, 128, 70) - 3.0
    with torch.inference_mode():
        vocoder: Any = load_modules(preset).vocoder
        assert torch.equal(vocoder(mel), network(mel))
    pieces: list[np.ndarray] = []
    clip = engine.generate(
        Request(gesture()), audio=lambda first, samples, total: pieces.append(samples.copy())
    )
    assert len(pieces) == 2 and len(clip.samples) == 96000 and clip.samples.std() > 1e-4
    np.testing.assert_array_equal(np.concatenate(pieces), clip.samples)
    np.testing.assert_array_equal(engine.generate(Request(gesture())).samples, clip.samples)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rates", [10, 8, 3], "geometry.hop is 480"),
        ("rates", [10, 48], "kernels"),
        ("kernels", [20, 16, 4], "shorter"),
        ("channels", 20, "halve"),
        ("channels", 32, "shape"),
        ("block_kernels", [3, 4], "odd"),
        ("block_dilations", [[1, 3]], "block_dilations"),
        ("surplus", 1, "surplus"),
    ],
)
def test_what_does_not_fit_is_refused(
    whole: dict[str, Path], tmp_path: Path, kind: str, key: str, value: Any, said: str
) -> None:
    folder = copied(whole[kind], tmp_path)
    change_header(folder, lambda plain: plain["parts"]["vocoder"].update({key: value}))
    with pytest.raises(PresetError) as caught:
        load_modules(read_preset(folder))
    assert_sentence(str(caught.value))
    assert said in str(caught.value) and "preset.yaml" in str(caught.value)


def test_exact_padding_needs_kernels_of_twice_the_rates(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(whole["hifi-gan"], tmp_path)
    change_header(
        folder, lambda plain: plain["parts"]["vocoder"].update(padding="exact", kernels=[20, 16, 10])
    )
    with pytest.raises(PresetError, match="exact padding"):
        read_preset(folder)


def test_a_presets_own_vocoder_is_no_other_one(tmp_path: Path) -> None:
    preset = read_preset(preset_with(tmp_path, "hifi-gan")[0])
    assert preset.with_vocoder(preset.own_vocoder).vocoder is None
    assert preset.with_vocoder(resolve_vocoder(str(preset.folder))).vocoder is None
    other = preset.with_vocoder(resolve_vocoder("griffin-lim"))
    assert other.vocoder is not None and other.sha256 == preset.sha256
    assert load_modules(other).vocoder is None
    assert other.with_vocoder(preset.own_vocoder) == preset
    change_header(preset.folder, lambda plain: plain["parts"].update(vocoder=GRIFFIN_LIM_32))
    plain = read_preset(preset.folder)
    assert plain.with_vocoder(resolve_vocoder("griffin-lim")).vocoder is None
