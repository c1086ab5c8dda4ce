"""Merging: two weights files of one network become one that lies between them.

What a fine-tuned network gained and what its origin knew can both be kept by going part of the way between
them (arXiv 2109.01903).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from training.errors import RunError


def average(first: Mapping[str, Tensor], second: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """`1 - share` of the first and `share` of the second, tensor by tensor, float32; other types from the second.

    Raises RunError where names or shapes differ.
    """
    if first.keys() != second.keys() or any(first[name].shape != second[name].shape for name in first):
        raise RunError("The two files hold different networks: average weights of one architecture.")
    return {
        name: torch.lerp(first[name].float(), second[name].float(), share)
        if second[name].is_floating_point()
        else second[name]
        for name in first
    }


def write_state(state: Mapping[str, Tensor], path: Path) -> None:
    """Write weights as safetensors, whole or not at all; raises RunError where the disk says no."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(state), part)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path} cannot be written (is the disk full?); free space there and give the same command again."
        ) from error
