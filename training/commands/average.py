"""`vocaldm-train average`: two weights files of one network become one between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def average(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="Weights of a network.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Other weights of the same network.")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, metavar="S", help="0: the first, 1: the second.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
) -> int:
    """Average two weights files of one network: what fine-tuning gained, and what it would have lost."""
    from training.merging import average as between
    from training.part_files import read_state
    from training.runfolder import save_state

    save_state(between(read_state(first), read_state(second), share), out)
    return 0
