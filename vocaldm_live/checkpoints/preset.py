"""Preset: a folder with preset.yaml and safetensors files, read, checked, loaded and written as one.

Reading looks at preset.yaml only and needs no torch; checking reads every byte; loading makes networks.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints.header import (
    PART_NAMES,
    PresetHeader,
    inspect_header,
    one_line,
    parse_header,
    read_header,
)
from vocaldm_live.checkpoints.networks import expected_entries, network_of, schedule_of
from vocaldm_live.checkpoints.places import HEADER_FILE
from vocaldm_live.checkpoints.strict import TextFile
from vocaldm_live.checkpoints.vocoder_parts import GriffinLimPart
from vocaldm_live.checkpoints.vocoders import VocoderChoice, load_vocoder
from vocaldm_live.checkpoints.weights import (
    entries_of,
    file_sha256,
    hash_problem,
    mismatches,
    read_entries,
    read_tensors,
    write_tensors,
)
from vocaldm_live.checkpoints.words_parts import PixelsPart
from vocaldm_live.errors import PresetError, RequestError
from vocaldm_live.sound.geometry import Geometry

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from vocaldm_live.model.adapter import Adapter, VocalDMAdapter
    from vocaldm_live.model.audioldm import AudioLDMUNet
    from vocaldm_live.model.bigvgan import BigVGAN
    from vocaldm_live.model.encoder import Encoder
    from vocaldm_live.model.hifi_gan import HiFiGAN
    from vocaldm_live.model.pixels import Pixels
    from vocaldm_live.model.schedule import Schedule
    from vocaldm_live.model.unet import SketchUNet
    from vocaldm_live.model.vae import MelVAE
    from vocaldm_live.model.vocoder import Vocoder

LATE_PARTS = ("clap_text", "clap_audio", "vectors", "t5")
WEIGHTLESS = ("griffin-lim", "pixels")
_NOT_HASHED = "0" * 64


@dataclass(frozen=True)
class Preset:
    """A preset whose header was read; `sha256` covers geometry, parts (weights included) and schedule.

    vocoder: one that was chosen in place of the preset's own, which `sha256` then still covers.
    """

    name: str
    folder: Path
    header: PresetHeader
    sha256: str
    vocoder: VocoderChoice | None = None

    @property
    def geometry(self) -> Geometry:
        """The numbers that fix every shape."""
        return self.header.geometry.build()

    @property
    def own_vocoder(self) -> VocoderChoice:
        """The vocoder that the preset brings along."""
        part = self.header.parts.vocoder
        if isinstance(part, GriffinLimPart):
            return VocoderChoice(self.name, part, None, None)
        return VocoderChoice(self.name, part, self.geometry, self.folder / HEADER_FILE)

    @property
    def credits(self) -> str:
        """What a clip says of those whose work is in it: the preset's credits, and those of a vocoder that was chosen."""
        chosen = () if self.vocoder is None else self.vocoder.credits
        return "; ".join(dict.fromkeys((*self.header.credits, *chosen)))

    def with_vocoder(self, choice: VocoderChoice) -> Preset:
        """The preset with another vocoder, or as it is where that is its own.

        Raises PresetError where the vocoder takes another mel.
        """
        choice.check_fits(self.name, self.geometry)
        if choice.sha256 == self.own_vocoder.sha256:
            return replace(self, vocoder=None)
        return replace(self, vocoder=choice)


@dataclass(frozen=True, eq=False)
class Modules:
    """A preset's networks in eval mode, float32, without gradients; `vocoder` is None for Griffin-Lim.

    The house's presets have `house_encoder` and `house_adapter`; the properties of nearly the same names raise
    RequestError where a preset has none. CLAP's towers are loaded by `load_part` when they are asked something.
    """

    unet: SketchUNet | AudioLDMUNet
    vae: MelVAE | Pixels
    vocoder: Vocoder | HiFiGAN | BigVGAN | None
    geometry: Geometry
    schedule: Schedule
    house_encoder: Encoder | None = None
    any_adapter: Adapter | VocalDMAdapter | None = None

    @property
    def encoder(self) -> Encoder:
        """The towers that hear imitations and references."""
        if self.house_encoder is None:
            raise RequestError("This preset has no encoder: import it with --qvim, or use the preset house.")
        return self.house_encoder

    @property
    def adapter(self) -> Adapter:
        """From the encoder's embedding to a condition, with the null that guidance leans from."""
        if self.any_adapter is None:
            raise RequestError(
                "This preset has no adapter: import it with --adapter, or use the preset house."
            )
        return self.any_adapter  # type: ignore[return-value]


