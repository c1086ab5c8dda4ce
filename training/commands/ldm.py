"""`vocaldm-train ldm`: latent diffusion, or diffusion of log-mels themselves."""

from __future__ import annotations

from typing import Annotated

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
    counting,
    find_recipe,
    say_outcome,
)

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


def ldm(
    out: OutOption,
    recipe: RecipeArgument = None,
    data: DataOption = None,
    base: BaseOption = None,
    start: StartOption = None,
    conditioner: ConditionerOption = None,
    changes: ChangesOption = None,
    steps: StepsOption = None,
    minutes: MinutesOption = None,
    max_hours: HoursOption = None,
    devices: DevicesOption = None,
    nodes: NodesOption = None,
    precision: PrecisionOption = None,
    fresh: FreshOption = False,
) -> None:
    """Train a diffusion model from scratch or from a checkpoint; a preset that plays comes out."""
    from training.diffusion import run_ldm
    from training.recipe_file import read_recipe
    from training.trainers.ldm_recipe import LDMRecipe

    given = changes_of(changes, steps, minutes, max_hours, devices, nodes, precision, data)
    named = {"base": base, "start.source": start, "conditioner.name": conditioner}
    given += [f"{key}={as_text(value)}" for key, value in named.items() if value is not None]
    told = read_recipe(find_recipe(recipe, out), LDMRecipe, given)
    with counting("encoding") as progress:
        outcome = run_ldm(told, out, fresh, progress)
    say_outcome(outcome)
