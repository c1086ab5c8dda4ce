"""State: what a run consists of between two steps, to a checkpoint and back: weights, averages, moments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from training.checkpoint import taken
from training.errors import RunError
from training.moving_average import MovingAverage
from training.turns import Turn


class State:
    """Trained weights and buffers of networks and judges, the networks' average, every turn's moments.

    Frozen networks and frozen weights are not saved: their hashes are, and have to be the same in a resumed run.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        judges: Mapping[str, nn.Module],
        frozen: Mapping[str, nn.Module],
        weights: Mapping[str, nn.Parameter],
        turns: Mapping[str, Turn],
        average: MovingAverage,
    ) -> None:
        self.networks = {**networks, **judges}
        self.weights, self.turns, self.average = weights, turns, average
        self.hashes = {**_hashes(frozen), **_hashes(self.networks, untrained=True)}

    def tensors(self) -> dict[str, Tensor]:
        """Everything, by the names that a checkpoint has."""
        tensors = {f"network.{name}": tensor for name, tensor in self._own().items()} | self.averaged()
        for turn in self.turns.values():
            tensors |= {f"optimiser.{turn.name}.{name}": tensor for name, tensor in turn.state().items()}
        return tensors

    def averaged(self) -> dict[str, Tensor]:
        """What comes out of the run so far: `average.network.tensor`."""
        averaged = _trained(self.average.networks, self.weights)
        return {f"average.{name}": tensor for name, tensor in averaged.items()}

    def restore(self, tensors: Mapping[str, Tensor], hashes: Mapping[str, str], path: Path) -> None:
        """Take everything from a checkpoint; raises RunError where a name, a shape or a frozen part differs."""
        for name in (*self.hashes, *hashes):
            if hashes.get(name) != self.hashes.get(name):
                raise RunError(
                    f"{path} was trained around another {name}; give it that one again or name another --out."
                )
        taken(tensors, "network.", self._own(), path)
        self.restore_average(tensors, path)
        for turn in self.turns.values():
            beginning = f"optimiser.{turn.name}."
            saved = [name.removeprefix(beginning) for name in tensors if name.startswith(beginning)]
            taken(tensors, beginning, turn.room_for(saved), path)

    def restore_average(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        """Take the averages alone; raises RunError as `restore`."""
        taken(tensors, "average.", _trained(self.average.networks, self.weights), path)

    def buffers(self) -> Iterator[Tensor]:
        """Running statistics and the like, which a bad step must not spoil."""
        for network in self.networks.values():
            yield from network.buffers()

    def _own(self) -> dict[str, Tensor]:
        return _trained(self.networks, self.weights)


def _trained(networks: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Trained weights, and buffers that a state dict holds, by the network's name and their own."""
    found: dict[str, Tensor] = {}
    for part, network in networks.items():
        buffers = {name for name, _ in network.named_buffers()}
        for name, tensor in network.state_dict().items():
            if f"{part}.{name}" in weights or name in buffers:
                found[f"{part}.{name}"] = tensor
    return found


def _hashes(networks: Mapping[str, nn.Module], untrained: bool = False) -> dict[str, str]:
    """SHA-256 of each network's tensors; `untrained`: of its weights that are not trained, where it has some."""
    hashes: dict[str, str] = {}
    for part, network in networks.items():
        frozen = {name: weight for name, weight in network.named_parameters() if not weight.requires_grad}
        tensors = frozen if untrained else network.state_dict()
        if not tensors:
            continue
        digest = hashlib.sha256()
        for name, tensor in tensors.items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        hashes[part] = digest.hexdigest()
    return hashes
