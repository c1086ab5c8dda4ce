"""Check: every fault that is planted is found, and a clean set has none."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_sets import audioldm, burst, put, vimsketch

from training.cli import main
from training.data.check import Finding, check, clipped_samples
from training.data.duplicates import fingerprint, near_copies
from training.data.formats import read_collection
from vocaldm_live.sound.audio import Sound


def found_in(folder: Path, kind: str) -> list[Finding]:
    return [finding for finding in check(read_collection(str(folder))) if finding.kind == kind]


def clean(folder: Path, count: int = 6) -> Path:
    for number in range(count):
        put(folder / f"{number}.wav", number)
    return folder


def test_a_clean_set_has_no_findings(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    collection = read_collection(str(clean(tmp_path)))
    assert check(collection, lambda done, whole: heard.append((done, whole))) == ()
    assert heard[-1] == (6, 6)


def test_short_silent_and_clipped(tmp_path: Path) -> None:
    clean(tmp_path)
    put(tmp_path / "short.wav", burst(50, 0.02))
    put(tmp_path / "one.wav", np.full(1, 0.5, np.float32))
    put(tmp_path / "silent.wav", np.zeros(8000, np.float32))
    put(tmp_path / "offset.wav", np.full(8000, 0.25, np.float32))
    put(tmp_path / "clipped.wav", np.clip(burst(55, level=8.0), -1, 1))
    put(tmp_path / "normalised.wav", burst(52, level=1.0))
    assert [finding.keys for finding in found_in(tmp_path, "short")] == [("one.wav",), ("short.wav",)]
    assert [finding.keys for finding in found_in(tmp_path, "silent")] == [("offset.wav",), ("silent.wav",)]
    assert [finding.keys for finding in found_in(tmp_path, "clipped")] == [("clipped.wav",)]


def test_a_crest_is_not_a_clip() -> None:
    slow = np.sin(2 * np.pi * 50 * np.arange(48000) / 48000)
    assert clipped_samples(slow) < 1500 and clipped_samples(0.5 * np.sign(slow)) == 0
    assert clipped_samples(burst(3, level=1.0)) < 4
    assert clipped_samples(np.clip(2 * slow, -1, 1)) > 20000


def test_missing_and_unreadable(tmp_path: Path) -> None:
    audioldm(tmp_path)
    (tmp_path / "data/dataset/sounds/zip/4.wav").write_bytes(b"no sound")
    findings = check(read_collection(str(tmp_path)))
    assert {finding.kind for finding in findings} == {"missing", "unreadable", "name"}
    put(tmp_path / "late.wav", burst(7))
    collection = read_collection(str(tmp_path / "late.wav").replace("late.wav", "data/dataset/sounds"))
    (tmp_path / "data/dataset/sounds/zip/3.wav").write_bytes(b"torn since")
    late = [finding for finding in check(collection) if finding.kind == "unreadable"]
    assert {finding.keys for finding in late} == {("zip/4.wav",), ("zip/3.wav",)}


def test_copies_by_content_level_format_and_silence(tmp_path: Path) -> None:
    clean(tmp_path)
    shutil.copy(tmp_path / "0.wav", tmp_path / "renamed.wav")
    put(tmp_path / "quiet.wav", 0.05 * burst(1))
    soundfile.write(tmp_path / "sixteen.flac", burst(2), 16000)
    put(
        tmp_path / "padded.wav",
        np.concatenate([np.zeros(3000, np.float32), burst(3), np.zeros(900, np.float32)]),
    )
    assert [finding.keys for finding in found_in(tmp_path, "duplicate")] == [
        ("0.wav", "renamed.wav"),
        ("1.wav", "quiet.wav"),
        ("2.wav", "sixteen.flac"),
        ("3.wav", "padded.wav"),
    ]


def test_sounds_that_only_resemble_each_other_are_no_copies() -> None:
    times = np.arange(16000) / 16000
    fade = np.exp(-3 * times)
    sounds = {
        f"{note}": Sound((np.sin(2 * np.pi * note * times) * fade).astype(np.float32), 16000)
        for note in (440, 466, 494, 523)
    }
    sounds["reversed"] = Sound(sounds["440"].samples[::-1].copy(), 16000)
    for number in range(40):
        sounds[f"burst {number}"] = Sound(burst(number), 16000)
    prints = {name: fingerprint(sound) for name, sound in sounds.items()}
    assert near_copies({name: one for name, one in prints.items() if one is not None}) == []
    assert fingerprint(Sound(np.zeros(100, np.float32), 16000)) is None
    assert near_copies({}) == []


@pytest.mark.parametrize("change", ["renamed", "gain"])
def test_a_copy_in_another_split_is_a_leak(tmp_path: Path, change: str) -> None:
    clean(tmp_path / "train")
    clean(tmp_path / "more")
    (tmp_path / "test").mkdir()
    for number in range(10, 13):
        put(tmp_path / "test" / f"{number}.wav", number)
    shutil.rmtree(tmp_path / "more")
    assert found_in(tmp_path, "leak") == []
    if change == "renamed":
        shutil.copy(tmp_path / "train" / "3.wav", tmp_path / "test" / "new.wav")
    else:
        put(tmp_path / "test" / "new.wav", 0.3 * burst(3))
    leak = found_in(tmp_path, "leak")
    assert [finding.keys for finding in leak] == [("test/new.wav", "train/3.wav")]
    assert "lie in test and train" in leak[0].sentence


def test_a_reference_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    found = read_collection(str(vimsketch(tmp_path)))
    torn = found.of(replace(item, split="test" if "00099" in item.key else "train") for item in found.items)
    assert [finding.kind for finding in check(torn)] == ["leak"]


def test_rates_and_names(tmp_path: Path) -> None:
    clean(tmp_path)
    put(tmp_path / "low.wav", burst(60, rate=8000), 8000)
    put(tmp_path / "Case.wav", 61)
    put(tmp_path / "case.wav", 62)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    odd.write_bytes(put(tmp_path / "x.wav", 63).read_bytes())
    rates = found_in(tmp_path, "rate")
    assert [finding.keys for finding in rates] == [("low.wav",), ("low.wav",)]
    assert "1 at 8000 Hz, 10 at 16000 Hz" in " ".join(finding.sentence for finding in rates)
    names = found_in(tmp_path, "name")
    assert sorted(len(finding.keys) for finding in names) == [1, 2]
    assert all(finding.sentence.encode("utf-8") for finding in names)


def test_the_command_tells_and_fails_on_what_is_grave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean(tmp_path, 9)
    for number in range(7):
        shutil.copy(tmp_path / "0.wav", tmp_path / f"copy{number}.wav")
        put(tmp_path / f"short{number}.wav", burst(80 + number, 0.01))
    assert main(["check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "23 items in 23 groups, 0 pairs" in said and "duplicate" in said
    assert "short: 2 more, which --all prints." in said
    assert main(["check", str(tmp_path), "--all"]) == 0
    assert "more, which" not in capsys.readouterr().out
    (tmp_path / "torn.wav").write_bytes(b"nothing")
    assert main(["check", str(tmp_path), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["items"] == 23 and facts["splits"] == {"none": 23}
    assert {"unreadable", "short", "duplicate"} == {finding["kind"] for finding in facts["findings"]}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["gone"], 1), ([".", "--format", "wishes"], 2), ([], 2), (["hub:"], 1)],
)
def test_the_command_says_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", *arguments]) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith(".\n")
