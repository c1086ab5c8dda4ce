"""`vocaldm presets import`: a published AudioLDM, and VocalDM's own files, become a preset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.commands import say
from vocaldm_live.errors import PresetError, RequestError

REPORT = "unused-tensors.txt"
SHOWN = 12


def import_preset(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An AudioLDM .ckpt, or its folder from the Hub.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the preset is called.")],
    qvim: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A QVIM checkpoint, or EfficientAT's mn10_as.")
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A VocalDM adapter, for what the encoder hears.")
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="roberta-base's vocab.json and merges.txt, where FILE has none."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where presets lie.")] = Path("presets"),
    average: Annotated[
        bool | None,
        typer.Option("--ema/--raw", help="The UNet's averaged or raw weights. [default: as published]"),
    ] = None,
) -> int:
    """Make a preset of a published AudioLDM (s, m, l or 48k), with VocalDM's encoder and adapter or without."""
    from vocaldm_live.checkpoints.importing import LICENCE_NOTE, import_audioldm

    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", name):
        raise RequestError(f"The name {name!r} is not possible: give 1 to 64 letters, digits, dots, dashes.")
    say(LICENCE_NOTE)
    done = import_audioldm(file, out / name, average, qvim, adapter, tokenizer)
    for note in done.notes:
        say(note)
    report = done.preset.folder / REPORT
    if done.unused:
        try:
            report.write_text("".join(f"{key}\t{why}\n" for key, why in sorted(done.unused.items())))
        except OSError as error:
            raise PresetError(
                f"{report} cannot be written ({error.strerror}): make its folder writable."
            ) from error
        print(f"{len(done.unused)} tensors were not used, each named in {report}:")
        for line in summary(done.unused):
            print(f"  {line}")
    header = done.preset.header
    size = sum(path.stat().st_size for path in done.preset.folder.glob("*.safetensors")) / 1e6
    print(f"{done.preset.folder}  ({header.description} {size:.0f} MB, {header.licence})")
    print(f"sha256 {done.preset.sha256}")
    return 0


def summary(unused: Mapping[str, str]) -> list[str]:
    """How many tensors went unused for each reason; those that nobody knows by name, as far as there is room."""
    counts = Counter(unused.values())
    lines = [f"{count} {why}" for why, count in counts.most_common() if why != "unknown"]
    unknown = sorted(key for key, why in unused.items() if why == "unknown")
    if unknown:
        more = f", and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        lines.append(f"{len(unknown)} unknown: {', '.join(unknown[:SHOWN])}{more}")
    return lines
