"""A denoiser of a few layers that learns in a second, and its distillation; as a program: PLACE KILL [KEY=VALUE ...]."""

from __future__ import annotations

import math
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from stacked_sounds import stacked_sounds
from tiny import make_tiny_preset
from torch import Tensor, nn
from torch.nn import functional

from training.base import Base
from training.loop import train
from training.losses.denoising import denoising_error
from training.recipe_file import read_recipe
from training.step import Step
from training.trainer import Outcome
from training.trainers.distill import DistillTrainer
from training.trainers.distill_recipe import DistillRecipe
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.model.denoise import Prediction
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.unet import Condition

WIDTH, VECTOR, FRAMES = 48, 512, 8
QUICK = {
    "data.source": "none",
    "machine.accelerator": "cpu",
    "machine.devices": "1",
    "machine.threads": "1",
    "budget.steps": "200",
    "optimiser.rates.peak": "3e-3",
    "optimiser.rates.warmup": "5",
    "batch": "8",
    "average": "0.95",
    "lengths": f"[{FRAMES}]",
    "bank": "8",
    "few": "{low: 2, default: 2, high: 2}",
    "keeping.validate.steps": "200",
    "keeping.save_seconds": "1000",
}


class Pocket(nn.Module):
    """A denoiser of single latent cells, told time, vector and place; has a null of its own, as AudioLDM's have."""

    null: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Conv2d(8, WIDTH, 1)
        self.place = nn.Parameter(0.1 * torch.randn(1, WIDTH, 1, 16))
        self.told = nn.Linear(VECTOR + 16, 4 * WIDTH)
        self.middle = nn.Conv2d(WIDTH, WIDTH, 1)
        self.out = nn.Conv2d(WIDTH, 8, 1)
        self.register_buffer("null", functional.normalize(torch.randn(VECTOR), dim=0))

    def forward(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """The prediction, of x_t's shape."""
        angles = t.float()[:, None] / 1000.0 * math.pi * torch.arange(1, 9)
        told = self.told(torch.cat((angles.sin(), angles.cos(), condition.vector * math.sqrt(VECTOR)), dim=1))
        a, b, c, d = told[:, :, None, None].chunk(4, dim=1)
        hidden = functional.silu(self.into(x_t) * (1.0 + a) + b + self.place)
        return self.out(functional.silu(self.middle(hidden) * (1.0 + c) + d) + hidden)

    def null_condition(self, batch: int) -> Tensor:
        """`[batch, 512]`."""
        return self.null.expand(batch, -1)


def pocket_base(folder: Path, prediction: Prediction, steps: int = 400) -> Base:
    """A base whose denoiser is a pocket one that knows the sounds of `stacked_sounds`; eps ones take leading steps."""
    preset = read_preset(make_tiny_preset(folder))
    schedule = Schedule.linear_sqrt(zero_terminal_snr=prediction == "v")
    spacing = None if prediction == "v" else "leading"
    told = preset.header.schedule.model_copy(
        update={"spacing": spacing, "zero_terminal_snr": prediction == "v"}
    )
    preset = replace(preset, header=preset.header.model_copy(update={"schedule": told}))
    torch.manual_seed(0)
    base = Base(preset, preset.geometry, schedule, prediction, {"unet": Pocket()})
    unet = base.networks["unet"]
    sounds = stacked_sounds(32, 0, FRAMES, VECTOR)
    optimiser = torch.optim.Adam(unet.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = torch.randint(0, 32, (16,))
        vector = torch.where(torch.rand(16, 1) < 0.15, base.null(16), sounds.voices[rows])
        latent, t = sounds.latents[rows], torch.randint(0, len(schedule), (16,))
        condition = base.condition(vector, None, FRAMES)
        valid = torch.full((16,), FRAMES)
        noise = torch.randn_like(latent)
        error = denoising_error(unet, schedule, prediction, latent, condition, t, noise, valid)
        optimiser.zero_grad()
        error.mean().backward()
        optimiser.step()
    unet.eval().requires_grad_(False)
    return base


def distilled(
    base: Base, out: Path, *changes: str, kill: int | None = None, fresh: bool = False
) -> tuple[Outcome, DistillTrainer]:
    """Train on a base; `kill`: the step in which this process ends itself."""
    given = {change.partition("=")[0] for change in changes}
    quick = [f"{key}={value}" for key, value in QUICK.items() if key not in given]
    recipe = read_recipe(None, DistillRecipe, [*quick, *changes])
    sounds, held_out = (stacked_sounds(count, count, FRAMES, VECTOR) for count in (32, 8))
    trainer = DistillTrainer(recipe, base, sounds, held_out, torch.device("cpu"), "some data")
    step = trainer.step

    def killing(turn: str, now: Step) -> object:
        if now.index == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(turn, now)

    trainer.step = killing  # type: ignore[assignment, method-assign]
    return train(lambda fabric: trainer, recipe, out, fresh), trainer


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    # Of several processes each has a base in a folder of its own.
    base = pocket_base(place / os.environ.get("LOCAL_RANK", "0"), "v", 0)
    distilled(base, place / "run", *sys.argv[3:], kill=int(sys.argv[2]))
