"""Commands of `vocaldm-train`: one thin file each; here are the options that all which train have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import say

if TYPE_CHECKING:
    from rich.progress import TaskID

    from training.loop import Outcome

RecipeArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECIPE.yaml]", help="What to train and how; none: that of --out, else the defaults."
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DATA", help="What to learn from: a folder or list of sounds, a data set's name."
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="Folder of the run; one that was begun goes on.")
]
ChangesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Another value, as optimiser.rates.peak=1e-4; repeatable."
    ),
]
StepsOption = Annotated[
    int | None, typer.Option("--steps", metavar="N", help="Exactly so many steps in all.")
]
MinutesOption = Annotated[
    float | None,
    typer.Option("--minutes", metavar="M", help="So many minutes in all, earlier sittings included."),
]
HoursOption = Annotated[
    float | None,
    typer.Option("--max-hours", metavar="H", help="Save and stop after so long; go on another time."),
]
DevicesOption = Annotated[
    int | None, typer.Option("--devices", metavar="N", help="Processes on this machine.")
]
NodesOption = Annotated[int | None, typer.Option("--nodes", metavar="N", help="Machines.")]
PrecisionOption = Annotated[
    str | None, typer.Option("--precision", metavar="NAME", help="32-true or bf16-mixed.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin anew where the folder holds a run.")]


def changes_of(
    changes: Sequence[str] | None,
    steps: int | None,
    minutes: float | None,
    max_hours: float | None,
    devices: int | None,
    nodes: int | None,
    precision: str | None,
    data: str | None = None,
) -> list[str]:
    """All options as changes of a recipe, in the order in which they count: later ones more."""
    named = {
        "budget.steps": steps,
        "budget.minutes": minutes,
        "budget.max_hours": max_hours,
        "machine.devices": devices,
        "machine.nodes": nodes,
        "machine.precision": precision,
    }
    told = [f"{key}={value}" for key, value in named.items() if value is not None]
    if data is not None:
        told.append(f"data.source={as_text(data)}")
    return [*(changes or ()), *told]


def as_text(value: str) -> str:
    """A value that a recipe's YAML takes for text, whatever stands in it: a folder may be called 2024 or `a: b`."""
    return json.dumps(value)


def find_recipe(named: Path | None, out: Path) -> Path | None:
    """The recipe that was named, else the one of the run that goes on, else none."""
    own = out / "recipe.yaml"
    return named if named is not None or not own.is_file() else own


def say_outcome(outcome: Outcome) -> None:
    """One line on how a run ended."""
    best = "  ".join(f"{name} {value:.4g}" for name, value in outcome.best.items())
    ended = {
        "done": "The run is done",
        "paused": "The run is saved and goes on with the same command",
        "patience": "The run has ended, for it got no better",
    }[outcome.ended]
    say(f"{ended}: {outcome.steps} steps in {outcome.folder}" + (f", best: {best}." if best else "."))


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, whole) that moves a bar on stderr where that is a terminal, None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


@contextmanager
def counting_stages() -> Iterator[Callable[[str, int, int], None] | None]:
    """A callback (stage, done, whole) that moves a bar for each stage on stderr where that is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, whole: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage)
            bar.update(tasks[stage], completed=done, total=whole)

        yield tell
