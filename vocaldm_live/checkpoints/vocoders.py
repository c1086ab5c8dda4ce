"""Vocoders: a preset's own, one in a folder of its own with vocoder.yaml, or Griffin-Lim, by what a user calls it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vocaldm_live.checkpoints.header import read_header
from vocaldm_live.checkpoints.header_file import one_line, read
from vocaldm_live.checkpoints.places import HEADER_FILE, find_presets, resolve_preset
from vocaldm_live.checkpoints.vocoder_header import VocoderHeader
from vocaldm_live.checkpoints.vocoder_parts import (
    GriffinLimPart,
    HiFiGANPart,
    InverseSTFTPart,
    NetworkPart,
    VocoderPart,
)
from vocaldm_live.checkpoints.weights import Entry, entries_of, mismatches, read_entries, read_tensors
from vocaldm_live.errors import PresetError
from vocaldm_live.sound.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from vocaldm_live.model.bigvgan import BigVGAN
    from vocaldm_live.model.hifi_gan import HiFiGAN
    from vocaldm_live.model.vocoder import Vocoder

VOCODER_FILE = "vocoder.yaml"
GRIFFIN_LIM = "griffin-lim"
GRIFFIN_LIM_ITERATIONS = 32

# What has to agree between the mel that a preset makes and the one that a vocoder takes, and its unit.
_MEL = {
    "sample_rate": " Hz",
    "n_fft": "",
    "hop": "",
    "mel_bands": "",
    "fmin": " Hz",
    "fmax": " Hz",
    "mel_floor": "",
}


@dataclass(frozen=True)
class VocoderChoice:
    """A vocoder that takes the place of a preset's own.

    name: what finds it again: griffin-lim, a preset's name or a folder. header: the file that tells of it and
    that its weights lie beside, None for Griffin-Lim, which takes any mel. credits: what clips say of it.
    """

    name: str
    part: VocoderPart
    geometry: Geometry | None
    header: Path | None
    credits: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of all that shapes its sound, its weights' hash included, as canonical JSON."""
        plain = {"vocoder": self.part.model_dump(mode="json")}
        if self.geometry is not None:
            names = [*_MEL, "mel_mean", "mel_scale"] if isinstance(self.part, InverseSTFTPart) else [*_MEL]
            plain["mel"] = {name: getattr(self.geometry, name) for name in names}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def check_fits(self, preset: str, geometry: Geometry) -> None:
        """Raise PresetError where it takes another mel than that of the preset."""
        if self.geometry is None:
            return
        different = [name for name in _MEL if getattr(self.geometry, name) != getattr(geometry, name)]
        if different:
            takes, makes = (_told(one, different) for one in (self.geometry, geometry))
            raise PresetError(
                f"The vocoder {self.name} takes a mel of {takes} where the preset {preset} makes one of "
                f"{makes}; give a vocoder for that mel, or {GRIFFIN_LIM}."
            )


def resolve_vocoder(name_or_path: str) -> VocoderChoice:
    """The vocoder that a user names: griffin-lim, a preset (its vocoder), or a folder with vocoder.yaml.

    Raises PresetError where there is none, or where its header is wrong.
    """
    if name_or_path == GRIFFIN_LIM:
        part = GriffinLimPart(kind="griffin-lim", iterations=GRIFFIN_LIM_ITERATIONS)
        return VocoderChoice(GRIFFIN_LIM, part, None, None)
    path = Path(name_or_path).expanduser()
    if name_or_path not in find_presets():
        header = path if path.name == VOCODER_FILE else path / VOCODER_FILE
        if header.is_file():
            return read_vocoder(header.parent)
        if path.is_file() and path.name != HEADER_FILE:
            raise PresetError(
                f"{path} is a file; turn it into a vocoder's folder with `vocaldm presets vocoder`, and name that."
            )
        if not (path / HEADER_FILE).is_file() and path.name != HEADER_FILE:
            raise PresetError(
                f"There is no vocoder {name_or_path!r}; name {GRIFFIN_LIM}, a preset ({', '.join(find_presets())}) "
                "or a folder that `vocaldm presets vocoder` made."
            )
    folder = resolve_preset(name_or_path)
    preset = read_header(folder / HEADER_FILE)
    own = preset.parts.vocoder
    if isinstance(own, GriffinLimPart):
        return VocoderChoice(name_or_path, own, None, None)
    name = name_or_path if name_or_path in find_presets() else str(folder)
    credits = (f"Vocoder of the preset {preset.name}: {preset.licence}", *preset.credits)
    return VocoderChoice(name, own, preset.geometry.build(), folder / HEADER_FILE, credits)


