"""Evaluation page: all runs in one table, how many clips it takes, and clips of each run to look at and hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import RunError
from training.judging import Judge
from training.metrics.study import Point
from training.report.comparison import Column, Result, columns, ordered
from training.report.page import Page
from training.runs import Clip
from vocaldm_live.measure.picture import log_spectrogram, picture
from vocaldm_live.sound.audio import Sound, read_sound

LONGEST = 12.0  # s of a sound on the page
PICTURES = 1  # version of the pictures kept


def evaluation_page(
    out: Path,
    results: Sequence[Result],
    runs: Mapping[str, Sequence[Clip]],
    judge: Judge,
    studies: Mapping[str, Mapping[str, Sequence[Point]]],
    shown: int,
    problems: Sequence[str],
) -> Path:
    """Write `out`/index.html and return its path; `shown` clips of each run are on it. Raises RunError."""
    page = Page(out / "index.html", "Evaluation")
    page.text(
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} held against {len(judge.reference)} reference sounds by "
        f"{', '.join(one.name for one in judge.listeners)}. Brackets: 95 % intervals. KAD, FAD, KL and LSD are "
        "better when lower, the rest when higher; lags are best at 0."
    )
    page.text(
        "FAD grows as a set gets smaller, so only runs of one size compare by it; KAD and FAD inf. do not. Anchors "
        "are no runs: half of the reference against the other half is as near as real sounds come, imitations are "
        "what a run that copies the voice would get, silence is what no run may come near to. An encoder judges "
        "clips kindly that were made to please it: do not choose between presets by ours alone."
    )
    found = columns(results)
    head = ("run", *(_label(column) for column in found))
    table = [
        (f"anchor: {one['name']}" if one.get("anchor") else one["name"], *(c.cell(one) for c in found))
        for one in ordered(results)
    ]
    page.table(head, table)
    _studies(page, studies)
    for name in (one["name"] for one in ordered(results) if one["name"] in runs):
        page.heading(name)
        for clip in _spread(runs[name], shown):
            _show(page, clip, judge.cache / f"pictures-{PICTURES}")
    if problems:
        page.heading("Left out")
        for problem in problems:
            page.text(problem)
    return page.write()


# Inside -------------------------------------------------------------------------------------------------


def _label(column: Column) -> str:
    return column.label if column.group == "sets" else f"{column.label}, {column.group}"


def _studies(page: Page, studies: Mapping[str, Mapping[str, Sequence[Point]]]) -> None:
    if not studies:
        return
    page.heading("How many clips it takes")
    page.text(
        "Each distance of subsets of a run: mean and the range of 95 % of the draws. Two runs whose ranges overlap at a "
        "size cannot be told apart by so many clips. Near the right end all subsets share most of their clips, so "
        "there the ranges are narrower than those of other clips would be."
    )
    by_listener: dict[tuple[str, str], dict[str, Sequence[Point]]] = {}
    for key, study in studies.items():
        run, _, listener = key.rpartition("|")
        for measure, points in study.items():
            by_listener.setdefault((listener, measure), {})[run] = points
    for (listener, measure), series in by_listener.items():
        page.lines(
            f"{measure.upper()} by {listener}",
            "clips",
            {run: [(point.size, point.mean) for point in points] for run, points in series.items()},
            {run: [(p.size, p.low, p.high) for p in points] for run, points in series.items()},
            logarithmic=True,
        )


def _show(page: Page, clip: Clip, folder: Path) -> None:
    name = clip.heard.path.name
    sound = read_sound(clip.heard.path, LONGEST)
    voice = None if clip.imitation is None else read_sound(clip.imitation, LONGEST).at(sound.sample_rate)
    other = "" if voice is None else voice.digest()[:16]
    path = folder / f"{clip.heard.sha256}{other}.png"
    if not path.exists():
        # Drawn beside its place: a picture that was cut short by a kill would stay.
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if voice is None:
                _alone(sound, part)
            else:
                picture(voice.samples, sound.samples, sound.sample_rate, part, "")
            part.replace(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(f"{path} cannot be drawn ({reason}): name another place with --cache.") from error
    said = f"{name}, asked for as: {clip.words}" if clip.words else name
    page.picture(said, path)
    if clip.imitation is not None and voice is not None:
        page.sound(f"imitation {clip.imitation.name}", voice.samples, voice.sample_rate)
    page.sound(f"clip {name}", sound.samples, sound.sample_rate)
    if clip.reference is not None:
        meant = read_sound(clip.reference, LONGEST)
        page.sound(f"reference {clip.reference.name}", meant.samples, meant.sample_rate)


def _alone(sound: Sound, path: Path) -> None:
    """A spectrogram on a logarithmic frequency axis, 40 Hz to 20 kHz, 80 dB deep."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(9, 2.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    level = log_spectrogram(sound.samples, sound.sample_rate)
    axes.imshow(level, origin="lower", aspect="auto", cmap="magma", extent=(0, sound.seconds, 0, len(level)))
    marks = np.array([100, 1000, 10000])
    axes.set_yticks(np.log(marks / 40) / np.log(500) * len(level), [str(mark) for mark in marks])
    axes.set_ylabel("Hz", fontsize=9)
    axes.set_xlabel("s", fontsize=9)
    figure.savefig(path, dpi=100, format="png")


def _spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """`count` of them, evenly."""
    if count >= len(clips):
        return list(clips)
    return [clips[int(place)] for place in np.linspace(0, len(clips) - 1, count).round()] if count else []
