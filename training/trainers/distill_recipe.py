"""Distillation's recipe: which preset learns to sound in few steps, in how many, and after what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.data.spec import DataSpec
from training.gestures import Gestures
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Rates, Recipe, Share, Strict
from training.trainers.vocaldm_recipe import LATENT_MULTIPLE

Scale = Annotated[float, Field(ge=0)]


class Few(Strict):
    """Steps of what comes out: at least, as a rule, at most. One number for all three is learnt best."""

    low: Count = 4
    default: Count = 4
    high: Count = 4

    @model_validator(mode="after")
    def _ordered(self) -> Few:
        if not self.low <= self.default <= self.high:
            raise ValueError("needs low <= default <= high")
        return self


class Teacher(Strict):
    """The base as it is asked: its steps in all, its guidance, drawn between two ends; none: the base's own default."""

    steps: Count = 16
    guidance: tuple[Scale, Scale] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Teacher:
        if self.guidance is not None and self.guidance[0] > self.guidance[1]:
            raise ValueError("needs a guidance of two rising numbers, or the same one twice")
        return self


class DistillRecipe(Recipe):
    """base: a preset's name or folder. train: its UNet whole (`all`), or changes of a low `rank` at its attention layers.

    vae, encoder: weights to be taken in place of the base's. lengths: latent frames of an example, one of them a step;
    imitations, drop, gestures, voices, voice_sketches, least_vae_db, cache: as in VocalDM's recipe. held_out: another
    set to judge by; bank: how many examples judge; clips: how many of them are written for ears where keeping.listen
    says when.
    """

    command: Literal["distill"] = "distill"
    budget: Budget = Budget(minutes=30.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=1e-4))
    keeping: Keeping = Keeping(validate=Every(minutes=3.0))
    data: DataSpec
    held_out: str | None = None
    cache: str | None = None
    base: str = "house"
    vae: str | None = None
    encoder: str | None = None
    few: Few = Few()
    teacher: Teacher = Teacher()
    train: Literal["all", "attention"] = "all"
    rank: Count = 32
    lengths: Annotated[tuple[Count, ...], Field(min_length=1)] = (32, 48, 64)
    imitations: Share = 0.5
    drop: Share = 0.05
    gestures: Gestures = Gestures()
    voice_sketches: Share = 0.0
    voices: Count = 1
    least_vae_db: float | None = 6.0
    bank: Count = 32
    clips: Count = 3

    @model_validator(mode="after")
    def _possible(self) -> DistillRecipe:
        if any(length % LATENT_MULTIPLE for length in self.lengths):
            raise ValueError(
                f"lengths must divide by {LATENT_MULTIPLE}, as the frames do that the engine makes"
            )
        if self.teacher.steps < self.few.high:
            raise ValueError("teacher.steps must be at least few.high, or there is nothing to learn")
        return self
