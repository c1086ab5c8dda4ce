"""`vocaldm library evaluate`: how well imitations find what they mean, beside baselines and chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vocaldm_live.commands import (
    DEFAULT_PRESET,
    DeviceOption,
    JsonOption,
    PresetOption,
    open_preset,
    results_only,
    say,
    table,
)
from vocaldm_live.errors import SoundError

if TYPE_CHECKING:
    from vocaldm_live.library.dataset import Dataset
    from vocaldm_live.library.ears import EncoderEars
    from vocaldm_live.measure.retrieval import ClassRetrieval
    from vocaldm_live.sound.audio import Sound

T = TypeVar("T")
ENCODER, TWO_DFT, FINGERPRINT = "encoder", "2DFT of the log-mel", "whole fingerprint"


@dataclass(frozen=True)
class Scored:
    """A method's scores, the 95 % interval of its MRR over queries, and how likely guessing is to reach it."""

    scores: ClassRetrieval
    interval: tuple[float, float]
    chance: float


def evaluate_library(
    folder: Annotated[
        Path, typer.Argument(metavar="DATA", help="VimSketch, QVIM-DEV, or pairs of your own.")
    ],
    preset: PresetOption = DEFAULT_PRESET,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="At most N imitations, from all over the set.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Measure query by vocal imitation: MRR, class-wise MRR and NDCG, with baselines and chance beside them.

    DATA is VimSketch (references/, vocal_imitations/), QVIM-DEV (DEV Dataset.csv, Items/, Queries/), or
    NAME_imitation* with NAME_reference* as `vocaldm evaluate` takes them. The first ten seconds are heard. Beside MRR
    stand its interval over queries and the probability that guessing reaches it.
    """
    import torch

    from vocaldm_live.engine.engine import choose_device
    from vocaldm_live.library.ears import EncoderEars

    problems: list[str] = []
    with results_only(as_json) as results:
        dataset = _dataset(folder, limit, problems.append)
        chosen = open_preset(preset)
        ears = EncoderEars(chosen, choose_device(device))
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            found = evaluate_retrieval(dataset, ears, problems.append)
        finally:
            torch.set_num_threads(before)
        for problem in problems:
            say(problem)
        if as_json:
            plain = {"data": dataset.name, "preset": chosen.name, "encoder": ears.sha256}
            methods = {
                name: {
                    **asdict(one.scores),
                    "by_class": dict(one.scores.by_class),
                    "mrr_interval": one.interval,
                    "probability_by_chance": one.chance,
                }
                for name, one in found.items()
            }
            print(json.dumps({**plain, "methods": methods}), file=results)
        else:
            print(text(dataset, chosen.name, found), file=results)
    return 1 if problems else 0


def evaluate_retrieval(
    dataset: Dataset, ears: EncoderEars, problem: Callable[[str], None]
) -> dict[str, Scored]:
    """Scores of the encoder and of the baselines by method; `problem` hears of sounds that are left out.

    Raises SoundError where no query is left.
    """
    import numpy as np

    from vocaldm_live.measure.guessing import chance_of, interval
    from vocaldm_live.measure.retrieval import fingerprint, rank, reciprocal_ranks, score_classes

    def hear(path: Path, is_imitation: bool) -> tuple[Any, Any]:
        sound = _first_seconds(path)
        vector = ears.imitation(sound) if is_imitation else ears(sound)
        return vector, fingerprint(sound.samples, sound.sample_rate)

    items = _each(dataset.items, lambda path: hear(path, False), problem)
    kept = [at for at, one in enumerate(items) if one is not None]
    place = {at: number for number, at in enumerate(kept)}
    wanted = [query for query in dataset.queries if query.item in place]
    queries = _each([query.path for query in wanted], lambda path: hear(path, True), problem)
    pairs = [(one, place[query.item]) for one, query in zip(queries, wanted, strict=True) if one is not None]
    if not pairs or len(kept) < 2:
        raise SoundError(f"No pairs of {dataset.name} are left to be measured: check its files.")
    matrix = np.stack([items[at][0] for at in kept])  # type: ignore[index]
    prints = [items[at][1] for at in kept]  # type: ignore[index]
    orders = {
        ENCODER: [np.argsort(-(matrix @ vector), kind="stable") for (vector, _), _ in pairs],
        TWO_DFT: [rank(one, prints, ("modulation",)) for (_, one), _ in pairs],
        FINGERPRINT: [rank(one, prints) for (_, one), _ in pairs],
    }
    targets = [target for _, target in pairs]
    classes = [dataset.classes[at] for at in kept]
    scored = {}
    for name, order in orders.items():
        one = score_classes(order, targets, classes)
        between = interval(reciprocal_ranks(order, targets))
        scored[name] = Scored(one, between, chance_of(one.mrr, one.queries, one.candidates))
    return scored


def text(dataset: Dataset, preset: str, found: dict[str, Scored]) -> str:
    """The scores as a table."""
    rows = [
        (
            f"{name} ({preset})" if name == ENCODER else name,
            f"{each.scores.mrr:.3f}",
            f"{each.interval[0]:.3f} to {each.interval[1]:.3f}",
            f"{each.chance:.2g}",
            *(f"{value:.3f}" for value in (each.scores.class_mrr, each.scores.ndcg, each.scores.recall_at_1)),
        )
        for name, each in found.items()
    ]
    one = found[ENCODER].scores
    chance = (one.chance_mrr, one.chance_ndcg, one.chance_recall_at_1)
    rows.append(("chance", f"{one.chance_mrr:.3f}", "", "", *(f"{value:.3f}" for value in chance)))
    return (
        f"{dataset.name}: {one.queries} imitations among {one.candidates} sounds, {one.classes} classes asked for.\n\n"
        + table(("method", "MRR", "95 %", "by chance", "class MRR", "NDCG", "R@1"), rows)
    )


# Inside -------------------------------------------------------------------------------------------------


def _dataset(folder: Path, limit: int | None, problem: Callable[[str], None]) -> Dataset:
    """The set in a folder, thinned out to `limit` queries; all items stay."""
    from dataclasses import replace

    from vocaldm_live.evaluation import find_examples, spread
    from vocaldm_live.library.dataset import Dataset, Query, read_dataset

    dataset = read_dataset(folder, problem)
    if dataset is None:
        examples, references = find_examples(folder)
        place = {path: at for at, path in enumerate(references)}
        queries = [
            Query(one.imitation, place[one.reference]) for one in examples if one.reference is not None
        ]
        if not queries or len(references) < 2:
            raise SoundError(f"{folder} holds no pairs: put NAME_imitation and NAME_reference files into it.")
        dataset = Dataset(folder.name, tuple(queries), tuple(references), tuple(map(str, references)))
    return replace(dataset, queries=tuple(spread(dataset.queries, limit)))


def _first_seconds(path: Path) -> Sound:
    from vocaldm_live.library.windows import WINDOW_SECONDS
    from vocaldm_live.sound.audio import read_sound

    return read_sound(path, WINDOW_SECONDS)


def _each(paths: Sequence[Path], hear: Callable[[Path], T], problem: Callable[[str], None]) -> list[T | None]:
    """What is heard of each file, by a thread a core; None where it is left out, which `problem` is told."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    def one(path: Path) -> T | SoundError:
        try:
            return hear(path)
        except SoundError as error:
            return error if str(path) in str(error) else SoundError(f"{path} is left out: {error}")

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        heard: Iterable[T | SoundError] = pool.map(one, paths)
        kept: list[T | None] = []
        for result in heard:
            if isinstance(result, SoundError):
                problem(str(result))
                kept.append(None)
            else:
                kept.append(result)
    return kept
