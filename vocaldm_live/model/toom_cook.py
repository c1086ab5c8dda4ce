"""Toom-Cook: short convolutions by polynomials through points, with fewer multiplications than taps.

Some outputs of a filter of some taps need, sum by sum, outputs * taps multiplications; evaluated at points and
interpolated they need outputs + taps - 1 (Winograd's minimal filtering; Lavin and Gray, arXiv 1509.09308, for networks).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

# Where polynomials are evaluated, beside infinity. The more of them, the more a sum of float32 loses: with these the
# root mean square of the loss is 4e-7 of the result with 6 points and 3e-6 with 11.
FEW = tuple(Fraction(n, d) for n, d in ((0, 1), (1, 1), (-1, 1), (2, 1), (-2, 1), (1, 2), (-1, 2)))
MANY = tuple(
    Fraction(n, d)
    for n, d in ((0, 1), (1, 1), (-1, 1), (3, 5), (-3, 5), (5, 3), (-5, 3), (1, 3), (-1, 3), (3, 1), (-3, 1))
)


@lru_cache
def transforms(outputs: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """`(after, kernel, before)`, float64: outputs are `after @ ((kernel @ g) * (before @ x))`.

    after: `[outputs, points]`; kernel: `[points, taps]`; before: `[points, points]`, of as many samples x as points,
    outputs + taps - 1. The filter g is not turned round (what networks call a convolution). ValueError where more
    points are asked than are good for float32.
    """
    count = outputs + taps - 1
    finite = (FEW if count <= len(FEW) + 1 else MANY)[: count - 1]
    if len(finite) < count - 1:
        raise ValueError(f"{count} points are too many for float32")
    after = [
        [point**power for point in finite] + [Fraction(power == outputs - 1)] for power in range(outputs)
    ]
    kernel, before = [], []
    for point in finite:
        others = [other for other in finite if other != point]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        kernel.append([point**power / scale for power in range(taps)])
        before.append([*_with_roots(others), Fraction(0)])
    kernel.append([Fraction(0)] * (taps - 1) + [Fraction(1)])
    before.append(_with_roots(finite))
    return _matrix(after), _matrix(kernel), _matrix(before)


def _with_roots(roots: tuple[Fraction, ...] | list[Fraction]) -> list[Fraction]:
    """Coefficients, lowest first, of the polynomial with these roots whose highest is 1."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [
            higher - root * lower for higher, lower in zip(shifted, [*coefficients, Fraction(0)], strict=True)
        ]
    return coefficients


def _matrix(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)
