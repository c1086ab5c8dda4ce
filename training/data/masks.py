"""Masks: examples of many lengths in one batch, and which frames are padding, so that silence is never a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class RowDraws(Protocol):
    """The random numbers of a batch's rows (training/draws.py)."""

    @property
    def rows(self) -> tuple[int, ...]: ...

    def row(self, row: int, stream: str) -> np.random.Generator: ...


def crop_or_pad(rows: Sequence[Tensor], frames: int, draws: RowDraws) -> tuple[Tensor, Tensor]:
    """One batch `[batch, c, frames, f]` of rows `[c, any, f]`, and how many of its frames are real, long `[batch]`.

    What is longer is cut at a place of the row's own draw; what is shorter is padded with zeros at its end.
    """
    if len(rows) != len(draws.rows):
        raise ValueError(f"{len(rows)} rows for the draws of {len(draws.rows)}")
    first = rows[0]
    batch = first.new_zeros((len(rows), first.shape[0], frames, first.shape[2]))
    valid = torch.zeros(len(rows), dtype=torch.long, device=first.device)
    for at, (row, number) in enumerate(zip(rows, draws.rows, strict=True)):
        spare = row.shape[1] - frames
        start = int(draws.row(number, "crop").integers(spare + 1)) if spare > 0 else 0
        part = row[:, start : start + frames]
        batch[at, :, : part.shape[1]] = part
        valid[at] = part.shape[1]
    return batch, valid


def mask_of(valid: Tensor, frames: int) -> Tensor:
    """1 where a frame is real and 0 where it is padding, float32 `[batch, 1, frames, 1]` of long `[batch]`."""
    places = torch.arange(frames, device=valid.device)
    return (places[None, :] < valid[:, None]).to(torch.float32)[:, None, :, None]


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Each row's mean over its real frames alone, `[batch]` of `[batch, c, frames, f]`; 0 where it has none.

    What stands in the padding, NaN included, changes neither the mean nor a gradient.
    """
    mask = mask_of(valid, values.shape[2])
    kept = torch.where(mask > 0, values, values.new_zeros(()))
    counts = valid.to(values.dtype) * values.shape[1] * values.shape[3]
    return kept.sum((1, 2, 3)) / counts.clamp_min(1)
