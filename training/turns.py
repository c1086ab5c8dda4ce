"""Turns: one optimiser each for the networks and for their judges, its state kept by tensor names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.errors import RunError
from training.recipe import Optimiser

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Group:
    """Tensors by name (`unet.network.conv_in.weight`), `factor` times the run's rate, a weight decay of their own.

    title: what the journal calls their gradient's norm; none: their number.
    """

    names: tuple[str, ...]
    factor: float = 1.0
    weight_decay: float | None = None
    title: str = ""


def named_weights(networks: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """Every weight that is trained, by the network's name and its own."""
    return {
        f"{part}.{name}": weight
        for part, network in networks.items()
        for name, weight in network.named_parameters()
        if weight.requires_grad
    }


class Turn:
    """The optimiser of one turn. Gradients are summed over processes, measured, clipped and applied by `finish`."""

    def __init__(
        self, name: str, groups: Sequence[Group], weights: Mapping[str, nn.Parameter], told: Optimiser
    ) -> None:
        self.name = name
        self.groups = tuple(groups)
        self.clip = told.clip
        names = [one for group in groups for one in group.names]
        for one in names:
            if one not in weights:
                raise RunError(
                    f"The turn {name} names {one}, which is no trained tensor; correct its groups."
                )
            if names.count(one) > 1:
                raise RunError(f"The turn {name} names {one} twice; correct its groups.")
        self.weights = {one: weights[one] for one in names}
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [weights[one] for one in group.names],
                    "weight_decay": told.weight_decay if group.weight_decay is None else group.weight_decay,
                }
                for group in groups
            ],
            lr=told.rates.peak,
            betas=told.betas,
            eps=told.epsilon,
        )

    def begin(self, rate: float) -> None:
        """Forget old gradients and set the rate."""
        self.optimiser.zero_grad(set_to_none=True)
        for group, settings in zip(self.groups, self.optimiser.param_groups, strict=True):
            settings["lr"] = rate * group.factor

    def finish(self, fabric: Fabric) -> tuple[bool, dict[str, float]]:
        """Whether the step was taken, and the gradient's norm by network and by group, before it is clipped.

        A gradient that is not finite is not applied.
        """
        self._sum_over(fabric)
        squares = {
            name: weight.grad.float().square().sum()
            for name, weight in self.weights.items()
            if weight.grad is not None
        }
        if not squares:
            return False, {}
        found = dict(zip(squares, torch.stack(list(squares.values())).tolist(), strict=True))
        norm = math.sqrt(sum(found.values())) if all(map(math.isfinite, found.values())) else math.nan
        norms = {f"gradient.{self.name}": norm}
        for part in dict.fromkeys(name.split(".")[0] for name in self.weights):
            norms[f"gradient.{part}"] = _norm(
                value for name, value in found.items() if name.startswith(f"{part}.")
            )
        if len(self.groups) > 1:
            for index, group in enumerate(self.groups):
                title = group.title or str(index)
                norms[f"gradient.{self.name}.{title}"] = _norm(found.get(name, 0.0) for name in group.names)
        if not math.isfinite(norm):
            return False, norms
        if norm > self.clip:
            share = self.clip / norm
            torch._foreach_mul_([w.grad for w in self.weights.values() if w.grad is not None], share)
        self.optimiser.step()
        return True, norms

    def state(self) -> dict[str, Tensor]:
        """The moments by tensor name: `unet.network.conv_in.weight.exp_avg`."""
        return {
            f"{name}.{moment}": self.optimiser.state[weight][moment]
            for name, weight in self.weights.items()
            if weight in self.optimiser.state
            for moment in MOMENTS
        }

    def room_for(self, saved: Sequence[str]) -> dict[str, Tensor]:
        """Make empty moments for the weights that have some among the saved names; returns them as `state` does."""
        for name, weight in self.weights.items():
            if any(f"{name}.{moment}" in saved for moment in MOMENTS):
                self.optimiser.state[weight] = {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        return self.state()

    def _sum_over(self, fabric: Fabric) -> None:
        """One flat sum over all processes; a tensor without a gradient here may have one elsewhere."""
        if fabric.world_size == 1:
            return
        for weight in self.weights.values():
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        summed = fabric.all_reduce(flat, reduce_op="sum")
        assert isinstance(summed, Tensor)
        for gradient, part in zip(gradients, summed.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))


def _norm(squares) -> float:  # type: ignore[no-untyped-def]
    total = sum(squares)
    return math.sqrt(total) if math.isfinite(total) else math.nan
