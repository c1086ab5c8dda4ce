"""`vocaldm-train ldm`: latent diffusion, or diffusion of log-mels themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands import counting, say_outcome
from training.commands.run_options import RunOptions, with_run_options

BaseOption = Annotated[
    str | None,
    typer.Option("--base", metavar="PRESET", help="Whose VAE, vocoder and CLAP are taken: a name or folder."),
]
StartOption = Annotated[
    str | None,
    typer.Option("--start", metavar="PLACE", help="A preset, run, checkpoint or weights file to begin with."),
]
ConditionerOption = Annotated[
    str | None, typer.Option("--conditioner", metavar="NAME", help="By what the model is told of a sound.")
]


@with_run_options()
def ldm(
    run: RunOptions,
    base: BaseOption = None,
    start: StartOption = None,
    conditioner: ConditionerOption = None,
) -> None:
    """Train a diffusion model from scratch or from a checkpoint; a preset that plays comes out."""
    from training.diffusion import run_ldm
    from training.trainers.ldm_recipe import LDMRecipe

    named = {"base": base, "start.source": start, "conditioner.name": conditioner}
    told = run.read(LDMRecipe, named)
    with counting("encoding") as progress:
        outcome = run_ldm(told, run.out, run.fresh, progress)
    say_outcome(outcome)
