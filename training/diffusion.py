"""Diffusion: what a latent diffusion run is made of: its base, its conditioner, its examples, and its beginning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from training.base import Base, open_base
from training.blueprint import Blueprint, drawn
from training.conditioners.registry import Conditioner, open_conditioner
from training.data.collection import HELD_OUT, TRAINING
from training.data.formats import open_collection
from training.data.latents import Latents, open_latents
from training.errors import DataError
from training.loop import train
from training.starting import Beginning, read_beginning
from training.trainer import Outcome
from training.trainers.ldm import LDMTrainer
from training.trainers.ldm_recipe import LDMRecipe
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.commands import say

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CACHE = "encoded"
OPENED = ("unet", "vae", "vocoder", "encoder", "adapter", "clap_text", "clap_audio")

Progress = Callable[[int, int], None]


def run_ldm(recipe: LDMRecipe, out: Path, fresh: bool = False, progress: Progress | None = None) -> Outcome:
    """What `vocaldm-train ldm` does. Raises RecipeError, PresetError, DataError, and RunError as `train`."""

    def make(fabric: Fabric) -> LDMTrainer:
        # One process encodes, the others find it in the cache.
        with fabric.rank_zero_first():
            cache = out / CACHE if recipe.cache is None else Path(recipe.cache)
            loud = fabric.is_global_zero
            beginning = (
                None
                if recipe.start.source is None
                else read_beginning(recipe.start.source, recipe.start.average)
            )
            base = base_of(recipe)
            conditioner = open_conditioner(recipe.conditioner, base, fabric.device)
            blueprint = drawn(recipe, base, conditioner, {} if beginning is None else beginning.sizes)
            problem = say if loud else lambda sentence: None
            examples, judged = open_examples(
                recipe, blueprint, conditioner, cache, problem, progress, fabric.device
            )
        if loud:
            _introduce(recipe, blueprint, conditioner, examples, judged, beginning)
        return LDMTrainer(recipe, blueprint, conditioner, examples, judged, fabric.device, beginning)

    return train(make, recipe, out, fresh)


def base_of(recipe: LDMRecipe) -> Base | None:
    """The recipe's base with all its networks; pixels take none unless one is named besides the usual."""
    if recipe.base is None:
        return None
    there = read_preset(resolve_preset(recipe.base)).header.parts.with_weights()
    return open_base(recipe.base, [part for part in OPENED if part in there])


def open_examples(
    recipe: LDMRecipe,
    blueprint: Blueprint,
    conditioner: Conditioner,
    cache: Path,
    problem: Callable[[str], None],
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Latents, Latents | None]:
    """Examples to learn from, and those held out, none where the data are too few to hold any out; encoded on `device`."""
    collection = open_collection(recipe.data, problem)
    collection = collection.of(item for item in collection.items if item.role == "sound")
    base = blueprint.encoding_base()
    found: list[Latents | None] = []
    for split in (TRAINING, HELD_OUT):
        part = collection.part(split)
        if not part.items:
            found.append(None)
            continue
        try:
            found.append(
                open_latents(
                    part,
                    base,
                    conditioner.sounds,
                    cache,
                    recipe.seconds,
                    recipe.machine.workers,
                    problem,
                    progress,
                    device,
                )
            )
        except DataError as error:
            if split == TRAINING:
                raise
            problem(f"None is held out: {error}")
            found.append(None)
    if found[0] is None:
        raise DataError(f"{recipe.data.source} has nothing to learn from; add sounds, or hold fewer out.")
    return found[0], found[1]


def _introduce(
    recipe: LDMRecipe,
    blueprint: Blueprint,
    conditioner: Conditioner,
    examples: Latents,
    judged: Latents | None,
    beginning: Beginning | None,
) -> None:
    with torch.device("meta"):
        count = sum(weight.numel() for weight in blueprint.unet().parameters())
    kept = 0 if judged is None else len(judged.items)
    say(
        f"{len(examples.items)} examples to learn from and {kept} held out; a UNet of {count / 1e6:.1f} million "
        f"parameters, told by {conditioner.name}, predicts {recipe.prediction}."
    )
    for note in () if beginning is None else beginning.notes:
        say(note)
