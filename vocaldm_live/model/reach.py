"""Reach: how many mel frames to each side a network of convolutions looks, counted layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


class Reach:
    """Adds up the layers in the order in which they run; it may count a sample too many, never one too few."""

    def __init__(self) -> None:
        self._rate = 1  # samples a frame at the layer that comes next
        self._frames = Fraction(0)

    @property
    def frames(self) -> int:
        """Frames to each side, rounded up."""
        return math.ceil(self._frames)

    def samples(self, count: int) -> None:
        """A layer that looks `count` samples to each side at its rate."""
        self._frames += Fraction(count, self._rate)

    def convolution(self, kernel: int, dilation: int = 1) -> None:
        """A convolution that keeps the length."""
        self.samples(dilation * (kernel // 2))

    def upsampling(self, kernel: int, rate: int) -> None:
        """A transposed convolution that cuts (kernel - rate) / 2 at each side."""
        self._rate *= rate
        self.samples((kernel + rate + 1) // 2)

    def widest(self, branches: Sequence[Sequence[tuple[int, int]]], between: int = 0) -> None:
        """Branches side by side, each a row of (kernel, dilation); `between` samples more before each."""
        self.samples(
            max(sum(dilation * (kernel // 2) + between for kernel, dilation in row) for row in branches)
        )
