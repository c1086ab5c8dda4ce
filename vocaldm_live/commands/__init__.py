"""Commands: one file each; here is what they share, from the options' names to the way they speak."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.engine.request import Progress

DEFAULT_PRESET = "house"
DEFAULT_OUT = Path("clips")

PresetOption = Annotated[str, typer.Option("--preset", metavar="NAME", help="A preset, or its folder.")]
VocoderOption = Annotated[
    str | None,
    typer.Option(
        "--vocoder",
        metavar="NAME",
        help="In place of the preset's own: griffin-lim, a preset (its vocoder), or a vocoder's folder.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda or mps.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="S", help="What the noise starts from.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]


def say(sentence: str) -> None:
    """One line on stderr."""
    print(" ".join(str(sentence).split()), file=sys.stderr, flush=True)


def open_preset(name: str, vocoder: str | None = None) -> Preset:
    """Find and read a preset by name or folder, with another vocoder where one is named; raises PresetError."""
    from vocaldm_live.checkpoints.places import resolve_preset
    from vocaldm_live.checkpoints.preset import read_preset
    from vocaldm_live.checkpoints.vocoders import resolve_vocoder

    preset = read_preset(resolve_preset(name))
    return preset if vocoder is None else preset.with_vocoder(resolve_vocoder(vocoder))


@contextmanager
def large_imports() -> Iterator[None]:
    """While torch is imported nothing looks for garbage: a tenth of that time, and there is none.

    What is there afterwards stays to the end, so later searches, which hold up every thread, leave it out.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def results_only(wanted: bool) -> Iterator[TextIO]:
    """The stream for results; where `wanted`, whatever else is printed meanwhile goes to stderr."""
    if not wanted:
        yield sys.stdout
        return
    stream = sys.stdout
    with redirect_stdout(sys.stderr):
        yield stream


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that moves a bar on stderr where that is a terminal, None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.markup import escape

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.fields[stage]}"),
    )
    with rich_progress.Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task(escape(title), total=1.0, stage="")

        def show(now: Progress) -> None:
            share = now.step / max(1, now.steps)
            begin, width = {"encode": (0.0, 0.05), "sample": (0.05, 0.85)}.get(now.stage, (0.9, 0.1))
            bar.update(task, completed=begin + width * share, stage=now.stage)

        yield show


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head in aligned columns, the first one to the left, the others to the right."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    aligned = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([aligned[0], "-" * max(len(line) for line in aligned), *aligned[1:]])


def figure(value: float | None, pattern: str = ".2f") -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else format(value, pattern)


def short_path(path: Path) -> str:
    """A path as seen from the current folder where it lies inside, else in full."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
