"""AudioLDM parts: what a header says of the networks of an imported AudioLDM checkpoint."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from vocaldm_live.checkpoints.strict import Few, Strict, Weights, Width, Widths, short


class AudioLDMUNetPart(Weights):
    """`model.audioldm.AudioLDMUNet`; heads are those of each level, the first of which has no attention.

    trained_peak, trained_centred: AudioLDM takes a sound's mean off and brings what is left to a peak of a half.
    """

    trained_peak: ClassVar[float] = 0.5
    trained_centred: ClassVar[bool] = True

    kind: Literal["audioldm"]
    channels: Widths
    layers: Few
    heads: Widths
    transformers: Annotated[int, Field(ge=1, le=2)]
    prediction: Literal["eps"]

    @model_validator(mode="after")
    def _possible(self) -> AudioLDMUNetPart:
        if len(self.heads) != len(self.channels):
            raise ValueError("needs as many heads as channels, one number for each level")
        _check_channels(self.channels)
        return self


class AudioLDMVAEPart(Weights):
    """`model.audioldm.AudioLDMVAE`, whose statistics hold the scale factor."""

    kind: Literal["audioldm-vae"]
    channels: Widths
    layers: Few

    @model_validator(mode="after")
    def _possible(self) -> AudioLDMVAEPart:
        _check_channels(self.channels)
        return self


class VocalDMAdapterPart(Weights):
    """`model.adapter.VocalDMAdapter`."""

    kind: Literal["vocaldm"]


class TextFile(Strict):
    """A file of the tokenizer beside the header, and the SHA-256 of its bytes."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("file")
    @classmethod
    def _plain(cls, file: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.(json|txt)", file):
            raise ValueError(f"must be a plain .json or .txt name beside preset.yaml, not {short(file)}")
        return file


class ClapTextPart(Weights):
    """`model.clap_text.ClapText`; vocabulary and merges are its tokenizer's files."""

    kind: Literal["clap-text"]
    size: Annotated[int, Field(ge=5, le=1_000_000)]
    places: Annotated[int, Field(ge=8, le=4096)]
    width: Width
    layers: Few
    heads: Few
    hidden: Annotated[int, Field(ge=1, le=65536)]
    vocabulary: TextFile
    merges: TextFile

    @model_validator(mode="after")
    def _possible(self) -> ClapTextPart:
        if self.width % self.heads:
            raise ValueError(f"has {self.heads} heads that do not share a width of {self.width}")
        return self


class ClapAudioPart(Weights):
    """`model.clap_audio.ClapAudio`."""

    kind: Literal["clap-audio"]
    width: Width
    depths: Widths
    heads: Widths
    window: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _possible(self) -> ClapAudioPart:
        if len(self.heads) != len(self.depths):
            raise ValueError("needs as many heads as depths, one number for each stage")
        if any((self.width << stage) % heads for stage, heads in enumerate(self.heads)):
            raise ValueError(f"has heads {list(self.heads)} that do not share the widths of their stages")
        return self


AudioLDMPart = AudioLDMUNetPart | AudioLDMVAEPart | VocalDMAdapterPart | ClapTextPart | ClapAudioPart
AUDIOLDM_KINDS = ("audioldm", "audioldm-vae", "vocaldm")
GROUPS = 32


def _check_channels(channels: tuple[int, ...]) -> None:
    if any(width % GROUPS for width in channels):
        raise ValueError(f"has channels {list(channels)} that do not divide by {GROUPS} groups")
