"""Vocoder header: what vocoder.yaml says, which lies beside the weights of a vocoder that belongs to no preset."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from vocaldm_live.checkpoints.header_file import Header, written
from vocaldm_live.checkpoints.strict import Strict, check_bands
from vocaldm_live.checkpoints.vocoder_parts import VocoderPart, check_hop
from vocaldm_live.sound.geometry import Geometry


class MelHeader(Strict):
    """The mel that a vocoder takes: framed and banded as `sound.mel` does it, natural log of magnitudes.

    mel_mean, mel_scale: what an istft vocoder centres and scales it by; left out: as the house's does.
    """

    sample_rate: Annotated[int, Field(ge=8000, le=192000)]
    n_fft: Annotated[int, Field(ge=64, le=16384)]
    hop: Annotated[int, Field(ge=16, le=16384)]
    mel_bands: Annotated[int, Field(ge=8, le=1024)]
    fmin: Annotated[float, Field(ge=0.0)]
    fmax: Annotated[float, Field(gt=0.0)]
    mel_floor: Annotated[float, Field(gt=0.0)]
    log: Literal["natural"]
    mel_mean: float | None = None
    mel_scale: Annotated[float, Field(gt=0.0)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> MelHeader:
        check_bands(self)
        return self

    def build(self) -> Geometry:
        """A geometry with that mel and no latent to speak of."""
        told = self.model_dump(exclude={"log"}, exclude_none=True)
        return Geometry(**told, fold=1, factor=1, latent_channels=1)


class VocoderHeader(Header):
    """All of vocoder.yaml."""

    noun: ClassVar[str] = "vocoder"

    format: Literal[1]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    mel: MelHeader
    vocoder: VocoderPart
    source: str
    licence: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> VocoderHeader:
        check_hop("vocoder", self.vocoder, "mel.hop", self.mel.hop)
        return self

    def as_yaml(self) -> str:
        """The text of vocoder.yaml."""
        return written(self)
