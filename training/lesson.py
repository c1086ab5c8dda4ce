"""Lesson: what a denoiser's run is made of: its base, the sounds that it learns from, and those it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from training.base import Base, open_base
from training.conditions import EncodedSounds
from training.data import shards
from training.data.collection import HELD_OUT, TRAINING, Collection
from training.data.features import LATENT, Features
from training.data.formats import open_collection
from training.data.spec import DataSpec
from training.dataset import read_dataset
from training.errors import DataError
from training.imitated_sounds import ImitatedSounds, Progress, imitated_sounds
from training.loop import train
from training.recipe import Machine
from training.reconstruction import check_reconstruction
from training.shards import encode_shards, mels, shards_digest
from training.sources import held_out_clips, read_sources, refuse_shared
from training.trainer import Outcome
from training.trainers.vocaldm import VocalDMTrainer
from training.trainers.vocaldm_recipe import VocalDMRecipe
from vocaldm_live.commands import say
from vocaldm_live.engine.scale import audible
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.audio import SHORTEST_SECONDS

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CACHE = "encoded"

CHECKED = 16
"""Sounds by which it is known whether the base's VAE knows them."""


class Taught(Protocol):
    """What recipes of denoisers say of their lesson, as in VocalDM's (trainers/vocaldm_recipe.py)."""

    @property
    def base(self) -> str: ...
    @property
    def vae(self) -> str | None: ...
    @property
    def encoder(self) -> str | None: ...
    @property
    def data(self) -> DataSpec: ...
    @property
    def held_out(self) -> str | None: ...
    @property
    def voices(self) -> int: ...
    @property
    def least_vae_db(self) -> float | None: ...
    @property
    def bank(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def machine(self) -> Machine: ...


@dataclass(frozen=True, eq=False)
class Lesson:
    """data: a digest of all sounds; reconstruction_db: how well the base's VAE knows them."""

    base: Base
    sounds: EncodedSounds
    held_out: EncodedSounds
    data: str
    reconstruction_db: float


def open_lesson(
    recipe: Taught,
    cache: Path,
    device: torch.device,
    progress: Progress | None = None,
    problem: Callable[[str], None] = say,
) -> Lesson:
    """Open the base, have every sound imitated and encoded, and see that the base knows such sounds.

    cache: where what was rendered and encoded is kept; `problem` hears a sentence for all that is left out.
    Raises PresetError, RecipeError or DataError.
    """
    base = base_of(recipe)
    if shards.looks(Path(recipe.data.source)):
        return _of_shards(recipe, base, cache, device)
    return _of_collection(recipe, base, cache, device, progress, problem)


def run_lesson(
    recipe: VocalDMRecipe, out: Path, fresh: bool = False, progress: Progress | None = None
) -> Outcome:
    """What `vocaldm-train vocaldm` does; raises as `open_lesson` and `train`."""

    def make(fabric: Fabric) -> VocalDMTrainer:
        # One process encodes, the others find it in the cache.
        with fabric.rank_zero_first():
            cache = out / CACHE if recipe.cache is None else Path(recipe.cache)
            lesson = open_lesson(recipe, cache, fabric.device, progress)
        if fabric.is_global_zero:
            say(
                f"{len(lesson.sounds)} sounds to learn from and {len(lesson.held_out)} held out; the VAE of "
                f"{lesson.base.preset.name} gives them back at {lesson.reconstruction_db:.1f} dB."
            )
        return VocalDMTrainer(recipe, lesson.base, lesson.sounds, lesson.held_out, fabric.device, lesson.data)

    return train(make, recipe, out, fresh)


def base_of(recipe: Taught) -> Base:
    """The recipe's base with the networks that hear, denoise and sound, its own VAE and encoder where it names some."""
    base = open_base(recipe.base, ("unet", "vae"))
    there = base.preset.header.parts.with_weights()
    hears = ("encoder", "adapter") if "adapter" in there else ("clap_audio",)
    more = [part for part in (*hears, "vocoder") if part in there]
    base = open_base(recipe.base, ("unet", "vae", *more))
    for part, named in (("vae", recipe.vae), ("encoder", recipe.encoder)):
        if named is not None:
            base = base.with_weights(part, Path(named))
    return base


def _of_shards(recipe: Taught, base: Base, cache: Path, device: torch.device) -> Lesson:
    folder, limit = Path(recipe.data.source), recipe.data.limit
    digest, sources = shards_digest(folder), read_sources(folder, limit)
    if recipe.held_out is None:
        every = encode_shards(folder, limit, base, cache, device)
        apart = held_out_clips(folder, sources, recipe.data.held_out)
        sounds, held_out = every.part(np.flatnonzero(~apart)), every.part(np.flatnonzero(apart))
    else:
        others = Path(recipe.held_out)
        refuse_shared(folder, sources, others, read_sources(others, recipe.bank))
        sounds = encode_shards(folder, limit, base, cache, device)
        held_out = encode_shards(others, recipe.bank, base, cache, device)
        digest = f"{digest} {shards_digest(others)}"
    found = _checked(recipe, base, mels(read_dataset(folder, CHECKED), CHECKED))
    return Lesson(base, sounds, held_out, digest, found)


def _of_collection(
    recipe: Taught,
    base: Base,
    cache: Path,
    device: torch.device,
    progress: Progress | None,
    problem: Callable[[str], None],
) -> Lesson:
    def taken(collection: Collection) -> ImitatedSounds:
        told = (recipe.voices, recipe.seed, recipe.machine.workers, progress, problem)
        return imitated_sounds(collection, base, cache, *told, device=device)

    if recipe.held_out is None:
        collection = open_collection(recipe.data, problem)
        every = taken(collection)
        return Lesson(
            base,
            every.part(TRAINING),
            every.part(HELD_OUT),
            every.digest(),
            _known(recipe, base, collection),
        )
    # Others judge, so nothing of these is held out, and what the data themselves keep apart is not learned from.
    collection = open_collection(recipe.data.model_copy(update={"held_out": 0.0}), problem).part(TRAINING)
    if not any(item.role == "sound" for item in collection.items):
        raise DataError(f"{recipe.data.source} has nothing to learn from: set data.split.")
    others = open_collection(DataSpec(source=recipe.held_out, held_out=0.0), problem)
    others = others.of(replace(item, split=HELD_OUT) for item in others.items)
    sounds, held_out = taken(collection), taken(others)
    both = set(contents_of(sounds)) & set(contents_of(held_out))
    if both:
        raise DataError(
            f"{len(both)} sounds of {recipe.held_out} are among those of {recipe.data.source} too: judge by others."
        )
    digest = f"{sounds.digest()} {held_out.digest()}"
    return Lesson(base, sounds, held_out, digest, _known(recipe, base, collection))


def _known(recipe: Taught, base: Base, collection: Collection) -> float:
    """How well the VAE knows some of a collection's sounds, spread over all of it."""
    features = Features(base, (LATENT,))
    items = [item for item in collection.items if item.role == "sound"]
    some = items[:: max(1, len(items) // CHECKED)][:CHECKED]

    def heard() -> Iterator[Tensor]:
        for item in some:
            try:
                sound = collection.read(item)
            except DataError:
                continue  # told when it was to be encoded
            if sound.seconds >= SHORTEST_SECONDS and audible(sound.samples):
                yield features.mel(sound, item.role, item.key)

    return _checked(recipe, base, heard())


def contents_of(sounds: ImitatedSounds) -> Iterator[str]:
    """What each sound's piece is made of, whatever its name."""
    return (sounds.sounds.keys[at] for at in sounds.which)


def _checked(recipe: Taught, base: Base, some: Iterable[Tensor]) -> float:
    vae = base.networks["vae"]
    assert isinstance(vae, MelVAE)
    return check_reconstruction(vae.cpu(), some, recipe.least_vae_db, base.preset.name)
