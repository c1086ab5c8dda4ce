"""`vocaldm-train convert`: data from one format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.commands import say


def convert(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A folder, a file, or hub:OWNER/NAME.")],
    target: Annotated[Path, typer.Argument(metavar="TO", help="The folder to write.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="folders, table, vimsketch, qvim-dev, audioldm or mel-images."
        ),
    ],
    come_from: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help="How FROM is laid out; auto looks.")
    ] = "auto",
) -> int:
    """Write data in another format. FROM stays as it is; started again, it goes on where it was stopped."""
    from training.commands import counting
    from training.data.convert import convert as convert_collection

    with counting("writing") as progress:
        done = convert_collection(source, target, to, come_from, progress)
    for sentence in done.left_out:
        say(sentence)
    print(f"{done.written} items written to {target} as {to}, {len(done.left_out)} troubles.")
    return 0
