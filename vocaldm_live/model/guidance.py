"""Classifier-free guidance: a denoise function that leans from the null condition toward the condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vocaldm_live.model.denoise import Denoise

Join = Callable[[Any, Any], Any]


def join_conditions(condition: Any, null: Any) -> Any:
    """Put two conditions into one batch, the rows of `condition` first.

    Tensors [batch, ...] are joined along the batch, a null of one row being repeated to as many rows as the
    condition has. Tuples, lists and dicts are joined item by item, None with None, and any object that has a
    method join(other) by that. Raises ValueError for everything else.
    """
    if condition is None and null is None:
        return None
    if isinstance(condition, Tensor) and isinstance(null, Tensor):
        if null.shape[0] == 1 and condition.shape[0] > 1:
            null = null.expand(condition.shape[0], *null.shape[1:])
        return torch.cat((condition, null.to(condition)))
    if isinstance(condition, dict) and isinstance(null, dict) and condition.keys() == null.keys():
        return {key: join_conditions(value, null[key]) for key, value in condition.items()}
    if isinstance(condition, (tuple, list)) and type(condition) is type(null) and len(condition) == len(null):
        joined = [join_conditions(a, b) for a, b in zip(condition, null, strict=True)]
        return joined if isinstance(condition, list) else tuple(joined)
    if hasattr(condition, "join") and not isinstance(condition, (str, bytes)):
        return condition.join(null)
    raise ValueError(
        f"A condition of type {type(condition).__name__} cannot be joined with a null condition of type "
        f"{type(null).__name__}; give both the same structure, a join method, or pass join=."
    )


@dataclass(frozen=True, eq=False)
class Guided:
    """A denoise function with its condition inside; made by guided(), which explains the fields."""

    denoise: Denoise
    condition: Any
    both: Any
    scale: float
    interval: tuple[float, float]
    rescale: float
    timesteps: int

    def __call__(self, x_t: Tensor, t: Tensor, condition: Any = None) -> Tensor:
        """x_t [batch, channels, frames, bins], t long [batch] -> x_0.

        Reads t on the host to know whether it lies in the interval; samplers ask for_timestep beforehand
        instead. Rows with and without guidance may be mixed. Raises ValueError where a condition is passed.
        """
        inside = [self._guides(step) for step in t.tolist()]
        if not any(inside):
            return self._conditional(x_t, t, condition)
        result = self._guide(x_t, t, condition)
        if all(inside):
            return result
        mask = torch.tensor(inside, device=x_t.device).view(-1, *[1] * (x_t.ndim - 1))
        return torch.where(mask, result, self._conditional(x_t, t, condition))

    def for_timestep(self, timestep: int) -> Denoise:
        """The denoise function of one timestep, chosen on the host: guided, or the condition alone."""
        return self._guide if self._guides(timestep) else self._conditional

    def _guides(self, timestep: int) -> bool:
        low, high = self.interval
        return self.scale != 1.0 and low <= (timestep + 1) / self.timesteps <= high

    def _conditional(self, x_t: Tensor, t: Tensor, condition: Any = None) -> Tensor:
        _refuse_second(condition)
        return self.denoise(x_t, t, self.condition)

    def _guide(self, x_t: Tensor, t: Tensor, condition: Any = None) -> Tensor:
        _refuse_second(condition)
        wanted, unguided = self.denoise(torch.cat((x_t, x_t)), torch.cat((t, t)), self.both).chunk(2)
        result = unguided + self.scale * (wanted - unguided)
        if self.rescale == 0.0:
            return result
        axes = tuple(range(1, result.ndim))
        ratio = wanted.std(axes, keepdim=True) / result.std(axes, keepdim=True).clamp_min(1e-8)
        return result * (self.rescale * ratio + (1.0 - self.rescale))


def guided(
    denoise: Denoise,
    condition: Any,
    null_condition: Any,
    scale: float,
    interval: tuple[float, float] = (0.0, 1.0),
    rescale: float = 0.0,
    join: Join = join_conditions,
    timesteps: int = 1000,
) -> Guided:
    """Classifier-free guidance (arXiv 2207.12598): null + scale * (condition - null), both in one batch.

    scale: 0 null alone, 1 condition alone (a single batch), above 1 away from the null.
    interval: the part of diffusion time that is guided (arXiv 2404.07724), from 0.0 (clean) to 1.0 (noise),
    both ends included; timestep t lies at (t + 1) / timesteps, so trailing steps lie at 1, 1 - 1/n, ... 1/n.
    Outside it the condition runs alone, in a single batch.
    rescale: phi of arXiv 2305.08891, section 3.4: how far the standard deviation of every guided x_0 is
    brought back to that of the conditional one; 0 leaves it, 1 matches it.
    join: how the two conditions become one batch, once, here; the condition's rows come first.

    x_0, eps and v are affine in one another at a given x_t, and the two weights add up to 1, so guidance of
    x_0 is the same as guidance of eps or v. (rescale is not: it acts on x_0.)
    The result carries its condition: call it, or let a sampler call it, with condition None.
    Raises ValueError for a negative scale, an interval outside 0..1 or reversed, a rescale outside 0..1.
    """
    low, high = interval
    if not 0.0 <= scale < float("inf"):
        raise ValueError(f"Guidance must be a number from 0 upward, not {scale}; 1 means no guidance.")
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(
            f"The guidance interval must be two rising numbers in 0..1, not {interval}; correct it."
        )
    if not 0.0 <= rescale <= 1.0:
        raise ValueError(f"Guidance rescale must lie in 0..1, not {rescale}; 0 switches it off.")
    both = None if scale == 1.0 else join(condition, null_condition)
    return Guided(
        denoise, condition, both, float(scale), (float(low), float(high)), float(rescale), timesteps
    )


def _refuse_second(condition: Any) -> None:
    if condition is not None:
        raise ValueError("A guided denoise function carries its condition; pass None instead of another one.")
