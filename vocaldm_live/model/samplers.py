"""Samplers: plain functions over denoise(x_t, t, condition) -> x_0 that turn noise into a clean latent.

All have one signature and share one loop. A sampler only writes a plan, a list of numbers for every step,
before the loop starts; the loop then multiplies and adds. Nothing in it reads a tensor back on the host, so
that a whole run can be captured in a CUDA graph (after one run that fills the schedule's tables, with no
callback that reads its x_0 and, for eta > 0, a noise_source that returns tensors of the same device).

Arguments of every sampler:
    denoise: the contract of denoise.py, or guidance.guided(...), which then carries the condition.
    noise: [batch, channels, frames, bins], floating; its dtype and device are kept.
    schedule: the one that the network was trained on.
    steps: a number of trailing steps down to clean data, or a Trajectory (Schedule.leading for AudioLDM's).
    condition: handed to denoise untouched.
    eta: 0 deterministic to 1 ancestral; only ddim takes more than 0.
    order: 0 to 3 for deis and ipndm, which take 3 when it is left out; the others have one order.
    noise_source: noise_source(step, shape) -> the step's own noise, needed for eta > 0; see SeededNoise.
        step counts from the trajectory's beginning, also when the run starts later.
    x_start: a clean latent of noise's shape to set out from: it is mixed with the noise as the level of
        start_step asks (arXiv 2108.01073).
    start_step: how many steps of the trajectory are left out at its beginning. Without x_start the argument
        noise is taken as x_t at that point, as it stands.
    callback: callback(index, total, x_0) after every step, index 0 to total - 1, x_0 the step's estimate.
    cancelled: asked before every network call; True ends the run with Cancelled.

Each returns the latent at the trajectory's end, of noise's shape, dtype and device, and raises ValueError for
arguments that do not fit. Notation: a = alpha, s = sigma, u = s / a, lambda = log(a / s); a prime marks the
level that the step reaches.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from vocaldm_live.model.denoise import Denoise
from vocaldm_live.model.schedule import Schedule, Trajectory

NoiseSource = Callable[[int, Sequence[int]], Tensor]
Callback = Callable[[int, int, Tensor], None]


class Cancelled(Exception):
    """A run ended between two steps because its caller asked for it."""


class Sampler(Protocol):
    """The signature of every sampler; the module's docstring explains the arguments."""

    def __call__(
        self,
        denoise: Denoise,
        noise: Tensor,
        schedule: Schedule,
        steps: int | Trajectory,
        *,
        condition: Any = None,
        eta: float = 0.0,
        order: int | None = None,
        noise_source: NoiseSource | None = None,
        x_start: Tensor | None = None,
        start_step: int = 0,
        callback: Callback | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class _Step:
    """x' = keep * x_t + clean * x_0 + sum(history * values, newest first) + fresh * noise.

    A step's value is value[0] * x_t + value[1] * x_0: x_0 itself, or eps.
    """

    timestep: int
    keep: float
    clean: float = 0.0
    history: tuple[float, ...] = ()
    fresh: float = 0.0
    value: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class _Run:
    """What a plan is made from."""

    schedule: Schedule
    path: Trajectory
    start: int
    eta: float
    order: int

    def steps(self) -> range:
        return range(self.start, len(self.path))


def _sampler(ancestral: bool = False, orders: tuple[int, ...] = ()) -> Callable[[Callable], Sampler]:
    """Make a sampler from a function that writes the plan of a run; the last of `orders` is the default."""

    def decorate(plan: Callable[[_Run], list[_Step]]) -> Sampler:
        def sample(
            denoise: Denoise,
            noise: Tensor,
            schedule: Schedule,
            steps: int | Trajectory,
            *,
            condition: Any = None,
            eta: float = 0.0,
            order: int | None = None,
            noise_source: NoiseSource | None = None,
            x_start: Tensor | None = None,
            start_step: int = 0,
            callback: Callback | None = None,
            cancelled: Callable[[], bool] | None = None,
        ) -> Tensor:
            if not 0.0 <= eta <= (1.0 if ancestral else 0.0):
                allowed = "0..1" if ancestral else "0 only, ddim being the one for more"
                raise ValueError(f"{plan.__name__} takes eta {allowed}, not {eta}; choose another.")
            if eta > 0.0 and noise_source is None:
                raise ValueError("eta above 0 needs noise at every step; pass a noise_source or eta 0.")
            if order is not None and order not in orders:
                allowed = f"order {min(orders)}..{max(orders)}" if orders else "no order"
                raise ValueError(f"{plan.__name__} takes {allowed}, not {order}; leave it out.")
            path = steps if isinstance(steps, Trajectory) else schedule.trailing(steps)
            if not 0 <= start_step < len(path):
                raise ValueError(f"start_step must lie in 0..{len(path) - 1}, not {start_step}; move it.")
            degree = order if order is not None else max(orders, default=0)
            written = plan(_Run(schedule, path, start_step, eta, degree))
            x = _start(noise, x_start, path, start_step)
            return _loop(denoise, x, written, start_step, condition, noise_source, callback, cancelled)

        sample.__name__ = sample.__qualname__ = plan.__name__
        sample.__doc__ = plan.__doc__
        return sample

    return decorate


@_sampler(ancestral=True)
def ddim(run: _Run) -> list[_Step]:
    """DDIM (arXiv 2010.02502, equations 12 and 16): the reference; eta 1 is ancestral sampling."""
    return [_first_order(run.path, i, run.eta) for i in run.steps()]


@_sampler()
def dpm_solver_pp_2m(run: _Run) -> list[_Step]:
    """DPM-Solver++(2M) (arXiv 2211.01095, Algorithm 2): x_0 drawn on in a straight line over lambda.

    The first and the last step are first order. From a level without signal lambda is -inf: the first step
    is then exact DDIM, and the second gives that level's x_0 the weight 0, which is the limit.
    """
    path, plan = run.path, []
    half_log_snr = [run.schedule.log_snr(t) / 2.0 for t in (*path.timesteps, path.final)]
    for i in run.steps():
        if i in (run.start, len(path) - 1):
            plan.append(_first_order(path, i))
            continue
        h = half_log_snr[i + 1] - half_log_snr[i]
        extrapolation = h / (2.0 * (half_log_snr[i] - half_log_snr[i - 1]))
        weight = -path.alphas[i + 1] * math.expm1(-h)
        weights = (weight * (1.0 + extrapolation), -weight * extrapolation)
        plan.append(_Step(path.timesteps[i], path.sigmas[i + 1] / path.sigmas[i], history=weights))
    return plan


@_sampler(orders=(0, 1, 2, 3))
def deis(run: _Run) -> list[_Step]:
    """DEIS tAB (arXiv 2204.13902, section 3.2): eps drawn on in time by a polynomial, integrated over u.

    order: the polynomial's degree, 0 (DDIM) to 3, lower at the beginning while there are fewer eps. The first
    step is DDIM, which is exact about a level without signal (u infinite there); the last one, onto clean
    data, has u = 0 and needs no exception.
    """
    plan = []
    visited = (*run.path.timesteps, run.path.final)
    for i in run.steps():
        known = visited[max(run.start, i - run.order) : i + 1][::-1]
        weights = () if i == run.start else _adams_weights(run.schedule, known, visited[i + 1])
        plan.append(_eps_step(run.path, i, weights))
    return plan


# Adams-Bashforth for even steps: the weights of the newest eps and of those before it.
_EVEN_ADAMS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


@_sampler(orders=(0, 1, 2, 3))
def ipndm(run: _Run) -> list[_Step]:
    """iPNDM (arXiv 2204.13902, section on PNDM; the weights of arXiv 2202.09778): deis with fixed weights.

    The weights are those of even steps whatever the levels are; order 0 to 3 as in deis.
    """
    path, plan = run.path, []
    for i in run.steps():
        weights: tuple[float, ...] = ()
        if i > run.start:
            du = path.sigmas[i + 1] / path.alphas[i + 1] - path.sigmas[i] / path.alphas[i]
            weights = tuple(weight * du for weight in _EVEN_ADAMS[min(run.order, i - run.start)])
        plan.append(_eps_step(path, i, weights))
    return plan


SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "dpm_solver_pp_2m": dpm_solver_pp_2m,
    "deis": deis,
    "ipndm": ipndm,
}


