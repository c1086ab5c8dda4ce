"""Bad data through every command: what is wrong is said, each thing in a sentence, and the rest goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_sets import burst, put
from disks import remount, small_disk
from parts import package
from tiny import assert_sentence, make_tiny_preset

package("lightning_fabric")  # of the extra [training]

from training import dataset  # noqa: E402
from training.cli import main  # noqa: E402

GOOD = 7


def mixed(folder: Path) -> Path:
    """Seven good sounds of all rates and names, and all that can be wrong with a file."""
    for number, rate in enumerate((8000, 16000, 44100, 48000, 96000)):
        put(folder / f"{number}.wav", burst(number, 0.4, rate), rate)
    two = np.stack([burst(5, 0.4, 22050), burst(6, 0.4, 22050)], axis=1)
    soundfile.write(folder / "größe 音.flac", two, 22050)
    if sys.platform == "linux":
        os.rename(put(folder / "7.wav", 7), folder / "not \udcff text.wav")
    else:
        put(folder / "7.wav", 7)
    whole = (folder / "0.wav").read_bytes()
    (folder / "corrupt.wav").write_bytes(np.random.default_rng(1).bytes(5000))
    (folder / "torn.wav").write_bytes(whole[:30])
    (folder / "empty.wav").write_bytes(b"")
    put(folder / "one sample.wav", np.ones(1, np.float32))
    put(folder / "no sample.wav", np.zeros(0, np.float32))
    put(folder / "silent.wav", np.zeros(8000, np.float32))
    put(folder / "nan.wav", np.full(8000, np.nan, np.float32))
    return folder


def commands(data: Path, out: Path, preset: Path) -> Iterator[list[str]]:
    """Every command that takes data, with what it writes below `out`."""
    named = ["--preset", str(preset), "--workers", "1"]
    for to in ("folders", "table", "audioldm", "mel-images"):
        yield ["convert", str(data), str(out / to), "--to", to]
    yield ["convert", "--synthesise", str(data), str(out / "shards"), "--clips", "2", "--workers", "1"]
    yield ["encode", str(data), "--cache", str(out / "cache"), *named]
    yield ["render", str(data), "--out", str(out / "clips"), *named]
    lesson = ["--base", str(preset), "--set", f"cache={out / 'cache'}", "--set", "least_vae_db=null"]
    tiny = [
        "--set",
        "batch=2",
        "--set",
        "listening.clips=1",
        "--set",
        "machine.workers=1",
        "--set",
        "lengths=[8]",
    ]
    yield ["vocaldm", "--data", str(data), "--out", str(out / "run"), "--steps", "2", *lesson, *tiny]


def sentences(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was said on stderr, nothing twice and each line a sentence, a run's figures apart."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("validation at step")]
    for line in said:
        assert line.endswith(".") and line.count(". ") == 0, line
    assert len(set(said)) == len(said)
    return said


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SHARD", 1)


@pytest.mark.slow
def test_what_is_wrong_is_said_and_the_rest_goes_on(
    tmp_path: Path, preset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = mixed(tmp_path / "data"), tmp_path / "out"
    assert main(["check", str(data), "--all"]) == 1
    for command in commands(data, out, preset):
        assert main(command) == 0, command
        said = " ".join(sentences(capsys))
        for name in ("corrupt.wav", "torn.wav", "empty.wav"):
            assert said.count(name) == 1, (command, name)
    assert len(list((out / "clips").glob("*.wav"))) == GOOD


@pytest.mark.slow
def test_an_empty_folder_is_one_sentence(
    tmp_path: Path, preset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "a.wav").write_bytes(b"no sound")
    for data in (tmp_path / "empty", tmp_path / "noise", tmp_path / "gone"):
        for command in (["check", str(data)], *commands(data, tmp_path / "out", preset)):
            assert main(command) in (1, 2), command
            said = sentences(capsys)
            assert said and len(said) <= 2, (command, said)
            assert_sentence(said[-1])


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_middle_is_one_sentence_and_the_same_command_goes_on(
    tmp_path: Path, preset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for number in range(6):
        put(data / f"{number}.wav", burst(number, 1.0, 48000), 48000)
    for command in commands(data, tmp_path / "disk", preset):
        if command[0] == "vocaldm":
            continue  # its cache is encode's; the run itself is tested with the loop
        with small_disk(tmp_path / "disk", "64k" if "mel-images" in command else "300k") as disk:
            assert main(command) == 1, command
            said = sentences(capsys)
            assert_sentence(said[-1])
            assert "cannot be" in said[-1], said
            remount(disk, "size=64m")
            assert main(command) == 0, command
            sentences(capsys)
            assert not [path for path in disk.rglob(".*") if path.is_file()]
