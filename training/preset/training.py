"""Training: how a preset's denoiser is trained, as the recipe of the run inside."""

from __future__ import annotations

from training.preset.recipe import PresetRecipe
from training.recipe import Budget
from training.trainers.vocaldm_recipe import VocalDMRecipe

FULL_RATE = 0.15
"""Of the rate at which small changes learn, where the whole UNet does."""


def denoiser_recipe(recipe: PresetRecipe, minutes: float) -> VocalDMRecipe:
    """The run of a `VocalDMTrainer` that makes this preset, `minutes` long or as many steps as were told."""
    rates = recipe.optimiser.rates
    if recipe.method == "full":
        rates = rates.model_copy(update={"peak": rates.peak * FULL_RATE})
    steps = recipe.budget.steps
    budget = Budget(
        steps=steps, minutes=None if steps else round(minutes, 2), max_hours=recipe.budget.max_hours
    )
    return VocalDMRecipe(
        seed=recipe.seed,
        batch=recipe.batch,
        average=recipe.average,
        budget=budget,
        optimiser=recipe.optimiser.model_copy(update={"rates": rates}),
        machine=recipe.machine.model_copy(update={"devices": 1}),
        keeping=recipe.keeping,
        data=recipe.data,
        base=recipe.base,
        train=("film", "attention") if recipe.method == "lora" else ("all",),
        rank=recipe.rank,
        voice_sketches=recipe.voice_sketches,
        voice_loudness=False,
    )