def read_preset(folder: Path | str) -> Preset:
    """The preset in a folder, by its header alone; raises PresetError where that is missing or wrong."""
    folder = Path(folder).resolve()
    header = read_header(folder / HEADER_FILE)
    problem = _name_problem(header, folder)
    if problem:
        raise PresetError(problem)
    return Preset(header.name, folder, header, header.identity())


def load_modules(preset: Preset, device: torch.device | str = "cpu") -> Modules:
    """The preset's networks on a device.

    Raises PresetError with the first mismatch of a file's header, hash, keys or shapes; nothing is kept then.
    """
    header, folder = preset.header, preset.folder
    parts = header.parts.with_weights()
    if preset.vocoder is not None:
        parts.pop("vocoder", None)
    for name, part in parts.items():
        path = folder / part.file
        problems = mismatches(path, read_entries(path), expected_entries(name, header, folder))
        if problems:
            raise PresetError(problems[0])
    _check_samplers(header, folder)
    schedule = schedule_of(header, folder)
    loaded: dict[str, Any] = {}
    for name in parts:
        if name not in LATE_PARTS:
            loaded[name] = load_part(preset, name, device)
    if isinstance(header.parts.vae, PixelsPart):
        from vocaldm_live.model.pixels import Pixels

        loaded["vae"] = Pixels(preset.geometry)
    if preset.vocoder is not None:
        loaded["vocoder"] = load_vocoder(preset.vocoder, device)
    return Modules(
        loaded["unet"],
        loaded["vae"],
        loaded.get("vocoder"),
        preset.geometry,
        schedule,
        loaded.get("encoder"),
        loaded.get("adapter"),
    )


def load_part(preset: Preset, name: str, device: torch.device | str = "cpu") -> nn.Module:
    """One network of a preset, as those of `Modules`; raises PresetError where its file is another."""
    part = preset.header.parts.with_weights()[name]
    network = network_of(preset.header.geometry, part)
    tensors = read_tensors(preset.folder / part.file, part.sha256)
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.eval().requires_grad_(False).to(device)


def read_text(preset: Preset, text: TextFile) -> str:
    """A text file of a preset; raises PresetError where it is missing, another or no text."""
    path = preset.folder / text.file
    problem = hash_problem(path, file_sha256(path), text.sha256)
    if problem:
        raise PresetError(problem)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"{path} cannot be read ({one_line(error)}); copy the preset again.") from error


def load_encoder(preset: Preset, device: torch.device | str = "cpu") -> Encoder:
    """The preset's encoder alone, in eval mode, float32, without gradients; raises PresetError as `load_modules`."""
    part = preset.header.parts.encoder
    if part is None:
        raise PresetError(f"The preset {preset.name} has no encoder: name one that has, as house.")
    path = preset.folder / part.file
    problems = mismatches(path, read_entries(path), expected_entries("encoder", preset.header, preset.folder))
    if problems:
        raise PresetError(problems[0])
    network: Any = network_of(preset.header.geometry, part)
    network.load_state_dict(read_tensors(path, part.sha256), strict=True, assign=True)
    encoder: Encoder = network.eval().requires_grad_(False).to(device)
    return encoder


def check_preset(folder: Path | str) -> list[str]:
    """Everything wrong with a preset, one sentence each that names the file; an empty list if nothing is."""
    folder = Path(folder).resolve()
    header, problems = inspect_header(folder / HEADER_FILE)
    if header is None:
        return problems
    problem = _name_problem(header, folder)
    return ([problem] if problem else []) + _content_problems(header, folder)


