"""`vocaldm library` and what it lends to `vocaldm generate`: sounds found by voice, and clips anchored to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cli_helpers import Said, run, write_gesture
from tiny import make_tiny_preset

from vocaldm_live.deliver.recipe import read_recipe


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vocaldm_live.commands.library.libraries_folder", lambda: tmp_path / "libraries")
    for name, note in (("low", 110.0), ("middle", 700.0), ("high", 3000.0)):
        write_gesture(tmp_path / "sounds" / "more" / f"{name}.wav", note=note)
    return tmp_path / "sounds"


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_gesture(tmp_path / "voice.wav", note=2900.0)


@pytest.fixture
def library(capsys: pytest.CaptureFixture[str], tiny: Path) -> Any:
    """A function that runs `vocaldm library` with the tiny preset."""

    def command(*arguments: object) -> Said:
        return run(capsys, "library", *arguments, "--preset", tiny)

    return command


@pytest.fixture
def generate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, library: Any, sounds: Path
) -> Any:
    """A function that runs `vocaldm generate` with the folder indexed."""
    assert library("build", sounds).code == 0

    def command(*arguments: object) -> Said:
        out = ("--preset", tiny, "--out", tmp_path / "out", "--json")
        return run(capsys, "generate", *arguments, *out)

    return command


def samples_of(clip: dict[str, Any]) -> np.ndarray:
    return soundfile.read(clip["clip"], dtype="int32")[0]


@pytest.mark.slow
def test_a_folder_is_built_and_searched_by_voice(
    library: Any, sounds: Path, voice: Path, tmp_path: Path
) -> None:
    (sounds / "broken.wav").write_text("no sound")
    said = library("build", sounds, "--json")
    assert said.code == 1 and said.is_one_sentence() and "broken.wav" in said.err
    (done,) = said.objects
    assert (done["files"], done["read"], done["refused"], done["vectors"]) == (4, 4, 1, 3)
    assert Path(done["index"]).parent == tmp_path / "libraries"
    again = library("build", sounds)
    assert (again.code, again.err) == (0, "") and "0 read" in again.out

    found = library("find", voice, "--json").objects
    assert [one["rank"] for one in found] == [1, 2, 3] and found[0]["path"] == str(
        sounds / "more" / "high.wav"
    )
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True) and scores[0] <= 1.0
    for where in (sounds, done["index"]):
        assert library("find", voice, "--library", where, "--top", 1, "--json").objects == found[:1]
    told = library("find", voice, "--top", 2)
    assert "high.wav" in told.out and f"{scores[1]:.3f}" in told.out and told.out.count(".wav") == 2


def test_check_tells_what_a_build_would_do(
    library: Any, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert library("check", sounds).is_one_sentence()
    library("build", sounds)
    assert library("check", sounds).code == 0
    write_gesture(sounds / "new.wav")
    (sounds / "more" / "low.wav").unlink()
    write_gesture(sounds / "more" / "high.wav", 0.5)
    said = library("check", sounds)
    assert said.code == 1 and "1 new, 1 changed and 1 gone" in said.out
    listed = run(capsys, "library", "list")
    assert str(sounds) in listed.out and " 3 " in listed.out


@pytest.mark.slow
def test_an_index_of_another_encoder_is_refused_until_it_is_built_again(
    library: Any, sounds: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library("build", sounds)
    other = make_tiny_preset(tmp_path / "others", seed=1)
    said = run(capsys, "library", "find", voice, "--preset", other)
    assert said.code == 1 and said.is_one_sentence() and "another encoder" in said.err
    assert run(capsys, "library", "check", sounds, "--preset", other).code == 1
    built = run(capsys, "library", "build", sounds, "--preset", other)
    assert built.code == 0 and built.is_one_sentence() and "3 read" in built.out
    assert run(capsys, "library", "find", voice, "--preset", other).code == 0


def test_an_index_lies_where_it_is_wanted(library: Any, sounds: Path, voice: Path, tmp_path: Path) -> None:
    index = tmp_path / "elsewhere" / "mine"
    assert library("build", sounds, "--index", index).code == 0
    assert library("find", voice, "--library", index, "--top", 1).code == 0
    for where in ((), ("--library", sounds)):
        said = library("find", voice, *where)
        assert said.code == 1 and said.is_one_sentence() and "vocaldm library build" in said.err


@pytest.mark.slow
def test_a_clip_is_anchored_to_the_nearest_sounds(generate: Any, sounds: Path, voice: Path) -> None:
    (plain,) = generate(voice).objects
    one, all_three = (generate(voice, "--library", sounds, "--nearest", count).objects[0] for count in (1, 3))
    assert one["nearest"] == ["more/high.wav"] and len(all_three["nearest"]) == 3 and "nearest" not in plain
    (like,) = generate(voice, "--like", sounds / "more" / "high.wav").objects
    # One sound's mean is that sound: the same clip but for the anchor's half precision.
    difference = np.abs(samples_of(one) - samples_of(like)).max() / 2**31
    assert difference < 0.02 < np.abs(samples_of(one) - samples_of(plain)).max() / 2**31
    assert not np.array_equal(samples_of(one), samples_of(all_three))
    (none_of_it,) = generate(voice, "--library", sounds, "--like-weight", 0).objects
    assert np.array_equal(samples_of(none_of_it), samples_of(plain)) and "nearest" not in none_of_it


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 0.4])
def test_the_recipe_makes_the_clip_again_without_the_library(
    generate: Any, library: Any, sounds: Path, voice: Path, weight: float
) -> None:
    (clip,) = generate(voice, "--library", sounds, "--nearest", 2, "--like-weight", weight).objects
    path = Path(clip["clip"]).with_suffix(".json")
    recipe = read_recipe(path)
    assert (recipe.library, list(recipe.nearest)) == (str(sounds), clip["nearest"])
    assert json.loads(path.read_text())["anchor"] in Path(clip["clip"]).read_bytes().decode("latin-1")
    for sound in (sounds / "more").iterdir():
        sound.unlink()
    said = generate("--recipe", path)
    assert (said.code, said.err) == (0, "") and said.objects[0]["nearest"] == clip["nearest"]
    assert np.array_equal(samples_of(clip), samples_of(said.objects[0]))
    plain = json.loads(path.read_text())
    path.write_text(json.dumps(plain | {"anchor": plain["anchor"][:400]}))
    said = generate("--recipe", path)
    assert said.code == 2 and said.is_one_sentence() and "960" in said.err


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--nearest", 3), 2, "--library"),
        (("--library", "SOUNDS", "--like", "x.wav"), 1, "x.wav"),
        (("--library", "SOUNDS", "--like", "VOICE"), 2, "leave out one"),
        (("--library", "SOUNDS", "--nearest", 0), 2, "1 to 100"),
        (("--library", "nowhere"), 1, "does not exist"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    generate: Any, sounds: Path, voice: Path, options: tuple[object, ...], code: int, told: str
) -> None:
    names = {"SOUNDS": sounds, "VOICE": voice}
    said = generate(voice, *(names.get(str(option), option) for option in options))
    assert said.code == code and said.is_one_sentence() and told in said.err


@pytest.mark.slow
def test_pairs_are_evaluated_beside_baselines_and_chance(library: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, note in enumerate((150.0, 800.0, 2500.0)):
        write_gesture(data / f"{number}_imitation__x.wav", 0.5, note=note * 1.02)
        write_gesture(data / f"{number}_reference__x.wav", 0.4, note=note)
    write_gesture(data / "9_reference__y.wav", note=5000.0)
    write_gesture(data / "8_imitation__y.wav", note=5000.0)
    (result,) = library("evaluate", data, "--json").objects
    methods = result["methods"]
    assert list(methods) == ["encoder", "2DFT of the log-mel", "whole fingerprint"]
    for one in methods.values():
        assert (one["queries"], one["candidates"], one["classes"]) == (3, 4, 3)
        assert one["chance_mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
        assert one["mrr"] == one["class_mrr"] and 0.25 <= one["mrr"] <= one["ndcg"] <= 1
    assert methods["encoder"]["mrr"] > methods["encoder"]["chance_mrr"]
    said = library("evaluate", data, "--limit", 2)
    assert said.code == 0 and "2 imitations among 4 sounds" in said.out and "chance" in said.out
    (data / "1_reference__x.wav").write_text("no sound")
    said = library("evaluate", data)
    assert said.code == 1 and said.is_one_sentence() and "2 imitations among 3 sounds" in said.out


@pytest.mark.slow
def test_the_house_encoder_finds_real_sounds_better_than_chance(
    capsys: pytest.CaptureFixture[str], test_data: Path
) -> None:
    (result,) = run(capsys, "library", "evaluate", test_data / "imitations", "--json").objects
    one = result["methods"]["encoder"]
    assert (one["queries"], one["candidates"]) == (5, 27) and one["mrr"] > 1.5 * one["chance_mrr"]
