"""VAE and vocoder with their judges on: killed and resumed, in micro batches and on two processes they are one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import parts
import pytest
import torch

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402
from sound_runs import KINDS, command, tones  # noqa: E402

from training.checkpoint import load  # noqa: E402
from training.cli import main  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
HISS = 0.1  # loud enough that no logarithm of a magnitude is one of rounding
PROGRAM = Path(__file__).resolve().parent / "sound_runs.py"
SHORT = ("--steps", "6", "--set", "keeping.save_seconds=0", "--set", "keeping.validate={}")


def run(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sounds and the unbroken runs that others are held against."""
    folder = tmp_path_factory.mktemp("whole")
    tones(folder / "tones", hiss=HISS)
    for noun in KINDS:
        assert main(command(noun, folder / "tones", folder / noun, *SHORT)) == 0
    return folder


def assert_equal(noun: str, one: Path, other: Path, within: float = 0.0) -> None:
    """What came out; where nothing may differ, the judges and every moment too."""
    pairs = [tuple(load_file(folder / f"{noun}.safetensors") for folder in (one, other))]
    if not within:
        pairs.append(tuple(load(folder / "checkpoint.safetensors")[0] for folder in (one, other)))
        assert any("judge" in name for name in pairs[-1][0])
    for ours, theirs in pairs:
        assert ours.keys() == theirs.keys()
        for name in ours:
            torch.testing.assert_close(ours[name], theirs[name], rtol=within, atol=within, msg=name)


@pytest.mark.slow
def test_killed_runs_go_on_as_unbroken_ones(whole: Path, tmp_path: Path) -> None:
    tones(tmp_path / "tones", hiss=HISS)
    assert run(str(tmp_path), "killed", *SHORT).split() == [str(-signal.SIGKILL.value)] * 2
    for noun in KINDS:
        assert load(tmp_path / noun / "checkpoint.safetensors")[1]["step"] == 4
        assert not (tmp_path / noun / f"{noun}.safetensors").exists()
        assert main(command(noun, tmp_path / "tones", tmp_path / noun, *SHORT)) == 0
        assert_equal(noun, tmp_path / noun, whole / noun)


@pytest.mark.slow
@pytest.mark.parametrize("noun", KINDS)
def test_micro_batches_are_the_same_run(whole: Path, tmp_path: Path, noun: str) -> None:
    assert main(command(noun, whole / "tones", tmp_path, *SHORT, machine__micro_batch=1)) == 0
    assert_equal(noun, tmp_path, whole / noun, within=1e-5)


@pytest.mark.slow
def test_two_processes_are_the_same_run(whole: Path, tmp_path: Path) -> None:
    tones(tmp_path / "tones", hiss=HISS)
    assert run(str(tmp_path), "twofold", *SHORT).split() == ["0", "0"]
    for noun in KINDS:
        assert_equal(noun, tmp_path / noun, whole / noun, within=1e-5)
