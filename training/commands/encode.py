"""`vocaldm-train encode`: latents, embeddings, sketches and voices of data, before a run or for many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands import SplitOption
from vocaldm_live.commands import say

WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, help="Processes, one thread each.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="WHERE", help="Ray's workers instead: ray://HOST:PORT, or local."),
]
GpusOption = Annotated[
    float,
    typer.Option("--gpus", metavar="SHARE", min=0.0, help="GPUs that Ray keeps for each worker: 1, or 0.5."),
]


def encode(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A folder, a file, or hub:OWNER/NAME.")],
    cache: Annotated[Path, typer.Option("--cache", metavar="DIR", help="Where all of it is kept.")],
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Whose networks encode: a name or a folder.")
    ] = "house",
    given: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="How DATA is laid out; auto looks.")
    ] = "auto",
    held_out: Annotated[
        float,
        typer.Option("--held-out", min=0.0, max=0.99, help="Share of groups, as the run's recipe says."),
    ] = 0.1,
    split: SplitOption = "group",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Groups at most, as the run's recipe says.")
    ] = None,
    voices: Annotated[
        int, typer.Option("--voices", min=0, help="Rendered for a sound that nobody imitated; 0: no voices.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the voices.")] = 1,
    workers: WorkersOption = 2,
    cluster: ClusterOption = None,
    gpus: GpusOption = 0.0,
) -> int:
    """Compute what training takes from data, once. Started again, it goes on where it was stopped."""
    from training.cluster.encode import encode_all, fitting_base
    from training.cluster.pool import spread
    from training.commands import counting_stages, data_of
    from training.data.formats import open_collection

    collection = open_collection(data_of(data, given, held_out, split, limit), say)
    base = fitting_base(preset)
    with spread(workers, cluster, gpus) as pool, counting_stages() as progress:
        done = encode_all(collection, base, cache, pool, voices, seed, progress)
    for problem in done.problems:
        say(problem)
    print(f"{done.sounds} sounds and {done.voices} voices of {collection.name} are in {cache}.")
    return 0
