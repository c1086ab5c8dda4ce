"""Header: what preset.yaml says, as strict models.

Every key is required and no other is taken: a misspelt one would otherwise leave a default in force that
nobody chose. Text is not taken for a number, nor a number for text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from vocaldm_live.checkpoints.audioldm_parts import (
    AudioLDMPart,
    AudioLDMUNetPart,
    AudioLDMVAEPart,
    ClapAudioPart,
    ClapTextPart,
    VocalDMAdapterPart,
)
from vocaldm_live.checkpoints.header_file import Header, inspect, parse, read, written
from vocaldm_live.checkpoints.header_file import one_line as one_line
from vocaldm_live.checkpoints.strict import Few, Share, TextFile, Width, Widths, check_bands
from vocaldm_live.checkpoints.strict import Strict as _Strict
from vocaldm_live.checkpoints.strict import Weights as _Weights
from vocaldm_live.checkpoints.strict import short as _short
from vocaldm_live.checkpoints.vocoder_parts import NetworkPart, VocoderPart, check_hop
from vocaldm_live.checkpoints.words_parts import PixelsPart, T5Part, VectorsPart, WordsPart
from vocaldm_live.sound.geometry import Geometry

HOUSE_PARTS = ("encoder", "adapter", "unet", "vae", "vocoder")
PART_NAMES = (*HOUSE_PARTS, "clap_text", "clap_audio", "vectors", "t5")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class GeometryHeader(_Strict):
    """The fields of `sound.geometry.Geometry`, none of them left to its default."""

    sample_rate: Annotated[int, Field(ge=8000, le=192000)]
    n_fft: Annotated[int, Field(ge=64, le=16384)]
    hop: Annotated[int, Field(ge=16, le=16384)]
    mel_bands: Annotated[int, Field(ge=8, le=1024)]
    fmin: Annotated[float, Field(ge=0.0)]
    fmax: Annotated[float, Field(gt=0.0)]
    fold: Annotated[int, Field(ge=1, le=16)]
    factor: Annotated[int, Field(ge=1, le=16)]
    latent_channels: Annotated[int, Field(ge=1, le=256)]
    mel_floor: Annotated[float, Field(gt=0.0)]
    mel_mean: float
    mel_scale: Annotated[float, Field(gt=0.0)]

    @model_validator(mode="after")
    def _possible(self) -> GeometryHeader:
        check_bands(self)
        self.build()
        return self

    def build(self) -> Geometry:
        """The geometry itself."""
        return Geometry(**self.model_dump())


class EncoderPart(_Weights):
    """`model.encoder.Encoder`."""

    kind: Literal["mn10"]
    shared_tower: bool
    classifier: bool


class AdapterPart(_Weights):
    """`model.adapter.Adapter`."""

    kind: Literal["mlp"]


class UNetPart(_Weights):
    """`model.unet.SketchUNet`; `prediction` is what it predicts (v: arXiv 2202.00512).

    trained_peak, trained_centred: the middle of the peaks of its training's sounds, whose means stayed in them.
    """

    trained_peak: ClassVar[float] = 10.0 ** (-8.0 / 20.0)
    trained_centred: ClassVar[bool] = False

    kind: Literal["sketch-unet"]
    channels: Widths
    layers: Few
    attention_from: Annotated[int, Field(ge=0, le=8)]
    head_width: Width
    groups: Few
    prediction: Literal["v"]

    @model_validator(mode="after")
    def _grouped(self) -> UNetPart:
        _check_groups(self.channels, self.groups)
        return self


class VAEPart(_Weights):
    """`model.vae.MelVAE`."""

    kind: Literal["autoencoder-kl"]
    channels: Widths
    layers: Few
    groups: Few

    @model_validator(mode="after")
    def _grouped(self) -> VAEPart:
        _check_groups(self.channels, self.groups)
        return self


WeightsPart = EncoderPart | AdapterPart | UNetPart | VAEPart | NetworkPart | AudioLDMPart | WordsPart


class Parts(_Strict):
    """The networks. The house's hears by encoder and adapter, AudioLDM's by CLAP too or alone.

    In front of an AudioLDM stands the house's kind of adapter, aligned with its CLAP, or the first VocalDM's.
    """

    encoder: EncoderPart | None = None
    adapter: Annotated[AdapterPart | VocalDMAdapterPart, Field(discriminator="kind")] | None = None
    unet: Annotated[UNetPart | AudioLDMUNetPart, Field(discriminator="kind")]
    vae: Annotated[VAEPart | AudioLDMVAEPart | PixelsPart, Field(discriminator="kind")]
    vocoder: VocoderPart
    clap_text: ClapTextPart | None = None
    clap_audio: ClapAudioPart | None = None
    vectors: VectorsPart | None = None
    t5: T5Part | None = None

    @property
    def words(self) -> ClapTextPart | VectorsPart | T5Part | None:
        """What understands words."""
        return self.clap_text or self.vectors or self.t5

    @property
    def words_name(self) -> str:
        """The name of that part."""
        return "clap_text" if self.clap_text else "vectors" if self.vectors else "t5"

    @property
    def hears_nothing(self) -> bool:
        """Whether clips are made of noise alone."""
        return isinstance(self.unet, AudioLDMUNetPart) and self.unet.free

    @model_validator(mode="after")
    def _heard(self) -> Parts:
        if isinstance(self.unet, UNetPart):
            for name, kind in (("encoder", EncoderPart), ("adapter", AdapterPart)):
                if not isinstance(getattr(self, name), kind):
                    raise ValueError(f"lack the {name} that a sketch-unet hears by, so write it")
        elif self.adapter is not None and self.encoder is None:
            raise ValueError(
                "have an adapter without the encoder that it was trained with, so write that too"
            )
        elif self.adapter is None and self.words is None and self.clap_audio is None and not self.unet.free:
            raise ValueError(
                "have neither encoder and adapter nor clap_text nor clap_audio nor vectors, so nothing is heard"
            )
        return self

    @model_validator(mode="after")
    def _told(self) -> Parts:
        if sum(part is not None for part in (self.clap_text, self.vectors, self.t5)) > 1:
            raise ValueError("have more than one of clap_text, vectors and t5, so leave one")
        unet = self.unet if isinstance(self.unet, AudioLDMUNetPart) else None
        if self.vectors is not None and (unet is None or self.vectors.width != unet.numbers):
            raise ValueError("have vectors of another width than the unet takes, so correct one")
        if self.t5 is not None and (unet is None or self.t5.width != unet.context_width):
            raise ValueError("have a t5 of another width than the unet's context_width, so correct one")
        return self

    @model_validator(mode="after")
    def _one_file_each(self) -> Parts:
        names = [part.file.lower() for part in self.with_weights().values()]
        if len(set(names)) < len(names):
            raise ValueError("name the same file twice where each needs its own")
        return self

    def texts(self) -> tuple[TextFile, ...]:
        """The text files beside the weights, by which words are understood."""
        parts = self.with_weights().values()
        return tuple(value for part in parts for _, value in part if isinstance(value, TextFile))

    def with_weights(self) -> dict[str, WeightsPart]:
        """The parts that have a file, by name."""
        found = {name: getattr(self, name) for name in PART_NAMES}
        return {name: part for name, part in found.items() if isinstance(part, _Weights)}  # type: ignore[misc]


class ScheduleHeader(_Strict):
    """Arguments of `model.schedule.Schedule.linear_sqrt`, and the spacing of its steps (left out: trailing)."""

    beta_start: Annotated[float, Field(gt=0.0, lt=1.0)]
    beta_end: Annotated[float, Field(gt=0.0, lt=1.0)]
    steps: Annotated[int, Field(ge=2, le=10000)]
    zero_terminal_snr: bool
    spacing: Literal["leading"] | None = None


class Range(_Strict):
    """A parameter's default and its legal ends, both included."""

    default: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low <= self.default <= self.high:
            raise ValueError(f"needs low <= default <= high, not {self.low}, {self.default}, {self.high}")
        return self


