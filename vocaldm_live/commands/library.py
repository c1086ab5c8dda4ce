"""`vocaldm library`: a folder of sounds is indexed, and searched by vocal imitation."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live.commands import (
    DEFAULT_PRESET,
    DeviceOption,
    JsonOption,
    PresetOption,
    open_preset,
    results_only,
    say,
    short_path,
    table,
)
from vocaldm_live.commands.library_evaluate import evaluate_library

if TYPE_CHECKING:
    from vocaldm_live.library.build import Built

library = typer.Typer(
    help="Index a folder of sounds and find sounds in it by voice.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index", metavar="INDEX", help="Where the index lies. [default: in the user's data folder]"
    ),
]
LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", metavar="DIR|INDEX", help="A folder that was indexed, or its index."),
]


@library.callback(invoke_without_command=True)
def library_command(context: typer.Context) -> None:
    """Index a folder of sounds and find sounds in it by voice."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def libraries_folder() -> Path:
    """Where indexes lie that were given no other place."""
    from vocaldm_live.settings import default_folders

    return default_folders()["state"] / "libraries"


@library.command("build")
def build_library(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Sounds, in folders however deep.")],
    index: IndexOption = None,
    preset: PresetOption = DEFAULT_PRESET,
    device: DeviceOption = "auto",
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=64, help="Threads. [default: one a core, 8 at most]")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what the index holds and begin anew.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Index a folder, or bring its index up to date: only new and changed files are read, and nothing in it is changed.

    The first minute of a sound is heard, in up to six windows of ten seconds. An interrupted build is
    continued by the next one. The preset's encoder hears, or for a preset without one the house's; CLAP's audio
    tower of an imported AudioLDM does so too, as --library with that preset needs it.
    """
    import torch

    from vocaldm_live.checkpoints.searching import searching_preset
    from vocaldm_live.engine.engine import choose_device
    from vocaldm_live.library.build import Ears, build
    from vocaldm_live.library.ears import ClapEars, EncoderEars, clap_space
    from vocaldm_live.library.places import index_of

    with results_only(as_json) as results:
        place = (index or index_of(folder, libraries_folder())).expanduser().absolute()
        chosen, where = open_preset(preset), choose_device(device)
        all_ears: list[Ears] = [EncoderEars(searching_preset(chosen), where)]
        if clap_space(chosen) is not None:
            all_ears.append(ClapEars(chosen, where))
        said: set[str] = set()

        def problem(sentence: str) -> None:
            if sentence not in said:
                said.add(sentence)
                say(sentence)

        before = torch.get_num_threads()
        # One sound a core is faster than one sound on all cores: the encoder's layers are small.
        torch.set_num_threads(1)
        try:
            count, done = workers or min(8, os.cpu_count() or 1), []
            for number, ears in enumerate(all_ears):
                with _bar("CLAP " if number else "") as progress:
                    done.append(build(folder, place, ears, problem, progress, count, fresh and not number))
        finally:
            torch.set_num_threads(before)
        for note in (note for one in done for note in one.notes):
            say(note)
        first, clap = done[0], done[1] if len(done) > 1 else None
        if as_json:
            plain: dict[str, Any] = {
                "index": str(place),
                "files": first.files,
                "read": first.read,
                "refused": first.refused,
                "dropped": first.dropped,
                "vectors": first.vectors,
                "seconds": round(sum(one.seconds for one in done), 3),
            }
            if clap is not None:
                plain["clap"] = {"read": clap.read, "refused": clap.refused, "vectors": clap.vectors}
            print(json.dumps(plain), file=results)
        else:
            print(
                f"{first.files} sounds: {_told(first)}, {first.refused} of them not readable, {first.dropped} gone. "
                f"Index: {short_path(place)}",
                file=results,
            )
            if clap is not None:
                print(f"CLAP of {chosen.name}: {_told(clap)}.", file=results)
    return 1 if any(one.refused for one in done) else 0


@library.command("find")
def find(
    imitation: Annotated[Path, typer.Argument(metavar="IMITATION", help="A voice imitating the sound.")],
    where: LibraryOption = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many sounds.")] = 10,
    preset: PresetOption = DEFAULT_PRESET,
    as_json: JsonOption = False,
) -> int:
    """The sounds nearest to an imitation, best first, with the cosine of their vectors.

    Without --library the one library that there is.
    """
    from vocaldm_live.checkpoints.searching import searching_preset
    from vocaldm_live.commands.anchoring import open_search
    from vocaldm_live.library.ears import EncoderEars
    from vocaldm_live.library.places import locate, only_index
    from vocaldm_live.sound.audio import check_imitation, read_sound

    with results_only(as_json) as results:
        base = libraries_folder()
        index = only_index(base) if where is None else locate(where, base)
        sound = check_imitation(read_sound(imitation), str(imitation))
        chosen = open_preset(preset)
        search = open_search(index, chosen)
        ears = EncoderEars(searching_preset(chosen))
        hits = search.find(ears.imitation(sound), top)
        if as_json:
            for hit in hits:
                plain = {"rank": hit.rank, "path": str(hit.path), "score": hit.score, "start": hit.start}
                print(json.dumps(plain), file=results)
        else:
            rows = [
                (short_path(hit.path), f"{hit.score:.3f}", f"{hit.start:.0f} s" if hit.start else "")
                for hit in hits
            ]
            print(table(("sound", "cosine", "from"), rows), file=results)
        search.close()
    return 0


@library.command("list")
def list_libraries(as_json: JsonOption = False) -> int:
    """The libraries there are, with their folders."""
    from vocaldm_live.library.places import known_indexes
    from vocaldm_live.library.store import read_facts

    with results_only(as_json) as results:
        facts = [read_facts(index) for index in known_indexes(libraries_folder())]
        if as_json:
            for one in facts:
                plain = {
                    "index": str(one.index),
                    "folder": str(one.root),
                    "files": one.files,
                    "unreadable": one.unreadable,
                    "encoders": {space.name: space.encoder for space in one.spaces},
                }
                print(json.dumps(plain), file=results)
        elif not facts:
            print("No folder is indexed yet: `vocaldm library build DIR` does it.", file=results)
        else:
            rows = [
                (
                    str(one.root) + ("" if one.root.is_dir() else "  (not there)"),
                    str(one.files),
                    str(one.unreadable),
                    one.index.name,
                )
                for one in facts
            ]
            print(table(("folder", "sounds", "unreadable", "index"), rows), file=results)
    return 0


@library.command("check")
def check(
    where: Annotated[Path, typer.Argument(metavar="DIR|INDEX", help="An indexed folder, or its index.")],
    preset: PresetOption = DEFAULT_PRESET,
) -> int:
    """Whether an index is whole and up to date; names what could not be read. Exit code 1: build it.

    With an imported AudioLDM preset also whether it has CLAP's embeddings of that preset.
    """
    from vocaldm_live.checkpoints.searching import searching_preset
    from vocaldm_live.commands.anchoring import missing_clap
    from vocaldm_live.library.beside import without
    from vocaldm_live.library.compare import differences
    from vocaldm_live.library.ears import SPACE, clap_space, encoder_hash
    from vocaldm_live.library.places import locate
    from vocaldm_live.library.search import check_vectors
    from vocaldm_live.library.store import read_facts, read_problems

    index = locate(where, libraries_folder())
    facts, chosen = read_facts(index), open_preset(preset)
    hashes = {space.name: space.encoder for space in facts.spaces}
    problems = check_vectors(index, SPACE)
    if not problems and hashes[SPACE] != encoder_hash(searching_preset(chosen)):
        problems = [f"The index {index} was made with another encoder than the preset's: build it again."]
    if (space := clap_space(chosen)) is not None:
        lacking = without(index, SPACE, space[0])
        if lacking:
            problems.append(f"{lacking} sounds have no {missing_clap(facts.root, chosen)}.")
        elif space[0] in hashes:
            problems += check_vectors(index, space[0])
    for problem in problems:
        say(problem)
    for sentence in read_problems(index):
        print(sentence)
    new, changed, gone = differences(index, facts.root, say)
    print(
        f"{facts.root}: {facts.files} sounds in the index, {facts.unreadable} of them not readable; "
        f"{new} new, {changed} changed and {gone} gone since it was built."
    )
    return 1 if problems or new or changed or gone else 0


library.command("evaluate")(evaluate_library)


def _told(done: Built) -> str:
    """What a build read, how long it took and how fast it was."""
    rate = f", {done.read / done.seconds:.0f} files/s" if done.read and done.seconds else ""
    return f"{done.read} read in {done.seconds:.1f} s{rate}"


@contextmanager
def _bar(what: str = "") -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar on stderr with the rate and the time that is left, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.markup import escape

    columns = (
        rich_progress.TextColumn("{task.completed}/{task.total}"),
        rich_progress.BarColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.description}"),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(what + name[:40]))

        yield show
