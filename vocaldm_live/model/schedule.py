"""The noise schedule: how much signal and noise every diffusion timestep holds, and which timesteps to visit.

Throughout: x_t = alpha(t) * x_0 + sigma(t) * eps with alpha^2 + sigma^2 = 1 (variance preserving), and
v = alpha * eps - sigma * x_0 (arXiv 2202.00512, section 4). Timesteps run from 0 (almost clean) to 999
(noise); the timestep -1 stands for clean data, alpha = 1 and sigma = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import overload

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trajectory:
    """The timesteps at which a sampler calls the network, and the noise levels between which it moves.

    timesteps: [n], falling. alphas, sigmas: [n + 1], those of the timesteps and last those of `final`,
    the timestep on which the trajectory ends (-1: clean data).
    """

    timesteps: tuple[int, ...]
    alphas: tuple[float, ...]
    sigmas: tuple[float, ...]
    final: int

    def __len__(self) -> int:
        """The number of network calls."""
        return len(self.timesteps)


@dataclass(frozen=True, eq=False)
class Schedule:
    """A discrete variance-preserving schedule.

    alphas_cumprod: float64 on the CPU, [timesteps], strictly falling, below 1; only the last may be 0.
    Raises ValueError where it is anything else.
    """

    alphas_cumprod: Tensor
    _host: tuple[float, ...] = field(init=False, repr=False)
    _tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        levels = self.alphas_cumprod
        if levels.ndim != 1 or levels.dtype != torch.float64 or levels.device.type != "cpu":
            raise ValueError(
                "alphas_cumprod must be a float64 tensor [timesteps] on the CPU; convert it first."
            )
        host = tuple(levels.tolist())
        falling = all(a > b for a, b in pairwise(host))
        if not (len(host) > 1 and falling and host[0] < 1.0 and host[-1] >= 0.0):
            raise ValueError("alphas_cumprod must fall strictly from below 1 to 0 or more; check the betas.")
        object.__setattr__(self, "_host", host)

    @classmethod
    def linear_sqrt(
        cls,
        beta_start: float = 0.0015,
        beta_end: float = 0.0195,
        steps: int = 1000,
        zero_terminal_snr: bool = False,
    ) -> Schedule:
        """Betas whose square roots rise linearly, as in AudioLDM; the defaults are AudioLDM's.

        zero_terminal_snr shifts and scales sqrt(alphas_cumprod) so that the last timestep is noise alone
        (arXiv 2305.08891, Algorithm 1); the house preset is trained so.
        """
        betas = torch.linspace(
            math.sqrt(beta_start), math.sqrt(beta_end), steps, dtype=torch.float64, device="cpu"
        ).square()
        levels = torch.cumprod(1.0 - betas, dim=0)
        if zero_terminal_snr:
            roots = levels.sqrt()
            levels = ((roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])).square()
        return cls(levels)

    def __len__(self) -> int:
        """The number of timesteps that the network was trained on."""
        return len(self._host)

    @property
    def zero_terminal_snr(self) -> bool:
        """Whether the last timestep holds no signal at all."""
        return self._host[-1] == 0.0

    # Levels ---------------------------------------------------------------------------------------------

    @overload
    def alpha(self, t: int) -> float: ...
    @overload
    def alpha(self, t: Tensor) -> Tensor: ...
    def alpha(self, t: int | Tensor) -> float | Tensor:
        """Signal level: an int (-1 is clean data) gives a float, a long tensor gives float32 of its shape."""
        if isinstance(t, Tensor):
            return self._table(t.device, torch.float32)[0][t]
        return math.sqrt(self._level(t))

    @overload
    def sigma(self, t: int) -> float: ...
    @overload
    def sigma(self, t: Tensor) -> Tensor: ...
    def sigma(self, t: int | Tensor) -> float | Tensor:
        """Noise level: an int (-1 is clean data) gives a float, a long tensor gives float32 of its shape."""
        if isinstance(t, Tensor):
            return self._table(t.device, torch.float32)[1][t]
        return math.sqrt(1.0 - self._level(t))

    @overload
    def log_snr(self, t: int) -> float: ...
    @overload
    def log_snr(self, t: Tensor) -> Tensor: ...
    def log_snr(self, t: int | Tensor) -> float | Tensor:
        """log(alpha^2 / sigma^2): -inf where there is no signal, +inf at -1; DPM-Solver's lambda is half."""
        if isinstance(t, Tensor):
            alpha, sigma = self._table(t.device, torch.float32)
            return 2.0 * (alpha[t].log() - sigma[t].log())
        level = self._level(t)
        if level <= 0.0 or level >= 1.0:
            return -math.inf if level <= 0.0 else math.inf
        return math.log(level) - math.log1p(-level)

    # Timesteps ------------------------------------------------------------------------------------------

    def trailing_steps(self, n: int) -> list[int]:
        """n timesteps that begin with the very last one (arXiv 2305.08891, table 2); 1 <= n <= timesteps."""
        self._check_count(n)
        return [round(len(self) * (n - i) / n) - 1 for i in range(n)]

    def leading_steps(self, n: int, offset: int = 1) -> list[int]:
        """n timesteps i * (timesteps // n) + offset, falling, as official AudioLDM takes them (offset 1).

        Always n of them, also where n does not divide the timesteps. Raises ValueError where the offset
        pushes the first beyond the schedule.
        """
        self._check_count(n)
        stride = len(self) // n
        if offset < 0 or (n - 1) * stride + offset >= len(self):
            raise ValueError(
                f"{n} leading steps with offset {offset} leave the {len(self)} timesteps of this schedule; "
                "use fewer steps, a smaller offset or trailing steps."
            )
        return [i * stride + offset for i in reversed(range(n))]

    def spaced_steps(self, n: int, leading: bool) -> list[int]:
        """n leading or trailing steps, as the model that takes them was sampled."""
        return self.leading_steps(n) if leading else self.trailing_steps(n)

    def trajectory(self, timesteps: Sequence[int], final: int = -1) -> Trajectory:
        """Any strictly falling timesteps, ending on the level of timestep `final` (-1: clean data).

        Raises ValueError where they do not fall, leave the schedule, or end above the last one.
        """
        times = tuple(int(t) for t in timesteps)
        falling = all(a > b for a, b in pairwise(times))
        if not times or not falling or times[0] >= len(self) or times[-1] < 0 or not -1 <= final <= times[-1]:
            raise ValueError(
                f"Timesteps must fall strictly within 0..{len(self) - 1} and end at or above the final one, "
                f"but they are {list(times)[:8]} and the final one is {final}; correct the list."
            )
        visited = (*times, final)
        return Trajectory(
            times, tuple(self.alpha(t) for t in visited), tuple(self.sigma(t) for t in visited), final
        )

    def trailing(self, n: int) -> Trajectory:
        """The house's trajectory: trailing steps, the last of which reaches clean data exactly."""
        return self.trajectory(self.trailing_steps(n), final=-1)

    def leading(self, n: int, offset: int = 1) -> Trajectory:
        """Official AudioLDM's trajectory: leading steps down to timestep 0, whose little noise stays."""
        return self.trajectory(self.leading_steps(n, offset), final=0)

    def spaced(self, n: int, leading: bool) -> Trajectory:
        """The trajectory of leading or of trailing steps."""
        return self.leading(n) if leading else self.trailing(n)

    # Conversions: x_t, x_0, eps and v are [batch, ...]; t is a long tensor [batch] or one int for all ----

    def add_noise(self, x_0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
        """x_t from clean data and noise."""
        alpha, sigma = self._pair(t, x_0)
        return alpha * x_0 + sigma * eps

    def v_from_data(self, x_0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
        """v from clean data and noise: the training target of a v network."""
        alpha, sigma = self._pair(t, x_0)
        return alpha * eps - sigma * x_0

    def x_0_from_v(self, x_t: Tensor, v: Tensor, t: int | Tensor) -> Tensor:
        """Clean data from v; exact at every level."""
        alpha, sigma = self._pair(t, x_t)
        return alpha * x_t - sigma * v

    def eps_from_v(self, x_t: Tensor, v: Tensor, t: int | Tensor) -> Tensor:
        """Noise from v; exact at every level."""
        alpha, sigma = self._pair(t, x_t)
        return sigma * x_t + alpha * v

    def eps_from_x_0(self, x_t: Tensor, x_0: Tensor, t: int | Tensor) -> Tensor:
        """Noise from clean data."""
        alpha, sigma = self._pair(t, x_t)
        return (x_t - alpha * x_0) / sigma

    def v_from_x_0(self, x_t: Tensor, x_0: Tensor, t: int | Tensor) -> Tensor:
        """v from clean data."""
        alpha, sigma = self._pair(t, x_t)
        return (alpha * x_t - x_0) / sigma

    def x_0_from_eps(self, x_t: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
        """Clean data from noise; ValueError on a schedule with zero terminal SNR, where it divides by 0."""
        self.refuse_eps()
        alpha, sigma = self._pair(t, x_t)
        return (x_t - sigma * eps) / alpha

    def v_from_eps(self, x_t: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
        """v from noise; ValueError on a schedule with zero terminal SNR, where it divides by 0."""
        self.refuse_eps()
        alpha, sigma = self._pair(t, x_t)
        return (eps - sigma * x_t) / alpha

    def refuse_eps(self) -> None:
        """ValueError where the last timestep holds no signal, so that eps says nothing about the data."""
        if self.zero_terminal_snr:
            raise ValueError(
                "An eps network cannot start from a schedule with zero terminal SNR, because noise alone "
                "says nothing about the data; use a v or x0 network, or the schedule without the rescaling."
            )

    # Inside ---------------------------------------------------------------------------------------------

    def _level(self, t: int) -> float:
        if not -1 <= t < len(self._host):
            raise ValueError(
                f"Timestep {t} is outside -1..{len(self._host) - 1}; take one of this schedule's."
            )
        return 1.0 if t == -1 else self._host[t]

    def _check_count(self, n: int) -> None:
        if not 1 <= n <= len(self):
            raise ValueError(f"The number of steps must be 1 to {len(self)}, not {n}; choose another.")

    def _table(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # Kept per device: a copy from the host inside a CUDA graph capture is not allowed.
        key = (device, dtype)
        if key not in self._tables:
            alpha, sigma = self.alphas_cumprod.sqrt(), (1.0 - self.alphas_cumprod).sqrt()
            self._tables[key] = (alpha.to(dtype).to(device), sigma.to(dtype).to(device))
        return self._tables[key]

    def _pair(self, t: int | Tensor, like: Tensor) -> tuple[Tensor, Tensor] | tuple[float, float]:
        if not isinstance(t, Tensor):
            return self.alpha(t), self.sigma(t)
        alpha, sigma = self._table(t.device, torch.promote_types(like.dtype, torch.float32))
        shape = (-1, *[1] * (like.ndim - 1))
        return alpha[t].view(shape), sigma[t].view(shape)
