"""Average two weights files of one network: python -m training.average FIRST SECOND --share S --out FILE

What a fine-tuned network gained and what its origin knew can both be kept by going part of the way between
them (arXiv 2109.01903).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def average(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """`1 - share` of the first and `share` of the second, tensor by tensor, float32; other types from the second.

    Raises ValueError where names or shapes differ.
    """
    if first.keys() != second.keys() or any(first[name].shape != second[name].shape for name in first):
        raise ValueError("The two files hold different networks: average weights of one architecture.")
    return {
        name: torch.lerp(first[name].float(), second[name].float(), share)
        if second[name].is_floating_point()
        else second[name]
        for name in first
    }


def main() -> None:
    """Write the average."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="0: the first, 1: the second")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if not 0.0 <= arguments.share <= 1.0:
        parser.error(f"--share is {arguments.share}: give 0 to 1.")
    try:
        made = average(load_file(arguments.first), load_file(arguments.second), arguments.share)
    except ValueError as error:
        parser.error(str(error))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    part = arguments.out.with_name(f".{arguments.out.name}.part")
    save_file(made, part)
    part.rename(arguments.out)


if __name__ == "__main__":
    main()
