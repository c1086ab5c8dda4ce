"""Clips of words or of an example alone, without a voice: with an AudioLDM, whole in file, recipe and history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from cli_helpers import Said, run, visible, write_gesture
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.deliver.history import History
from vocaldm_live.deliver.recipe import read_recipe
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request, resolve
from vocaldm_live.engine.words import Words
from vocaldm_live.errors import RequestError
from vocaldm_live.model.adapter import blend
from vocaldm_live.sound.audio import read_sound


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "house")
    make_tiny_audioldm(folder, "small")
    make_tiny_audioldm(folder, "words", audio=False)
    return folder


@pytest.fixture
def generate(
    capsys: pytest.CaptureFixture[str], presets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A function that runs `vocaldm generate` where the presets are known."""
    monkeypatch.setenv("VOCALDM_PRESETS", str(presets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def command(*arguments: object) -> Said:
        return run(capsys, "generate", *arguments, "--out", tmp_path / "out")

    return command


def samples_of(clip: dict[str, Any]) -> np.ndarray:
    return soundfile.read(clip["clip"], dtype="int32")[0]


@pytest.mark.slow
def test_words_become_a_clip_with_name_recipe_and_history(generate: Any, tmp_path: Path) -> None:
    asked = (
        "--text",
        "a dog barks,  twice",
        "--preset",
        "small",
        "--steps",
        "2",
        "--duration",
        "0.7",
        "--json",
    )
    said = generate(*asked, "--variations", 2)
    assert (said.code, said.err) == (0, "")
    first, second = said.objects
    assert first["imitation"] is None and first["seconds"] == pytest.approx(0.7)
    assert "_a dog barks twice_" in Path(first["clip"]).name
    assert len(samples_of(first)) == round(0.7 * 48000)
    assert not np.array_equal(samples_of(first), samples_of(second))
    path = Path(first["clip"]).with_suffix(".json")
    recipe = read_recipe(path)
    assert (recipe.imitation, recipe.imitation_sha256, recipe.text, recipe.duration) == (
        None,
        None,
        "a dog barks,  twice",
        0.7,
    )
    assert b"from words" in Path(first["clip"]).read_bytes()
    again = generate("--recipe", path, "--json")
    assert (again.code, again.err) == (0, "")
    assert np.array_equal(samples_of(again.objects[0]), samples_of(first))
    assert "a dog barks twice" in Path(again.objects[0]["clip"]).name
    history = History(tmp_path / "history.sqlite")
    history.reconcile(tmp_path / "out")
    entries = history.entries("dog")
    history.close()
    assert len(entries) == 3 and {entry.imitation for entry in entries} == {""}
    assert entries[0].name == "a dog barks twice" and json.loads(entries[0].as_json())["imitation"] == ""
    told = generate(*asked[:-1])
    assert told.code == 0 and told.out.startswith("a dog barks, twice -> ")


@pytest.mark.slow
def test_an_example_alone_or_beside_words(generate: Any, tmp_path: Path) -> None:
    example = write_gesture(tmp_path / "bell.wav")
    asked = ("--like", example, "--preset", "small", "--steps", "2", "--duration", "0.5", "--json")
    (alone,) = generate(*asked).objects
    assert "_bell_" in Path(alone["clip"]).name and b"from another sound" in Path(alone["clip"]).read_bytes()
    (both,) = generate(*asked, "--text", "rain", "--candidates", 2).objects
    recipe = read_recipe(Path(both["clip"]).with_suffix(".json"))
    # Beside an example words count half unless they are weighed.
    assert recipe.text_weight == 0.5 and recipe.like == str(example) and "Best of 2" in recipe.notes[0]
    for made in (alone, both):
        (again,) = generate("--recipe", Path(made["clip"]).with_suffix(".json"), "--json").objects
        assert np.array_equal(samples_of(again), samples_of(made))


def test_the_condition_of_words_and_example(presets: Path, tmp_path: Path) -> None:
    engine = Engine(read_preset(presets / "small"), "cpu")
    example = read_sound(write_gesture(tmp_path / "bell.wav"))

    def condition(**given: Any) -> torch.Tensor:
        with torch.inference_mode():
            request = Request(None, duration=1.0, **given)
            return engine.condition(resolve(request, engine.preset.header))[0]

    said, shown = condition(words=Words("rain")), condition(like=example)
    assert torch.allclose(said, engine._hearing.text("rain"), atol=1e-6)  # type: ignore[attr-defined]
    assert torch.allclose(
        condition(words=Words("rain", 0.3), like=example), blend(shown, said, 0.3), atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "nothing to do"),
        (("--text", "a dog", "--duration", "1", "--preset", "house"), "makes clips of voices"),
        (("--like", "BELL", "--duration", "1", "--preset", "house"), "makes clips of voices"),
        (("--text", "a dog", "--preset", "small"), "give a duration"),
        (("--text", "a dog", "--preset", "small", "--duration", "1", "--text-weight", "0.5"), "text weight"),
        (("--like", "BELL", "--preset", "small", "--duration", "1", "--like-weight", "0.5"), "like weight"),
        (("--negative", "a dog", "--preset", "small", "--duration", "1"), "nothing to do"),
        (("--text", "a dog", "--preset", "small", "--duration", "99"), "duration"),
        (("--text", "a dog", "--preset", "words", "--duration", "1", "--candidates", "2"), "candidates"),
        (("--like", "BELL", "--preset", "words", "--duration", "1"), "words alone"),
    ],
)
def test_what_is_missing_without_a_voice_is_one_sentence(
    generate: Any, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    bell = write_gesture(tmp_path / "bell.wav")
    said = generate(*(bell if one == "BELL" else one for one in options))
    assert said.code == 2 and said.is_one_sentence() and told in said.err, said
    assert_sentence(said.err.strip())
    assert visible(tmp_path / "out") == []


def test_a_library_needs_a_voice_and_a_recipe_of_words_takes_none(generate: Any, tmp_path: Path) -> None:
    asked = ("--text", "rain", "--preset", "words", "--duration", "0.5", "--steps", "1", "--json")
    (clip,) = generate(*asked).objects
    voice = write_gesture(tmp_path / "voice.wav")
    said = generate("--recipe", Path(clip["clip"]).with_suffix(".json"), voice)
    assert said.code == 2 and said.is_one_sentence() and "leave out FILE" in said.err


def test_an_edit_of_nothing_is_refused(presets: Path) -> None:
    from vocaldm_live.sound.edit import Edit

    header = read_preset(presets / "small").header
    with pytest.raises(RequestError, match="give one"):
        resolve(Request(None, edit=Edit("vary"), duration=1.0, words=Words("a")), header)
