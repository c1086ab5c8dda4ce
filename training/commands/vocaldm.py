"""`vocaldm-train vocaldm`: a preset's denoiser learns other sounds."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands import counting, say_outcome
from training.commands.run_options import RunOptions, with_run_options

BaseOption = Annotated[
    str | None, typer.Option("--base", metavar="PRESET", help="The preset that learns on: a name or folder.")
]
TrainOption = Annotated[
    str | None,
    typer.Option("--train", metavar="PARTS", help="What learns: adapter,film,attention or all."),
]


@with_run_options()
def vocaldm(
    run: RunOptions,
    base: BaseOption = None,
    train: TrainOption = None,
) -> None:
    """Train a preset's denoiser on sounds and voices that imitate them: its adapter, parts of it, or all."""
    from training.lesson import run_lesson
    from training.trainers.vocaldm_recipe import VocalDMRecipe

    told = run.read(VocalDMRecipe, {"base": base}, [] if train is None else [f"train=[{train}]"])
    with counting("preparing") as bar:
        tell = None if bar is None else lambda stage, done, whole: bar(done, whole)
        outcome = run_lesson(told, run.out, run.fresh, tell)
    say_outcome(outcome)
