"""Patch judge: tells true mels from reconstructed ones, patch by patch (arXiv 1611.07004, as arXiv 2012.09841 uses it)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class PatchJudge(nn.Module):
    """Judges images `[batch, 1, frames, bands]`; a score stands for every 2^layers frames and bands.

    Weights are normalised and not activations: the published judge's batch norm would make a row's score depend on
    the rows beside it, and padding count in its statistics. channels: width of the first layer, doubled by each,
    eight times at most.
    """

    def __init__(self, channels: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.reduction = 2**layers
        widths = [1, *(channels * min(2**layer, 8) for layer in range(layers + 1))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, width, 4, stride=2, padding=1))
            for before, width in zip(widths[:-2], widths[1:-1], strict=True)
        )
        self.layers.append(weight_norm(nn.Conv2d(widths[-2], widths[-1], 3, padding=1)))
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Scores `[batch, 1, frames / 2^layers, bands / 2^layers]`, rounded down; high where it looks true."""
        x = image
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        scores: Tensor = self.score(x)
        return scores

    def valid(self, frames: Tensor) -> Tensor:
        """How many score frames are no padding, at least one, of how many mel frames are not; long `[batch]`."""
        return torch.clamp(torch.div(frames, self.reduction, rounding_mode="floor"), min=1)
