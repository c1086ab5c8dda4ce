"""Batch: which requests may be sampled as rows of one batch without a row noticing the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vocaldm_live.engine.request import Anchor, ResolvedRequest
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import Geometry

LATENT_MULTIPLE = 8
BatchKey = tuple[int, float, str, float, int]
_SOUNDS = ("imitation", "like", "source", "other", "anchor")


@dataclass(frozen=True, eq=False)
class Heard:
    """What one request is heard as: condition and null `[1, 512]`, sketch image, and the s that vector and sketch took."""

    condition: Tensor
    null: Tensor
    image: Tensor
    anchor: Anchor | None
    level_db: float
    embed_seconds: float
    sketch_seconds: float


def padded_frames(request: ResolvedRequest, geometry: Geometry) -> int:
    """Latent frames that a request is sampled in: its own, padded to a multiple of 8 for the UNet."""
    frames = geometry.latent_frames(round(request.seconds * geometry.sample_rate))
    return -(-frames // LATENT_MULTIPLE) * LATENT_MULTIPLE


def batch_key(request: ResolvedRequest, geometry: Geometry) -> BatchKey | None:
    """Requests of one preset with the same key may share a batch; None: this one is made by itself.

    Steps, guidance, sampler and eta are one number for all rows, and group norms see all of time, so that rows
    of another padded length would change. Voices, seeds, follow, words and examples belong to each row.
    """
    if request.edit is not None:
        return None
    return request.steps, request.guidance, request.sampler, request.eta, padded_frames(request, geometry)


def same_but_seed(one: ResolvedRequest, other: ResolvedRequest) -> bool:
    """Whether two requests differ in their seeds alone; sounds are compared by identity."""
    keys = [key for key in vars(one) if key not in (*_SOUNDS, "seed", "id", "name")]
    return all(getattr(one, key) is getattr(other, key) for key in _SOUNDS) and all(
        getattr(one, key) == getattr(other, key) for key in keys
    )


def conditions(heard: Sequence[Heard]) -> tuple[Condition, Condition]:
    """What a batch is told and what guidance leans from, a row each."""
    image = _rows([one.image for one in heard])
    told, null = (_rows([getattr(one, name) for one in heard]) for name in ("condition", "null"))
    return Condition(told, image), Condition(null, image)


def _rows(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors `[1, ...]` under one another, `[n, ...]`; of one and the same tensor a view."""
    if all(tensor is tensors[0] for tensor in tensors[1:]):
        return tensors[0].expand(len(tensors), *tensors[0].shape[1:])
    return torch.cat(list(tensors))
