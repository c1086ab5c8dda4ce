"""`vocaldm-train vae`: the VAE between log-mels and latents."""

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


def vae(
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
    """Train a VAE between log-mels and latents, new or a preset's, all of it or its decoder alone."""
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.vae import VAERecipe, VAETrainer

    given = changes_of(changes, steps, minutes, max_hours, devices, nodes, precision, data)
    told = read_recipe(find_recipe(recipe, out), VAERecipe, given)
    say_outcome(train(lambda fabric: VAETrainer(told, fabric, out, say), told, out, fresh))
