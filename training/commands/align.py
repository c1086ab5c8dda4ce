"""`vocaldm-train align`: what an encoder hears of a voice becomes the condition of an AudioLDM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from training.commands import say_outcome
from training.commands.run_options import RunOptions, with_run_options

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from training.trainers.align import AlignTrainer
    from training.trainers.direct import DirectTrainer


@with_run_options()
def align(
    run: RunOptions,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="PRESET", help="An imported AudioLDM with CLAP's audio tower."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", metavar="FILE", help="A run's encoder, a QVIM checkpoint, or a preset's name."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="adapter behind an encoder that stays, or direct, which trains both."
        ),
    ] = None,
) -> None:
    """Train what a voice is heard as to be the condition that an AudioLDM was trained with: CLAP of the sound meant."""
    from training.aligning import open_trainer
    from training.loop import train
    from training.trainers.align_recipe import AlignRecipe

    told = run.read(AlignRecipe, {"base": base, "encoder": encoder, "mode": mode})

    def make(fabric: Fabric) -> AlignTrainer | DirectTrainer:
        # What the first process has put into the cache the others find there, on other machines too: its database
        # bears no writers of several machines.
        with fabric.rank_zero_first():
            return open_trainer(told, fabric.device, run.out)

    say_outcome(train(make, told, run.out, run.fresh))
