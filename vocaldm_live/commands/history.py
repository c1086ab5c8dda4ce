"""`vocaldm history`: the clips that were made; list, show, star and export them, or index the outbox anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import JsonOption, results_only, say, short_path, table
from vocaldm_live.errors import DeliveryError, RequestError

if TYPE_CHECKING:
    from vocaldm_live.deliver.history import Entry, History

history = typer.Typer(
    help="List, star and export the clips that the daemon made.", no_args_is_help=False, rich_markup_mode=None
)
StateOption = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The daemon's state folder.")
]
OutboxOption = Annotated[Path | None, typer.Option("--outbox", metavar="DIR", help="The daemon's outbox.")]
ClipArgument = Annotated[str, typer.Argument(metavar="CLIP", help="A clip's id, its beginning, or its path.")]


@history.callback(invoke_without_command=True)
def history_command(context: typer.Context) -> None:
    """List, star and export the clips that the daemon made."""
    if context.invoked_subcommand is None:
        list_clips()


@history.command("list")
def list_clips(
    text: Annotated[str, typer.Option(metavar="TEXT", help="In the name, the imitation or the path.")] = "",
    preset: Annotated[str, typer.Option(metavar="NAME", help="Made by this preset.")] = "",
    starred: Annotated[bool, typer.Option("--starred", help="Only those with a star.")] = False,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Not older, as 2026-11-21 or 2026-11-21T14:00.")
    ] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
    state: StateOption = None,
) -> int:
    """The newest clips first."""
    with results_only(as_json) as stream:
        with_index = _open(state)
        found = with_index.entries(text, preset=preset, starred=starred, since=since, limit=limit)
        with_index.close()
        if as_json:
            for entry in found:
                print(entry.as_json(), file=stream)
        elif not found:
            print("No clip is in the history yet: `vocaldm live` fills it.", file=stream)
        else:
            rows = [
                (
                    entry.id + (" *" if entry.starred else ""),
                    entry.created[:19].replace("T", " "),
                    f"{entry.seconds:.2f} s",
                    str(entry.seed),
                    entry.preset,
                    short_path(entry.path) + ("  (missing)" if entry.missing else ""),
                )
                for entry in found
            ]
            print(table(("clip", "made (UTC)", "length", "seed", "preset", "file"), rows), file=stream)
    return 0


@history.command("show")
def show(clip: ClipArgument, state: StateOption = None) -> int:
    """Everything about one clip, as JSON."""
    index = _open(state)
    print(json.dumps(json.loads(index.get(clip).as_json()), indent=2, ensure_ascii=False))
    index.close()
    return 0


@history.command("star")
def star(clip: ClipArgument, state: StateOption = None) -> int:
    """Mark a clip."""
    return _star(clip, state, True)


@history.command("unstar")
def unstar(clip: ClipArgument, state: StateOption = None) -> int:
    """Take a clip's mark away."""
    return _star(clip, state, False)


@history.command("export")
def export(
    clip: Annotated[list[str], typer.Argument(metavar="CLIP...", help="Clips' ids or paths.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder to copy into.")],
    state: StateOption = None,
) -> int:
    """Copy clips with their recipes into a folder; nothing there is overwritten."""
    index = _open(state)
    for entry in [index.get(one) for one in clip]:
        print(_copy(entry, to))
    index.close()
    return 0


@history.command("rebuild")
def rebuild(outbox: OutboxOption = None, state: StateOption = None) -> int:
    """Make the index anew from the recipes in the outbox; stars are kept."""
    from vocaldm_live.settings import default_folders

    index = _open(state)
    folder = (outbox or default_folders()["outbox"]).expanduser().absolute()
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder: name the outbox with --outbox.")
    done = index.rebuild(folder)
    for note in done.notes:
        say(note)
    print(f"{done.added} clips entered, {done.returned} found again, {done.missing} missing")
    index.close()
    return 0


# Inside -------------------------------------------------------------------------------------------------


def _open(state: Path | None) -> History:
    from vocaldm_live.deliver.history import History
    from vocaldm_live.settings import default_folders

    folder = (state or default_folders()["state"]).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeliveryError(
            f"The state folder {folder} can't be made ({error.strerror}): give another."
        ) from error
    index = History(folder / "history.sqlite")
    for note in index.notes:
        say(note)
    return index


def _star(clip: str, state: Path | None, on: bool) -> int:
    index = _open(state)
    index.star(clip, on)
    index.close()
    return 0


def _copy(entry: Entry, folder: Path) -> Path:
    """Copy a clip and its recipe under a name that is free there."""
    number = 1
    target = folder / entry.path.name
    if not entry.path.is_file():
        raise RequestError(f"The file of {entry.id} is not at {entry.path} any more: look for it elsewhere.")
    while target.exists() or target.with_suffix(".json").exists():
        number += 1
        target = folder / f"{entry.path.stem} {number}{entry.path.suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, path in ((entry.path, target), (entry.recipe_path, target.with_suffix(".json"))):
            part = path.with_name(f".{path.name}.part")
            try:
                shutil.copyfile(source, part)
                part.rename(path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise DeliveryError(
            f"{entry.path} can't be copied to {folder} ({error.strerror}): check both."
        ) from error
    return target
