"""Moving average: what comes out of a run is the average of its last weights, not the last of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of the trained weights of some networks, warmed up as (1 + n) / (10 + n).

    `networks` are copies in eval mode without gradients. Buffers are copied as they are; weights that are not
    trained are shared, so that a large frozen network is held once.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.networks: dict[str, nn.Module] = {}
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._buffers: list[tuple[Tensor, Tensor]] = []
        for name, network in networks.items():
            shared = {id(weight): weight for weight in network.parameters() if not weight.requires_grad}
            average = copy.deepcopy(network, dict(shared)).eval()
            for newer, weight in zip(network.parameters(), average.parameters(), strict=True):
                if weight is not newer:
                    weight.requires_grad_(False)
                    self._pairs.append((weight, newer))
            self._buffers += zip(average.buffers(), network.buffers(), strict=True)
            self.networks[name] = average

    def update(self) -> None:
        """Move the average toward the networks as they are now."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        with torch.no_grad():
            for weight, newer in self._pairs:
                weight.lerp_(newer.detach(), 1.0 - decay)
            for buffer, newer in self._buffers:
                buffer.copy_(newer)
