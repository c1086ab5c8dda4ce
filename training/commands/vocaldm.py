"""`vocaldm-train vocaldm`: a preset's denoiser learns other sounds."""

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
    str | None, typer.Option("--base", metavar="PRESET", help="The preset that learns on: a name or folder.")
]
TrainOption = Annotated[
    str | None,
    typer.Option("--train", metavar="PARTS", help="What learns: adapter,film,attention or all."),
]


def vocaldm(
    out: OutOption,
    recipe: RecipeArgument = None,
    data: DataOption = None,
    base: BaseOption = None,
    train: TrainOption = None,
    changes: ChangesOption = None,
    steps: StepsOption = None,
    minutes: MinutesOption = None,
    max_hours: HoursOption = None,
    devices: DevicesOption = None,
    nodes: NodesOption = None,
    precision: PrecisionOption = None,
    fresh: FreshOption = False,
) -> None:
    """Train a preset's denoiser on sounds and voices that imitate them: its adapter, parts of it, or all."""
    from training.lesson import run_lesson
    from training.recipe_file import read_recipe
    from training.trainers.vocaldm_recipe import VocalDMRecipe

    given = changes_of(changes, steps, minutes, max_hours, devices, nodes, precision, data)
    given += [] if base is None else [f"base={as_text(base)}"]
    given += [] if train is None else [f"train=[{train}]"]
    told = read_recipe(find_recipe(recipe, out), VocalDMRecipe, given)
    with counting("preparing") as bar:
        tell = None if bar is None else lambda stage, done, whole: bar(done, whole)
        outcome = run_lesson(told, out, fresh, tell)
    say_outcome(outcome)
