"""AudioLDM networks: from what a header says of a part to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.audioldm_parts import (
    AudioLDMPart,
    AudioLDMUNetPart,
    AudioLDMVAEPart,
    ClapTextPart,
    VocalDMAdapterPart,
)
from vocaldm_live.sound.geometry import Geometry

if TYPE_CHECKING:
    from torch import nn


def audioldm_network(geometry: Geometry, part: AudioLDMPart) -> nn.Module:
    """A part's network, its weights as they are where it is made."""
    from vocaldm_live.model.adapter import VocalDMAdapter
    from vocaldm_live.model.audioldm import AudioLDMUNet, AudioLDMVAE
    from vocaldm_live.model.clap_audio import ClapAudio
    from vocaldm_live.model.clap_text import ClapText

    if isinstance(part, AudioLDMUNetPart):
        return AudioLDMUNet(
            geometry,
            part.channels,
            part.layers,
            part.heads,
            part.transformers,
            part.width,
            part.context_width or 0,
            part.context_places or 0,
            1 if part.attention_from is None else part.attention_from,
        )
    if isinstance(part, AudioLDMVAEPart):
        return AudioLDMVAE(geometry, part.channels, part.layers)
    if isinstance(part, VocalDMAdapterPart):
        return VocalDMAdapter()
    if isinstance(part, ClapTextPart):
        return ClapText(part.size, part.places, part.width, part.layers, part.heads, part.hidden)
    return ClapAudio(part.width, part.depths, part.heads, part.window)
