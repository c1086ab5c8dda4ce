"""Inversion: the noise from which deterministic DDIM makes a given latent, and the way between two noises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vocaldm_live.model.denoise import Denoise
from vocaldm_live.model.samplers import Cancelled
from vocaldm_live.model.schedule import Schedule, Trajectory

ITERATIONS = 3
NEARLY_NOISE = 0.2  # alpha below which x_0 is the steadier of the two


def inversion_path(schedule: Schedule, times: Sequence[int]) -> Trajectory:
    """Falling timesteps and, as the last one, timestep 0: the level at which an inversion begins."""
    return schedule.trajectory(times if times[-1] == 0 else (*times, 0))


def invert(
    denoise: Denoise,
    clean: Tensor,
    noise: Tensor,
    path: Trajectory,
    condition: Any = None,
    iterations: int = ITERATIONS,
    callback: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Tensor:
    """The x_t of the path's first level from which `ddim` over the same path leads to `clean`, of its shape.

    Each step of DDIM, x' = a' * x_0(x) + s' * eps(x), is solved for x by `iterations` rounds (arXiv 2309.04907) in
    whichever of the two changes less with x: x = (a x' + (a' s - a s') * eps(x)) / a', but near noise alone, where
    eps is x itself, x = (s x' - (a' s - a s') * x_0(x)) / s'. The first round takes them from the level below. `noise`
    stands in for what the last level holds, which the clean latent does not tell. callback(step, steps) after every
    step; raises Cancelled.
    """
    last = len(path) - 1
    x = path.alphas[last] * clean + path.sigmas[last] * noise
    t = torch.full(clean.shape[:1], path.timesteps[last], dtype=torch.long, device=clean.device)
    x_0 = denoise(x, t, condition)
    for i in range(last - 1, -1, -1):
        if cancelled is not None and cancelled():
            raise Cancelled("The request was cancelled while a sound was inverted.")
        (a, a_next), (s, s_next) = path.alphas[i : i + 2], path.sigmas[i : i + 2]
        t = torch.full(clean.shape[:1], path.timesteps[i], dtype=torch.long, device=clean.device)
        reached, turn = x, a_next * s - a * s_next
        eps = (reached - a_next * x_0) / s_next
        for _ in range(iterations):
            noisy = a < NEARLY_NOISE
            x = (s * reached - turn * x_0) / s_next if noisy else (a * reached + turn * eps) / a_next
            x_0 = denoise(x, t, condition)
            eps = (x - a * x_0) / s
        if callback is not None:
            callback(last - i, last)
    return x


def slerp(one: Tensor, other: Tensor, weight: float) -> Tensor:
    """Between two noises of one shape on the great circle (Shoemake 1985): 0 is `one`, 1 is `other`.

    Each keeps its length, so that what lies between is as loud as noise has to be; nearly parallel ones go straight.
    """
    flat, goal = one.flatten(1).double(), other.flatten(1).double()
    lengths = flat.norm(dim=1, keepdim=True), goal.norm(dim=1, keepdim=True)
    cosine = (flat * goal).sum(1, keepdim=True) / (lengths[0] * lengths[1]).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))
    sine = angle.sin()
    straight = sine < 1e-4
    first = torch.where(straight, 1.0 - weight, ((1.0 - weight) * angle).sin() / sine.clamp_min(1e-12))
    second = torch.where(
        straight, torch.full_like(angle, weight), (weight * angle).sin() / sine.clamp_min(1e-12)
    )
    return (first * flat + second * goal).reshape(one.shape).to(one.dtype)
