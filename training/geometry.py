"""Geometry of a run that starts from no preset: sample rate, STFT, bands and latent grid, as a recipe says them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from training.recipe import Count, Positive, Strict
from vocaldm_live.sound.geometry import HOUSE, Geometry


class GeometrySpec(Strict):
    """The fields of `sound.geometry.Geometry`; what is left out is the house's."""

    sample_rate: Annotated[int, Field(ge=8000, le=192000)] = HOUSE.sample_rate
    n_fft: Annotated[int, Field(ge=64, le=16384)] = HOUSE.n_fft
    hop: Annotated[int, Field(ge=16, le=16384)] = HOUSE.hop
    mel_bands: Annotated[int, Field(ge=8, le=1024)] = HOUSE.mel_bands
    fmin: Annotated[float, Field(ge=0.0)] = HOUSE.fmin
    fmax: Positive = HOUSE.fmax
    fold: Count = HOUSE.fold
    factor: Count = HOUSE.factor
    latent_channels: Count = HOUSE.latent_channels
    mel_floor: Positive = HOUSE.mel_floor
    mel_mean: float = HOUSE.mel_mean
    mel_scale: Positive = HOUSE.mel_scale

    @model_validator(mode="after")
    def _possible(self) -> GeometrySpec:
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError("needs fmin below fmax and fmax within half the sample rate")
        if self.hop > self.n_fft:
            raise ValueError("has a hop longer than its n_fft")
        self.build()
        return self

    def build(self) -> Geometry:
        """The geometry itself."""
        return Geometry(**self.model_dump())
