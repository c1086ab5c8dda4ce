"""Makes a preset from a folder, killed and taken up again: SOUNDS BASE OUT WHERE ...; prints how each sitting ended.

WHERE: nowhere, or a stage at whose end (before it is put down as done) SIGKILL comes, or train:STEP, or judge:CLIP.
The run is OUT/run, its preset OUT/to/mine. A line a sitting: `ended`, its exit code, `preset` where one lies there, and the
stages that are done.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import torch

torch.set_num_threads(1)

from training.cli import main  # noqa: E402
from training.preset import aiming, journal, judge, trial  # noqa: E402
from training.trainers.vocaldm import VocalDMTrainer  # noqa: E402

SMALL = (
    "examples=12",
    "batch=4",
    "gestures=4",
    "bank=1",
    "machine.workers=1",
    "machine.accelerator=cpu",
    "machine.threads=1",
    "keeping.save_seconds=0",
    "keeping.validate={steps: 4}",
    "shown=1",
)
# What aiming and choosing are worth is held in test_preset_choosing: here they only have to happen.
SMALLER = ((aiming, {"STEPS": 20, "EVERY": 10}), (trial, {"FEWEST_GESTURES": 3, "SHARES": (1.0,)}))


def run(where: str, sounds: Path, base: Path, out: Path, to: Path, *changes: str) -> int:
    """The command on a small scale; its exit code, where it comes to one."""
    stage, _, number = where.partition(":")
    if number:
        _kill_within(stage, int(number))
    else:
        _kill_after(stage)
    given = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    told = ["preset", "--sounds", str(sounds), "--name", "mine", "--base", str(base), "--out", str(out)]
    with ExitStack() as stack:
        for module, values in SMALLER:
            stack.enter_context(mock.patch.multiple(module, **values))
        return main([*told, "--to", str(to), "--steps", "8", *given])


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_after(stage: str) -> None:
    finish = journal.Stages.finish

    def killed(self, one, facts):  # type: ignore[no-untyped-def]
        if one == stage:
            _kill()
        finish(self, one, facts)

    journal.Stages.finish = killed  # type: ignore[method-assign]


def _kill_within(stage: str, number: int) -> None:
    if stage == "train":
        step = VocalDMTrainer.step

        def killed(self, turn, one):  # type: ignore[no-untyped-def]
            if one.index == number:
                _kill()
            return step(self, turn, one)

        VocalDMTrainer.step = killed  # type: ignore[method-assign]
    else:
        measure, made = judge.measure_following, [0]

        def counted(*arguments):  # type: ignore[no-untyped-def]
            made[0] += 1
            if made[0] == number:
                _kill()
            return measure(*arguments)

        judge.measure_following = counted


def main_of_program(sounds: Path, base: Path, out: Path, *places: str) -> None:
    """Each sitting in a process of its own that has imported everything already."""
    for where in places:
        child = os.fork()
        if not child:
            os._exit(run(where, sounds, base, out / "run", out / "to"))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        there = ["preset"] if (out / "to" / "mine").exists() else []
        done = json.loads((out / "run" / "preset.json").read_text())["done"]
        print("ended", code, *there, *done, flush=True)


if __name__ == "__main__":
    import lightning_fabric  # noqa: F401

    main_of_program(*map(Path, sys.argv[1:4]), *sys.argv[4:])