def write_preset(
    folder: Path | str,
    header: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Tensor]],
    dtype: torch.dtype | Mapping[str, torch.dtype],
    texts: Mapping[str, str] | None = None,
) -> Preset:
    """Write a preset into `folder`, whose last part is its name, and return it as read back.

    header: what preset.yaml is to say, the parts without `sha256` (and without `file`, which is then
    `<part>.safetensors`). states: a state dict for each part with weights. dtype: one for all, or one a part.
    texts: text files by name, which the header already names by their hashes.
    The folder is made under a hidden name beside it, checked there and then renamed, so that nobody sees half
    of it; an older preset of that name is replaced, and what else lay in its folder comes along.
    Raises PresetError where header and states do not fit, values overflow, or the disk says no.
    """
    folder = Path(folder).resolve()
    plain = _with_placeholders(header, folder.name)
    checked = _parsed(plain, folder)
    _check_states(checked, states, folder)
    hidden = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.part")
    try:
        _refuse_to_replace(folder)
        hidden.mkdir(parents=True)
        for name, part in checked.parts.with_weights().items():
            wanted = dtype[name] if isinstance(dtype, Mapping) else dtype
            plain["parts"][name]["sha256"] = write_tensors(hidden / part.file, states[name], wanted)
        _bring_along(folder, hidden)
        for name, text in (texts or {}).items():
            (hidden / name).write_bytes(text.encode("utf-8"))
        final = _parsed(plain, folder)
        (hidden / HEADER_FILE).write_text(final.as_yaml(), encoding="utf-8")
        problems = _content_problems(read_header(hidden / HEADER_FILE), hidden)
        if problems:
            raise PresetError(problems[0])
        _bring_along(folder, hidden)
        swap_in(hidden, folder)
    except OSError as error:
        raise PresetError(
            f"The preset {folder} cannot be written ({error.strerror}); free space or allow writing there."
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return read_preset(folder)


# Checks -------------------------------------------------------------------------------------------------


def _name_problem(header: PresetHeader, folder: Path) -> str | None:
    if header.name == folder.name:
        return None
    return (
        f"{folder / HEADER_FILE} says that the preset is named {header.name} where its folder is named "
        f"{folder.name}, so rename one of them."
    )


def _content_problems(header: PresetHeader, folder: Path) -> list[str]:
    """What is wrong with weights, samplers and schedule."""
    problems = []
    for name, part in header.parts.with_weights().items():
        path = folder / part.file
        try:
            entries = read_entries(path)
            different = hash_problem(path, file_sha256(path), part.sha256)
            problems += [different] if different else []
            problems += mismatches(path, entries, expected_entries(name, header, folder))
            for text in (value for _, value in part if isinstance(value, TextFile)):
                different = hash_problem(folder / text.file, file_sha256(folder / text.file), text.sha256)
                problems += [different] if different else []
        except PresetError as error:
            problems.append(str(error))
    for check in (_check_samplers, schedule_of):
        try:
            check(header, folder)
        except PresetError as error:
            problems.append(str(error))
    return problems


def _check_samplers(header: PresetHeader, folder: Path) -> None:
    from vocaldm_live.model.samplers import SAMPLERS

    unknown = [name for name in header.parameters.sampler.choices if name not in SAMPLERS]
    if unknown:
        raise PresetError(
            f"{folder / HEADER_FILE} offers the sampler {unknown[0]!r}, not one of {', '.join(SAMPLERS)}; "
            "correct parameters.sampler.choices."
        )


def _check_states(header: PresetHeader, states: Mapping[str, Mapping[str, Tensor]], folder: Path) -> None:
    parts = header.parts.with_weights()
    if set(parts) != set(states):
        raise PresetError(
            f"The preset {folder.name} needs weights for {', '.join(parts)}, not for "
            f"{', '.join(states) or 'none'}; give exactly these."
        )
    for name in parts:
        problems = mismatches(Path(name), entries_of(states[name]), expected_entries(name, header, folder))
        if problems:
            raise PresetError(problems[0])


# Writing ------------------------------------------------------------------------------------------------


def _with_placeholders(header: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy with name, file names and hashes filled in where they are left out."""
    plain = deepcopy(dict(header))
    plain.setdefault("name", name)
    parts = plain.get("parts")
    for part in PART_NAMES:
        entry = parts.get(part) if isinstance(parts, dict) else None
        if isinstance(entry, dict) and entry.get("kind") not in WEIGHTLESS:
            entry.setdefault("file", f"{part}.safetensors")
            entry["sha256"] = _NOT_HASHED
    return plain


def _parsed(plain: Mapping[str, Any], folder: Path) -> PresetHeader:
    header, problems = parse_header(plain, folder / HEADER_FILE)
    if header is None:
        raise PresetError(problems[0])
    problem = _name_problem(header, folder)
    if problem:
        raise PresetError(problem)
    return header


def _refuse_to_replace(folder: Path) -> None:
    other_folder = folder.is_dir() and any(folder.iterdir()) and not (folder / HEADER_FILE).exists()
    if folder.is_file() or other_folder:
        raise PresetError(f"{folder} exists and is no preset, so it is not replaced; choose another name.")


def _bring_along(old: Path, new: Path) -> None:
    """Copy what is neither header nor weights, such as a README.md."""
    for path in sorted(old.iterdir()) if old.is_dir() else ():
        if path.name == HEADER_FILE or path.suffix == ".safetensors":
            continue
        if path.is_dir():
            shutil.copytree(path, new / path.name)
        else:
            shutil.copy2(path, new / path.name)


def swap_in(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what was there goes only when that has worked."""
    old = None
    if target.exists():
        old = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}.old")
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old is not None:
            os.rename(old, target)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
