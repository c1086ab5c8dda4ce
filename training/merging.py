"""Merging: two weights files of one network become one that lies between them.

What a fine-tuned network gained and what its origin knew can both be kept by going part of the way between
them (arXiv 2109.01903).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
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