class SeededNoise:
    """Noise in which every clip has its own seed, so that a clip in a batch gets what it gets alone.

    seeds: one for each clip, 0 to 2**32 - 1 (all that torch's CPU generator tells apart), else ValueError.
    Numbers are drawn on the CPU and moved to `device`. Frames are drawn one after the other, so a longer clip
    begins with the shorter one's noise, and clips of different lengths may be padded into one batch. Every
    step has its own stream: what it yields depends on seed and step alone, not on what was drawn before.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.seeds = tuple(seeds)
        self.device = torch.device(device)
        self.dtype = dtype
        for seed in self.seeds:
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
                raise ValueError(f"A seed must be a whole number in 0..{2**32 - 1}, not {seed!r}; change it.")
        if not self.seeds:
            raise ValueError("SeededNoise needs one seed for each clip, but got none.")

    def initial(self, channels: int, frames: int, bins: int) -> Tensor:
        """The noise that sampling starts from: [batch, channels, frames, bins], standard normal."""
        return self._draw(self.seeds, channels, frames, bins)

    def __call__(self, step: int, shape: Sequence[int]) -> Tensor:
        """The noise of one step, of shape [batch, channels, frames, bins]; a noise_source for samplers."""
        batch, channels, frames, bins = shape
        if batch != len(self.seeds):
            raise ValueError(f"{len(self.seeds)} seeds cannot serve a batch of {batch}; give one a clip.")
        return self._draw([_stream_seed(seed, step + 1) for seed in self.seeds], channels, frames, bins)

    def _draw(self, seeds: Sequence[int], channels: int, frames: int, bins: int) -> Tensor:
        # torch fills normal numbers in blocks of 16: whole blocks a frame keep the frames independent.
        width = math.ceil(channels * bins / 16) * 16
        clips = []
        for seed in seeds:
            generator = torch.Generator(device="cpu").manual_seed(seed)
            drawn = torch.randn(frames, width, generator=generator, dtype=torch.float32, device="cpu")
            clips.append(drawn[:, : channels * bins].reshape(frames, channels, bins).transpose(0, 1))
        return torch.stack(clips).to(self.dtype).to(self.device)


# Inside -----------------------------------------------------------------------------------------------------


def _loop(
    denoise: Denoise,
    x: Tensor,
    plan: list[_Step],
    start_step: int,
    condition: Any,
    noise_source: NoiseSource | None,
    callback: Callback | None,
    cancelled: Callable[[], bool] | None,
) -> Tensor:
    for_timestep = getattr(denoise, "for_timestep", None)
    networks = [for_timestep(step.timestep) if for_timestep else denoise for step in plan]
    times = [torch.full(x.shape[:1], step.timestep, dtype=torch.long, device=x.device) for step in plan]
    values: deque[Tensor] = deque(maxlen=4)
    for index, (step, network, t) in enumerate(zip(plan, networks, times, strict=True)):
        if cancelled is not None and cancelled():
            raise Cancelled(f"Sampling was cancelled before step {index + 1} of {len(plan)}.")
        x_0 = network(x, t, condition)
        of_x, of_x_0 = step.value
        values.appendleft(x_0 if of_x == 0.0 else of_x * x + of_x_0 * x_0)
        x = step.keep * x
        if step.clean != 0.0:
            x = x + step.clean * x_0
        for weight, value in zip(step.history, values, strict=False):
            x = x + weight * value
        if step.fresh != 0.0 and noise_source is not None:
            x = x + step.fresh * noise_source(start_step + index, tuple(x.shape)).to(x)
        if callback is not None:
            callback(index, len(plan), x_0)
    return x


def _start(noise: Tensor, x_start: Tensor | None, path: Trajectory, start_step: int) -> Tensor:
    if not noise.is_floating_point():
        raise ValueError(f"Noise must be floating point, not {noise.dtype}; use SeededNoise.initial.")
    if x_start is None:
        return noise
    if x_start.shape != noise.shape:
        raise ValueError(f"x_start is {list(x_start.shape)} but noise {list(noise.shape)}; make them equal.")
    return path.alphas[start_step] * x_start.to(noise) + path.sigmas[start_step] * noise


def _first_order(path: Trajectory, i: int, eta: float = 0.0) -> _Step:
    """DDIM's step, right between any two levels, no signal and no noise included."""
    (a, a_next), (s, s_next) = path.alphas[i : i + 2], path.sigmas[i : i + 2]
    fresh = eta * (s_next / s) * math.sqrt(max(0.0, 1.0 - (a / a_next) ** 2))
    eps = math.sqrt(max(0.0, s_next**2 - fresh**2))
    return _Step(path.timesteps[i], keep=eps / s, clean=a_next - eps * a / s, fresh=fresh)


