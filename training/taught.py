"""Taught: a run of distillation from its lesson to the preset that comes out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.export import Exported, Words, export
from training.imitated_sounds import Progress
from training.lesson import CACHE, open_lesson
from training.loop import train
from training.trainer import Outcome
from training.trainers.distill import DistillTrainer
from training.trainers.distill_recipe import DistillRecipe
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.commands import say

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def run_distillation(
    recipe: DistillRecipe,
    out: Path,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """What `vocaldm-train distill` does before it exports; raises as `open_lesson` and `train`."""

    def make(fabric: Fabric) -> DistillTrainer:
        # One process encodes, the others find it in the cache.
        with fabric.rank_zero_first():
            cache = out / CACHE if recipe.cache is None else Path(recipe.cache)
            lesson = open_lesson(recipe, cache, fabric.device, progress)
        if fabric.is_global_zero:
            say(f"{len(lesson.sounds)} sounds to learn from and {len(lesson.held_out)} held out.")
        return DistillTrainer(recipe, lesson.base, lesson.sounds, lesson.held_out, fabric.device, lesson.data)

    return train(make, recipe, out, fresh)


def export_taught(recipe: DistillRecipe, run: Path, name: str, place: Path) -> Exported:
    """The preset of a finished run; steps, guidance and sampler are those that were learnt. Raises PresetError."""
    base = read_preset(resolve_preset(recipe.base))
    named = {"vae": recipe.vae, "encoder": recipe.encoder}
    parts = {"unet": run, **{part: Path(path) for part, path in named.items() if path is not None}}
    few = recipe.few
    steps = str(few.low) if few.low == few.high else f"{few.low} to {few.high}"
    return export(
        base, parts, name, place, Words(description=f"{base.name} in {steps} steps, guidance included.")
    )
