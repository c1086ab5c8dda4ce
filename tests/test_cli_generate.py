"""`vocaldm generate` makes the clips asked for, says so in JSON, and makes them again from recipes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cli_helpers import Said, run, visible, write_gesture
from tiny import make_tiny_preset

from vocaldm_live.engine.engine import Engine


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_gesture(tmp_path / "my whoosh.wav")


@pytest.fixture
def generate(capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path) -> Any:
    """A function that runs `vocaldm generate` with the tiny preset, into `out` of the test's folder."""

    def command(*arguments: object) -> Said:
        return run(capsys, "generate", *arguments, "--preset", tiny, "--out", tmp_path / "out")

    return command


def samples_of(clip: dict[str, Any]) -> np.ndarray:
    return soundfile.read(clip["clip"], dtype="int32")[0]


def recipe_of(clip: dict[str, Any]) -> Path:
    return Path(clip["clip"]).with_suffix(".json")


def test_json_is_the_promised_object_and_nothing_else(
    generate: Any, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Engine.generate

    def talkative(self: Engine, *arguments: Any) -> Any:
        print("a library that talks")
        return real(self, *arguments)

    monkeypatch.setattr(Engine, "generate", talkative)
    said = generate(voice, "--json", "--steps", 1, "--guidance", 1.5, "--follow", 0.5, "--seed", 7)
    assert said.code == 0 and said.err.splitlines() == ["a library that talks"]
    (clip,) = said.objects
    timings = clip.pop("timings_ms")
    path = Path(clip.pop("clip"))
    assert clip == {
        "imitation": str(voice),
        "preset": "tiny",
        "seed": 7,
        "steps": 1,
        "guidance": 1.5,
        "follow": 0.5,
        "seconds": 0.4,
        "sample_rate": 48000,
    }
    assert list(timings) == ["encode", "sample", "decode", "write", "total"]
    assert timings["total"] >= sum(timings.values()) - timings["total"] > 0
    assert path.is_absolute() and path.name == "DSGNSynth_my whoosh_VDM_VocalDM_0001.wav"


def test_a_clip_is_a_file_as_long_as_the_voice(generate: Any, voice: Path) -> None:
    said = generate(voice)
    assert (said.code, said.err) == (0, "") and len(said.out.splitlines()) == 1
    assert "my whoosh.wav" in said.out and "0001.wav" in said.out
    clip = next((voice.parent / "out").glob("*.wav"))
    facts = soundfile.info(clip)
    assert (facts.samplerate, facts.subtype, facts.frames) == (48000, "PCM_24", 19200)
    assert "Nobody: the weights are random numbers" in clip.read_bytes().decode("latin-1")


@pytest.mark.parametrize(("bits", "subtype"), [(16, "PCM_16"), (32, "FLOAT")])
def test_bits_are_as_asked(generate: Any, voice: Path, bits: int, subtype: str) -> None:
    (clip,) = generate(voice, "--json", "--bits", bits).objects
    assert soundfile.info(clip["clip"]).subtype == subtype


def test_variations_count_the_seed_up(generate: Any, voice: Path) -> None:
    clips = generate(voice, "--json", "--seed", 5, "--variations", 2).objects
    alone = generate(voice, "--json", "--seed", 6).objects
    assert [clip["seed"] for clip in clips] == [5, 6]
    assert not np.array_equal(samples_of(clips[0]), samples_of(clips[1]))
    assert np.array_equal(samples_of(clips[1]), samples_of(alone[0]))


def test_duration_is_the_length_of_the_clip(generate: Any, voice: Path) -> None:
    (clip,) = generate(voice, "--json", "--duration", 0.75).objects
    assert clip["seconds"] == 0.75 and soundfile.info(clip["clip"]).frames == 36000


def test_files_and_folders_may_be_mixed(generate: Any, voice: Path) -> None:
    write_gesture(voice.parent / "more" / "b.flac")
    write_gesture(voice.parent / "more" / "a.wav")
    clips = generate(voice.parent / "more", voice, "--json").objects
    assert [Path(clip["imitation"]).name for clip in clips] == ["a.wav", "b.flac", "my whoosh.wav"]


@pytest.mark.slow
@pytest.mark.parametrize("extra", [(), ("--duration", 0.5, "--sampler", "ddim", "--eta", 0.5, "--steps", 3)])
def test_a_recipe_makes_the_same_clip_again(
    generate: Any, capsys: pytest.CaptureFixture[str], voice: Path, extra: tuple[object, ...]
) -> None:
    (first,) = generate(voice, "--json", "--seed", 11, *extra).objects
    said = generate("--recipe", recipe_of(first), "--json")
    assert (said.code, said.err) == (0, "")
    (again,) = said.objects
    assert again["clip"] != first["clip"] and again["seed"] == 11
    assert np.array_equal(samples_of(first), samples_of(again))


@pytest.mark.slow
def test_a_recipe_holds_the_example_sound_and_its_weight(generate: Any, voice: Path) -> None:
    like = write_gesture(voice.parent / "like.wav", note=990.0)
    wholly, half = (
        generate(voice, "--json", "--like", like, "--like-weight", weight).objects[0] for weight in (1, 0.3)
    )
    assert not np.array_equal(samples_of(wholly), samples_of(half))
    for clip in (wholly, half):
        (again,) = generate("--recipe", recipe_of(clip), "--json").objects
        assert np.array_equal(samples_of(clip), samples_of(again))


@pytest.mark.slow
def test_an_imitation_that_moved_is_asked_for(generate: Any, voice: Path) -> None:
    (first,) = generate(voice, "--json").objects
    moved = voice.rename(voice.parent / "elsewhere.wav")
    missed = generate("--recipe", recipe_of(first), "--json")
    assert missed.code == 1 and missed.out == "" and missed.is_one_sentence()
    assert "my whoosh.wav" in missed.err and "FILE" in missed.err
    (given,) = generate(moved, "--recipe", recipe_of(first), "--json").objects
    moved.rename(recipe_of(first).parent / "my whoosh.wav")
    (beside,) = generate("--recipe", recipe_of(first), "--json").objects
    for clip in (given, beside):
        assert np.array_equal(samples_of(first), samples_of(clip)) and "my whoosh" in clip["clip"]


def test_another_imitation_is_not_taken_for_the_recipes(generate: Any, voice: Path) -> None:
    (first,) = generate(voice, "--json").objects
    write_gesture(voice, note=221.0)
    said = generate("--recipe", recipe_of(first), "--json")
    assert said.code == 1 and said.is_one_sentence() and "samples differ" in said.err


@pytest.mark.slow
def test_another_preset_of_the_same_name_is_not_taken_for_the_recipes(
    generate: Any, capsys: pytest.CaptureFixture[str], voice: Path, tmp_path: Path
) -> None:
    (first,) = generate(voice, "--json").objects
    other = make_tiny_preset(tmp_path / "others", seed=1)
    said = run(capsys, "generate", "--recipe", recipe_of(first), "--preset", other, "--out", tmp_path / "out")
    assert said.code == 1 and said.is_one_sentence() and "hash" in said.err


@pytest.mark.parametrize(
    ("extra", "code", "told"),
    [
        (("--steps", 2), 2, "--steps"),
        (("--seed", 0), 2, "--seed"),
        (("--like", "x.wav"), 2, "example sound"),
        (("a.wav", "b.wav"), 2, "one imitation"),
    ],
)
def test_what_a_recipe_settles_cannot_be_asked_for_otherwise(
    generate: Any, voice: Path, extra: tuple[object, ...], code: int, told: str
) -> None:
    (first,) = generate(voice, "--json").objects
    said = generate("--recipe", recipe_of(first), *extra)
    assert said.code == code and said.is_one_sentence() and told in said.err


def test_what_is_no_recipe_is_told(generate: Any, voice: Path, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]")
    for path in (tmp_path / "list.json", voice, tmp_path / "nothing.json"):
        said = generate("--recipe", path)
        assert said.code == 1 and said.is_one_sentence() and path.name in said.err


def test_a_recipe_of_another_device_is_made_here_and_told(generate: Any, voice: Path) -> None:
    (first,) = generate(voice, "--json").objects
    recipe = json.loads(recipe_of(first).read_text())
    recipe_of(first).write_text(json.dumps(recipe | {"device": "tpu", "program_version": "0.0.1"}))
    said = generate("--recipe", recipe_of(first), "--json")
    assert said.code == 0 and len(said.objects) == 1
    assert "tpu" in said.err and "0.0.1" in said.err


def test_an_interrupted_run_leaves_nothing_behind(
    generate: Any, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("vocaldm_live.deliver.outbox.encode_wave", interrupted)
    said = generate(voice, "--json")
    assert said.code == 130 and said.out == "" and "Traceback" not in said.err
    assert visible(voice.parent / "out") == []


def test_the_preset_is_found_by_name(
    capsys: pytest.CaptureFixture[str], voice: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny, voice.parent / "presets" / "tiny")
    monkeypatch.chdir(voice.parent)
    said = run(capsys, "generate", voice.name, "--preset", "tiny")
    assert said.code == 0
    assert [name for name in visible(voice.parent / "clips") if name.endswith(".wav")] != []
