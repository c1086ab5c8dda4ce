"""Align recipe: how an encoder is brought to the conditions that an AudioLDM was trained with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from training.augment.audio import AudioAugmentation
from training.augment.mel import MelAugmentation
from training.data.pairs import Voices
from training.data.spec import DataSpec
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict

Crop = Annotated[int, Field(ge=16, le=1000)]
Weight = Annotated[float, Field(ge=0)]


class Inputs(Strict):
    """What the adapter hears in training: imitations: the share of voices, the rest being the sounds themselves.

    mixed: the share of rows that lie somewhere between a voice and its sound; noise: that of all rows, in deviations of
    the embeddings around their mean.
    """

    imitations: Share = 0.5
    mixed: Share = 0.25
    noise: Weight = 0.3


class Anchoring(Strict):
    """Weights of the losses. cosine: 1 - cosine to CLAP of the sound; choice: InfoNCE over all training sounds, each
    there once; moments: distance of mean and covariance.

    The three of `direct`, each a contrast of a whole batch: imitation_sound, sound_clap, imitation_clap.
    """

    cosine: Weight = 1.0
    choice: Weight = 0.2
    moments: Weight = 0.2
    imitation_sound: Weight = 1 / 3
    sound_clap: Weight = 1 / 3
    imitation_clap: Weight = 1 / 3


class AlignRecipe(Recipe):
    """base: an AudioLDM preset with CLAP's audio tower. mode: adapter trains an adapter behind an encoder that stays;
    direct trains the encoder's towers too, straight into CLAP's space.

    encoder: a preset's, or a file as qvim's `start` takes it; none: the base's own, else the house's. clap_rate: Hz that
    a sound is brought to before CLAP hears it; none: the base's rate, as in its training. data, held_out, voices,
    cache, crop, audio, mel, batch_norm, settle and bank as in qvim; crop to settle are direct's alone.
    """

    command: Literal["align"] = "align"
    batch: Count = 64
    average: Annotated[float, Field(ge=0, lt=1)] = 0.99
    budget: Budget = Budget(steps=4000)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=5e-4, floor=0.05), weight_decay=1e-3)
    keeping: Keeping = Keeping(validate=Every(steps=200))
    base: Annotated[str, Field(min_length=1)]
    mode: Literal["adapter", "direct"] = "adapter"
    data: DataSpec
    held_out: str | None = None
    voices: Voices = Voices()
    cache: str | None = None
    encoder: str | None = None
    clap_rate: Annotated[int, Field(ge=8000, le=48000)] | None = None
    inputs: Inputs = Inputs()
    losses: Anchoring = Anchoring()
    tau: Positive = 0.07
    batch_norm: Literal["batch", "frozen"] = "frozen"
    settle: Annotated[int, Field(ge=0)] = 8
    crop: tuple[Crop, ...] = ()
    audio: AudioAugmentation = AudioAugmentation()
    mel: MelAugmentation = MelAugmentation()
    bank: Count = 256
