"""`vocaldm-train evaluate`: runs of clips held against real sounds, all in one table and on one page."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.errors import DataError, RecipeError, RunError
from vocaldm_live.commands import say, short_path, table

if TYPE_CHECKING:
    from training.judging import Judge, Progress
    from training.listeners import Listener
    from training.runs import Clip

DEFAULT_OUT = Path("evaluation")
NEAREST_HALF, VOICES, SILENCE = "reference, one half", "imitations", "silence"


def evaluate(
    places: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of clips; each is a run.")],
    reference: Annotated[
        Path, typer.Option("--reference", metavar="DIR", help="Real sounds, what clips should be like.")
    ],
    listeners: Annotated[
        list[str] | None,
        typer.Option(
            "--listener", metavar="NAME", help="ours:PRESET, clap:PRESET, panns, vggish or fingerprint."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", metavar="NAME=FILE", help="The published file of panns or vggish."),
    ] = None,
    imitations: Annotated[
        Path | None,
        typer.Option(
            "--imitations", metavar="DIR", help="What clips follow, as `vocaldm evaluate` takes it."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the results go.")] = DEFAULT_OUT,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Embeddings kept; OUT/cache by default.")
    ] = None,
    study: Annotated[bool, typer.Option("--study", help="Also how distances depend on the number.")] = False,
    shown: Annotated[
        int, typer.Option("--shown", metavar="N", min=0, help="Clips of each run on the page.")
    ] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="For subsets and splits.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew what is done already.")] = False,
) -> int:
    """Hold runs of clips against real sounds: FAD, KAD, KL, ISc, LSD, following, retrieval, in one table and page.

    Every folder of sounds at or below those named is a run. Runs that are measured already are not measured
    again unless something they rest on has changed.
    """
    from training.gathering import digests, find_sounds
    from training.judging import Judge
    from training.report.comparison import as_csv, ordered
    from training.report.evaluation_page import evaluation_page
    from training.runs import find_runs, paired, read_imitations

    problems: list[str] = []

    def problem(sentence: str) -> None:
        if sentence not in problems:
            problems.append(sentence)
            say(sentence)

    heard_by = _listeners(listeners or ["fingerprint"], weights or [])
    files = find_sounds(reference)
    found = find_runs(places, out)
    folder = None if imitations is None else read_imitations(imitations, problem)
    _writable(out)
    with _bar() as progress:
        base = digests(files, problem)
        if len(base) < 6:
            raise DataError(f"{reference} holds {len(base)} sounds that can be read: give at least 6.")
        judge = Judge(heard_by, base, folder, cache or out / "cache", seed, progress)
        real = [heard.path for heard in base]
        runs = {
            name: [paired(heard, folder, real) for heard in digests(paths, problem)]
            for name, paths in found.items()
        }
        results: list[dict[str, Any]] = []
        for name, clips in runs.items():
            try:
                results.append(_result(judge, name, clips, out, fresh, problem))
            except DataError as error:
                problem(str(error))
        if not results:
            raise DataError("No run could be measured: see what was said before.")
        results += _anchors(judge, problem)
        measured = {one["name"]: runs[one["name"]] for one in results if one["name"] in runs}
        studies = _studies(judge, measured, problem) if study else {}
        _write(out / "evaluation.json", json.dumps(_report(judge, results, studies, problems), indent=1))
        _write(out / "evaluation.csv", as_csv(ordered(results)))
        page = evaluation_page(out, results, measured, judge, studies, shown, problems)
    print(text(results))
    print(f"\nThe page, with pictures and sounds: {short_path(page)}; all figures: evaluation.csv beside it.")
    return 1 if problems else 0


def text(results: Sequence[Mapping[str, Any]]) -> str:
    """The figures as tables, one for each group of columns, runs in one order."""
    from training.report.comparison import columns, groups, ordered

    lines = ["Brackets: 95 % intervals.", ""]
    rows = ordered(results)
    for group, some in groups(columns(results)).items():
        head = (group, *(column.label for column in some))
        cells = [
            (f"({one['name']})" if one.get("anchor") else one["name"], *(column.cell(one) for column in some))
            for one in rows
        ]
        kept = [row for row in cells if any(cell != "-" for cell in row[1:])]
        lines += [table(head, kept), ""]
    return "\n".join(lines).rstrip()


# Inside -------------------------------------------------------------------------------------------------


def _listeners(names: Sequence[str], weights: Sequence[str]) -> list[Listener]:
    from training.listeners import listener

    files: dict[str, Path] = {}
    for given in weights:
        name, equals, file = given.partition("=")
        if not equals or not file:
            raise RecipeError(f"--weights {given} names no file: write --weights NAME=FILE, as panns=FILE.")
        files[name] = Path(file)
    unused = sorted(set(files) - set(names))
    if unused:
        raise RecipeError(f"--weights {unused[0]}=... is for no listener: add --listener {unused[0]}.")
    made = [listener(name, files.get(name)) for name in dict.fromkeys(names)]
    twice = [one.name for one in made if sum(one.name == other.name for other in made) > 1]
    if twice:
        raise RecipeError(f"Two listeners would be called {twice[0]}: name it once.")
    return made


def _result(
    judge: Judge, name: str, clips: Sequence[Clip], out: Path, fresh: bool, problem: Callable[[str], None]
) -> dict[str, Any]:
    """What was measured of a run before where nothing has changed, else measured now and kept."""
    short = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:60]
    mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    path = out / "runs" / f"{short}-{mark}.json"
    if not fresh:
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = None
        if isinstance(before, dict) and before.get("key") == judge.key(clips):
            say(f"{name}: measured before.")
            return before
    result = judge.run(name, clips, problem)
    _write(path, json.dumps(result, indent=1))
    return result


def _anchors(judge: Judge, problem: Callable[[str], None]) -> list[dict[str, Any]]:
    """What figures are worth: half of the reference against the other half, the imitations, silence."""
    import numpy as np

    from training.gathering import Gathered, digests
    from training.judging import distances, plain

    voices = []
    if judge.imitations is not None:
        voices = digests([one.imitation for one in judge.imitations.by_name.values()], problem)
    anchors: dict[str, dict[str, Any]] = {}
    # By hash, so that neighbours in a folder, often one sound in variants, do not all lie in one half.
    order = sorted(judge.reference, key=lambda heard: heard.sha256)
    halves = order[::2], order[1::2]
    for one in judge.listeners:
        base = judge.heard(one, judge.reference)
        near = distances(judge.heard(one, halves[1]), judge.heard(one, halves[0]), judge.seed)
        sets = {NEAREST_HALF: (len(halves[0]), near)}
        if len(voices) >= 3:
            sets[VOICES] = (len(voices), distances(base, judge.heard(one, voices), judge.seed))
        nothing = np.zeros(2 * one.rate, np.float32)
        answers = one.classes(nothing)
        count = len(base.vectors)
        silence = Gathered(
            np.repeat(one(nothing)[None], count, axis=0),
            np.repeat(one.windows(nothing), count, axis=0),
            None if answers is None else np.repeat(answers[None], count, axis=0),
        )
        sets[SILENCE] = (count, distances(base, silence, judge.seed))
        for name, (size, figures) in sets.items():
            kept = anchors.setdefault(name, {"name": name, "anchor": True, "clips": size, "listeners": {}})
            kept["listeners"][one.name] = plain(figures)
    return list(anchors.values())


def _studies(
    judge: Judge, runs: Mapping[str, Sequence[Clip]], problem: Callable[[str], None]
) -> dict[str, Any]:
    from training.metrics.study import sample_size_study

    found = {}
    for name, clips in runs.items():
        for one in judge.listeners:
            base = judge.heard(one, judge.reference)
            made = judge.heard(one, [clip.heard for clip in clips])
            try:
                found[f"{name}|{one.name}"] = sample_size_study(base.vectors, made.vectors, judge.seed)
            except DataError as error:
                problem(f"{name}: {error}")
    return found


def _report(
    judge: Judge, results: Sequence[Mapping[str, Any]], studies: Mapping[str, Any], problems: Sequence[str]
) -> dict[str, Any]:
    from vocaldm_live import __version__

    return {
        "version": __version__,
        "seed": judge.seed,
        "reference_sounds": len(judge.reference),
        "listeners": {one.name: {"sha256": one.sha256, "width": one.width} for one in judge.listeners},
        "runs": [one for one in results if not one.get("anchor")],
        "anchors": [one for one in results if one.get("anchor")],
        "studies": {
            key: {measure: [asdict(point) for point in points] for measure, points in found.items()}
            for key, found in studies.items()
        },
        "problems": list(problems),
    }


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made ({error.strerror}): name another folder with --out.") from error


def _write(path: Path, said: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(
            said + ("" if said.endswith("\n") else "\n"), encoding="utf-8", errors="backslashreplace"
        )
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise RunError(f"{path} cannot be written ({reason}): name another folder with --out.") from error


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A bar on stderr where that is a terminal."""
    from vocaldm_live.commands.evaluate import _bar as bar

    with bar() as progress:
        yield progress
