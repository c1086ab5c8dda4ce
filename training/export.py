"""Export: trained weights become a preset folder: parts of a base in the place of its own, or all parts anew.

The folder appears at once or not at all, is loaded back, and tells truthfully how it was made.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.part_files import PartFile, read_part
from training.rounding import DTYPES, choose_dtypes, stored_dtype, verify
from vocaldm_live.checkpoints.networks import expected_entries
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import Preset, load_modules, read_preset, read_text, write_preset
from vocaldm_live.checkpoints.weights import converted, entries_of, mismatches, read_tensors
from vocaldm_live.checkpoints.words_parts import PixelsPart
from vocaldm_live.errors import PresetError
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.unet import SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.model.vocoder import Vocoder
from vocaldm_live.sound.geometry import HOUSE

PARAMETERS: dict[str, Any] = {
    "steps": {"default": 8, "low": 1, "high": 200},
    "guidance": {"default": 2.0, "low": 0.0, "high": 20.0},
    "follow": {"default": 1.0, "low": 0.0, "high": 1.0},
    "sampler": {"default": "dpm_solver_pp_2m", "choices": ["ddim", "dpm_solver_pp_2m", "deis", "ipndm"]},
    "guidance_interval": [0.0, 1.0],
    "guidance_rescale": 0.0,
    "tail_seconds": 0.3,
}
LATENTS = ("network.encoder.", "network.quant_conv.", "latent_mean", "latent_scale")
"""Beginnings of what in a VAE decides what a latent means; the rest only decodes it."""


@dataclass(frozen=True)
class Words:
    """What preset.yaml says beside the networks; None: what the base says, or the house's usual.

    parameters, training, metrics, credits go over what base and runs tell; architecture by part, where a fresh
    preset's networks are not of the default sizes. griffin_lim: iterations, instead of a vocoder.
    """

    version: str = "1"
    description: str | None = None
    licence: str | None = None
    parameters: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    credits: Sequence[str] = ()
    architecture: Mapping[str, Any] | None = None
    griffin_lim: int = 0
    dtype: str | None = None


@dataclass(frozen=True, eq=False)
class Exported:
    """The preset as read back, sentences on what was decided, and each part's type and rounding error."""

    preset: Preset
    notes: tuple[str, ...]
    dtypes: Mapping[str, torch.dtype]
    rounding: Mapping[str, float]


def export(
    base: Preset | str | None,
    parts: Mapping[str, Path | PartFile],
    name: str,
    place: Path,
    words: Words | None = None,
) -> Exported:
    """Write the preset `place`/`name` of a base and trained parts, or of all parts where there is no base.

    parts: by name, the folder of a finished run, a weights file, or weights in memory. What is not given stays the
    base's, bit for bit. Raises PresetError, and writes nothing, where a run is not finished, set out from another
    preset than the base, or made a network of another shape, and where the disk says no.
    """
    words = words or Words()
    opened = read_preset(resolve_preset(base)) if isinstance(base, str) else base
    files = {
        part: given if isinstance(given, PartFile) else read_part(part, Path(given))
        for part, given in parts.items()
    }
    if opened is None:
        notes, texts = [], {}
        header = _fresh_header(files, words)
        kept: dict[str, dict[str, Tensor]] = {}
        wanted = dict.fromkeys(files, DTYPES[words.dtype or "float16"])
    else:
        notes = _check_base(opened, files, (Path(place) / name).resolve())
        header, texts = _header_over(opened, files, words) | {"name": name}, _texts(opened)
        there = opened.header.parts.with_weights()
        kept = {
            part: read_tensors(opened.folder / there[part].file, there[part].sha256)
            for part in there
            if part not in files and not (part == "vocoder" and words.griffin_lim)
        }
        stored = {part: stored_dtype(opened.folder / there[part].file) for part in there}
        usual = stored["unet"]
        wanted = {part: stored.get(part, usual) for part in (*kept, *files)}
        if words.dtype:
            wanted |= dict.fromkeys(files, DTYPES[words.dtype])
    states: dict[str, Mapping[str, Tensor]] = {**kept, **{part: file.state for part, file in files.items()}}
    dtypes, widened = choose_dtypes(states, wanted)
    preset = write_preset(Path(place) / name, header, states, dtypes, texts)
    rounding = verify(load_modules(preset), states, dtypes)
    return Exported(preset, (*notes, *widened), dtypes, rounding)


# What fits ----------------------------------------------------------------------------------------------


