"""VocalDM's recipe: which parts of a base learn, from what they are told, and how close to the base they stay."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.data.spec import DataSpec
from training.gestures import Gestures
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict

Part = Literal["adapter", "film", "attention", "all"]
LATENT_MULTIPLE = 8


class Factors(Strict):
    """Each part's share of the run's rate; `all` is that of a denoiser that is trained whole."""

    adapter: Positive = 0.25
    film: Positive = 0.25
    attention: Positive = 1.0
    all: Positive = 1.0


class Listening(Strict):
    """Examples for ears: how many, of so many latent frames, made with these steps, guidance and eta."""

    clips: Count = 3
    steps: Count = 8
    guidance: Annotated[float, Field(ge=0)] = 2.0
    eta: Share = 0.0


class VocalDMRecipe(Recipe):
    """base: a preset's name or folder; train: which parts of it learn.

    adapter: from the encoder's embedding to the condition, its learned null included; film: the condition's own
    embedding, and the columns by which residual blocks take it, what timesteps do apart; attention: changes of a
    low `rank` at every attention layer; all: every tensor of UNet and adapter, from weights drawn anew where
    `weights` is fresh. film_rank: none for whole columns. vae, encoder: weights to be taken in place of the base's.

    voices: how many are rendered of a sound without a recorded imitation. lengths: latent frames of an example, one
    of them a step. imitations: share of examples that are told by the imitation's tower; drop: share that is told
    nothing, the base's null in the vector's place; voice_sketches: share that moves as a voice does, the others as
    the sound itself; both disturbed by `gestures`; voice_loudness: whether the former have the voice's loudness too,
    and not the sound's, which is what a clip is to follow.

    toward_base: weight of the squared distance from the base's weights (L2-SP, arXiv 1802.01483). least_vae_db: how
    well the base's VAE has to know the sounds. held_out: another set to judge by; bank: how many examples judge.
    cache: where what was encoded is kept, none: in the run's folder.
    """

    command: Literal["vocaldm"] = "vocaldm"
    budget: Budget = Budget(minutes=30.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=2e-3, warmup=20))
    keeping: Keeping = Keeping(validate=Every(minutes=3.0))
    data: DataSpec
    held_out: str | None = None
    cache: str | None = None
    base: str = "house"
    weights: Literal["base", "fresh"] = "base"
    vae: str | None = None
    encoder: str | None = None
    train: tuple[Part, ...] = ("film", "attention")
    rank: Count = 16
    film_rank: Count | None = 16
    factors: Factors = Factors()
    lengths: tuple[Count, ...] = (32, 48, 64)
    imitations: Share = 0.5
    drop: Share = 0.15
    gestures: Gestures = Gestures()
    voice_sketches: Share = 0.0
    voice_loudness: bool = True
    voices: Count = 1
    toward_base: Annotated[float, Field(ge=0)] = 0.0
    least_vae_db: float | None = 6.0
    bank: Count = 64
    listening: Listening = Listening()

    @model_validator(mode="after")
    def _possible(self) -> VocalDMRecipe:
        if not self.train or not self.lengths:
            raise ValueError("train and lengths need something in them")
        if len(set(self.train)) < len(self.train) or ("all" in self.train and len(self.train) > 1):
            raise ValueError("train names parts once each, and all stands alone")
        if self.weights == "fresh" and self.train != ("all",):
            raise ValueError("weights fresh needs train [all], or the rest would stay as it was drawn")
        if any(length % LATENT_MULTIPLE for length in self.lengths):
            raise ValueError(
                f"lengths must divide by {LATENT_MULTIPLE}, as the frames do that the engine makes"
            )
        return self
