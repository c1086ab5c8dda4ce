"""Commands of `vocaldm-train`: one thin file each; here is what several of them say and show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import say

if TYPE_CHECKING:
    from rich.progress import TaskID

    from training.data.spec import DataSpec
    from training.trainer import Outcome

SplitOption = Annotated[
    str,
    typer.Option(
        "--split", metavar="HOW", help="group, or given: as the data say. As the run's recipe has it."
    ),
]


def as_text(value: str) -> str:
    """A value that a recipe's YAML takes for text, whatever stands in it: a folder may be called 2024 or `a: b`."""
    import yaml

    return yaml.safe_dump(value, default_style='"', width=10**9).rstrip("\n")


def data_of(
    source: str, given: str = "auto", held_out: float = 0.1, split: str = "group", limit: int | None = None
) -> DataSpec:
    """Data as options say them; raises RecipeError for a split that there is none of."""
    from training.data.spec import DataSpec
    from training.errors import RecipeError

    if split not in ("group", "given"):
        raise RecipeError(f"--split is {split!r}: choose group or given.")
    return DataSpec(source=source, format=given, held_out=held_out, split=split, limit=limit)  # type: ignore[arg-type]


def say_outcome(outcome: Outcome) -> None:
    """One line on how a run ended, by the first of its processes."""
    if not outcome.first:
        return
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
