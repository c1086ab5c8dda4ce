"""`vocaldm-train distill`: a preset learns to make its clips in a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands import counting, say_outcome
from training.commands.run_options import RunOptions, with_run_options
from vocaldm_live.errors import RequestError

BaseOption = Annotated[
    str | None, typer.Option("--base", metavar="PRESET", help="The preset that is taught: a name or folder.")
]
FewOption = Annotated[
    str | None, typer.Option("--few", metavar="K|LOW:K:HIGH", help="Sampler steps of the new preset.")
]
GuidanceOption = Annotated[
    str | None,
    typer.Option("--guidance", metavar="G|LOW:HIGH", help="Of the teacher; none: the base's default."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="At the end write a preset of that name.")
]
ToOption = Annotated[Path, typer.Option("--to", metavar="DIR", help="Where presets lie.")]


@with_run_options()
def distill(
    run: RunOptions,
    base: BaseOption = None,
    few: FewOption = None,
    guidance: GuidanceOption = None,
    name: NameOption = None,
    to: ToOption = Path("presets"),
) -> None:
    """Teach a preset to make in a few steps, without guidance, what it makes guided in many."""
    from training.taught import export_taught, run_distillation
    from training.trainers.distill_recipe import DistillRecipe

    given = []
    if few is not None:
        low, default, high = _numbers("few", few, (1, 3))
        given += [f"few.low={low}", f"few.default={default}", f"few.high={high}"]
    if guidance is not None:
        low, _, high = _numbers("guidance", guidance, (1, 2))
        given.append(f"teacher.guidance=[{low}, {high}]")
    told = run.read(DistillRecipe, {"base": base}, given)
    with counting("preparing") as bar:
        tell = None if bar is None else lambda stage, done, whole: bar(done, whole)
        outcome = run_distillation(told, run.out, run.fresh, tell)
    say_outcome(outcome)
    # Two processes that exported would swap one folder in twice at once.
    if name is not None and outcome.first and outcome.ended != "paused":
        from training.commands.export import say_exported

        say_exported(export_taught(told, outcome.folder, name, to))


def _numbers(key: str, text: str, counts: tuple[int, ...]) -> tuple[str, str, str]:
    """The lowest, middle and highest of numbers apart by colons."""
    parts = text.split(":")
    if len(parts) not in counts or not all(part.replace(".", "", 1).isdigit() for part in parts):
        ways = {1: "one number", 2: "LOW:HIGH", 3: "LOW:DEFAULT:HIGH"}
        raise RequestError(f"{key} is {text!r}: write {' or '.join(ways[count] for count in counts)}.")
    return parts[0], parts[len(parts) // 2], parts[-1]
