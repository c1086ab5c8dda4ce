"""A small trainer with two turns for tests of the loop, and a program that runs it: OUT [KEY=VALUE ...]."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from training.loop import train
from training.recipe import Budget, Every, Keeping, Machine, Optimiser, Rates, Recipe
from training.recipe_file import read_recipe
from training.runfolder import save_weights
from training.step import Step, add_up
from training.trainer import Criterion, Outcome
from training.turns import Group

WANTED = torch.tensor([[1.0, -2.0, 0.5]])


class ToyRecipe(Recipe):
    """wrong: steps whose loss is not a number; kill: where this process is killed; better: the criterion's direction."""

    command: Literal["toy"] = "toy"
    batch: int = 8
    average: float = 0.9
    budget: Budget = Budget(steps=60)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=0.05, warmup=10))
    machine: Machine = Machine(accelerator="cpu", devices=1, threads=1)
    keeping: Keeping = Keeping(save_seconds=0, validate=Every(steps=20))
    wrong: tuple[int, int] = (0, 0)
    better: Literal["lower", "higher"] = "lower"


class Body(nn.Module):
    """Three numbers to one, counting the rows that it has seen."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fixed = nn.Linear(3, 3)
        self.fixed.requires_grad_(False)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen += 1
        return self.layers(x) + 0.0 * self.fixed(x)[:, :1]


class Toy:
    """Fits a plane, with a judge that learns to tell its errors."""

    def __init__(self, recipe: ToyRecipe) -> None:
        self.recipe = recipe
        self.networks: dict[str, nn.Module] = {"body": Body()}
        self.judges: dict[str, nn.Module] = {"judge": nn.Linear(1, 1)}
        self.frozen: dict[str, nn.Module] = {"ear": nn.Linear(2, 2)}
        self.criterion = Criterion("error", recipe.better)
        self.at_step = lambda index: None

    def groups(self, turn: str) -> Sequence[Group]:
        if turn == "judge":
            return [Group(("judge.weight", "judge.bias"))]
        return [
            Group(("body.layers.0.weight", "body.layers.0.bias")),
            Group(("body.layers.2.weight", "body.layers.2.bias"), factor=0.5, weight_decay=0.01),
        ]

    def turns(self, done: float) -> Sequence[str]:
        return ("judge", "main") if done >= 0.25 else ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        if turn == "main":
            self.at_step(step.index)
        first, last = self.recipe.wrong
        sums: dict[str, Tensor] = {}
        # Rows count differently, so a mean of means would be another loss.
        weight = step.total(sum(1.0 + row for row in step.draws.rows))
        for part in step.parts():
            x = part.normal((3,), "x")
            counts = torch.tensor([1.0 + row for row in part.rows])[:, None] / weight
            y = self.networks["body"](x) + 0.01 * part.normal((1,), "noise")
            error = y - x @ WANTED.T
            told = self.judges["judge"](error)
            if turn == "judge":
                loss = ((told - error.detach().abs()).square() * counts).sum()
            else:
                loss = (error.square() * counts).sum() + 0.01 * (told * counts).sum()
                if first <= step.index < last:
                    loss = loss * float("nan")
            step.backward(loss)
            add_up(sums, {f"{turn}_loss": loss})
        return sums

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        x = torch.randn(64, 3, generator=torch.Generator().manual_seed(10**6))
        with torch.no_grad():
            return {"error": float((averaged["body"](x) - x @ WANTED.T).square().mean())}

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        (folder / "heard.txt").write_text("something")

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        save_weights(averaged["body"], folder / "body.safetensors")


def run_toy(out: Path, *changes: str, fresh: bool = False, at_step=lambda index: None) -> Outcome:  # type: ignore[no-untyped-def]
    """Train the toy; `at_step` is called with each step's index before its losses."""
    recipe = read_recipe(None, ToyRecipe, changes)

    def make(fabric: object) -> Toy:
        toy = Toy(recipe)
        toy.at_step = at_step
        return toy

    return train(make, recipe, out, fresh)


def killed_at(place: str):  # type: ignore[no-untyped-def]
    """Have this process kill itself: in a step (`step:30`), before a save's renames (`save:30`), between (`swap:30`)."""
    what, _, count = place.partition(":")
    if what == "step":
        return lambda index: os.kill(os.getpid(), signal.SIGKILL) if index == int(count) else None
    into = "checkpoint.previous.safetensors" if what == "save" else "checkpoint.safetensors"
    calls, real = [0], os.replace

    def replace(one: Path, other: Path) -> None:
        calls[0] += Path(other).name == into
        if calls[0] == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
        real(one, other)

    os.replace = replace  # type: ignore[assignment]
    return lambda index: None


def killed(out: Path, place: str, *changes: str) -> int:
    """Run the toy in a process that is forked off and killed there; returns what it ended with."""
    child = os.fork()
    if child == 0:
        run_toy(out, *changes, at_step=killed_at(place))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    places = os.environ.get("TOY_KILLED_AT", "").split()
    if places:
        import lightning_fabric  # noqa: F401

        print(
            *(killed(Path(sys.argv[1]) / place.replace(":", "-"), place, *sys.argv[2:]) for place in places)
        )
    else:
        run_toy(Path(sys.argv[1]), *sys.argv[2:])
        if torch.distributed.is_initialized():
            sys.exit("What connects the processes is still open: its threads may abort this one as it ends.")
