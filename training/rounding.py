"""Rounding: in which type each part of a preset is stored, and how far that moved its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vocaldm_live.checkpoints.preset import Modules
from vocaldm_live.checkpoints.weights import converted, read_entries
from vocaldm_live.errors import PresetError

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_STORED = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}


def stored_dtype(path: Path) -> torch.dtype:
    """The type of a weights file's kernels and matrices; raises PresetError where the file is none."""
    kinds = {entry.dtype for entry in read_entries(path).values() if len(entry.shape) > 1}
    return next((dtype for name, dtype in _STORED.items() if name in kinds), torch.float32)


def choose_dtypes(
    states: Mapping[str, Mapping[str, Tensor]], wanted: Mapping[str, torch.dtype]
) -> tuple[dict[str, torch.dtype], list[str]]:
    """Each part's type, the wanted one or bfloat16 where that overflows, and a sentence on each such part.

    bfloat16 has float32's range, so it takes every finite weight, with an eighth of float16's precision.
    """
    dtypes, notes = {}, []
    for part, state in states.items():
        dtypes[part] = wanted[part]
        for key, value in state.items():
            if bool(value.isfinite().all()) and not bool(converted(value, wanted[part]).isfinite().all()):
                dtypes[part] = torch.bfloat16
                notes.append(
                    f"The {part} is stored as bfloat16, as {key} reaches {float(value.abs().max()):.3g}, "
                    f"too much for {type_name(wanted[part])}."
                )
                break
    return dtypes, notes


def verify(
    modules: Modules, states: Mapping[str, Mapping[str, Tensor]], dtypes: Mapping[str, torch.dtype]
) -> dict[str, float]:
    """How far each part came back from what was saved, as a share of its root mean square.

    CLAP's towers, which are loaded when they are asked something, are not looked at.
    Raises PresetError where a tensor differs by more than its type's rounding.
    """
    networks: dict[str, nn.Module | None] = {
        "unet": modules.unet,
        "vae": modules.vae,
        "vocoder": modules.vocoder,
        "encoder": modules.house_encoder,
        "adapter": modules.any_adapter,
    }
    rounding = {}
    for part, state in states.items():
        network = networks.get(part)
        if network is None:
            continue
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


def type_name(dtype: torch.dtype) -> str:
    """`float16`."""
    return str(dtype).removeprefix("torch.")
