"""Runs of the denoiser on tiny presets, for tests; as a program it is killed in one: PRESET OUT STEP [KEY=VALUE ...]."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from stacked_sounds import stacked_sounds
from torch import nn

from training.base import open_base
from training.loop import train
from training.recipe_file import read_recipe
from training.shards import StackedSounds
from training.step import Step
from training.trainer import Outcome
from training.trainers.vocaldm import VocalDMTrainer
from training.trainers.vocaldm_recipe import VocalDMRecipe

QUICK = {
    "data.source": "none",
    "machine.accelerator": "cpu",
    "machine.devices": "1",
    "machine.threads": "1",
    "lengths": "[8, 16]",
    "batch": "8",
    "average": "0.9",
    "bank": "32",
    "optimiser.rates.warmup": "5",
    "keeping.validate.steps": "1000",
    "keeping.save_seconds": "1000",
}


def recipe_of(*changes: str, **kept: str) -> VocalDMRecipe:
    """A recipe for runs of seconds, with changes."""
    quick = [f"{key}={value}" for key, value in {**QUICK, **kept}.items()]
    return read_recipe(None, VocalDMRecipe, [*quick, *changes])


def trainer_of(
    preset: Path, *changes: str, sounds: StackedSounds | None = None, held_out: StackedSounds | None = None
) -> VocalDMTrainer:
    """A trainer on a preset."""
    import torch

    base = open_base(str(preset), ("unet", "adapter", "vae", "vocoder"))
    sounds, held_out = sounds or stacked_sounds(16, 0), held_out or stacked_sounds(8, 1)
    return VocalDMTrainer(recipe_of(*changes), base, sounds, held_out, torch.device("cpu"), "some data")


def run_denoiser(
    preset: Path,
    out: Path,
    *changes: str,
    kill: int | None = None,
    sounds: StackedSounds | None = None,
    held_out: StackedSounds | None = None,
) -> tuple[Outcome, VocalDMTrainer]:
    """Train on a preset; `kill`: the step in which this process ends itself."""
    made: list[VocalDMTrainer] = []

    def make(fabric: object) -> VocalDMTrainer:
        # Here and not before: fresh deltas come from the recipe's seed.
        trainer = trainer_of(preset, *changes, sounds=sounds, held_out=held_out)
        step = trainer.step

        def killing(turn: str, now: Step) -> object:
            if now.index == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(turn, now)

        trainer.step = killing  # type: ignore[assignment, method-assign]
        made.append(trainer)
        return trainer

    outcome = train(make, recipe_of(*changes), out)
    return outcome, made[0]


def trained_tensors(network: nn.Module) -> set[str]:
    """Names of what is trained, as `merged` names it."""
    plain = set()
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            above, _, last = name.rpartition(".")
            plain.add(f"{above}.weight" if last in ("a", "b") else name)
    return plain


if __name__ == "__main__":
    run_denoiser(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[4:], kill=int(sys.argv[3]))
