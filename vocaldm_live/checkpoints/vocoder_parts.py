"""Vocoder parts: the kinds of vocoder that a header can name, each with what its network is made from."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vocaldm_live.checkpoints.strict import Few, Strict, Weights, Width, Widths

Dilations = Annotated[tuple[Widths, ...], Field(min_length=1, max_length=8)]


class InverseSTFTPart(Weights):
    """`model.vocoder.Vocoder`."""

    kind: Literal["istft"]
    channels: Width
    hidden: Annotated[int, Field(ge=1, le=16384)]
    blocks: Few


class GriffinLimPart(Strict):
    """`model.vocoder.griffin_lim`, which has no weights."""

    kind: Literal["griffin-lim"]
    iterations: Annotated[int, Field(ge=1, le=1000)]


class Upsampling(Weights):
    """What the networks have in common that reach samples by stages of transposed convolutions."""

    channels: Width
    rates: Widths
    kernels: Widths
    block_kernels: Widths
    block_dilations: Dilations

    @property
    def hop(self) -> int:
        """Samples a mel frame."""
        return math.prod(self.rates)

    @model_validator(mode="after")
    def _possible(self) -> Upsampling:
        if len(self.rates) != len(self.kernels):
            raise ValueError(
                f"has {len(self.rates)} rates and {len(self.kernels)} kernels; each needs its own"
            )
        if any(kernel < rate for rate, kernel in zip(self.rates, self.kernels, strict=True)):
            raise ValueError(f"has kernels {list(self.kernels)} shorter than its rates {list(self.rates)}")
        if len(self.block_kernels) != len(self.block_dilations):
            raise ValueError("needs one row of block_dilations for each of its block_kernels")
        if any(kernel % 2 == 0 for kernel in self.block_kernels):
            raise ValueError(f"has even block_kernels, {list(self.block_kernels)}; they must be odd")
        if self.channels % 2 ** len(self.rates):
            raise ValueError(f"has {self.channels} channels, which {len(self.rates)} stages cannot halve")
        return self


class HiFiGANPart(Upsampling):
    """`model.hifi_gan.HiFiGAN`, whose docstring says what the keys mean."""

    kind: Literal["hifi-gan"]
    slope: Annotated[float, Field(gt=0.0, lt=1.0)]
    padding: Literal["half", "exact"]
    normalised: bool

    @model_validator(mode="after")
    def _padded(self) -> HiFiGANPart:
        pairs = zip(self.rates, self.kernels, strict=True)
        if self.padding == "exact" and any(kernel != 2 * rate for rate, kernel in pairs):
            raise ValueError("has exact padding, which needs kernels of twice the rates; write half")
        return self


class BigVGANPart(Upsampling):
    """`model.bigvgan.BigVGAN`, whose docstring says what the keys mean."""

    kind: Literal["bigvgan"]
    paired: bool
    activation: Literal["snake", "snakebeta"]
    logarithmic: bool
    tanh_at_end: bool
    bias_at_end: bool


NetworkPart = InverseSTFTPart | HiFiGANPart | BigVGANPart
VocoderPart = Annotated[
    InverseSTFTPart | GriffinLimPart | HiFiGANPart | BigVGANPart, Field(discriminator="kind")
]
VOCODER_KINDS = ("istft", "griffin-lim", "hifi-gan", "bigvgan")


def check_hop(key: str, vocoder: VocoderPart, hop_key: str, hop: int) -> None:
    """Raise ValueError where a vocoder makes another number of samples a frame than the mel has."""
    if isinstance(vocoder, Upsampling) and vocoder.hop != hop:
        raise ValueError(f"{key} has rates for a hop of {vocoder.hop} where {hop_key} is {hop}")
