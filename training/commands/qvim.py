"""`vocaldm-train qvim`: the encoder that hears which sound a voice means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from training.commands import say_outcome
from training.commands.run_options import RunOptions, with_run_options

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from training.trainers.qvim import QVIMTrainer


@with_run_options()
def qvim(
    run: RunOptions,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="FILE", help="mn10_as.pt, a QVIM checkpoint, or a preset's name."),
    ] = None,
) -> None:
    """Train the encoder's towers to hear a voice and the sound that it means as nearly the same."""
    from training.loop import train
    from training.trainers.qvim import QVIMRecipe, QVIMTrainer

    told = run.read(QVIMRecipe, {"start": start})

    def make(fabric: Fabric) -> QVIMTrainer:
        # What the first process has put into the cache the others find there, on other machines too: its database
        # bears no writers of several machines.
        with fabric.rank_zero_first():
            return QVIMTrainer(told, fabric.device, run.out)

    say_outcome(train(make, told, run.out, run.fresh))
