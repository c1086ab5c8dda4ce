"""Networks: what a preset's header describes, as shapes without weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.audioldm_networks import audioldm_network
from vocaldm_live.checkpoints.audioldm_parts import AudioLDMPart
from vocaldm_live.checkpoints.header import (
    AdapterPart,
    EncoderPart,
    GeometryHeader,
    PresetHeader,
    UNetPart,
    VAEPart,
    WeightsPart,
    one_line,
)
from vocaldm_live.checkpoints.places import HEADER_FILE
from vocaldm_live.checkpoints.vocoders import vocoder_network
from vocaldm_live.checkpoints.weights import Entry, entries_of
from vocaldm_live.checkpoints.words_networks import words_network
from vocaldm_live.checkpoints.words_parts import T5Part, VectorsPart
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from torch import nn

    from vocaldm_live.model.schedule import Schedule


def network_of(header: GeometryHeader, part: WeightsPart, fresh: bool = False) -> nn.Module:
    """A part's network with weights on the meta device: shapes without memory, no random numbers drawn.

    fresh: with weights as they are before any training, drawn from torch's generator.
    """
    from vocaldm_live.model.adapter import Adapter
    from vocaldm_live.model.encoder import Encoder
    from vocaldm_live.model.skeleton import skeletons
    from vocaldm_live.model.unet import SketchUNet
    from vocaldm_live.model.vae import MelVAE

    geometry = header.build()
    with nullcontext() if fresh else skeletons():
        if isinstance(part, EncoderPart):
            return Encoder(classifier=part.classifier, shared=part.shared_tower)
        if isinstance(part, AdapterPart):
            return Adapter()
        if isinstance(part, UNetPart):
            width = part.head_width
            return SketchUNet(geometry, part.channels, part.layers, part.attention_from, width, part.groups)
        if isinstance(part, VAEPart):
            return MelVAE(geometry, part.channels, part.layers, part.groups)
        if isinstance(part, AudioLDMPart):
            return audioldm_network(geometry, part)
        if isinstance(part, (VectorsPart, T5Part)):
            return words_network(part)
        return vocoder_network(geometry, part)


@lru_cache(maxsize=32)
def _entries(header: GeometryHeader, part: WeightsPart) -> Mapping[str, Entry]:
    return MappingProxyType(entries_of(network_of(header, part).state_dict()))


def expected_entries(name: str, header: PresetHeader, folder: Path) -> Mapping[str, Entry]:
    """What a part's file has to hold, by tensor name; raises PresetError where the header makes no network."""
    try:
        return _entries(header.geometry, header.parts.with_weights()[name])
    except (ValueError, RuntimeError) as error:
        raise PresetError(
            f"{folder / HEADER_FILE} has parts.{name} that make no network ({one_line(error)}); correct them."
        ) from error


def schedule_of(header: PresetHeader, folder: Path) -> Schedule:
    """The noise schedule of a header; raises PresetError where it is none."""
    from vocaldm_live.model.schedule import Schedule

    try:
        return Schedule.linear_sqrt(**header.schedule.model_dump(exclude={"spacing"}))
    except ValueError as error:
        raise PresetError(
            f"{folder / HEADER_FILE} has an impossible schedule ({one_line(error)}); correct its betas."
        ) from error
