"""An AudioLDM with an encoder and an adapter of our kind in front of it hears a voice through them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_helpers import run, write_gesture
from tiny import assert_sentence, change_header
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.checkpoints.preset import check_preset, load_modules, read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request, resolve
from vocaldm_live.errors import PresetError
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.sound.audio import read_sound


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_audioldm(tmp_path_factory.mktemp("presets"), "aligned", aligned=True)


@pytest.mark.slow
def test_the_condition_is_the_adapters(preset: Path, tmp_path: Path) -> None:
    assert check_preset(preset) == []
    loaded = read_preset(preset)
    modules = load_modules(loaded)
    assert isinstance(modules.any_adapter, Adapter)
    voice = read_sound(write_gesture(tmp_path / "voice.wav", note=500.0))
    hearing = Engine(loaded, "cpu")._hearing
    vector, _ = hearing.vector(resolve(Request(voice), loaded.header))
    embedding = Embedder(modules.encoder).embed(voice, True)
    torch.testing.assert_close(vector, modules.any_adapter(embedding))
    # Guidance leans from what the UNet was trained with, CLAP of the empty text, and not from the adapter's null.
    null = hearing.null(resolve(Request(voice), loaded.header), 1)
    torch.testing.assert_close(null, modules.unet.null_condition(1))  # type: ignore[operator]


@pytest.mark.slow
def test_generate_plays_it(preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clips = []
    for name, note in (("low", 120.0), ("high", 3000.0)):
        voice = write_gesture(tmp_path / f"{name}.wav", note=note)
        fixed = ("--preset", preset, "--seed", 1, "--steps", 2, "--out", tmp_path / name, "--json")
        said = run(capsys, "generate", voice, *fixed)
        assert said.code == 0, said.err
        clips.append(read_sound(said.objects[0]["clip"]).samples)
    length = min(map(len, clips))
    assert np.abs(clips[0][:length] - clips[1][:length]).max() > 0.0, "another voice, another clip"


def test_an_adapter_without_its_encoder_is_refused(preset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(preset, tmp_path / "aligned"))

    def change(plain: dict[str, Any]) -> None:
        del plain["parts"]["encoder"]

    change_header(copy, change)
    with pytest.raises(PresetError) as caught:
        read_preset(copy)
    assert_sentence(str(caught.value))
