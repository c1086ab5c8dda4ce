"""Adversarial losses: what judges learn by, and what those learn by who are to fool them; one value a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Verdicts = Sequence[tuple[Tensor, list[Tensor]]]
"""A score map and feature maps, batch first, for each judge."""

Kind = Literal["hinge", "squares"]
"""hinge: arXiv 1705.02894; squares: least squares, arXiv 1611.04076, as HiFi-GAN has it."""


def judge_loss(kind: Kind, real: Verdicts, made: Verdicts) -> Tensor:
    """What judges are wrong by, `[batch]`: real ones should score 1 (or more), made ones -1 or less (squares: 0)."""
    total = real[0][0].new_zeros(len(real[0][0]))
    for (true, _), (false, _) in zip(real, made, strict=True):
        if kind == "hinge":
            total = total + _mean((1.0 - true).clamp_min(0.0)) + _mean((1.0 + false).clamp_min(0.0))
        else:
            total = total + _mean((1.0 - true).square()) + _mean(false.square())
    return total / len(real)


def fooling_loss(kind: Kind, made: Verdicts) -> Tensor:
    """How far judges are from taking what is made for real, `[batch]`."""
    total = made[0][0].new_zeros(len(made[0][0]))
    for score, _ in made:
        short = 1.0 - score
        total = total + _mean(short.clamp_min(0.0) if kind == "hinge" else short.square())
    return total / len(made)


def feature_distance(real: Verdicts, made: Verdicts) -> Tensor:
    """Mean absolute distance of the judges' inner features, `[batch]` (feature matching, arXiv 1512.09300)."""
    total = made[0][0].new_zeros(len(made[0][0]))
    for (_, wanted), (_, found) in zip(real, made, strict=True):
        for one, other in zip(found, wanted, strict=True):
            total = total + _mean(one - other.detach(), absolute=True) / len(wanted)
    return total / len(real)


def balance(of: Tensor, against: Tensor, most: float = 1e4) -> Tensor:
    """How much larger one gradient is than another: the weight by which the other pulls as strongly.

    Adaptive weight of VQGAN (arXiv 2012.09841, equation 7).
    """
    ratio: Tensor = of.norm() / (against.norm() + 1e-4)
    return torch.clamp(ratio, 0.0, most).detach()


def _mean(values: Tensor, absolute: bool = False) -> Tensor:
    values = values.abs() if absolute else values
    return values.flatten(1).mean(dim=1)
