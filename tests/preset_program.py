"""Makes presets from a folder, each killed elsewhere: SOUNDS BASE OUT WHERE ...; prints how each ended.

WHERE: nowhere, or a stage at whose end (before it is put down as done) SIGKILL comes, or train:STEP, or judge:CLIP.
The runs are OUT/WHERE/run, their presets OUT/WHERE/to/mine.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)

from training.cli import main  # noqa: E402
from training.preset import journal, judge  # noqa: E402
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


def run(where: str, sounds: Path, base: Path, out: Path, to: Path, *changes: str) -> int:
    """The command on a small scale; its exit code, where it comes to one."""
    stage, _, number = where.partition(":")
    if number:
        _kill_within(stage, int(number))
    else:
        _kill_after(stage)
    given = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    return main(
        ["preset", "--sounds", str(sounds), "--name", "mine", "--base", str(base), "--out", str(out)]
        + ["--to", str(to), "--steps", "8", *given]
    )


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
    """Each run in a process of its own that has imported everything already."""
    for where in places:
        folder = out / where.replace(":", "-")
        child = os.fork()
        if not child:
            os._exit(run(where, sounds, base, folder / "run", folder / "to"))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main_of_program(*map(Path, sys.argv[1:4]), *sys.argv[4:])
