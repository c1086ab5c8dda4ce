"""`vocaldm-train align`: what an encoder hears of a voice becomes the condition of an AudioLDM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands import (
    ChangesOption,
    DataOption,
    DevicesOption,
    FreshOption,
    HoursOption,
    MinutesOption,
    NodesOption,
    OutOption,
    PrecisionOption,
    RecipeArgument,
    StepsOption,
    as_text,
    changes_of,
    find_recipe,
    say_outcome,
)

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from training.trainers.align import AlignTrainer
    from training.trainers.direct import DirectTrainer


def align(
    out: OutOption,
    recipe: RecipeArgument = None,
    data: DataOption = None,
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
    changes: ChangesOption = None,
    steps: StepsOption = None,
    minutes: MinutesOption = None,
    max_hours: HoursOption = None,
    devices: DevicesOption = None,
    nodes: NodesOption = None,
    precision: PrecisionOption = None,
    fresh: FreshOption = False,
) -> None:
    """Train what a voice is heard as to be the condition that an AudioLDM was trained with: CLAP of the sound meant."""
    from training.aligning import open_trainer
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.align_recipe import AlignRecipe

    named = {"base": base, "encoder": encoder, "mode": mode}
    given = [f"{key}={as_text(value)}" for key, value in named.items() if value is not None]
    given = changes_of([*(changes or ()), *given], steps, minutes, max_hours, devices, nodes, precision, data)
    told = read_recipe(find_recipe(recipe, out), AlignRecipe, given)

    def make(fabric: Fabric) -> AlignTrainer | DirectTrainer:
        # What the first process has put into the cache the others find there.
        with fabric.rank_zero_first(local=True):
            return open_trainer(told, fabric.device, Path(out))

    say_outcome(train(make, told, out, fresh))
