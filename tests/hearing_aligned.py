"""A small world for tests of align: sounds that are points, what an encoder and a CLAP would hear of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from training.targets import Heard

POINT = 8  # numbers that a sound of this world is made of


def points(count: int, seed: int) -> Tensor:
    return torch.randn(count, POINT, generator=torch.Generator().manual_seed(seed))


def _map(width: int, seed: int) -> Tensor:
    return torch.randn(POINT, width, generator=torch.Generator().manual_seed(seed)) / POINT**0.5


def embedding(where: Tensor, imitated: bool, seed: int = 0) -> Tensor:
    """Unit vectors `[n, 960]` as the towers': nearly non-negative with a large common mean; voices with a gap and noise."""
    draw = torch.Generator().manual_seed(seed)
    own, common = _map(960, 100), torch.rand(960, generator=torch.Generator().manual_seed(101))
    heard = functional.hardswish(0.8 * where @ own + common)
    if imitated:
        gap = torch.randn(960, generator=torch.Generator().manual_seed(102))
        heard = functional.hardswish(heard + 0.3 * gap + 0.2 * torch.randn(heard.shape, generator=draw))
    return functional.normalize(heard, dim=1)


def clap(where: Tensor) -> Tensor:
    """Unit vectors `[n, 512]` as CLAP's: a cone around a direction of its own."""
    axis = torch.randn(512, generator=torch.Generator().manual_seed(103))
    return functional.normalize(where @ _map(512, 104) + 0.5 * axis, dim=1)


def heard(count: int, seed: int, takes: int = 2) -> Heard:
    """So many sounds with their imitations."""
    where = points(count, seed)
    of = torch.arange(count).repeat(takes)
    return Heard(embedding(where[of], True, seed), embedding(where, False), clap(where), of)


def null() -> Tensor:
    return functional.normalize(torch.randn(512, generator=torch.Generator().manual_seed(9)), dim=0)


def recipe(*more: str):  # type: ignore[no-untyped-def]
    """A quick run on the CPU."""
    from training.recipe_file import read_recipe
    from training.trainers.align_recipe import AlignRecipe

    given = [
        "base=small",
        "data.source=nowhere",
        "batch=32",
        "average=0.9",
        "budget.steps=60",
        "optimiser.rates.warmup=5",
        "optimiser.rates.peak=0.001",
        "keeping.validate.steps=30",
        "keeping.save_seconds=1000",
        "machine.accelerator=cpu",
        "machine.devices=1",
        "machine.threads=1",
    ]
    return read_recipe(None, AlignRecipe, [*given, *more])


def run_align(out: Path, given: list[str], die_at: int | None = None):  # type: ignore[no-untyped-def]
    """Train an adapter in this world; `die_at`: the step in which this process kills itself."""
    from training.loop import train
    from training.trainers.align import AlignTrainer

    class Mortal(AlignTrainer):
        def step(self, turn, step):  # type: ignore[no-untyped-def]
            if step.index == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step(turn, step)

    told = recipe(*given)
    return train(lambda fabric: Mortal(told, fabric.device, heard(96, 1), heard(32, 2), null()), told, out)
