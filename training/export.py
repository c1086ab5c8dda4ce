"""Export trained weights as a preset: python -m training.export --runs DIR --name house --out presets ...

Finds unet.safetensors and its kin in the runs' folders, or takes them one by one, converts them, writes the
preset folder at once or not at all, loads it back and says what it weighs.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vocaldm_live.checkpoints.header import HOUSE_PARTS, one_line
from vocaldm_live.checkpoints.preset import Modules, Preset, load_modules, write_preset
from vocaldm_live.checkpoints.weights import converted
from vocaldm_live.errors import PresetError
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.unet import SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.model.vocoder import Vocoder
from vocaldm_live.sound.geometry import HOUSE

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
PARAMETERS: dict[str, Any] = {
    "steps": {"default": 8, "low": 1, "high": 200},
    "guidance": {"default": 2.0, "low": 0.0, "high": 20.0},
    "follow": {"default": 1.0, "low": 0.0, "high": 1.0},
    "sampler": {"default": "dpm_solver_pp_2m", "choices": ["ddim", "dpm_solver_pp_2m", "deis", "ipndm"]},
    "guidance_interval": [0.0, 1.0],
    "guidance_rescale": 0.0,
    "tail_seconds": 0.3,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the preset; 0 when it lies there and loads, 1 with a sentence on stderr when it does not."""
    arguments = _parser().parse_args(argv)
    try:
        export(arguments)
    except PresetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def export(arguments: argparse.Namespace) -> Preset:
    """What the command does; raises PresetError where something is missing or does not fit."""
    files = find_weights(arguments)
    states = {part: read_state(path) for part, path in files.items()}
    dtypes, notes = choose_dtypes(states, DTYPES[arguments.dtype])
    header = {
        "format": 1,
        "name": arguments.name,
        "version": arguments.version,
        "description": arguments.description,
        "geometry": HOUSE.as_dict(),
        "parts": describe_parts(states, read_mapping(arguments.architecture), arguments.griffin_lim),
        "schedule": _defaults(Schedule.linear_sqrt) | {"zero_terminal_snr": True},
        "parameters": PARAMETERS | read_mapping(arguments.parameters),
        "training": read_mapping(arguments.training),
        "metrics": read_mapping(arguments.metrics),
        "credits": read_credits(arguments.credits),
        "licence": arguments.licence,
    }
    preset = write_preset(arguments.out / arguments.name, header, states, dtypes)
    rounding = verify(load_modules(preset), states, dtypes)
    for note in notes:
        print(note)
    total = 0
    for path in sorted(path for path in preset.folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        total += size
        part = path.stem if path.suffix == ".safetensors" else ""
        told = f"  {_type_name(dtypes[part])}, rounded by {rounding[part]:.3%}" if part in dtypes else ""
        print(f"{size / 1e6:8.2f} MB  {path.relative_to(preset.folder)}{told}")
    print(f"{total / 1e6:8.2f} MB  in all, {preset.folder}, sha256 {preset.sha256}")
    if total > arguments.limit * 1e6:
        print(f"The preset is larger than {arguments.limit:g} MB; use smaller networks.", file=sys.stderr)
    return preset


def find_weights(arguments: argparse.Namespace) -> dict[str, Path]:
    """Each part's weights file: the one its flag gives, else the only one of its name among the runs."""
    found: dict[str, Path] = {}
    for part in HOUSE_PARTS:
        if part == "vocoder" and arguments.griffin_lim:
            continue
        given: Path | None = getattr(arguments, part)
        if given is not None:
            found[part] = given
            continue
        if arguments.runs is None:
            raise PresetError(f"No weights are given for the {part}; add --{part} FILE or --runs DIR.")
        name = f"{part}.safetensors"
        places = (arguments.runs / name, *sorted(arguments.runs.glob(f"*/{name}")))
        candidates = [path for path in places if path.is_file()]
        if not candidates:
            raise PresetError(f"{arguments.runs} and its folders hold no {name}; add --{part} FILE.")
        if len(candidates) > 1:
            shown = ", ".join(str(path.relative_to(arguments.runs)) for path in candidates)
            raise PresetError(f"{arguments.runs} holds several {name} ({shown}); choose with --{part} FILE.")
        found[part] = candidates[0]
    return found


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from safetensors; raises PresetError where there is none."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        reason = one_line(error)
        raise PresetError(f"{path} is no readable safetensors file ({reason}); train it again.") from error


def choose_dtypes(
    states: Mapping[str, Mapping[str, Tensor]], wanted: torch.dtype
) -> tuple[dict[str, torch.dtype], list[str]]:
    """Each part's type, the wanted one or bfloat16 where that overflows, and a sentence on each such part.

    bfloat16 has float32's range, so it takes every finite weight, with an eighth of float16's precision.
    """
    dtypes, notes = {}, []
    for part, state in states.items():
        dtypes[part] = wanted
        for key, value in state.items():
            if bool(value.isfinite().all()) and not bool(converted(value, wanted).isfinite().all()):
                dtypes[part] = torch.bfloat16
                notes.append(
                    f"The {part} is stored as bfloat16, as {key} reaches {float(value.abs().max()):.3g}, "
                    f"too much for {_type_name(wanted)}."
                )
                break
    return dtypes, notes


def describe_parts(
    states: Mapping[str, Mapping[str, Tensor]], changes: Mapping[str, Any], griffin_lim: int = 0
) -> dict[str, dict[str, Any]]:
    """The parts of preset.yaml: what the training scripts build, but for `changes`, which go by part.

    The encoder's towers and classifier are read off its keys.
    """
    encoder = states["encoder"]
    parts: dict[str, dict[str, Any]] = {
        "encoder": {
            "kind": "mn10",
            "shared_tower": not any(key.startswith("reference_encoder.") for key in encoder),
            "classifier": any(".classifier." in key for key in encoder),
        },
        "adapter": {"kind": "mlp"},
        "unet": {"kind": "sketch-unet", **_defaults(SketchUNet), "prediction": "v"},
        "vae": {"kind": "autoencoder-kl", **_defaults(MelVAE)},
        "vocoder": {"kind": "istft", **_defaults(Vocoder)},
    }
    if griffin_lim:
        parts["vocoder"] = {"kind": "griffin-lim", "iterations": griffin_lim}
    for part, values in changes.items():
        if part not in parts or not isinstance(values, dict):
            raise PresetError(f"The architecture file has no part {part!r} with keys of its own; correct it.")
        parts[part] |= values
    return parts


def verify(
    modules: Modules, states: Mapping[str, Mapping[str, Tensor]], dtypes: Mapping[str, torch.dtype]
) -> dict[str, float]:
    """How far each part came back from what was saved, as a share of its root mean square.

    Raises PresetError where a tensor differs by more than its type's rounding.
    """
    rounding = {}
    for part, state in states.items():
        network = getattr(modules, part)
        assert isinstance(network, nn.Module)
        again = network.state_dict()
        error, power = 0.0, 0.0
        for key, value in state.items():
            finfo = torch.finfo(dtypes[part])
            allowed = value.double().abs() * finfo.eps + finfo.tiny
            difference = (again[key].cpu().double() - value.double()).abs()
            if not bool((difference <= allowed).all()):
                raise PresetError(f"{part}.safetensors came back with another {key}; export it again.")
            error += float(difference.square().sum())
            power += float(value.double().square().sum())
        rounding[part] = (error / max(power, 1e-30)) ** 0.5
    return rounding


def read_mapping(path: Path | None) -> dict[str, Any]:
    """The keys of a YAML or JSON file (JSON is YAML); no file, no keys."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PresetError(
            f"{path} cannot be read as YAML or JSON ({one_line(error)}); correct it."
        ) from error
    if not isinstance(found, dict):
        raise PresetError(f"{path} holds no keys; write it as a mapping.")
    return found


def read_credits(path: Path | None) -> list[str]:
    """One credit a line; empty lines and those that begin with # are left out, and so are list marks."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"{path} cannot be read as text ({one_line(error)}); correct it.") from error
    plain = [line.strip().removeprefix("- ").strip() for line in lines]
    return [line for line in plain if line and not line.startswith("#")]


def _type_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _defaults(function: Any) -> dict[str, Any]:
    """The keyword arguments that a function or class takes, with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    found = {item.name: item.default for item in parameters if item.default is not inspect.Parameter.empty}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=Path, help="folder with weights files or with a folder for each run")
    for part in HOUSE_PARTS:
        parser.add_argument(f"--{part}", type=Path, help=f"the {part}'s weights, before what lies in --runs")
    parser.add_argument(
        "--griffin-lim", type=int, default=0, metavar="ITERATIONS", help="instead of a vocoder"
    )
    parser.add_argument("--name", required=True, help="the preset's name, which is its folder's")
    parser.add_argument("--out", type=Path, default=Path("presets"), help="folder that holds presets")
    parser.add_argument("--dtype", choices=list(DTYPES), default="float16", help="of kernels and matrices")
    parser.add_argument("--version", default="1")
    parser.add_argument("--description", default="")
    parser.add_argument("--licence", default="Apache-2.0", help="of the weights")
    parser.add_argument("--architecture", type=Path, help="YAML by part, where it is not the default")
    parser.add_argument("--parameters", type=Path, help="YAML: replaces the command's defaults and ranges")
    parser.add_argument("--training", type=Path, help="YAML or JSON: data, licences, commands, minutes")
    parser.add_argument("--metrics", type=Path, help="JSON or YAML: what was measured")
    parser.add_argument("--credits", type=Path, help="text: one credit a line")
    parser.add_argument("--limit", type=float, default=40.0, help="MB above which a warning is printed")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
