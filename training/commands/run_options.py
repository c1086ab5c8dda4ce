"""Run options: what all commands that train have in common, written once and given to each as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from training.commands import as_text

if TYPE_CHECKING:
    from training.recipe import Recipe

R = TypeVar("R", bound="Recipe")

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
    typer.Option(
        "--max-hours",
        metavar="H",
        help="Save and stop after so long, preparation included; go on another time.",
    ),
]
DevicesOption = Annotated[
    int | None, typer.Option("--devices", metavar="N", help="Processes on this machine.")
]
NodesOption = Annotated[int | None, typer.Option("--nodes", metavar="N", help="Machines.")]
PrecisionOption = Annotated[
    str | None, typer.Option("--precision", metavar="NAME", help="32-true or bf16-mixed.")
]
FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Begin anew where the folder holds a run, and take nothing from its recipe."
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """The options of one call; `read` makes a recipe of them."""

    out: Path = Path()
    recipe: Path | None = None
    data: str | None = None
    changes: Sequence[str] | None = None
    steps: int | None = None
    minutes: float | None = None
    max_hours: float | None = None
    devices: int | None = None
    nodes: int | None = None
    precision: str | None = None
    fresh: bool = False

    def read(
        self, kind: type[R], named: Mapping[str, str | None] | None = None, more: Sequence[str] = ()
    ) -> R:
        """The recipe that was named, else that of the run that goes on, else the defaults, with all options over it.

        named: texts by their keys, those that are None left out; more: changes as `--set` takes them. Of two that say
        one key differently the option counts, not `--set`. Raises RecipeError.
        """
        from training.recipe_file import read_recipe

        texts = {**(named or {}), "data.source": self.data}
        numbers = {
            "budget.steps": self.steps,
            "budget.minutes": self.minutes,
            "budget.max_hours": self.max_hours,
            "machine.devices": self.devices,
            "machine.nodes": self.nodes,
            "machine.precision": self.precision,
        }
        told = [f"{key}={as_text(value)}" for key, value in texts.items() if value is not None]
        told += [f"{key}={value}" for key, value in numbers.items() if value is not None]
        return read_recipe(self.found, kind, [*(self.changes or ()), *told, *more])

    @property
    def found(self) -> Path | None:
        """The recipe that was named, else the one of the run that goes on, else none; with --fresh none goes on."""
        from training.recipe_file import recipe_of_run

        if self.recipe is not None or self.fresh:
            return self.recipe
        return recipe_of_run(self.out)


OPTIONS: Mapping[str, Any] = {
    "out": OutOption,
    "recipe": RecipeArgument,
    "data": DataOption,
    "changes": ChangesOption,
    "steps": StepsOption,
    "minutes": MinutesOption,
    "max_hours": HoursOption,
    "devices": DevicesOption,
    "nodes": NodesOption,
    "precision": PrecisionOption,
    "fresh": FreshOption,
}
FIRST = ("out", "recipe", "data")
"""What stands before a command's own options in its help."""


def with_run_options(without: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a command `(run, its own options)` one that typer takes: run options but for some beside its own."""
    return lambda command: _with_options(command, without)


def _with_options(command: Callable[..., Any], without: Sequence[str]) -> Callable[..., Any]:
    own = dict(list(inspect.signature(command, eval_str=True).parameters.items())[1:])
    shared = {field.name: field for field in fields(RunOptions) if field.name not in without}

    def parameter(name: str) -> inspect.Parameter:
        default = inspect.Parameter.empty if name == "out" else shared[name].default
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=OPTIONS[name]
        )

    ahead = [parameter(name) for name in FIRST if name in shared]
    behind = [parameter(name) for name in shared if name not in FIRST]
    mine = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.values()]
    parameters = [*ahead, *mine, *behind]

    def called(**values: Any) -> Any:
        run = RunOptions(**{name: values.pop(name) for name in shared})
        return command(run, **values)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
