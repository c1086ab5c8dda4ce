"""`--vocoder` and `vocaldm presets vocoder`: another vocoder than the preset's own, and the same clip again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from cli_helpers import Said, run, write_gesture
from test_model_bigvgan import quiet
from tiny import make_tiny_preset

from vocaldm_live.deliver.recipe import Recipe
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.settings import read_settings

CONFIG: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [10, 8, 6],
    "upsample_kernel_sizes": [20, 16, 12],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "num_mels": 128,
    "n_fft": 2048,
    "hop_size": 480,
    "sampling_rate": 48000,
    "fmin": 20,
    "fmax": 24000,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published HiFi-GAN of the house's mel, with its config."""
    folder = tmp_path_factory.mktemp("published")
    network = quiet(HiFiGAN(128, 16, [10, 8, 6], [20, 16, 12], [3], [[1, 3]]))
    torch.save({"generator": network.state_dict()}, folder / "generator.pt")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_gesture(tmp_path / "whoosh.wav")


def clip_of(said: Said) -> tuple[np.ndarray, Path]:
    (clip,) = said.objects
    assert said.code == 0 and said.err == ""
    return soundfile.read(clip["clip"], dtype="int32")[0], Path(clip["clip"]).with_suffix(".json")


@pytest.mark.slow
def test_an_imported_vocoder_plays_and_its_recipe_makes_the_clip_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, files: Path, voice: Path
) -> None:
    made = tmp_path / "other"
    said = run(capsys, "presets", "vocoder", files / "generator.pt", "--out", made)
    assert said.code == 0 and "hifi-gan, 48000 Hz, hop 480" in said.out and "house" in said.out
    asked = (voice, "--preset", tiny, "--json", "--out", tmp_path / "out")
    own, own_recipe = clip_of(run(capsys, "generate", *asked))
    other, recipe = clip_of(run(capsys, "generate", *asked, "--vocoder", made))
    assert own.shape == other.shape and not np.array_equal(own, other)
    assert "vocoder" not in json.loads(own_recipe.read_text())
    told = json.loads(recipe.read_text())
    assert told["vocoder"] == str(made) and len(told["vocoder_sha256"]) == 64
    back = ("--preset", tiny, "--json", "--out", tmp_path / "again")
    again, second = clip_of(run(capsys, "generate", "--recipe", recipe, *back))
    np.testing.assert_array_equal(again, other)
    assert json.loads(second.read_text())["vocoder_sha256"] == told["vocoder_sha256"]

    moved = made.rename(tmp_path / "moved")
    said = run(capsys, "generate", "--recipe", recipe, *back)
    assert said.code == 1 and said.is_one_sentence() and str(made) in said.err
    again, _ = clip_of(run(capsys, "generate", "--recipe", recipe, *back, "--vocoder", moved))
    np.testing.assert_array_equal(again, other)
    said = run(capsys, "generate", "--recipe", recipe, *back, "--vocoder", "griffin-lim")
    assert said.code == 1 and said.is_one_sentence() and "not the one of" in said.err
    said = run(capsys, "generate", "--recipe", own_recipe, *back, "--vocoder", "griffin-lim")
    assert said.code == 2 and said.is_one_sentence() and "leave out --vocoder" in said.err


@pytest.mark.slow
def test_an_edit_takes_another_vocoder_and_its_recipe_makes_it_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    asked = ("edit", "vary", voice, "--preset", tiny, "--json", "--out", tmp_path / "out")
    own, _ = clip_of(run(capsys, *asked))
    other, recipe = clip_of(run(capsys, *asked, "--vocoder", "griffin-lim"))
    assert own.shape == other.shape and not np.array_equal(own, other)
    assert json.loads(recipe.read_text())["vocoder"] == "griffin-lim"
    again, _ = clip_of(
        run(capsys, "generate", "--recipe", recipe, "--preset", tiny, "--json", "--out", tmp_path / "again")
    )
    np.testing.assert_array_equal(again, other)
    said = run(capsys, *asked, "--vocoder", "nobody")
    assert said.code == 1 and said.is_one_sentence() and "nobody" in said.err


