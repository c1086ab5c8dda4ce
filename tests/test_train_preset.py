"""`vocaldm-train preset` as a person calls it: a folder becomes a preset that plays, killed and resumed, or a sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import parts
import pytest
import yaml
from data_sets import burst, put
from disks import remount, small_disk
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

parts.package("lightning_fabric")  # of the extra [training]

from preset_program import run  # noqa: E402

from training.cli import main  # noqa: E402
from training.journal import read_rows  # noqa: E402
from vocaldm_live.checkpoints.places import own_place, resolve_preset  # noqa: E402
from vocaldm_live.checkpoints.preset import check_preset, read_preset  # noqa: E402
from vocaldm_live.engine.engine import Engine  # noqa: E402
from vocaldm_live.engine.request import Request  # noqa: E402
from vocaldm_live.sound.audio import Sound  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).with_name("preset_program.py")


def sounds_in(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        put(folder / f"{number}.wav", burst(number, 0.4, 16000))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("base"), "tiny")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = sounds_in(tmp_path_factory.mktemp("here") / "Türen & Tore")
    (folder / "CREDITS.txt").write_text("Doors by Somebody, CC0\n")
    return folder


@pytest.fixture(scope="module")
def made(base: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run; its preset is in `to`/mine."""
    folder = tmp_path_factory.mktemp("made")
    assert run("nowhere", sounds, base, folder / "run", folder / "to") == 0
    return folder


@pytest.mark.slow
def test_a_folder_becomes_a_preset_that_plays(made: Path, base: Path) -> None:
    preset = read_preset(made / "to" / "mine")
    assert check_preset(preset.folder) == []
    assert preset.sha256 != read_preset(base).sha256
    clip = Engine(preset, "cpu").generate(Request(Sound(burst(3, 0.5, 16000), 16000), seed=1))
    assert np.isfinite(clip.samples).all() and np.abs(clip.samples).max() > 0


@pytest.mark.slow
def test_it_tells_where_it_comes_from_and_no_path(made: Path, base: Path) -> None:
    header = read_preset(made / "to" / "mine").header
    told = header.training
    assert told["base"]["sha256"] == read_preset(base).sha256 and told["data"]["items"] == 5
    assert told["shares"]["adapter"] > 0 and told["aimed"]["after"] >= told["aimed"]["before"]
    assert "Doors by Somebody, CC0" in header.credits
    assert header.metrics["loudness_r"]["folder"].keys() == {"base", "new", "drop"}
    text = (made / "to" / "mine" / "preset.yaml").read_text()
    assert str(made) not in text and str(base.parent) not in text


@pytest.mark.slow
def test_the_page_has_the_answer_pictures_and_sounds(made: Path) -> None:
    page = (made / "run" / "report" / "index.html").read_text()
    for wanted in (
        "mine",
        "the imitated sounds",
        "the voices",
        "clips of other gestures",
        "data:audio/flac",
        "image/png",
    ):
        assert wanted in page, wanted
    assert not [path.name for path in (made / "run" / "report").iterdir() if path.name != "index.html"]


PLACES = ("index", "examples", "train:5", "judge:4", "export")


@pytest.mark.slow
def test_a_run_killed_in_every_stage_goes_on_and_ends_the_same(
    made: Path, base: Path, sounds: Path, tmp_path: Path
) -> None:
    """One folder, ended by SIGKILL again and again; no sitting begins anew, and a preset is there whole or not at all."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROGRAM.parent)])}
    command = [sys.executable, str(PROGRAM), str(sounds), str(base), str(tmp_path), *PLACES, "nowhere"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    stages = [place.partition(":")[0] for place in PLACES]
    wanted = [[str(-signal.SIGKILL.value), *stages[:at]] for at in range(len(stages))]
    wanted[-1].insert(1, "preset")  # killed when it lay there, and before that was put down
    ended = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("ended ")]
    assert ended == [*wanted, ["0", "preset", *stages]], done.stderr
    assert "The run goes on after step 5." in done.stdout
    again, whole = read_preset(tmp_path / "to" / "mine"), read_preset(made / "to" / "mine")
    assert again.sha256 == whole.sha256
    told = [json.loads((place / "run" / "preset.json").read_text())["done"] for place in (tmp_path, made)]
    assert told[0]["judge"] == told[1]["judge"]
    steps = [int(row["step"]) for row in read_rows(tmp_path / "run" / "train" / "validation.csv")]
    assert steps == sorted(set(steps)) and steps[-1] == 8


@pytest.mark.slow
def test_a_done_run_is_not_done_again(made: Path, base: Path, sounds: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "run", tmp_path / "run")
    before = (tmp_path / "run" / "train" / "unet.safetensors").stat().st_mtime_ns
    assert run("nowhere", sounds, base, tmp_path / "run", tmp_path / "to") == 0
    assert (tmp_path / "run" / "train" / "unet.safetensors").stat().st_mtime_ns == before
    assert read_preset(tmp_path / "to" / "mine").sha256 == read_preset(made / "to" / "mine").sha256


def test_the_users_own_place_is_found_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    make_tiny_preset(own_place(), "mine")
    assert resolve_preset("mine") == own_place() / "mine"


def called(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The exit code and the last line on stderr."""
    code = main(["preset", *map(str, words)])
    lines = capsys.readouterr().err.strip().splitlines()
    return code, lines[-1] if lines else ""


