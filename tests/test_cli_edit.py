"""`vocaldm edit` on a tiny preset: every command makes its clip, and its recipe makes it again."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import run, write_gesture
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.deliver.history import History
from vocaldm_live.deliver.recipe import read_recipe

RATE = 48000


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A tone of 24 bits that begins and ends at full level."""
    times = np.arange(RATE) / RATE
    soundfile.write(tmp_path / "hum.wav", 0.2 * np.cos(2 * np.pi * 200 * times), RATE, "PCM_24")
    return tmp_path / "hum.wav"


COMMANDS = {
    "inpaint": ["--span", "0.2-0.4", "--span", "0.6-0.7", "--strength", "0.9"],
    "restyle": ["--strength", "0.5", "--voice"],
    "vary": ["--variations", "1", "--seed", "4"],
    "extend": ["--before", "0.2", "--after", "0.3", "--gesture", "free"],
    "band": ["--low", "3000", "--keep", "resynthesis"],
    "loop": ["--span", "0.1-0.9"],
    "morph": ["--weight", "0.3", "--steps", "3"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_edit_makes_a_clip_and_its_recipe_makes_it_again(
    kind: str, preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, more = tmp_path / "out", [write_gesture(tmp_path / "other.wav")] if kind == "morph" else []
    common = ["--preset", preset, "--out", out, "--json"]
    made = run(capsys, "edit", kind, sound, *more, *COMMANDS[kind], *common)
    assert made.code == 0, made.err
    (told,) = made.objects
    clip = Path(told["clip"])
    assert told["edit"]["kind"] == kind and f"hum {kind}" in clip.name
    recipe = read_recipe(clip.with_suffix(".json"))
    assert recipe.edit is not None and recipe.source == str(sound) and recipe.duration is None
    again = run(capsys, "generate", "--recipe", clip.with_suffix(".json"), *common)
    assert again.code == 0, again.err
    first, second = (soundfile.read(path, dtype="int32")[0] for path in (clip, again.objects[0]["clip"]))
    assert np.array_equal(first, second)
    assert read_recipe(Path(again.objects[0]["clip"]).with_suffix(".json")).edit == recipe.edit


def test_the_file_holds_the_kept_samples_bit_for_bit(
    preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also at the ends, which a clip would have faded."""
    made = run(
        capsys, "edit", "inpaint", sound, "--span", "0.4-0.6", "--preset", preset, "--out", tmp_path, "--json"
    )
    old, new = (soundfile.read(path, dtype="int32")[0] for path in (sound, made.objects[0]["clip"]))
    changed = np.flatnonzero(old != new)
    assert len(old) == len(new) and changed.min() >= 0.37 * RATE and changed.max() <= 0.63 * RATE


def test_a_loop_says_where_it_loops_and_is_not_faded(
    preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(capsys, "edit", "loop", sound, "--preset", preset, "--out", tmp_path, "--json")
    path = Path(made.objects[0]["clip"])
    data = path.read_bytes()
    at = data.index(b"smpl") + 8
    assert struct.unpack_from("<I", data, at + 28) == (1,)
    assert struct.unpack_from("<II", data, at + 36 + 8) == (0, RATE - 1)
    samples = soundfile.read(path)[0]
    for end in (samples, samples[::-1]):
        # A fade of 5 ms would leave a twentieth of that.
        assert end[:48].std() > 0.25 * end[48:480].std()


@pytest.mark.slow
def test_a_clip_of_the_history_is_named_by_its_id(
    preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--preset", preset, "--out", tmp_path / "out", "--json", "--state", tmp_path]
    first = Path(run(capsys, "edit", "vary", sound, "--variations", "2", *common).objects[1]["clip"])
    history = History(tmp_path / "history.sqlite")
    entry = history.add(first, first.with_suffix(".json"))
    history.close()
    made = run(capsys, "edit", "loop", entry.id, *common)
    assert made.code == 0 and "hum vary loop" in Path(made.objects[0]["clip"]).name
    assert read_recipe(Path(made.objects[0]["clip"]).with_suffix(".json")).source == str(first)


@pytest.mark.slow
def test_a_voice_and_its_recipe(
    preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = write_gesture(tmp_path / "voice.wav")
    common = ["--preset", preset, "--out", tmp_path / "out", "--json"]
    made = run(capsys, "edit", "inpaint", sound, "--span", "0.3-0.8", "--imitation", voice, *common).objects
    assert made[0]["imitation"] == str(voice) and made[0]["edit"]["voice"] is True
    recipe = Path(made[0]["clip"]).with_suffix(".json")
    again = run(capsys, "generate", "--recipe", recipe, *common)
    first, second = (soundfile.read(one["clip"], dtype="int32")[0] for one in (made[0], again.objects[0]))
    assert np.array_equal(first, second)
    sound.write_bytes(voice.read_bytes())
    wrong = run(capsys, "generate", "--recipe", recipe, *common)
    assert wrong.code == 1 and wrong.is_one_sentence() and "edited sound" in wrong.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["inpaint", "SOUND"],
        ["inpaint", "SOUND", "--span", "5-6"],
        ["inpaint", "SOUND", "--span", "half"],
        ["restyle", "SOUND", "--strength", "2"],
        ["extend", "SOUND"],
        ["band", "SOUND", "--low", "30000"],
        ["loop", "SOUND", "--seam", "3"],
        ["morph", "SOUND", "SOUND", "--sampler", "deis"],
        ["morph", "SOUND", "SOUND", "--imitation", "SOUND"],
        ["vary", "nothing0"],
        ["vary", "SOUND", "--variations", "0"],
        ["vary", "SOUND", "--gesture", "own"],
    ],
    ids=lambda arguments: " ".join(arguments[:3:2]),
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], preset: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(sound) if one == "SOUND" else one for one in arguments]
    said = run(capsys, "edit", *given, "--preset", preset, "--out", tmp_path / "out", "--state", tmp_path)
    assert said.code == 2 and said.is_one_sentence(), said.err
    assert_sentence(said.err.strip())
