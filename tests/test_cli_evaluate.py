"""`vocaldm evaluate`: which files belong together, and figures with anchors that make sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import gesture, run, visible, write_gesture
from tiny import make_tiny_preset

from vocaldm_live.errors import RequestError, SoundError
from vocaldm_live.evaluation import Example, find_examples, spread, voice_distance
from vocaldm_live.sound.geometry import HOUSE


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pairs_lie_side_by_side(tmp_path: Path) -> None:
    touch(tmp_path, "1_imitation__cat.wav", "1_reference__cat.wav", "2_imitation.flac", "3_reference.wav")
    touch(tmp_path, "hum.wav", "notes.txt")
    examples, references = find_examples(tmp_path)
    assert [(one.name, one.reference and one.reference.name) for one in examples] == [
        ("1_imitation__cat", "1_reference__cat.wav"),
        ("2_imitation", None),
        ("hum", None),
    ]
    assert [path.name for path in references] == ["1_reference__cat.wav", "3_reference.wav"]


def test_pairs_lie_in_two_folders(tmp_path: Path) -> None:
    touch(tmp_path, "imitations/a.wav", "imitations/b.wav", "references/b.flac", "references/c.wav", "x.wav")
    examples, references = find_examples(tmp_path)
    assert examples == [
        Example("a", tmp_path / "imitations" / "a.wav"),
        Example("b", tmp_path / "imitations" / "b.wav", tmp_path / "references" / "b.flac"),
    ]
    assert [path.name for path in references] == ["b.flac", "c.wav"]


def test_a_folder_without_imitations_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "1_reference.wav")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SoundError, match=folder.name):
            find_examples(folder)


def test_a_limit_takes_from_the_whole_list() -> None:
    examples = [Example(str(number), Path(str(number))) for number in range(10)]
    assert [one.name for one in spread(examples, 4)] == ["0", "3", "6", "9"]
    assert spread(examples, None) == spread(examples, 99) == examples
    with pytest.raises(RequestError, match="limit"):
        spread(examples, 0)


def test_the_distance_to_the_voice_hears_the_sound_and_not_its_level() -> None:
    voice = gesture(1.0).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(48000).astype(np.float32)
    assert voice_distance(voice, voice, HOUSE) == 0.0
    assert voice_distance(voice, 0.1 * voice, HOUSE) < 0.01
    assert voice_distance(voice, 0.3 * noise, HOUSE) > 10.0
    near = voice + 0.001 * noise
    assert voice_distance(voice, near, HOUSE) < voice_distance(voice, voice + 0.1 * noise, HOUSE)


@pytest.mark.slow
def test_a_folder_is_evaluated_with_its_anchors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tiny = make_tiny_preset(tmp_path / "presets")
    folder, out = tmp_path / "voices", tmp_path / "out"
    write_gesture(folder / "low_imitation.wav", 0.5, note=200.0)
    write_gesture(folder / "low_reference.wav", 0.5, note=500.0)
    write_gesture(folder / "high_imitation.wav", 0.6, note=400.0)
    write_gesture(folder / "other_reference.wav", 0.5, note=900.0)
    (folder / "broken.wav").write_text("no sound")
    said = run(capsys, "evaluate", folder, "--preset", tiny, "--out", out)
    assert said.code == 1, "one file could not be read"
    assert said.is_one_sentence() and "broken.wav" in said.err

    report = json.loads((out / "evaluation.json").read_text())
    following = report["summary"]["following"]
    kinds = ["clip", "copy", "shuffled", "unconditional", "resynthesis", "reference", "reference resynthesis"]
    assert list(following) == kinds
    assert following["copy"]["loudness_r"]["median"] == pytest.approx(1.0)
    assert following["copy"]["mel_db"]["median"] == 0.0 < following["resynthesis"]["mel_db"]["median"]
    assert [one["name"] for one in report["clips"]] == ["high_imitation", "low_imitation"]
    for one in report["clips"]:
        margin = one["mel_db"]["clip"] - one["mel_db"]["resynthesis"]
        assert one["beyond_the_voice_db"] == pytest.approx(margin)
    low = report["clips"][1]
    assert set(low["reference_rank"].values()) <= {1, 2} and report["clips"][0]["reference_rank"] == {}
    retrieval = report["summary"]["retrieval"]["clip"]
    assert (retrieval["queries"], retrieval["candidates"], retrieval["chance_mrr"]) == (1, 2, 0.75)
    assert report["summary"]["beyond_the_voice_db"]["count"] == 2

    assert all(word in said.out for word in ("loudness r", "shuffled", "Beyond the voice", "chance"))
    names = visible(out)
    assert {"low_imitation.png", "high_imitation.png", "contact_sheet.png"} <= set(names)
    assert soundfile.info(out / "low_imitation_clip.wav").frames == 24000
    assert not any(name.startswith(".") for name in names)


def test_results_never_go_among_the_imitations(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tiny = make_tiny_preset(tmp_path / "presets")
    write_gesture(tmp_path / "voices" / "a.wav")
    said = run(
        capsys, "evaluate", tmp_path / "voices", "--preset", tiny, "--out", tmp_path / "voices" / "." / ""
    )
    assert said.code == 2 and said.is_one_sentence() and visible(tmp_path / "voices") == ["a.wav"]
