"""`vocaldm-train judge-vocoder`: vocoders beside Griffin-Lim, on the same mels of held-out sounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands import SplitOption
from vocaldm_live.commands import JsonOption, results_only, say, table
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from training.data.spec import DataSpec

SECONDS = 3.0  # of each sound


def judge_vocoder(
    vocoders: Annotated[
        list[str],
        typer.Argument(metavar="VOCODER...", help="Runs, presets or folders of vocoders, of one mel."),
    ],
    sounds: Annotated[
        str | None,
        typer.Option("--sounds", metavar="DATA", help="Sounds that are read as data; none: those of a run."),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help="Of these sounds: name, the tenth that the house never heard; content, as runs hold them out; all. "
            "None: as the run did, or name.",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.99, help="With content: of --sounds. None: a run's, or 0.1."),
    ] = None,
    split: SplitOption = "",
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most so many, evenly.")] = None,
    iterations: Annotated[int, typer.Option(min=1, metavar="N", help="Of Griffin-Lim.")] = 32,
    as_json: JsonOption = False,
) -> None:
    """STFT distance to held-out sounds, grain of noise, what silence becomes, tones at the frame rate."""
    import numpy as np

    from training.commands import data_of
    from training.sounds import held_out_of
    from training.vocoding import FIGURES, by_griffin_lim, by_network, judge
    from vocaldm_live.checkpoints.vocoders import resolve_vocoder

    if held_out not in (None, "name", "content", "all"):
        raise RequestError(f"--held-out is {held_out!r}: choose name, content or all.")
    if sounds is None:
        data, by = _only(_of_runs(vocoders))
    else:
        data, by = data_of(sounds, "auto", 0.1 if share is None else share, split or "group"), "name"
        if held_out == "content" and share is None and not split:
            own = [one for one in _of_runs(vocoders) if _place(one[0].source) == _place(sounds)]
            data, by = _only(own) if own else (data, by)
    choices = [resolve_vocoder(name) for name in vocoders]
    mels = [choice.geometry for choice in choices if choice.geometry is not None]
    if not mels:
        raise RequestError("Griffin-Lim is judged beside a vocoder with a mel; name one.")
    geometry = mels[0]
    for choice in choices:
        choice.check_fits(vocoders[0], geometry)
    with results_only(as_json) as results:
        kept = held_out_of(data, geometry.sample_rate, held_out or by, say)  # type: ignore[arg-type]
        count = min(limit or len(kept), len(kept))
        longest = round(SECONDS * geometry.sample_rate)
        chosen = [kept.rows[int(at)][:longest] for at in np.linspace(0, len(kept) - 1, count).round()]
        figures = {
            name: judge(by_network(choice), chosen, choice.geometry or geometry)
            for name, choice in zip(vocoders, choices, strict=True)
            if choice.geometry is not None
        }
        figures["griffin-lim"] = judge(by_griffin_lim(geometry, iterations), chosen, geometry)
        if as_json:
            print(json.dumps({"sounds": count, "figures": figures}), file=results)
            return
        print(f"{count} sounds.", file=results)
        rows = [[name, *(f"{found[key]:.3f}" for key in FIGURES)] for name, found in figures.items()]
        print(table(["", *FIGURES.values()], rows), file=results)


def _of_runs(vocoders: Sequence[str]) -> list[tuple[DataSpec, str]]:
    """The data of each of these that is a run, and by what it holds sounds out; raises RecipeError."""
    from training.recipe_file import read_recipe, recipe_of_run
    from training.trainers.vocoder import VocoderRecipe
    from vocaldm_live.checkpoints.vocoders import VOCODER_FILE

    found: list[tuple[DataSpec, str]] = []
    for name in vocoders:
        path = recipe_of_run(Path(name).expanduser())
        if path is not None and (path.parent / VOCODER_FILE).is_file():
            recipe = read_recipe(path, VocoderRecipe)
            found.append((recipe.data, recipe.held_out_by))
    return found


def _only(runs: Sequence[tuple[DataSpec, str]]) -> tuple[DataSpec, str]:
    """What all of the runs hold out; raises RequestError where they differ or there are none."""
    if not runs:
        raise RequestError("None of these vocoders is a run that says its sounds: name some with --sounds.")
    if any(one != runs[0] for one in runs):
        raise RequestError(
            "These runs did not hold out the same sounds: name some with --sounds and --share."
        )
    return runs[0]


def _place(source: str) -> str:
    """A source, whichever way a folder is named."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else source
