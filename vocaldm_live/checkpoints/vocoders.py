"""Vocoders: from what a header says of one to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.vocoder_parts import HiFiGANPart, InverseSTFTPart
from vocaldm_live.sound.geometry import Geometry

if TYPE_CHECKING:
    from vocaldm_live.model.hifi_gan import HiFiGAN
    from vocaldm_live.model.vocoder import Vocoder

NetworkPart = InverseSTFTPart | HiFiGANPart


def vocoder_network(geometry: Geometry, part: NetworkPart) -> Vocoder | HiFiGAN:
    """A vocoder's network, its weights as they are where it is made."""
    from vocaldm_live.model.hifi_gan import HiFiGAN
    from vocaldm_live.model.vocoder import Vocoder

    if isinstance(part, InverseSTFTPart):
        return Vocoder(geometry, part.channels, part.hidden, part.blocks)
    return HiFiGAN(
        geometry.mel_bands,
        part.channels,
        part.rates,
        part.kernels,
        part.block_kernels,
        part.block_dilations,
        part.slope,
        part.padding,
        part.normalised,
    )
