"""The command line answers at once, and says in one sentence what it does not understand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import run

ROOT = Path(__file__).resolve().parent.parent

COMMANDS = ("generate", "demo", "bench", "evaluate", "doctor", "presets", "library")


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["presets", "list", "--help"]])
def test_help_loads_nothing_that_takes_time(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "vocaldm_live", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert done.returncode == 0 and "Usage: vocaldm" in done.stdout
    assert "vocaldm_live.cli" in loaded and "typer" in loaded
    slow = {"torch", "numpy", "diffusers", "transformers", "rich", "yaml", "soundfile", "matplotlib"}
    assert slow & loaded == set()


def test_without_arguments_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys)
    assert said.code == 0 and said.err == ""
    assert all(command in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    said = run(capsys, command, "--help")
    assert (said.code, said.err) == (0, "") and f"Usage: vocaldm {command}" in said.out


def test_generate_has_the_options_that_other_tools_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "generate", "--help")
    names = (
        "preset steps guidance follow like library nearest seed variations duration out json recipe device"
    )
    names += " sampler eta bits"
    assert [name for name in names.split() if f"--{name}" not in said.out] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sing"], "sing"),
        (["generate", "--loudly"], "--loudly"),
        (["generate", "x.wav", "--seed", "soon"], "--seed"),
        (["generate", "x.wav", "--seed", "1.5"], "--seed"),
        (["generate", "x.wav", "--guidance", "much"], "--guidance"),
        (["generate", "x.wav", "--steps"], "--steps"),
        (["evaluate"], "DIR"),
        (["presets", "forge"], "forge"),
        (["generate"], "nothing to do"),
    ],
)
def test_wrong_usage_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    said = run(capsys, *arguments)
    assert said.code == 2 and said.out == ""
    assert said.is_one_sentence() and told in said.err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from vocaldm_live import __version__

    assert run(capsys, "--version").out == f"vocaldm {__version__}\n"


def test_threads_spin_briefly_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    run(capsys, "--version")
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    run(capsys, "--version")
    assert os.environ["GOMP_SPINCOUNT"] == "2000"


def test_a_reader_that_left_is_no_reason_for_a_traceback() -> None:
    command = [sys.executable, "-m", "vocaldm_live", "--help"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 1 and complaint == ""