class WholeRange(Range):
    """A range of whole numbers."""

    default: int
    low: int
    high: int


class SamplerChoice(_Strict):
    """Names in `model.samplers.SAMPLERS`."""

    default: str
    choices: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _chosen(self) -> SamplerChoice:
        if self.default not in self.choices:
            raise ValueError(f"has the default {_short(self.default)}, which is not among its choices")
        return self


class Parameters(_Strict):
    """Defaults and legal ranges of what a request may set; `guidance_interval` as in `model.guidance`."""

    steps: WholeRange
    guidance: Range
    follow: Range
    sampler: SamplerChoice
    guidance_interval: tuple[Share, Share]
    guidance_rescale: Share
    tail_seconds: Annotated[float, Field(ge=0.0, le=60.0)]

    @model_validator(mode="after")
    def _legal(self) -> Parameters:
        if self.steps.low < 1:
            raise ValueError("allow fewer than 1 step")
        if self.guidance.low < 0.0:
            raise ValueError("allow a guidance below 0")
        if self.follow.low < 0.0 or self.follow.high > 1.0:
            raise ValueError("allow a follow outside 0..1")
        if self.guidance_interval[0] > self.guidance_interval[1]:
            raise ValueError("have a guidance_interval that ends before it begins")
        return self


class PresetHeader(Header):
    """All of preset.yaml."""

    noun: ClassVar[str] = "preset"

    format: Literal[1]
    name: str
    version: Annotated[str, Field(min_length=1)]
    description: str
    geometry: GeometryHeader
    parts: Parts
    schedule: ScheduleHeader
    parameters: Parameters
    training: dict[str, Any]
    metrics: dict[str, Any]
    credits: tuple[str, ...]
    licence: Annotated[str, Field(min_length=1)]

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(
                f"must be 1 to 64 letters, digits, dots, dashes, underscores, not {_short(name)}"
            )
        return name

    @model_validator(mode="after")
    def _agree(self) -> PresetHeader:
        pixels = isinstance(self.parts.vae, PixelsPart)
        if pixels and self.geometry.latent_channels != self.geometry.fold:
            raise ValueError("geometry.latent_channels and geometry.fold differ, which pixels cannot")
        if 2 ** (len(self.parts.vae.channels) - 1) != self.geometry.factor:
            raise ValueError("parts.vae.channels has not the number of levels that geometry.factor asks for")
        if self.parameters.steps.high > self.schedule.steps:
            raise ValueError("parameters.steps.high is more than schedule.steps")
        check_hop("parts.vocoder", self.parts.vocoder, "geometry.hop", self.geometry.hop)
        return self

    def identity(self) -> str:
        """SHA-256 of all that shapes a clip and no recipe holds, as canonical JSON.

        Geometry, parts (so the weights' hashes), schedule, and how guidance is applied.
        """
        shaping = {"geometry": True, "parts": True, "schedule": True}
        guidance = {"guidance_interval", "guidance_rescale"}
        # What is left out is left out here too: the hash is older than some of the keys.
        include = shaping | {"parameters": guidance}
        plain = self.model_dump(mode="json", include=include, exclude_none=True)
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def as_yaml(self) -> str:
        """The text of preset.yaml."""
        return written(self)


def parse_header(plain: Mapping[str, Any], path: Path) -> tuple[PresetHeader | None, list[str]]:
    """The header that plain values make, or None, and one sentence on each thing wrong, naming `path`."""
    return parse(plain, path, PresetHeader)


def read_header(path: Path) -> PresetHeader:
    """The header in a preset.yaml; raises PresetError with the first thing wrong."""
    return read(path, PresetHeader)


def inspect_header(path: Path) -> tuple[PresetHeader | None, list[str]]:
    """The header in a preset.yaml, or None, and one sentence for each thing wrong."""
    return inspect(path, PresetHeader)


# Inside -------------------------------------------------------------------------------------------------


def _check_groups(channels: tuple[int, ...], groups: int) -> None:
    if any(width % groups for width in channels):
        raise ValueError(f"has channels {list(channels)} that do not divide by its groups, {groups}")
