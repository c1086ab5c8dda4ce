"""`vocaldm evaluate`: how clips follow a folder of imitations, beside what each figure is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from vocaldm_live.commands import (
    DEFAULT_PRESET,
    DeviceOption,
    PresetOption,
    SeedOption,
    VocoderOption,
    figure,
    open_preset,
    say,
    short_path,
    table,
)
from vocaldm_live.commands.maker import check_options, open_outbox, placeholder
from vocaldm_live.errors import RequestError

DEFAULT_EVALUATION = Path("evaluation")

# Measure, what the table calls it, and how its figures are written.
ROWS = (
    ("loudness_r", "loudness r", ".2f"),
    ("loudness_db", "loudness, dB off", ".1f"),
    ("centroid_r", "centroid r", ".2f"),
    ("pitch_within_50_cents", "pitch within 50 cents", ".0%"),
    ("pitch_within_50_cents_folded", "same, any octave", ".0%"),
    ("voicing_f1", "voicing F1", ".2f"),
    ("onset_f1", "onset F1 at 50 ms", ".2f"),
    ("onset_lag_ms", "onset lag, ms", "+.0f"),
    ("onset_lag_ms_size", "size of that lag, ms", ".0f"),
    ("mel_db", "mel distance, dB", ".1f"),
)
COLUMNS = {
    "clip": "clip",
    "copy": "copy",
    "shuffled": "shuffled",
    "unconditional": "uncond.",
    "resynthesis": "resynth.",
    "reference": "reference",
    "reference resynthesis": "ref. resynth.",
}


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Imitations, and maybe references.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")] = DEFAULT_EVALUATION,
    preset: PresetOption = DEFAULT_PRESET,
    vocoder: VocoderOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most N imitations.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
) -> int:
    """Measure how clips follow the imitations of a folder, with the anchors beside each figure.

    Pairs are NAME_imitation*.wav with NAME_reference*.wav, or equal names in imitations/ and references/; any
    other sound file counts as an imitation.
    """
    from vocaldm_live.engine.engine import Engine
    from vocaldm_live.engine.request import Request
    from vocaldm_live.evaluation import evaluate_folder, find_examples, spread, write_evaluation

    chosen = open_preset(preset, vocoder)
    examples, _ = find_examples(folder)
    if out.resolve() in {example.imitation.parent.resolve() for example in examples}:
        raise RequestError(f"{out} holds the imitations themselves: give another folder with --out.")
    spread(examples, limit)
    check_options(Request(placeholder(), seed=seed), chosen, device, 1)
    open_outbox(out, 24)
    engine = Engine(chosen, device)
    with _bar() as progress:
        evaluation = evaluate_folder(engine, folder, limit, seed, progress)
    for problem in evaluation.problems:
        say(problem)
    target = write_evaluation(evaluation, out)
    print(text(evaluation.report))
    print(f"\nAll figures: {short_path(target)}; pictures and clips lie beside it.")
    return 1 if evaluation.problems else 0


def text(report: dict[str, Any]) -> str:
    """The summary of a report as tables."""
    summary = report["summary"]
    following = summary["following"]
    kinds = [kind for kind in COLUMNS if kind in following]
    rows = []
    for measure, label, pattern in ROWS:
        cells = [figure(following[kind][measure]["median"], pattern) for kind in kinds]
        own = following["clip"][measure]
        if own["median"] is not None:
            cells[0] += f" [{format(own['low'], pattern)}, {format(own['high'], pattern)}]"
        rows.append((label, *cells))
    beyond = summary["beyond_the_voice_db"]
    lines = [
        f"Preset {report['preset']} on {report['device']}: {len(report['clips'])} imitations, "
        f"{report['steps']} steps of {report['sampler']}, guidance {report['guidance']:g}, "
        f"follow {report['follow']:g}. "
        "Medians; brackets: bootstrap 95 %.",
        "",
        table(("measure", *(COLUMNS[kind] for kind in kinds)), rows),
        "",
        f"Beyond the voice: clips lie {beyond['median']:.1f} dB [{beyond['low']:.1f}, {beyond['high']:.1f}] "
        f"farther from the imitation than its resynthesis does, the nearest {beyond['smallest']:+.1f} dB.",
    ]
    if summary["retrieval"]:
        rows = [
            (COLUMNS[kind], f"{one['mrr']:.2f}", f"{one['recall_at_1']:.2f}", str(one["queries"]))
            for kind, one in summary["retrieval"].items()
        ]
        one = summary["retrieval"]["clip"]
        rows.append(("chance", f"{one['chance_mrr']:.2f}", f"{one['chance_recall_at_1']:.2f}", "-"))
        lines += [
            "",
            f"The true reference found among {one['candidates']}, by a fingerprint that no network learned:",
            table(("query", "MRR", "R@1", "queries"), rows),
        ]
    return "\n".join(lines)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr over all examples where that is a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def show(name: str, done: int, total: int) -> None:
            bar.update(task, description=escape(name), completed=done, total=total)

        yield show