def test_bad_folders_get_a_sentence(tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    silent = tmp_path / "silent"
    put(silent / "a.wav", np.zeros(16000, np.float32))
    blip = tmp_path / "blip"
    put(blip / "a.wav", np.ones(1, np.float32))
    for folder, wanted in (
        (tmp_path / "nowhere", "does not exist"),
        (empty, "no sound"),
        (silent, "no sound that can be learned from"),
        (blip, "no sound"),
    ):
        code, line = called(
            capsys, "--sounds", folder, "--name", "mine", "--base", base, "--out", tmp_path / "run"
        )
        assert code in (1, 2) and wanted in line, line
        assert_sentence(line)


def test_names_that_would_be_lost_are_refused(
    tmp_path: Path,
    base: Path,
    sounds: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_tiny_preset(tmp_path / "presets", "there")
    common = ("--sounds", sounds, "--base", base, "--out", tmp_path / "run", "--to", tmp_path / "to")
    for name, wanted in (("there", "elsewhere already"), ("a b", "name"), ("", "name")):
        code, line = called(capsys, *common, "--name", name)
        assert code == 2 and wanted in line, line
        assert_sentence(line)
    code, line = called(capsys, *common)
    assert code == 2 and "--name" in line


@pytest.mark.slow
def test_another_run_in_the_folder_is_refused(
    made: Path, base: Path, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made / "run", tmp_path / "run")
    other = sounds_in(tmp_path / "other", 3)
    code, line = called(
        capsys,
        "--sounds",
        other,
        "--name",
        "mine",
        "--base",
        base,
        "--out",
        tmp_path / "run",
        "--to",
        tmp_path / "to",
    )
    assert code == 1 and "--fresh" in line
    assert_sentence(line)


@pytest.mark.slow
def test_one_sound_is_enough_and_that_is_told(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sounds_in(tmp_path / "one", 1)
    assert run("nowhere", folder, base, tmp_path / "run", tmp_path / "to") == 0
    told = capsys.readouterr()
    assert "too few to hold any out" in told.err
    assert "too few sounds to tell" in told.out
    assert "Fewer than 3 sounds to choose by" in told.err
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "none was held out" in page and "by imitations of sounds that it learned from" in page


@pytest.mark.slow
def test_a_stopped_run_says_how_to_go_on(
    tmp_path: Path, base: Path, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("nowhere", sounds, base, tmp_path / "run", tmp_path / "to", "budget.max_hours=0.0000001") == 0
    assert "goes on with the same command" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()
    assert run("nowhere", sounds, base, tmp_path / "run", tmp_path / "to", "budget.max_hours=1") == 0
    assert (tmp_path / "to" / "mine" / "preset.yaml").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("size", ["200k", "6m"])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on(
    made: Path, base: Path, sounds: Path, tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        assert run("nowhere", sounds, base, disk / "run", tmp_path / "to") == 1
        assert_sentence(capsys.readouterr().err.strip().splitlines()[-1])
        assert not (tmp_path / "to" / "mine").exists()
        remount(disk, "size=200m")
        assert run("nowhere", sounds, base, disk / "run", tmp_path / "to") == 0
    assert read_preset(tmp_path / "to" / "mine").sha256 == read_preset(made / "to" / "mine").sha256


@pytest.mark.slow
@pytest.mark.parametrize("aligned", [False, True])
def test_an_imported_audioldm_is_a_base_too(tmp_path: Path, sounds: Path, aligned: bool) -> None:
    """It hears voices by CLAP, or by an encoder and adapter where it has them, and takes no sketch."""
    other = make_tiny_audioldm(tmp_path / "base", aligned=aligned)
    header = yaml.safe_load((other / "preset.yaml").read_text())
    header["parameters"]["steps"]["default"] = 1
    (other / "preset.yaml").write_text(yaml.safe_dump(header, allow_unicode=True))
    changes = ("optimiser.rates.warmup=0", "data.held_out=0.4", "gestures=3")
    assert run("nowhere", sounds, other, tmp_path / "run", tmp_path / "to", *changes) == 0
    preset = read_preset(tmp_path / "to" / "mine")
    assert check_preset(preset.folder) == [] and preset.sha256 != read_preset(other).sha256
    judged = json.loads((tmp_path / "run" / "preset.json").read_text())["done"]["judge"]
    heard = "ours:small" if aligned else "clap:small"
    assert heard in judged["rows"]["the voices"]
