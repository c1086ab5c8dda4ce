"""The recipe of a latent diffusion model: AudioLDM's settings by default, each of them a key."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.conditioners.registry import ConditionerSpec
from training.data.spec import DataSpec
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict

# width of the first level (others are 2, 3 and 5 times that), residual blocks a level, width of a head
SIZES: dict[str, tuple[int, int, int]] = {
    "s": (128, 2, 32),
    "m": (192, 2, 32),
    "l": (256, 2, 64),
    "slim": (64, 1, 32),
}
GROUPS = 32
LEVELS = (1, 2, 3, 5)


class UNetSizes(Strict):
    """Of the UNet. size: one of AudioLDM's (s, m, l), slim, own, or auto: that of the start, without one slim.

    own: as channels, layers, head_width say. attention_from: the first level with attention, none: 1, for pixels 3.
    """

    size: Literal["auto", "s", "m", "l", "slim", "own"] = "auto"
    channels: tuple[Count, ...] | None = None
    layers: Count = 1
    head_width: Count = 32
    transformers: Annotated[int, Field(ge=1, le=2)] = 1
    attention_from: Annotated[int, Field(ge=0, le=8)] | None = None

    @model_validator(mode="after")
    def _own(self) -> UNetSizes:
        if (self.size == "own") != (self.channels is not None):
            raise ValueError("has channels where size is own, and only there")
        if self.channels is not None and any(width % GROUPS for width in self.channels):
            raise ValueError(f"has channels that do not divide by {GROUPS}")
        return self


class Start(Strict):
    """Weights to begin with: a preset, a run's folder, a weights file, or a published checkpoint or folder.

    allow: beginnings of names (inside the UNet) that may be missing, unexpected or of another shape; "" allows all.
    """

    source: str | None = None
    average: bool | None = None
    allow: tuple[str, ...] = ("class_embedding.",)


class Adapt(Strict):
    """Trained instead of the whole UNet: changes of that rank at every attention layer, and how it takes the vector."""

    attention: Annotated[int, Field(ge=0, le=256)] = 0
    film: bool = False


class Noise(Strict):
    """The schedule, linear in the square root of beta, and where sampling steps lie: AudioLDM's by default."""

    beta_start: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.0015
    beta_end: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.0195
    steps: Annotated[int, Field(ge=2, le=10000)] = 1000
    zero_terminal_snr: bool = False
    spacing: Literal["leading", "trailing"] = "leading"


class Pixels(Strict):
    """The mel of a model in pixel space that has no base: AudioLDM's at 16 kHz by default.

    low, high: natural-log magnitudes that become -1 and 1; also the floor. griffin_lim: iterations of the vocoder.
    """

    sample_rate: Count = 16000
    n_fft: Count = 1024
    hop: Count = 160
    mel_bands: Count = 64
    fmin: Annotated[float, Field(ge=0.0)] = 0.0
    fmax: Positive = 8000.0
    low: float = -11.5129
    high: float = 2.1
    griffin_lim: Count = 32


class Listening(Strict):
    """Examples for ears: how many, by which sampler (ddpm: every timestep, all noise anew), steps, guidance, eta."""

    clips: Count = 2
    sampler: Literal["ddim", "ddpm"] = "ddim"
    steps: Count = 50
    guidance: Annotated[float, Field(ge=0)] = 2.5
    eta: Share = 0.0


class LDMRecipe(Recipe):
    """base: the preset whose VAE, vocoder and CLAP are taken. space: latent, or pixels: log-mels themselves.

    prediction: what the UNet says; drop: share of examples that are told nothing; seconds: of an example at most.
    cache: where latents are kept, none: in the run's folder. bank: held-out examples that judge. preset: the name of
    what comes out, a preset in the run's folder; credits, licence: what it says beside those of the base.
    """

    command: Literal["ldm"] = "ldm"
    batch: Count = 8
    average: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    budget: Budget = Budget(minutes=60.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=1e-4, warmup=2000, schedule="constant"))
    keeping: Keeping = Keeping(validate=Every(minutes=5.0))
    data: DataSpec
    cache: str | None = None
    base: str | None = "house"
    space: Literal["latent", "pixels"] = "latent"
    pixels: Pixels = Pixels()
    prediction: Literal["eps", "x0", "v"] = "eps"
    drop: Share = 0.1
    seconds: Annotated[float, Field(ge=0.1, le=60.0)] = 10.24
    conditioner: ConditionerSpec = ConditionerSpec()
    unet: UNetSizes = UNetSizes()
    start: Start = Start()
    adapt: Adapt = Adapt()
    noise: Noise = Noise()
    bank: Count = 32
    listening: Listening = Listening()
    preset: str = "ldm"
    credits: tuple[str, ...] = ()
    licence: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> LDMRecipe:
        if self.space == "latent" and self.base is None:
            raise ValueError("space latent needs a base, for its VAE and vocoder")
        if self.noise.zero_terminal_snr and self.prediction == "eps":
            raise ValueError("prediction eps says nothing where there is noise alone: take v or x0")
        if (self.adapt.attention or self.adapt.film) and self.start.source is None:
            raise ValueError("adapt changes what was learned: name it with start.source")
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", self.preset):
            raise ValueError("preset must be 1 to 64 letters, digits, dots, dashes, underscores")
        return self
