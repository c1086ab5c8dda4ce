"""AudioLDM parts: what a header says of the networks of an imported AudioLDM checkpoint."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from vocaldm_live.checkpoints.strict import Few, TextFile, Weights, Width, Widths


class AudioLDMUNetPart(Weights):
    """`model.audioldm.AudioLDMUNet`; heads are those of each level, the first of which has no attention.

    Left out, as in what was imported: vector_width 512, attention_from 1, no context.
    trained_peak, trained_centred: AudioLDM takes a sound's mean off and brings what is left to a peak of a half.
    """

    trained_peak: ClassVar[float] = 0.5
    trained_centred: ClassVar[bool] = True

    kind: Literal["audioldm"]
    channels: Widths
    layers: Few
    heads: Widths
    transformers: Annotated[int, Field(ge=1, le=2)]
    prediction: Literal["eps", "x0", "v"]
    vector_width: Annotated[int, Field(ge=0, le=4096)] | None = None
    context_width: Width | None = None
    context_places: Annotated[int, Field(ge=1, le=512)] | None = None
    attention_from: Annotated[int, Field(ge=0, le=8)] | None = None

    @property
    def width(self) -> int:
        """Of the vector that it takes, 0 where it takes none."""
        return 0 if self.context_width else 512 if self.vector_width is None else self.vector_width

    @property
    def numbers(self) -> int:
        """How many numbers a condition has: those of the vector, or of all tokens."""
        if self.context_width is None or self.context_places is None:
            return self.width
        return self.context_places * (self.context_width + 1)

    @property
    def free(self) -> bool:
        """Whether it takes no condition at all."""
        return not self.width and self.context_width is None

    @property
    def published(self) -> bool:
        """Whether it is of the kind that its authors published: eps from one vector of 512 numbers."""
        return self.prediction == "eps" and self.width == 512 and self.attention_from in (None, 1)

    @model_validator(mode="after")
    def _possible(self) -> AudioLDMUNetPart:
        if (self.context_width is None) != (self.context_places is None):
            raise ValueError("has one of context_width and context_places; a context needs both")
        if self.context_width is not None and self.vector_width:
            raise ValueError("takes a context and a vector; leave out vector_width")
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
