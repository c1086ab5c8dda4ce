"""Bad input gets one clear sentence, the right exit code, and loses nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from cli_helpers import gesture, run, visible, write_gesture

from vocaldm_live.deliver import outbox


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_gesture(tmp_path / "voice.wav")


def _text(path: Path) -> None:
    path.write_text("This is a letter, not a sound.")


def _samples(samples: np.ndarray, rate: int = 48000, subtype: str = "PCM_16") -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, rate, subtype=subtype)


BAD_SOUNDS: dict[str, Callable[[Path], None]] = {
    "not audio": _text,
    "empty file": lambda path: path.touch(),
    "no samples": _samples(np.zeros(0)),
    "silent": _samples(np.zeros(48000)),
    "not numbers": _samples(np.where(np.arange(48000) == 9, np.nan, 0.1), subtype="FLOAT"),
    "20 ms": _samples(gesture(0.02)),
    "10 minutes": _samples(gesture(600.0, 8000), 8000),
    "4 kHz": _samples(gesture(1.0, 4000), 4000),
    "missing": lambda path: None,
    "a folder without audio": lambda path: (path.mkdir(), _text(path / "letter.txt"))[0],
}


@pytest.mark.parametrize("kind", BAD_SOUNDS)
def test_a_bad_sound_is_one_sentence_that_names_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, kind: str
) -> None:
    path = tmp_path / "strange voice.wav"
    BAD_SOUNDS[kind](path)
    said = run(capsys, "generate", path, "--preset", tiny, "--out", tmp_path / "out", "--json")
    assert said.code == 1 and said.out == ""
    assert said.is_one_sentence() and str(path) in said.err
    assert visible(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("name", "samples", "rate"),
    [
        ("8 channels", np.tile(gesture(0.4)[:, None], (1, 8)), 48000),
        ("192 kHz", gesture(0.4, 192000), 192000),
    ],
)
def test_an_unusual_sound_works(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, name: str, samples: np.ndarray, rate: int
) -> None:
    path = tmp_path / f"{name}.wav"
    soundfile.write(path, samples, rate)
    said = run(capsys, "generate", path, "--preset", tiny, "--out", tmp_path / "out", "--json")
    assert (said.code, said.err) == (0, "")
    clip = soundfile.info(said.objects[0]["clip"])
    assert (clip.channels, clip.samplerate, clip.frames) == (1, 48000, 19200)


def test_in_a_folder_the_good_ones_are_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path
) -> None:
    folder = tmp_path / "voices"
    write_gesture(folder / "a good.wav")
    _text(folder / "b letter.wav")
    BAD_SOUNDS["silent"](folder / "c silence.wav")
    write_gesture(folder / "d good.wav", note=330.0)
    _text(folder / "notes.txt")
    said = run(capsys, "generate", folder, "--preset", tiny, "--out", tmp_path / "out", "--json")
    assert said.code == 1
    assert [Path(one["imitation"]).name for one in said.objects] == ["a good.wav", "d good.wav"]
    assert all(Path(one["clip"]).is_file() for one in said.objects)
    complaints = said.err.splitlines()
    assert len(complaints) == 2 and "b letter" in complaints[0] and "c silence" in complaints[1]


BAD_OPTIONS = [
    ("--steps", 0),
    ("--steps", 10**6),
    ("--guidance", -3),
    ("--guidance", "nan"),
    ("--follow", 2),
    ("--seed", "text"),
    ("--seed", -1),
    ("--seed", 2**32),
    ("--variations", 0),
    ("--duration", 0),
    ("--duration", 1000),
    ("--sampler", "magic"),
    ("--eta", 2),
    ("--bits", 20),
    ("--device", "abacus"),
    ("--like-weight", 0.5),
]


@pytest.mark.parametrize(("option", "value"), BAD_OPTIONS, ids=lambda value: str(value).lstrip("-"))
def test_a_bad_option_is_one_sentence_about_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path, option: str, value: object
) -> None:
    said = run(capsys, "generate", voice, "--preset", tiny, "--out", tmp_path / "out", option, value)
    assert said.code == 2 and said.out == ""
    assert said.is_one_sentence()
    subject = option.strip("-").replace("bits", "bit depth")
    assert subject in said.err.replace("like weight", "like-weight")
    assert not (tmp_path / "out").exists()


def test_options_that_do_not_go_together_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    command = ("generate", voice, "--preset", tiny, "--out", tmp_path / "out")
    several = run(capsys, *command, "--seed", 2**32 - 1, "--variations", 2)
    stiff = run(capsys, *command, "--sampler", "deis", "--eta", 0.5)
    for said in (several, stiff):
        assert said.code == 2 and said.is_one_sentence()
    assert "seed" in several.err and "eta" in stiff.err


def test_a_bad_example_sound_stops_everything(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    _text(tmp_path / "like.wav")
    command = ("generate", voice, "--preset", tiny, "--out", tmp_path / "out")
    said = run(capsys, *command, "--like", tmp_path / "like.wav")
    assert said.code == 1 and said.out == "" and said.is_one_sentence() and "like.wav" in said.err


def test_an_output_folder_that_is_a_file_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    for out in (voice, voice / "below"):
        said = run(capsys, "generate", voice, "--preset", tiny, "--out", out)
        assert said.code == 1 and said.out == "" and said.is_one_sentence() and str(out) in said.err
    assert soundfile.info(voice).frames == 19200


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    said = run(capsys, "generate", voice, "--preset", tiny, "--out", tmp_path / "locked")
    assert said.code == 1 and said.is_one_sentence() and "locked" in said.err


@pytest.mark.parametrize("room", [0, 1], ids=["from the start", "after the check"])
def test_a_full_disk_is_told_once_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tiny: Path,
    voice: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    write, written = outbox._write_file, []

    def full(descriptor: int, data: bytes) -> None:
        if len(written) >= room:
            os.close(descriptor)
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(data)
        write(descriptor, data)

    monkeypatch.setattr(outbox, "_write_file", full)
    said = run(capsys, "generate", voice, voice, "--preset", tiny, "--out", tmp_path / "out", "--json")
    assert said.code == 1 and said.out == ""
    assert said.is_one_sentence() and "full" in said.err
    assert visible(tmp_path / "out") == []


def _flip(folder: Path) -> None:
    path = folder / "unet.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)


def _pickle(folder: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, folder / "vae.safetensors")


DAMAGE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "wrong hash": ("unet.safetensors", _flip),
    "pickle": ("vae.safetensors", _pickle),
    "missing file": ("adapter.safetensors", lambda folder: (folder / "adapter.safetensors").unlink()),
    "cut short": ("encoder.safetensors", lambda folder: os.truncate(folder / "encoder.safetensors", 1000)),
    "no YAML": ("preset.yaml", lambda folder: _text(folder / "preset.yaml")),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_preset_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path, voice: Path, kind: str
) -> None:
    name, damage = DAMAGE[kind]
    broken = shutil.copytree(tiny, tmp_path / "tiny")
    damage(broken)
    said = run(capsys, "generate", voice, voice, "--preset", broken, "--out", tmp_path / "out")
    assert said.code == 1 and said.out == ""
    assert said.is_one_sentence() and name in said.err
    assert visible(tmp_path / "out") == []
    checked = run(capsys, "presets", "check", broken)
    assert checked.code == 1 and name in checked.err


def test_an_unknown_preset_is_told_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tiny: Path,
    voice: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOCALDM_PRESETS", str(tiny.parent))
    said = run(capsys, "generate", voice, "--preset", "huge", "--out", tmp_path / "out")
    assert said.code == 1 and said.is_one_sentence()
    assert "huge" in said.err and "tiny" in said.err