def _eps_step(path: Trajectory, i: int, weights: tuple[float, ...]) -> _Step:
    """x' / a' = x_t / a + sum(weights * eps, newest first), or DDIM where there are no weights."""
    a, a_next, s = path.alphas[i], path.alphas[i + 1], path.sigmas[i]
    value = (1.0 / s, -a / s)
    if not weights:
        step = _first_order(path, i)
        return _Step(step.timestep, step.keep, step.clean, value=value)
    return _Step(path.timesteps[i], a_next / a, history=tuple(a_next * w for w in weights), value=value)


def _adams_weights(schedule: Schedule, known: Sequence[int], reached: int) -> tuple[float, ...]:
    """Integrals over du, from known[0] to `reached`, of the Lagrange polynomials in t through `known`.

    By the trapezoid rule over all timesteps between, which is exact for a constant eps.
    """
    # One entry earlier than in alphas_cumprod: timestep -1, clean data, comes first.
    levels = torch.nn.functional.pad(schedule.alphas_cumprod, (1, 0), value=1.0)
    levels = levels[reached + 1 : known[0] + 2].flip(0)
    u = ((1.0 - levels) / levels).sqrt()
    t = torch.arange(known[0], reached - 1, -1, dtype=torch.float64, device="cpu")
    weights = []
    for node in known:
        basis = torch.ones_like(t)
        for other in known:
            if other != node:
                basis = basis * (t - other) / (node - other)
        weights.append(float(torch.trapezoid(basis, u)))
    return tuple(weights)


def _stream_seed(seed: int, stream: int) -> int:
    """A 32-bit seed of its own for each stream of each clip, by the mixing function of SplitMix64."""
    mask = 2**64 - 1
    mixed = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) >> 32
