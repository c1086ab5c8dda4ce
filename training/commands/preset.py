"""`vocaldm-train preset`: a folder of sounds becomes a preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from training.commands.run_options import RunOptions, with_run_options
from vocaldm_live.commands import say, short_path


@with_run_options(without=("out", "data", "devices", "nodes"))
def preset(
    run: RunOptions,
    sounds: Annotated[
        str | None, typer.Option("--sounds", metavar="DIR", help="The folder of sounds to learn from.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Of the new preset.")] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="PRESET", help="The preset to begin from; house by default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="Folder of the run; runs/NAME by default. One begun goes on."
        ),
    ] = None,
    place: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where the preset goes; your own place by default."),
    ] = None,
) -> int:
    """Make a preset from a folder of sounds: no recorded imitations needed, a synthetic voice imitates them.

    It takes 30 minutes unless told otherwise. A daemon that runs finds the preset by itself. Stopped at any moment,
    the same command goes on.
    """
    from training.errors import RecipeError
    from training.preset.judge import sentence
    from training.preset.making import PresetMaker
    from training.preset.recipe import PresetRecipe
    from vocaldm_live.checkpoints.places import own_place

    folder = out or Path("runs") / (name or "preset")
    run = replace(run, out=folder, data=sounds)
    for option, value in (("--sounds DIR", sounds), ("--name NAME", name)):
        if value is None and run.found is None:
            raise RecipeError(f"The preset needs {option}, or --out RUN to go on with a run that was begun.")
    told = run.read(PresetRecipe, {"name": name, "base": base})
    made = PresetMaker(told, folder, place or own_place(), run.fresh).make()
    if made.preset is None:
        say(f"The run is saved in {short_path(folder)} and goes on with the same command.")
        return 0
    print(sentence(made.judged))
    print(
        f"The preset {made.preset.name} lies in {short_path(made.preset.folder)}: vocaldm live --preset {made.preset.name}"
    )
    print(f"Pictures and sounds: {short_path(folder / 'report' / 'index.html')}")
    return 0
