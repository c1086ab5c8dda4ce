"""Small towers, and sounds with imitations to hear by them, for tests of qvim and align; a program that trains: OUT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

RATE = 16000


class ToyTowers(nn.Module):
    """Two two-layer towers of 960 outputs over the mean of the frames that are real."""

    def __init__(self, seed: int = 0, normed: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.imitation = self._tower()
            self.reference = self._tower()
        self.norm = nn.BatchNorm2d(1) if normed else nn.Identity()
        self.tau = nn.Parameter(torch.full((1,), 0.07))

    def _tower(self) -> nn.Sequential:
        return nn.Sequential(nn.Linear(256, 96), nn.Tanh(), nn.Linear(96, 960))

    def embed_imitation(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        return self.imitation(self._pooled(mel, frames))

    def embed_reference(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        return self.reference(self._pooled(mel, frames))

    def _pooled(self, mel: Tensor, frames: Tensor | None) -> Tensor:
        mel = self.norm(mel)[:, 0]
        lengths = torch.full((len(mel),), mel.shape[2]) if frames is None else frames
        real = (torch.arange(mel.shape[2])[None] < lengths[:, None])[:, None]
        mean = (mel * real).sum(2) / lengths[:, None]
        loudest = mel.masked_fill(~real, -9.0).amax(2)
        return torch.cat([mean, loudest], dim=1)


def sound(number: int, imitated: bool = False, take: int = 0) -> np.ndarray:
    """A sound of its own: partials and an envelope; imitated: the lowest of them, wavering and with breath in it."""
    draw = np.random.default_rng(number)
    times = np.arange(int(draw.uniform(0.3, 0.6) * RATE)) / RATE
    notes = np.sort(draw.uniform(150.0, 6000.0, 3))
    shape = np.interp(np.linspace(0, 1, len(times)), np.linspace(0, 1, 6), draw.uniform(0.2, 1.0, 6))
    if imitated:
        draw = np.random.default_rng([number, take, 1])
        notes, breath = notes[:2] * (1.0 + draw.uniform(-0.01, 0.01)), 0.02
    else:
        breath = 0.005
    whole = sum(np.sin(2 * np.pi * note * times) for note in notes) * shape
    whole = whole / np.abs(whole).max() * draw.uniform(0.2, 0.8)
    return (whole + breath * draw.standard_normal(len(times))).astype(np.float32)


def pairs(folder: Path, first: int, count: int, takes: int = 1) -> Path:
    """So many sounds, each with so many imitations."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        soundfile.write(folder / f"{number:03d}_reference.wav", sound(number), RATE)
        for take in range(takes):
            imitated = sound(number, True, take)
            soundfile.write(folder / f"{number:03d}_imitation_{take}.wav", imitated, RATE)
    return folder


def changes(data: Path, bank: Path, *more: str) -> list[str]:
    """Of a recipe: a quick run on the CPU."""
    return [
        f"data.source={data}",
        f"held_out={bank}",
        f"cache={data.parent / 'cache'}",
        "machine.accelerator=cpu",
        "machine.devices=1",
        "machine.threads=1",
        "machine.workers=1",
        "optimiser.rates.peak=0.002",
        "optimiser.rates.warmup=5",
        "keeping.validate.steps=60",
        "keeping.save_seconds=0",
        "average=0.9",
        "settle=2",
        *more,
    ]


def run_qvim(out: Path, given: list[str], die_at: int | None = None, normed: bool = False):  # type: ignore[no-untyped-def]
    """Train toy towers; `die_at`: the step in which this process kills itself."""
    from training.loop import train
    from training.recipe_file import read_recipe
    from training.trainers.qvim import QVIMRecipe, QVIMTrainer

    recipe = read_recipe(None, QVIMRecipe, given)

    class Mortal(QVIMTrainer):
        def step(self, turn, step):  # type: ignore[no-untyped-def]
            if step.index == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step(turn, step)

    return train(lambda fabric: Mortal(recipe, fabric.device, out, ToyTowers(normed=normed)), recipe, out)


if __name__ == "__main__":
    what, folder, step, *given = sys.argv[1:]
    if what == "qvim":
        run_qvim(Path(folder), given, int(step), normed=True)
    else:
        from hearing_aligned import run_align

        run_align(Path(folder), given, int(step))
