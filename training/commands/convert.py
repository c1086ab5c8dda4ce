"""`vocaldm-train convert`: data from one format into another, or sounds into the house's examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.commands import say


def convert(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A folder, a file, or hub:OWNER/NAME.")],
    target: Annotated[
        Path | None,
        typer.Argument(metavar="TO", help="The folder to write. With --synthesise FROM may be left out."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="folders, table, vimsketch, qvim-dev, audioldm or mel-images."
        ),
    ] = "",
    come_from: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help="How FROM is laid out; auto looks.")
    ] = "auto",
    synthesise: Annotated[
        bool,
        typer.Option(
            "--synthesise",
            help="Write shards of the house's examples: procedural sounds and varied ones of FROM, each imitated.",
        ),
    ] = False,
    clips: Annotated[int, typer.Option("--clips", min=1, help="Of --synthesise: how many.")] = 4096,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of --synthesise: another, other examples.")] = 1,
    real_share: Annotated[
        float, typer.Option("--real-share", min=0, max=1, help="Of --synthesise: share made of FROM.")
    ] = 0.3,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out", help="Of --synthesise: families, sounds and voices that others never hold."
        ),
    ] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Of --synthesise: processes.")] = 2,
) -> int:
    """Write data in another format. FROM stays as it is; started again, it goes on where it was stopped."""
    from training.commands import counting
    from training.data.convert import convert as convert_collection
    from training.errors import RecipeError

    if synthesise:
        if to not in ("", "shards"):
            raise RecipeError(f"--synthesise writes shards and not {to}: leave out --to.")
        sounds, folder = (None, Path(source)) if target is None else (Path(source), target)
        return _synthesise(sounds, folder, clips, seed, real_share, held_out, workers)
    if target is None or not to:
        raise RecipeError("convert needs FROM, TO and --to FORMAT: say where to write, and as what.")
    with counting("writing") as progress:
        done = convert_collection(source, target, to, come_from, progress)
    for sentence in done.left_out:
        say(sentence)
    print(f"{done.written} items written to {target} as {to}, {len(done.left_out)} troubles.")
    return 0


def _synthesise(
    sounds: Path | None,
    folder: Path,
    clips: int,
    seed: int,
    real_share: float,
    is_held_out: bool,
    workers: int,
) -> int:
    from training.commands import counting
    from training.dataset import SHARD, make_dataset

    shards = -(-clips // SHARD)
    with counting("rendering") as progress:
        made = make_dataset(sounds, folder, clips, seed, real_share, is_held_out, min(workers, shards), say)
        for done, _ in enumerate(made, start=1):
            if progress is not None:
                progress(done, shards)
    print(f"{shards} shards of {SHARD} clips in {folder}.")
    return 0
