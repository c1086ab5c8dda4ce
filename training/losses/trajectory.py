"""Trajectory: what a sampler of few steps should say at each of them, so that it ends where one of many steps does.

A teacher goes from where the student stands to where the student's next step ends, in several steps of its own; the
student is to say the x_0 with which its one step reaches the same point (arXiv 2409.19681, section 3; arXiv 2202.00512).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.model.denoise import Denoise
from vocaldm_live.model.samplers import ddim
from vocaldm_live.model.schedule import Schedule, Trajectory


@dataclass(frozen=True)
class Segment:
    """One step of the student: x' = keep * x + clean * x_0, called at `timestep`.

    teacher: the timesteps between, at which the teacher is called, and the level on which both end.
    """

    timestep: int
    keep: float
    clean: float
    teacher: Trajectory

    def times(self, x: Tensor) -> Tensor:
        """The timestep for every row, long `[rows]`."""
        return torch.full(x.shape[:1], self.timestep, dtype=torch.long, device=x.device)

    def move(self, x: Tensor, x_0: Tensor) -> Tensor:
        """The student's step, of x's shape."""
        return self.keep * x + self.clean * x_0

    def wanted(self, x: Tensor, teacher: Denoise, schedule: Schedule) -> Tensor:
        """The x_0 that takes the student from x to where the teacher goes from there, of x's shape, no gradient."""
        with torch.no_grad():
            reached = ddim(teacher, x, schedule, self.teacher)
            return (reached - self.keep * x) / self.clean


def segments(schedule: Schedule, steps: int, teacher_steps: int, leading: bool) -> tuple[Segment, ...]:
    """The student's steps as the engine takes them, each with the teacher's, `teacher_steps` in all or some more.

    Leading steps begin below the schedule's end, few of them far below. There the student's first step sets out
    from noise alone like the teacher's, which begins where so many leading steps do.
    Raises ValueError where the schedule has not so many steps.
    """
    path = schedule.spaced(steps, leading)
    inside = -(-teacher_steps // steps)
    visited = (*path.timesteps, path.final)
    found = []
    for index, timestep in enumerate(path.timesteps):
        begin = schedule.spaced_steps(max(steps, teacher_steps), leading)[0] if index == 0 else timestep
        end = visited[index + 1]
        places = np.linspace(begin, end, inside + 1)[:-1].round().astype(int).tolist()
        between = sorted({max(place, end + 1, 0) for place in places}, reverse=True)
        (a, a_next), (s, s_next) = path.alphas[index : index + 2], path.sigmas[index : index + 2]
        keep = s_next / s
        found.append(Segment(timestep, keep, a_next - keep * a, schedule.trajectory(between, end)))
    return tuple(found)


def walk(
    student: Denoise, teacher: Denoise, schedule: Schedule, path: tuple[Segment, ...], noise: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """What the student says and what it should, `[rows, ...]` each, at every step of its own way from the noise.

    Gradients go through what is said alone: each step sets out from where the student's last one ended, as it is.
    """
    x = noise
    for segment in path:
        said = student(x, segment.times(x), None)
        yield said, segment.wanted(x, teacher, schedule)
        x = segment.move(x, said.detach()).to(noise.dtype)
