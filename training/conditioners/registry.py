"""Registry: conditioners by name, and what all of them can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from training.data.collection import Item
from training.errors import RecipeError
from training.recipe import Count, Share, Strict

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded


class ConditionerSpec(Strict):
    """Which conditioner, and what it needs.

    name: one of NAMES; auto: clap where the base has CLAP, else its encoder, else none. text_share: how often a sound
    that has words is told by them and not by CLAP of itself. source: the file or folder that vectors, t5 and msclap
    come from. places: tokens of a text at most. attend: precomputed vectors by cross-attention, instead of beside the
    timestep.
    """

    name: str = "auto"
    text_share: Share = 0.5
    source: str | None = None
    places: Count = 64
    attend: bool = False


@dataclass(frozen=True, eq=False)
class Heard:
    """By what a preset hears what its model was trained to be told: parts of its header, their states, text files."""

    parts: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    credits: Sequence[str] = ()


class Conditioner(Protocol):
    """Conditions of the sounds that a run learns from.

    sounds: features of sounds that it needs (`data.features.KINDS`). unet: how the UNet takes them, as keys of its
    part. null: the true unconditional, `[width]` or `[places, width + 1]`: what dropped rows are told in training and
    what guidance leans from at play.
    """

    name: str
    sounds: tuple[str, ...]
    null: Tensor

    @property
    def unet(self) -> Mapping[str, int]: ...

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Compute what can be computed once for these items; raises DataError where one has nothing to be told by."""
        ...

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """The condition of the at-th item, of the null's shape; where there is a choice the generator makes it."""
        ...

    def heard(self) -> Heard:
        """What the preset needs to be told the same."""
        ...


_WHERE = {
    "none": "training.conditioners.none",
    "clap": "training.conditioners.clap",
    "encoder": "training.conditioners.encoder",
    "vectors": "training.conditioners.vectors",
    "t5": "training.conditioners.t5",
}
NAMES = tuple(_WHERE)


def open_conditioner(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """The conditioner of a recipe; base: the opened preset, None for models without one.

    Raises RecipeError for an unknown name, and where it lacks what it needs.
    """
    name = spec.name
    if name == "auto":
        there = set() if base is None else set(base.networks)
        name = "clap" if "clap_audio" in there else "encoder" if {"encoder", "adapter"} <= there else "none"
    if name not in _WHERE:
        raise RecipeError(f"There is no conditioner {name!r}: take auto or one of {', '.join(NAMES)}.")
    conditioner: Conditioner = import_module(_WHERE[name]).make(spec, base, device)
    return conditioner


def words_of(item: Item) -> tuple[str, ...]:
    """Texts that say what an item is: its captions, or without any its labels, joined."""
    if item.captions:
        return item.captions
    return (", ".join(item.labels),) if item.labels else ()


def source_of(spec: ConditionerSpec, what: str) -> Path:
    """The place that a recipe names for a conditioner; raises RecipeError where it names none that is there."""
    if spec.source is None:
        raise RecipeError(f"The conditioner {spec.name} needs {what}: name it with conditioner.source.")
    path = Path(spec.source)
    if not path.exists():
        raise RecipeError(f"{path}, the conditioner's source, does not exist: name {what}.")
    return path
