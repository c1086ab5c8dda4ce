"""Denoisers trained by two processes: the figures of one, whatever is trained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import parts
import pytest
from data_sets import burst, put

parts.package("lightning_fabric")  # of the extra [training]

from pocket_denoiser import distilled, pocket_base  # noqa: E402
from tiny import make_tiny_preset  # noqa: E402
from tiny_audioldm import make_tiny_audioldm  # noqa: E402
from train_denoisers import run_denoiser  # noqa: E402

from training.cli import main  # noqa: E402
from training.journal import read_rows  # noqa: E402

HERE = Path(__file__).resolve().parent
STEPS = 20
"""As many as a row of train.csv is the mean of."""

SAME = ["optimiser.epsilon=1e-5", f"budget.steps={STEPS}", "keeping.validate.steps=10"]
"""Adam divides by a gradient's own size: where that is rounding alone, steps would be of rounding."""


def run(*words: object) -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def assert_same_figures(one: Path, two: Path) -> None:
    """Every loss and every figure of the bank, not the gradients' norms, in which roundings add up."""
    for kind, rows in (("train", 1), ("validation", 3)):
        ours, theirs = read_rows(one / f"{kind}.csv"), read_rows(two / f"{kind}.csv")
        assert [row["step"] for row in ours] == [row["step"] for row in theirs]
        assert len(ours) == rows
        for mine, other in zip(ours, theirs, strict=True):
            names = [name for name in mine if not name.startswith(("gradient", "minutes", "step"))]
            assert names
            for name in names:
                assert float(other[name]) == pytest.approx(float(mine[name]), abs=1e-5), name


@pytest.mark.slow
def test_two_processes_train_vocaldm_as_one_does(tmp_path: Path) -> None:
    preset = make_tiny_preset(tmp_path, "tiny")
    told = [*SAME, "train=[adapter, film, attention]", "batch=7"]
    run_denoiser(preset, tmp_path / "one", *told)
    run(HERE / "train_denoisers.py", preset, tmp_path / "two", -1, *told, "machine.devices=2")
    assert_same_figures(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_processes_distil_as_one_does(tmp_path: Path) -> None:
    told = [*SAME, "few={low: 2, default: 2, high: 3}", "teacher.guidance=[1.0, 3.0]", "batch=7"]
    distilled(pocket_base(tmp_path / "base", "v", 0), tmp_path / "one", *told)
    run(HERE / "pocket_denoiser.py", tmp_path / "two", -1, *told, "machine.devices=2")
    assert_same_figures(tmp_path / "one", tmp_path / "two" / "run")


@pytest.mark.slow
def test_two_processes_train_ldm_as_one_does(tmp_path: Path) -> None:
    base = make_tiny_audioldm(tmp_path, "small")
    for number in range(10):
        put(tmp_path / "sounds" / f"{number}.wav", burst(number, 0.3 + 0.04 * (number % 5)))
    fixed = {
        "machine.accelerator": "cpu",
        "machine.threads": 1,
        "machine.workers": 0,
        "cache": tmp_path / "cache",
        "data.held_out": 0.25,
        "unet": "{size: own, channels: [32, 32], head_width: 16}",
        "batch": 5,
    }
    changes = [*(f"{key}={value}" for key, value in fixed.items()), *SAME]
    common = ["--base", str(base), "--data", str(tmp_path / "sounds")]
    common += [part for change in changes for part in ("--set", change)]
    assert main(["ldm", "--out", str(tmp_path / "one"), *common, "--devices", "1"]) == 0
    run("-m", "training", "ldm", "--out", tmp_path / "two", *common, "--devices", "2")
    assert_same_figures(tmp_path / "one", tmp_path / "two")
