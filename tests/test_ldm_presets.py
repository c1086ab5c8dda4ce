"""Presets beside AudioLDM's own kind: vectors by name, no condition at all, pixels; each plays from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from cli_helpers import Said, run, write_gesture
from tiny import assert_sentence, change_header
from tiny_audioldm import make_tiny_audioldm
from tiny_ldm import make_tiny_ldm

from vocaldm_live.checkpoints.preset import check_preset, load_part, read_preset, read_text
from vocaldm_live.checkpoints.tokens import byte_pairs
from vocaldm_live.deliver.recipe import read_recipe
from vocaldm_live.engine.saying import said, shortened
from vocaldm_live.errors import PresetError

KINDS = ("vectors", "free", "pixels")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    for kind in KINDS:
        make_tiny_ldm(folder, kind)
    return folder


@pytest.fixture
def generate(
    capsys: pytest.CaptureFixture[str], presets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A function that runs `vocaldm generate` where the presets are known."""
    monkeypatch.setenv("VOCALDM_PRESETS", str(presets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def command(preset: str, *arguments: object) -> Said:
        more = ("--duration", "0.5", "--json", "--out", tmp_path / "out")
        return run(capsys, "generate", "--preset", preset, *arguments, *more)

    return command


def samples_of(clip: dict[str, Any]) -> np.ndarray:
    return soundfile.read(clip["clip"], dtype="int32")[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_is_whole(presets: Path, kind: str) -> None:
    assert check_preset(presets / kind) == []


@pytest.mark.slow
def test_a_vector_is_called_by_its_name(generate: Any) -> None:
    said = generate("vectors", "--text", "dog  BARKS")
    assert (said.code, said.err) == (0, "")
    (dog,) = said.objects
    (again,), (rain,) = (
        generate("vectors", "--text", "Dog barks").objects,
        generate("vectors", "--text", "rain on a roof").objects,
    )
    assert np.array_equal(samples_of(dog), samples_of(again))
    assert not np.array_equal(samples_of(dog), samples_of(rain))
    (away,) = generate("vectors", "--text", "Dog barks", "--negative", "a door").objects
    assert not np.array_equal(samples_of(dog), samples_of(away))


def test_an_unknown_name_is_told_with_those_near(generate: Any) -> None:
    said = generate("vectors", "--text", "rain on a root")
    assert said.code == 1
    assert said.err == (
        "The preset vectors knows 3 names and not 'rain on a root': give one of them, as 'rain on a roof', 'a door', "
        "'Dog barks'.\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["free", "pixels"])
def test_what_hears_nothing_makes_clips_of_noise(generate: Any, tmp_path: Path, kind: str) -> None:
    said = generate(kind, "--variations", 2)
    assert (said.code, said.err) == (0, "")
    one, other = said.objects
    assert one["imitation"] is None and one["seconds"] == pytest.approx(0.5)
    assert not np.array_equal(samples_of(one), samples_of(other)) and samples_of(one).any()
    path = Path(one["clip"]).with_suffix(".json")
    assert read_recipe(path).imitation is None
    voice = write_gesture(tmp_path / "voice.wav")
    for given in ((voice,), ("--text", "rain"), ("--like", voice)):
        refused = generate(kind, *given)
        assert refused.code == 2 and "hears nothing" in refused.err
        assert_sentence(refused.err.strip())


def test_its_recipe_makes_the_clip_again(
    generate: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (one,) = generate("free", "--seed", 5).objects
    path = Path(one["clip"]).with_suffix(".json")
    again = run(capsys, "generate", "--recipe", path, "--json", "--out", tmp_path / "again")
    assert (again.code, again.err) == (0, "")
    assert np.array_equal(samples_of(again.objects[0]), samples_of(one))


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("vectors", {"vector_width": 23}, "another width than the unet takes"),
        ("vectors", {"context_width": 8}, "a context needs both"),
        ("free", {"vector_width": 512}, "nothing is heard"),
        ("free", {"prediction": "score"}, "parts.unet.prediction"),
    ],
)
def test_a_header_that_cannot_be_is_told(
    presets: Path, tmp_path: Path, kind: str, change: dict[str, Any], told: str
) -> None:
    folder = tmp_path / kind
    folder.mkdir()
    (folder / "preset.yaml").write_text((presets / kind / "preset.yaml").read_text())
    change_header(folder, lambda plain: plain["parts"]["unet"].update(change))
    with pytest.raises(PresetError, match=told):
        read_preset(folder)


def test_a_changed_list_of_names_is_refused(presets: Path, tmp_path: Path) -> None:
    folder = make_tiny_ldm(tmp_path, "vectors")
    (folder / "names.json").write_text(json.dumps(["other"]))
    assert any("names.json is damaged or another file" in problem for problem in check_preset(folder))


def test_a_text_is_closed_once(tmp_path: Path) -> None:
    """A second end after a short text made another embedding than the one that the model was trained with."""
    preset = read_preset(make_tiny_audioldm(tmp_path, "small", audio=False))
    part = preset.header.parts.clap_text
    assert part is not None
    tower = load_part(preset, "clap_text")
    encode = byte_pairs(read_text(preset, part.vocabulary), read_text(preset, part.merges))
    with torch.inference_mode():
        for text in ("", "a dog barks"):
            heard = said(preset, part, tower, text, torch.device("cpu"))
            wanted = tower(torch.tensor([encode(text)]))[0].numpy()
            np.testing.assert_allclose(heard, wanted, atol=1e-6)
        assert said(preset, part, tower, "rain " * 200, torch.device("cpu")).shape == (512,)
    assert shortened([5, 6, 7, 1], 3) == [5, 6, 1] and shortened([5, 1], 3) == [5, 1]