@pytest.mark.slow
def test_clips_name_the_vocoder_and_its_licence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, files: Path, voice: Path
) -> None:
    made = tmp_path / "other"
    told = "MIT, its authors"
    run(capsys, "presets", "vocoder", files / "generator.pt", "--out", made, "--licence", told)
    asked = ("generate", voice, "--preset", tiny, "--json", "--out", tmp_path / "out")

    def inside(*more: object) -> str:
        _, recipe = clip_of(run(capsys, *asked, *more))
        return recipe.with_suffix(".wav").read_bytes().decode("latin-1")

    own = inside()
    assert "Nobody: the weights are random numbers" in own and "Vocoder" not in own
    other = inside("--vocoder", made)
    assert "Vocoder generator (generator.pt, sha256 " in other and f"): {told}" in other
    assert "Nobody: the weights are random numbers" in other
    assert "Vocoder of the preset house: Apache-2.0" in inside("--vocoder", "house")
    assert "Vocoder" not in inside("--vocoder", "griffin-lim").replace('"vocoder', "")


@pytest.mark.slow
def test_griffin_lim_and_the_presets_own_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    asked = (voice, "--preset", tiny, "--json", "--out", tmp_path / "out")
    plain, recipe = clip_of(run(capsys, "generate", *asked, "--vocoder", "griffin-lim"))
    assert json.loads(recipe.read_text())["vocoder"] == "griffin-lim"
    own, _ = clip_of(run(capsys, "generate", *asked))
    same, recipe = clip_of(run(capsys, "generate", *asked, "--vocoder", tiny))
    np.testing.assert_array_equal(own, same)
    assert "vocoder" not in json.loads(recipe.read_text()) and not np.array_equal(own, plain)
    house, recipe = clip_of(run(capsys, "generate", *asked, "--vocoder", "house"))
    assert json.loads(recipe.read_text())["vocoder"] == "house" and not np.array_equal(own, house)


def test_what_is_no_vocoder_or_another_mel_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, files: Path, voice: Path
) -> None:
    (tmp_path / "8k.json").write_text(json.dumps(CONFIG | {"fmax": 8000}))
    run(
        capsys,
        "presets",
        "vocoder",
        files / "generator.pt",
        "--config",
        tmp_path / "8k.json",
        "--out",
        tmp_path / "8k",
    )
    for given, words in (
        (files / "generator.pt", ("vocaldm presets vocoder",)),
        ("bigvgam", ("bigvgam", "griffin-lim", "house")),
        (files, ("vocoder",)),
        (tmp_path / "8k", ("tiny", "fmax 8000 Hz", "fmax 24000 Hz", "griffin-lim")),
    ):
        for command in ("generate", "evaluate"):
            where = voice if command == "generate" else voice.parent
            said = run(capsys, command, where, "--preset", tiny, "--vocoder", given, "--out", tmp_path / "o")
            assert said.code == 1 and said.is_one_sentence(), said
            assert all(word in said.err for word in words), said.err
    said = run(
        capsys, "presets", "vocoder", files / "generator.pt", "--out", tmp_path / "x", "--padding", "none"
    )
    assert said.code == 2 and said.is_one_sentence()
    assert not (tmp_path / "o").exists() and not (tmp_path / "x").exists()


def test_recipes_of_older_versions_are_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    _, recipe = clip_of(
        run(capsys, "generate", voice, "--preset", tiny, "--json", "--out", tmp_path, "--steps", 1)
    )
    plain = json.loads(recipe.read_text())
    assert not {"vocoder", "vocoder_sha256"} & set(plain)
    assert Recipe.from_json(json.dumps(plain)).vocoder is None
    for half in ({"vocoder": "house"}, {"vocoder_sha256": "0" * 64}):
        with pytest.raises(Exception, match="only one of vocoder"):
            Recipe.from_json(json.dumps(plain | half))


def test_the_daemon_takes_it_from_settings_and_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text("vocoder: griffin-lim\n")
    assert read_settings(tmp_path / "s.yaml").vocoder == "griffin-lim"
    said = run(capsys, "live", "--settings", tmp_path / "s.yaml", "--vocoder", "house", "--print-settings")
    assert said.code == 0 and "vocoder: house" in said.out


@pytest.mark.slow
def test_the_loader_gives_each_preset_that_vocoder_or_refuses_it(tiny: Path, tmp_path: Path) -> None:
    from vocaldm_live.daemon.loader import Loader

    warm: list[Any] = []
    refused: list[str] = []
    for vocoder in ("griffin-lim", str(tmp_path)):
        loader = Loader(
            "cpu", vocoder, warm.append, lambda name, sentence: refused.append(sentence), lambda *told: None
        )
        loader.load(str(tiny))
        loader.close()
    assert [engine.modules.vocoder for engine in warm] == [None]
    assert len(refused) == 1 and "no vocoder" in refused[0]
