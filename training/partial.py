"""Partial: a state dict goes into a network by name and shape, strictly, or partly with a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.errors import RunError


@dataclass(frozen=True)
class Loaded:
    """What became of each tensor: taken, missing in the file, unexpected there, or of another shape.

    reshaped: name, the file's shape, the network's.
    """

    taken: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


def load_partly(network: nn.Module, state: Mapping[str, Tensor], allow: Collection[str] = ()) -> Loaded:
    """Copy a state into a network; where anything does not fit that `allow` does not name, nothing is copied.

    allow: beginnings of names that may be missing, unexpected or reshaped ("" allows all). Tensors are copied
    into the network's own, so devices, dtypes and memory formats stay.
    Raises RunError naming the first tensor that does not fit.
    """
    own = network.state_dict()
    reshaped = tuple(
        (name, tuple(state[name].shape), tuple(own[name].shape))
        for name in own
        if name in state and state[name].shape != own[name].shape
    )
    other = {name for name, _, _ in reshaped}
    loaded = Loaded(
        tuple(name for name in own if name in state and name not in other),
        tuple(name for name in own if name not in state),
        tuple(name for name in state if name not in own),
        reshaped,
    )
    allowed = tuple(allow)
    for name in (*loaded.missing, *loaded.unexpected, *sorted(other)):
        if not (allowed and name.startswith(allowed)):
            raise RunError(_refusal(loaded, name))
    with torch.no_grad():
        for name in loaded.taken:
            own[name].copy_(state[name])
    return loaded


def told(loaded: Loaded) -> str:
    """The report as lines: a count of what was taken, and every tensor that was not."""
    lines = [f"{len(loaded.taken)} tensors taken"]
    lines += [f"missing, left as it was: {name}" for name in loaded.missing]
    lines += [f"unexpected, left out: {name}" for name in loaded.unexpected]
    lines += [f"reshaped, left as it was: {name} {list(a)} -> {list(b)}" for name, a, b in loaded.reshaped]
    return "\n".join(lines)


def _refusal(loaded: Loaded, name: str) -> str:
    if name in loaded.missing:
        return f"The weights lack {name}, which the network has; they belong to another network."
    if name in loaded.unexpected:
        return f"The weights hold {name}, which the network lacks; they belong to another network."
    found, wanted = next((a, b) for one, a, b in loaded.reshaped if one == name)
    return (
        f"{name} is {list(found)} in the weights and {list(wanted)} in the network; they are of another size."
    )