def _check_base(base: Preset, files: Mapping[str, PartFile], target: Path) -> list[str]:
    """Raise PresetError where a part does not belong to the base; returns sentences on what may be meant so."""
    if not files:
        raise PresetError(f"Nothing is given that would make another preset of {base.name}; add --unet RUN.")
    if target == base.folder:
        raise PresetError(f"The preset would replace its own base, {base.name}; give it another name.")
    there, notes = base.header.parts.with_weights(), []
    schedule = base.header.schedule.model_dump(mode="json", exclude_none=True)
    for part, file in files.items():
        if file.told is not None and file.told.about.get("schedule", schedule) != schedule:
            raise PresetError(
                f"{file.source} was trained with another noise schedule than that of {base.name}; take the preset that "
                "its run wrote."
            )
        mel = dict(file.told.about.get("mel") or {}) if file.told else {}
        other = [key for key, value in mel.items() if getattr(base.geometry, key) != value]
        if other:
            raise PresetError(
                f"{file.source} was trained for another mel than that of {base.name} ({', '.join(other)}); name a base of "
                "its mel."
            )
        origin = dict(file.told.base) if file.told else {}
        if origin and origin.get("sha256") != base.sha256:
            raise PresetError(
                f"{file.source} was trained from the preset {origin.get('name')} "
                f"({str(origin.get('sha256'))[:12]}), not from {base.name} ({base.sha256[:12]}); name that base."
            )
        for beside, sha256 in file.told.replaced.items() if file.told else ():
            if beside in files and files[beside].run is not None and files[beside].run == file.run:
                continue  # trained on together, in one run
            if beside not in files or files[beside].sha256 != sha256:
                raise PresetError(
                    f"{file.source} was trained with another {beside} than that of {base.name}; give it with --{beside}, "
                    f"the file whose sha256 begins with {sha256[:12]}."
                )
        described = file.told is not None and part in file.told.about.get("parts", {})
        if part in there and not described:
            problems = mismatches(
                Path(file.source),
                entries_of(dict(file.state)),
                expected_entries(part, base.header, base.folder),
                header=base.name,
                advice="name the base that it was trained from",
            )
            if problems:
                raise PresetError(problems[0])
    if "vae" in files:
        _check_latents(base, files)
    if "encoder" in files and "adapter" not in files and "adapter" in there:
        notes.append(
            f"The adapter is still that of {base.name}, trained behind another encoder; align it with this one."
        )
    return notes


def _check_latents(base: Preset, files: Mapping[str, PartFile]) -> None:
    """The UNet draws latents of the VAE that it was trained on; a VAE that means others by them is refused."""
    unet = files.get("unet")
    if unet is not None and not (unet.told and unet.told.base):
        return
    part = base.header.parts.vae
    if isinstance(part, PixelsPart):
        raise PresetError(f"{base.name} draws log-mels and has no VAE to take the place of; leave out --vae.")
    own = read_tensors(base.folder / part.file, part.sha256)
    dtype = stored_dtype(base.folder / part.file)
    for key, value in files["vae"].state.items():
        if key.startswith(LATENTS) and not torch.equal(
            converted(value, dtype), converted(own.get(key, torch.zeros(0)), dtype)
        ):
            raise PresetError(
                f"{files['vae'].source} makes other latents than the VAE of {base.name}, which the UNet was trained "
                "on; train its decoder alone (train=decoder), or give a UNet trained on these latents."
            )


# The header ---------------------------------------------------------------------------------------------


def _header_over(base: Preset, files: Mapping[str, PartFile], words: Words) -> dict[str, Any]:
    """The base's header with other parts and another story."""
    plain = base.header.model_dump(mode="json", exclude_none=True)
    for part, file in files.items():
        described = _described(file)
        if described is not None:
            plain["parts"][part] = described
        elif plain["parts"].get(part, {}).get("kind", "griffin-lim") == "griffin-lim":
            plain["parts"][part] = _usual_parts({part: file.state})[part]
    if words.griffin_lim:
        plain["parts"]["vocoder"] = {"kind": "griffin-lim", "iterations": words.griffin_lim}
    _change(plain["parts"], words.architecture or {})
    trained = ", ".join(files)
    origin = {
        "name": base.name,
        "version": base.header.version,
        "sha256": base.sha256,
        "training": base.header.training,
    }
    return plain | {
        "version": words.version,
        "description": words.description or f"{base.name} with its {trained} trained on.",
        "parameters": plain["parameters"] | _told_parameters(files) | dict(words.parameters or {}),
        "training": _story(files, words) | {"base": origin},
        "metrics": dict(words.metrics or {}),
        "credits": _credits(files, words, base.header.credits),
        "licence": words.licence or base.header.licence,
    }


