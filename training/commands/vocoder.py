"""`vocaldm-train vocoder`: the vocoder between log-mels and samples."""

from __future__ import annotations

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
    changes_of,
    find_recipe,
    say_outcome,
)
from vocaldm_live.commands import say


def vocoder(
    out: OutOption,
    recipe: RecipeArgument = None,
    data: DataOption = None,
    changes: ChangesOption = None,
    steps: StepsOption = None,
    minutes: MinutesOption = None,
    max_hours: HoursOption = None,
    devices: DevicesOption = None,
    nodes: NodesOption = None,
    precision: PrecisionOption = None,
    fresh: FreshOption = False,
) -> None:
    """Train a vocoder, new or a preset's, with judges or without; the run's folder is one that --vocoder takes."""
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.vocoder import VocoderRecipe, VocoderTrainer

    given = changes_of(changes, steps, minutes, max_hours, devices, nodes, precision, data)
    told = read_recipe(find_recipe(recipe, out), VocoderRecipe, given)
    say_outcome(train(lambda fabric: VocoderTrainer(told, fabric, out, say), told, out, fresh))
