"""Weights: a published network's file into a network of ours, every tensor accounted for, nothing in it run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor, nn

from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.errors import PresetError


def read_network(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without the `model.` that training programs put before them; PresetError."""
    return {name.removeprefix("model."): value for name, value in read_foreign(path).items()}


def fill(
    network: nn.Module, found: Mapping[str, Tensor], path: Path, what: str, beside: Collection[str] = ()
) -> None:
    """Load `found` into a network strictly, but for names that start with one of `beside`.

    Raises PresetError that names the first tensor that is missing, too many or of another shape.
    """
    wanted = network.state_dict()
    # A count of training steps that no inference reads; files of early torch lack it.
    wanted = {name: value for name, value in wanted.items() if not name.endswith("num_batches_tracked")}
    given = {
        name: value
        for name, value in found.items()
        if not name.endswith("num_batches_tracked") and not name.startswith(tuple(beside))
    }
    missing, unknown = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    if missing or unknown:
        which = f"lacks {missing[0]}" if missing else f"holds {unknown[0]}, which {what} has not"
        raise PresetError(f"{path} is no {what}: it {which}; name the published file.")
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            raise PresetError(
                f"{path} is no {what}: {name} has the shape {tuple(given[name].shape)} instead of "
                f"{tuple(value.shape)}; name the published file."
            )
    network.load_state_dict({name: given[name].float() for name in wanted}, strict=False)
    network.eval().requires_grad_(False)