def _fresh_header(files: Mapping[str, PartFile], words: Words) -> dict[str, Any]:
    """The header of a preset without a base: as its runs tell, else as the house is."""
    plain: dict[str, Any] = {
        "geometry": HOUSE.as_dict(),
        "schedule": _defaults(Schedule.linear_sqrt) | {"zero_terminal_snr": True},
    }
    for section in plain:
        for file in files.values():
            told = file.told.about.get(section) if file.told else None
            plain[section] = dict(told) if told else plain[section]
    parts = _usual_parts({part: file.state for part, file in files.items()}, words.griffin_lim)
    for part, file in files.items():
        parts[part] = _described(file) or parts[part]
    _change(parts, words.architecture or {})
    return plain | {
        "format": 1,
        "version": words.version,
        "description": words.description or "",
        "parts": parts,
        "parameters": PARAMETERS | _told_parameters(files) | dict(words.parameters or {}),
        "training": _story(files, words),
        "metrics": dict(words.metrics or {}),
        "credits": _credits(files, words, ()),
        "licence": words.licence or "Apache-2.0",
    }


def _story(files: Mapping[str, PartFile], words: Words) -> dict[str, Any]:
    """What the runs tell, each once with the parts that it made, and what was said beside."""
    runs: dict[str, Any] = {}
    seen: dict[Path, str] = {}
    for part, file in files.items():
        if file.told is None or file.run is None:
            continue
        if file.run in seen:
            runs[seen[file.run]]["parts"].append(part)
            continue
        noun, count = file.told.command, 1
        while noun in runs:
            count += 1
            noun = f"{file.told.command}_{count}"
        seen[file.run] = noun
        runs[noun] = {"parts": [part], **file.told.entry}
    story = deepcopy(dict(words.training or {}))
    if runs:
        story["runs"] = {**runs, **dict(story.get("runs") or {})}
    return story


def _credits(files: Mapping[str, PartFile], words: Words, before: Sequence[str]) -> list[str]:
    told = [line for file in files.values() if file.told for line in file.told.credits]
    return list(dict.fromkeys((*before, *told, *words.credits)))


def _told_parameters(files: Mapping[str, PartFile]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in files.values():
        found |= dict(file.told.about.get("parameters") or {}) if file.told else {}
    return found


def _described(file: PartFile) -> dict[str, Any] | None:
    """The part as its run describes it, where it does."""
    parts = file.told.about.get("parts", {}) if file.told else {}
    return deepcopy(dict(parts[file.part])) if file.part in parts else None


def _usual_parts(
    states: Mapping[str, Mapping[str, Tensor]], griffin_lim: int = 0
) -> dict[str, dict[str, Any]]:
    """Parts of preset.yaml of the sizes that networks have by default; the encoder's and the adapter's by their keys."""
    encoder, adapter = states.get("encoder", {}), states.get("adapter", {})
    parts: dict[str, dict[str, Any]] = {
        "encoder": {
            "kind": "mn10",
            "shared_tower": not any(key.startswith("reference_encoder.") for key in encoder),
            "classifier": any(".classifier." in key for key in encoder),
        },
        "adapter": {"kind": "mlp" if "null" in adapter else "vocaldm"},
        "unet": {"kind": "sketch-unet", **_defaults(SketchUNet), "prediction": "v"},
        "vae": {"kind": "autoencoder-kl", **_defaults(MelVAE)},
        "vocoder": {"kind": "istft", **_defaults(Vocoder)},
    }
    if griffin_lim:
        parts["vocoder"] = {"kind": "griffin-lim", "iterations": griffin_lim}
    return parts


def _change(parts: dict[str, dict[str, Any]], changes: Mapping[str, Any]) -> None:
    for part, values in changes.items():
        if part not in parts or not isinstance(values, Mapping):
            raise PresetError(f"The architecture file has no part {part!r} with keys of its own; correct it.")
        parts[part] |= values


def _texts(base: Preset) -> dict[str, str]:
    """The text files that the base's header names."""
    return {text.file: read_text(base, text) for text in base.header.parts.texts()}


def _defaults(function: Any) -> dict[str, Any]:
    """The keyword arguments that a function or class takes, with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    found = {item.name: item.default for item in parameters if item.default is not inspect.Parameter.empty}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