def read_vocoder(folder: Path | str) -> VocoderChoice:
    """The vocoder in a folder, by its header alone; raises PresetError where that is missing or wrong."""
    folder = Path(folder).resolve()
    header = read(folder / VOCODER_FILE, VocoderHeader)
    credits = (f"Vocoder {header.name} ({header.source}): {header.licence}",)
    return VocoderChoice(str(folder), header.vocoder, header.mel.build(), folder / VOCODER_FILE, credits)


def load_vocoder(
    choice: VocoderChoice, device: torch.device | str = "cpu"
) -> Vocoder | HiFiGAN | BigVGAN | None:
    """A vocoder's network in eval mode, float32, without gradients; None for Griffin-Lim.

    Raises PresetError with the first mismatch of its file's header, hash, keys or shapes.
    """
    part, geometry, header = choice.part, choice.geometry, choice.header
    if isinstance(part, GriffinLimPart) or geometry is None or header is None:
        return None
    path = header.parent / part.file
    problems = mismatches(path, read_entries(path), vocoder_entries(geometry, part, header), header.name)
    if problems:
        raise PresetError(problems[0])
    network = _skeleton(geometry, part)
    network.load_state_dict(read_tensors(path, part.sha256, header.name), strict=True, assign=True)
    return network.eval().requires_grad_(False).to(device)


def vocoder_entries(geometry: Geometry, part: NetworkPart, header: Path) -> Mapping[str, Entry]:
    """What the weights of a vocoder have to be; raises PresetError naming `header` where it makes no network."""
    try:
        return _entries(geometry, part)
    except (ValueError, RuntimeError) as error:
        raise PresetError(
            f"{header} tells of no possible network ({one_line(error)}); correct it."
        ) from error


def vocoder_network(geometry: Geometry, part: NetworkPart) -> Vocoder | HiFiGAN | BigVGAN:
    """A vocoder's network, its weights as they are where it is made."""
    from vocaldm_live.model.bigvgan import BigVGAN
    from vocaldm_live.model.hifi_gan import HiFiGAN
    from vocaldm_live.model.vocoder import Vocoder

    if isinstance(part, InverseSTFTPart):
        return Vocoder(geometry, part.channels, part.hidden, part.blocks)
    shape = (part.channels, part.rates, part.kernels, part.block_kernels, part.block_dilations)
    if isinstance(part, HiFiGANPart):
        return HiFiGAN(geometry.mel_bands, *shape, part.slope, part.padding, part.normalised)
    return BigVGAN(
        geometry.mel_bands,
        *shape,
        part.paired,
        part.activation,
        part.logarithmic,
        part.tanh_at_end,
        part.bias_at_end,
    )


# Inside -------------------------------------------------------------------------------------------------


def _skeleton(geometry: Geometry, part: NetworkPart) -> Vocoder | HiFiGAN | BigVGAN:
    from vocaldm_live.model.skeleton import skeletons

    with skeletons():
        return vocoder_network(geometry, part)


@lru_cache(maxsize=8)
def _entries(geometry: Geometry, part: NetworkPart) -> Mapping[str, Entry]:
    return MappingProxyType(entries_of(_skeleton(geometry, part).state_dict()))


def _told(geometry: Geometry, names: list[str]) -> str:
    return ", ".join(f"{name} {getattr(geometry, name):g}{_MEL[name]}" for name in names)
