"""`vocaldm edit` with an AudioLDM preset: words, eta, a library, candidates and another vocoder, and all of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cli_helpers import Said, run, write_gesture
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.deliver.recipe import read_recipe

RATE = 48000


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "house")
    make_tiny_audioldm(folder, "small")
    return folder


@pytest.fixture
def sound(tmp_path: Path, presets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Noise of 24 bits at 48 kHz; the presets are found by name."""
    monkeypatch.setenv("VOCALDM_PRESETS", str(presets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("vocaldm_live.commands.library.libraries_folder", lambda: tmp_path / "libraries")
    soundfile.write(
        tmp_path / "hiss.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE), RATE, "PCM_24"
    )
    return tmp_path / "hiss.wav"


@pytest.fixture
def edit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """A function that runs `vocaldm edit` with the AudioLDM."""

    def command(*arguments: object) -> Said:
        return run(capsys, "edit", *arguments, "--preset", "small", "--out", tmp_path / "out", "--json")

    return command


def samples_of(said: Said) -> np.ndarray:
    assert said.code == 0, said.err
    (clip,) = said.objects
    return soundfile.read(clip["clip"], dtype="int32")[0]


def recipe_of(said: Said) -> Path:
    return Path(said.objects[0]["clip"]).with_suffix(".json")


COMMANDS = {
    "inpaint": ["--span", "0.2-0.4", "--text", "a dog", "--guidance", "3"],
    "restyle": ["--strength", "0.8", "--text", "rain", "--text-weight", "0.7", "--negative", "a dog"],
    "vary": ["--eta", "1", "--candidates", "2"],
    "extend": ["--before", "0.2", "--after", "0.3"],
    "band": ["--low", "3000", "--eta", "0.5"],
    "loop": ["--span", "0.1-0.9"],
    "morph": ["--weight", "0.3", "--steps", "3"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_edit_makes_a_clip_and_its_recipe_makes_it_again(
    kind: str, sound: Path, edit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [write_gesture(tmp_path / "other.wav")] if kind == "morph" else []
    made = edit(kind, sound, *more, *COMMANDS[kind])
    samples, path = samples_of(made), recipe_of(made)
    recipe = read_recipe(path)
    assert recipe.edit is not None and recipe.edit.kind == kind and recipe.preset == "small"
    assert made.objects[0]["sample_rate"] == RATE
    again = run(capsys, "generate", "--recipe", path, "--out", tmp_path / "again", "--json")
    assert np.array_equal(samples_of(again), samples)
    assert read_recipe(recipe_of(again)).notes[-1:] == recipe.notes[-1:]


def test_the_file_holds_the_kept_samples_bit_for_bit(sound: Path, edit: Any) -> None:
    """Though the model makes 16 kHz and the file has 48."""
    old = soundfile.read(sound, dtype="int32")[0]
    new = samples_of(edit("inpaint", sound, "--span", "0.4-0.6"))
    changed = np.flatnonzero(old != new)
    assert len(old) == len(new) and changed.min() >= 0.369 * RATE and changed.max() <= 0.631 * RATE


@pytest.mark.slow
def test_words_steer_what_is_new_and_stand_in_the_recipe(sound: Path, edit: Any) -> None:
    plain, dog = (edit("restyle", sound, "--seed", "1", *words) for words in ((), ("--text", "a dog")))
    assert not np.array_equal(samples_of(plain), samples_of(dog))
    recipe = read_recipe(recipe_of(dog))
    assert (recipe.text, recipe.text_weight, read_recipe(recipe_of(plain)).text) == ("a dog", 1.0, "")
    beside = edit("restyle", sound, "--text", "a dog", "--like", sound)
    assert read_recipe(recipe_of(beside)).text_weight == 0.5


@pytest.mark.slow
def test_a_library_says_what_is_new(
    sound: Path, edit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, note in (("low", 110.0), ("high", 3000.0)):
        write_gesture(tmp_path / "sounds" / f"{name}.wav", note=note)
    assert run(capsys, "library", "build", tmp_path / "sounds", "--preset", "small").code == 0
    made = edit("inpaint", sound, "--span", "0.2-0.4", "--library", tmp_path / "sounds", "--nearest", "1")
    assert len(made.objects[0]["nearest"]) == 1
    again = run(capsys, "generate", "--recipe", recipe_of(made), "--out", tmp_path / "again", "--json")
    assert np.array_equal(samples_of(again), samples_of(made))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["restyle", "SOUND", "--text-weight", "0.5"], "--text"),
        (["restyle", "SOUND", "--follow", "1"], "follows no gesture"),
        (["band", "SOUND", "--low", "9000"], "8000 Hz"),
        (["morph", "SOUND", "SOUND", "--eta", "1"], "--eta"),
        (["vary", "SOUND", "--nearest", "2"], "--library"),
        (["vary", "SOUND", "--candidates", "0"], "candidates"),
        (["vary", "SOUND", "--text", "a" * 3000], "3000 characters"),
    ],
    ids=lambda value: " ".join(value[:3:2]) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], told: str, sound: Path, edit: Any
) -> None:
    said = edit(*(str(sound) if one == "SOUND" else one for one in arguments))
    assert said.code == 2 and said.is_one_sentence() and told in said.err, said
    assert_sentence(said.err.strip())


def test_the_house_understands_no_words(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "edit", "restyle", sound, "--text", "a dog", "--out", tmp_path / "out")
    assert said.code == 2 and said.is_one_sentence() and "no words" in said.err
