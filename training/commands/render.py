"""`vocaldm-train render`: a folder of imitations, or a list, through a preset: many clips, not one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.encode import ClusterOption, GpusOption, WorkersOption
from vocaldm_live.commands import say


def render(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A folder of imitations, or a list of clips to make.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of clips.")],
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="A name or a folder.")] = "house",
    vocoder: Annotated[
        str | None, typer.Option("--vocoder", metavar="NAME", help="Another than the preset's.")
    ] = None,
    takes: Annotated[int, typer.Option("--takes", min=1, help="Clips of each, with other seeds.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Another, other clips.")] = 0,
    steps: Annotated[int | None, typer.Option("--steps", min=1)] = None,
    guidance: Annotated[float | None, typer.Option("--guidance", min=0.0)] = None,
    follow: Annotated[float | None, typer.Option("--follow", min=0.0, max=1.0)] = None,
    eta: Annotated[float, typer.Option("--eta", min=0.0, max=1.0)] = 0.0,
    tail: Annotated[float | None, typer.Option("--tail", min=0.0, help="Seconds after the voice.")] = None,
    text_weight: Annotated[
        float, typer.Option("--text-weight", min=0.0, max=1.0, help="Of a line's words beside its voice.")
    ] = 1.0,
    workers: WorkersOption = 2,
    cluster: ClusterOption = None,
    gpus: GpusOption = 0.0,
) -> int:
    """Make many clips. Started again, it makes those that are missing. Exit code 1 where none could be made."""
    from training.cluster.pool import spread
    from training.cluster.render import Settings, rendering
    from training.cluster.render import render as render_all
    from training.commands import counting
    from training.orders import read_orders
    from vocaldm_live.checkpoints.places import resolve_preset
    from vocaldm_live.checkpoints.preset import read_preset
    from vocaldm_live.checkpoints.vocoders import resolve_vocoder

    orders = read_orders(source, say)
    chosen = read_preset(resolve_preset(preset))
    if vocoder is not None:
        chosen = chosen.with_vocoder(resolve_vocoder(vocoder))
    settings = Settings(steps, guidance, follow, eta, tail, text_weight, seed, takes)
    work = rendering(chosen, settings, elsewhere=cluster is not None)
    with spread(workers, cluster, gpus) as pool, counting("rendering") as progress:
        done = render_all(orders, work, out, pool, progress)
    for problem in done.problems:
        say(problem)
    print(f"{done.made} clips made in {out}, {done.there} were there, {len(done.problems)} troubles.")
    return 0 if done.made or done.there else 1
