"""`vocaldm history`: the clips that were made, found again, starred, and taken out with their recipes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import JsonOption, say, short_path, table
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from vocaldm_live.deliver.history import Entry, History

DATABASE = "history.sqlite"

FileOption = Annotated[
    Path | None, typer.Option("--history", metavar="FILE", help="The index, if not the daemon's own.")
]
ClipArgument = Annotated[str, typer.Argument(metavar="CLIP", help="A clip's id, its beginning, or its path.")]

history = typer.Typer(
    help="List, show, star and export the clips that were made.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@history.callback(invoke_without_command=True)
def history_command(context: typer.Context) -> None:
    """List, show, star and export the clips that were made."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@history.command("list")
def list_clips(
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="Part of a clip's or imitation's name.")] = "",
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="Made with this preset.")] = "",
    starred: Annotated[bool, typer.Option("--starred", help="Starred ones only.")] = False,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Such as 2026-01-31T12:00.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="So many; 0: all.")] = 20,
    as_json: JsonOption = False,
    file: FileOption = None,
) -> int:
    """The newest clips first; with --json one object a line."""
    found = _open(file).entries(text, preset=preset, starred=starred, since=since, limit=limit)
    if as_json:
        for entry in found:
            print(entry.as_json())
    elif found:
        print(
            table(("id", "", "made", "preset", "seed", "seconds", "clip"), [_row(entry) for entry in found])
        )
    else:
        say("The history has no such clip.")
    return 0


@history.command("show")
def show(clip: ClipArgument, as_json: JsonOption = False, file: FileOption = None) -> int:
    """All that is known of a clip."""
    entry = _open(file).get(clip)
    if as_json:
        print(entry.as_json())
        return 0
    for name, value in vars(entry).items():
        print(f"{name}: {value}")
    return 0


@history.command("star")
def star(clip: ClipArgument, file: FileOption = None) -> int:
    """Mark a clip."""
    _open(file).star(clip)
    return 0


@history.command("unstar")
def unstar(clip: ClipArgument, file: FileOption = None) -> int:
    """Take a clip's mark away."""
    _open(file).star(clip, False)
    return 0


@history.command("export")
def export(
    clips: Annotated[list[str], typer.Argument(metavar="CLIP...", help="Ids, their beginnings, or paths.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the copies go.")],
    file: FileOption = None,
) -> int:
    """Copy clips and their recipes to a folder; nothing there is overwritten."""
    index, good = _open(file), True
    for clip in clips:
        try:
            print(short_path(copy_clip(index.get(clip), to)))
        except RequestError as error:
            say(str(error))
            good = False
    return 0 if good else 1


@history.command("rebuild")
def rebuild(
    folder: Annotated[Path, typer.Argument(metavar="OUTBOX", help="The folder with clips and recipes.")],
    file: FileOption = None,
) -> int:
    """Make the index anew from an outbox; stars stay."""
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder: name the outbox.")
    index = _open(file)
    done = index.rebuild(folder)
    for note in done.notes:
        say(note)
    print(f"{done.added} entered, {done.returned} found again, {done.missing} missing")
    return 0


def copy_clip(entry: Entry, folder: Path) -> Path:
    """Copy a clip and its recipe; the copy's path. RequestError when it is gone or the names are taken."""
    targets = (folder / entry.path.name, folder / entry.recipe_path.name)
    if not entry.path.is_file():
        raise RequestError(f"The file of {entry.id} is not at {entry.path} any more: look for it elsewhere.")
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in zip((entry.path, entry.recipe_path), targets, strict=True):
            with open(source, "rb") as reading, open(target, "xb") as writing:
                made.append(target)
                shutil.copyfileobj(reading, writing)
    except OSError as error:
        for target in made:
            target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise RequestError(f"{error.filename} is there already: export to another folder.") from error
        raise RequestError(f"{entry.id} cannot be copied to {folder} ({error.strerror}).") from error
    return targets[0]


def _open(file: Path | None) -> History:
    from vocaldm_live.deliver.history import History

    index = History(file or default_file())
    for note in index.notes:
        say(note)
    return index


def default_file() -> Path:
    """Where the daemon keeps its index unless told otherwise."""
    from vocaldm_live.settings import default_folders

    return default_folders()["state"] / DATABASE


def _row(entry: Entry) -> tuple[str, ...]:
    mark = ("*" if entry.starred else "") + ("missing" if entry.missing else "")
    made = entry.created[:19].replace("T", " ")
    return (
        entry.id,
        mark,
        made,
        entry.preset,
        str(entry.seed),
        f"{entry.seconds:.2f}",
        short_path(entry.path),
    )
