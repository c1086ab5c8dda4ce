"""Recipe of a preset: whose sounds, from which base, what is trained, and how it is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.data.spec import DataSpec
from training.preset.plan import SHORTEST
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share

Method = Literal["lora", "full"]


class PresetRecipe(Recipe):
    """sounds: the folder; name: of the preset; base: the preset to begin from, which stays as it is.

    method: lora trains small changes of attention and of what takes the condition in, full all of the UNet.
    budget.minutes: for everything, from reading the folder to writing the preset. examples: at most so many are
    made, each imitated by so many voices; voice_sketches: share that learns from brightness and pitch of the voice, as
    they come at play, and not of the sound; gestures: that it is judged by; listeners: beside the base's own and the
    fingerprint. Its stages are one process's: there are no devices and nodes to choose.
    """

    command: Literal["preset"] = "preset"
    batch: Count = 16
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    budget: Budget = Budget(minutes=30.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=2e-3, floor=0.05, warmup=50))
    keeping: Keeping = Keeping(save_seconds=30.0, validate=Every(minutes=3.0))
    data: DataSpec
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
    base: str = "house"
    method: Method = "lora"
    rank: Count = 16
    examples: Count = 2000
    voices: Count = 1
    voice_sketches: Share = 0.6
    gestures: Count = 48
    bank: Annotated[int, Field(ge=0)] = 16
    listeners: tuple[str, ...] = ()
    allowed_loss: Share = 0.03
    shown: Annotated[int, Field(ge=0)] = 6

    @model_validator(mode="after")
    def _one_process(self) -> PresetRecipe:
        if self.machine.devices not in ("auto", 1) or self.machine.nodes != 1:
            raise ValueError("machine.devices and machine.nodes stay 1: a preset is made by one process")
        return self

    @model_validator(mode="after")
    def _splits_by_group(self) -> PresetRecipe:
        if self.data.split != "group":
            raise ValueError(
                "data.split stays group: a preset's sounds are split in three by what they contain"
            )
        return self

    @property
    def minutes(self) -> Positive:
        """For everything; as long as the steps take where only those are told."""
        return max(SHORTEST, self.budget.minutes or 30.0)
