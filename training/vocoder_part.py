"""Vocoder part: the network that a vocoder run trains, of a recipe's sizes or a preset's, and the files it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from training.errors import DataError, RecipeError, RunError
from training.partial import load_partly
from training.recipe import Count, Positive, Strict
from training.runfolder import save_weights
from vocaldm_live.checkpoints.published import fold_weight_norm
from vocaldm_live.checkpoints.vocoder_header import MelHeader, VocoderHeader
from vocaldm_live.checkpoints.vocoder_parts import GriffinLimPart, NetworkPart, VocoderPart, check_hop
from vocaldm_live.checkpoints.vocoders import VOCODER_FILE, load_vocoder, resolve_vocoder, vocoder_network
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.sound.geometry import Geometry

PART_FILE = "vocoder.safetensors"


class InverseSTFTSizes(Strict):
    """`model.vocoder.Vocoder`; what is left out is the house's."""

    kind: Literal["istft"] = "istft"
    channels: Count = 256
    hidden: Count = 640
    blocks: Count = 8


class UpsamplingSizes(Strict):
    """What HiFi-GAN and BigVGAN have in common; what is left out is AudioLDM's at 16 kHz."""

    channels: Count = 1024
    rates: tuple[Count, ...] = (5, 4, 2, 2, 2)
    kernels: tuple[Count, ...] = (16, 16, 8, 4, 4)
    block_kernels: tuple[Count, ...] = (3, 7, 11)
    block_dilations: tuple[tuple[Count, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))


class HiFiGANSizes(UpsamplingSizes):
    """`model.hifi_gan.HiFiGAN`."""

    kind: Literal["hifi-gan"]
    slope: Positive = 0.1
    padding: Literal["half", "exact"] = "half"
    normalised: bool = False


class BigVGANSizes(UpsamplingSizes):
    """`model.bigvgan.BigVGAN`; what is left out is version 2."""

    kind: Literal["bigvgan"]
    paired: bool = True
    activation: Literal["snake", "snakebeta"] = "snakebeta"
    logarithmic: bool = True
    tanh_at_end: bool = False
    bias_at_end: bool = False


Sizes = Annotated[InverseSTFTSizes | HiFiGANSizes | BigVGANSizes, Field(discriminator="kind")]


@dataclass(frozen=True, eq=False)
class VocoderMade:
    """A network to train, what a header says of it, its mel, in words where it came from, and its base's hash."""

    network: nn.Module
    part: NetworkPart
    geometry: Geometry
    source: str
    sha256: str = ""

    def plain(self) -> dict[str, Any]:
        """The part as preset.yaml has it, file and hash apart."""
        return self.part.model_dump(mode="json", exclude={"file", "sha256"})


def make_vocoder(
    sizes: Sizes | None, geometry: Geometry, base: str | None, weights_of: str | None
) -> VocoderMade:
    """A vocoder of these sizes (none: the house's), or that of a preset or a folder, with weights of a file over it.

    Networks of upsampling get their weights in length and direction, as they were published.
    Raises RecipeError for an impossible network, PresetError or DataError where weights cannot be had.
    """
    source, sha256 = "from scratch", ""
    if base is not None:
        choice = resolve_vocoder(base)
        loaded = load_vocoder(choice)
        if isinstance(choice.part, GriffinLimPart) or choice.geometry is None or loaded is None:
            raise RecipeError(f"{base} decodes by Griffin-Lim, which learns nothing; name another base.")
        part, geometry, source = choice.part, choice.geometry, f"from the vocoder {Path(choice.name).name}"
        network, sha256 = vocoder_network(geometry, part), choice.sha256
        load_partly(network, loaded.state_dict())
    else:
        part = _part(sizes or InverseSTFTSizes(), geometry)
        network = vocoder_network(geometry, part)
    if weights_of is not None:
        try:
            load_partly(network, load_file(weights_of))
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"{weights_of} cannot be read ({error}); name the weights of a trained vocoder."
            ) from error
        source = f"from {Path(weights_of).name}"
    if part.kind != "istft":
        for module in network.modules():
            if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
                weight_norm(module)
    return VocoderMade(network, part, geometry, source, sha256)


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state by the names that files have: lengths and directions made one weight again."""
    return {name: value.contiguous() for name, value in fold_weight_norm(network.state_dict()).items()}


def write_vocoder(folder: Path, made: VocoderMade, network: nn.Module, name: str, licence: str) -> None:
    """Write vocoder.safetensors, a preset's part, and vocoder.yaml, which makes the folder one that --vocoder takes.

    Raises RunError where the disk says no.
    """
    path = folder / PART_FILE
    plain = vocoder_network(made.geometry, made.part)
    plain.load_state_dict(plain_state(network), strict=True)
    save_weights(plain, path)
    geometry, own = made.geometry, made.part.kind == "istft"
    mel = {key: getattr(geometry, key) for key in MelHeader.model_fields if key != "log"}
    if not own:
        mel |= {"mel_mean": None, "mel_scale": None}
    header = VocoderHeader(
        format=1,
        name=name[:200],
        mel=MelHeader(**mel, log="natural"),
        vocoder=made.part.model_copy(update={"file": PART_FILE, "sha256": file_sha256(path)}),
        source=f"vocaldm-train vocoder, {made.source}",
        licence=licence,
    )
    part = folder / f".{VOCODER_FILE}.part"
    try:
        part.write_text(header.as_yaml(), encoding="utf-8")
        part.replace(folder / VOCODER_FILE)
    except OSError as error:
        raise RunError(
            f"{folder / VOCODER_FILE} cannot be written ({error.strerror}); free space there and give the same "
            "command again."
        ) from error


def _part(sizes: Sizes, geometry: Geometry) -> NetworkPart:
    plain = {**sizes.model_dump(), "file": PART_FILE, "sha256": "0" * 64}
    try:
        part: Any = TypeAdapter(VocoderPart).validate_python(plain)
        check_hop("network", part, "geometry.hop", geometry.hop)
    except ValidationError as error:
        found = error.errors()[0]
        wrong = found["msg"].removeprefix("Value error, ").rstrip(".")
        key = ".".join(["network", *(str(step) for step in found["loc"][1:])])
        raise RecipeError(f"{key} makes no vocoder ({wrong}); correct the recipe.") from error
    except ValueError as error:
        raise RecipeError(f"{error}; correct the recipe.") from error
    made: NetworkPart = part
    return made


def exact(device: torch.device) -> torch.autocast:
    """A context in which nothing is computed in lower precision: spectra and their logarithms need all of it."""
    return torch.autocast(device.type, enabled=False)
