"""`vocaldm-train qvim`: the encoder that hears which sound a voice means."""

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

    from training.trainers.qvim import QVIMTrainer


def qvim(
    out: OutOption,
    recipe: RecipeArgument = None,
    data: DataOption = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="FILE", help="mn10_as.pt, a QVIM checkpoint, or a preset's name."),
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
    """Train the encoder's towers to hear a voice and the sound that it means as nearly the same."""
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.qvim import QVIMRecipe, QVIMTrainer

    given = [*(changes or ()), *([] if start is None else [f"start={as_text(start)}"])]
    given = changes_of(given, steps, minutes, max_hours, devices, nodes, precision, data)
    told = read_recipe(find_recipe(recipe, out), QVIMRecipe, given)

    def make(fabric: Fabric) -> QVIMTrainer:
        # What the first process has put into the cache the others find there.
        with fabric.rank_zero_first(local=True):
            return QVIMTrainer(told, fabric.device, Path(out))

    say_outcome(train(make, told, out, fresh))
