"""`vocaldm-train export`: finished runs become a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live.commands import say
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from training.export import Exported

Part = Annotated[Path | None, typer.Option(metavar="RUN", help="A finished run, or its weights file.")]
File = Annotated[Path | None, typer.Option(metavar="FILE")]


def export(
    name: Annotated[str, typer.Option(metavar="NAME", help="What the preset is called.")],
    base: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET", help="What is not given is taken from this preset; none: give all parts."
        ),
    ] = None,
    encoder: Part = None,
    adapter: Part = None,
    unet: Part = None,
    vae: Part = None,
    vocoder: Part = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the runs lie of parts that are not named.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where presets lie.")] = Path("presets"),
    steps: Annotated[
        str | None, typer.Option(metavar="N|LOW:N:HIGH", help="Default steps, or with their range.")
    ] = None,
    guidance: Annotated[
        str | None, typer.Option(metavar="G|LOW:G:HIGH", help="Default guidance, or with its range.")
    ] = None,
    version: Annotated[str, typer.Option(metavar="V", help="Of the preset.")] = "1",
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="One sentence on it.")] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the weights. [default: the base's, or Apache-2.0]")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="float16, bfloat16 or float32. [default: the base's, or float16]"),
    ] = None,
    griffin_lim: Annotated[
        int, typer.Option(min=0, metavar="ITERATIONS", help="Griffin-Lim instead of a vocoder.")
    ] = 0,
    architecture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML by part, where sizes are not the default.")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML: other defaults and ranges.")
    ] = None,
    training: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML or JSON to tell beside what the runs do.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON or YAML: what was measured.")
    ] = None,
    credits: Annotated[Path | None, typer.Option(metavar="FILE", help="Text: one credit a line.")] = None,
    limit: Annotated[float, typer.Option(metavar="MB", help="Above this a word is said.")] = 40.0,
) -> int:
    """Make a preset of finished runs: parts of a base in the place of its own, or all parts."""
    from training.export import PARAMETERS, Words
    from training.export import export as write
    from training.part_files import find_parts
    from training.provenance import read_credits, read_mapping
    from training.rounding import DTYPES
    from vocaldm_live.checkpoints.places import resolve_preset
    from vocaldm_live.checkpoints.preset import read_preset

    if dtype is not None and dtype not in DTYPES:
        raise RequestError(f"dtype is {dtype!r}: choose one of {', '.join(DTYPES)}.")
    opened = None if base is None else read_preset(resolve_preset(base))
    named = {"encoder": encoder, "adapter": adapter, "unet": unet, "vae": vae, "vocoder": vocoder}
    given = {part: place for part, place in named.items() if place is not None}
    parts = find_parts(runs, given, opened is None, ("vocoder",) if griffin_lim else ())
    wanted = read_mapping(parameters)
    usual = PARAMETERS if opened is None else opened.header.parameters.model_dump(mode="json")
    for key, text, kind in (("steps", steps, int), ("guidance", guidance, float)):
        if text is not None:
            wanted[key] = _range(key, text, wanted.get(key, usual[key]), kind)
    words = Words(
        version,
        description,
        licence,
        wanted,
        read_mapping(training),
        read_mapping(metrics),
        read_credits(credits),
        read_mapping(architecture),
        griffin_lim,
        dtype,
    )
    say_exported(write(opened, parts, name, to, words), limit)
    return 0


def say_exported(done: Exported, limit: float = float("inf")) -> None:
    """What was decided, what each file weighs and how far its weights were rounded, and the preset's hash."""
    from training.rounding import type_name

    for note in done.notes:
        say(note)
    total, folder = 0, done.preset.folder
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        total += size
        part = path.stem if path.suffix == ".safetensors" else ""
        told = f"  {type_name(done.dtypes[part])}" if part in done.dtypes else ""
        told += f", rounded by {done.rounding[part]:.3%}" if part in done.rounding else ""
        print(f"{size / 1e6:8.2f} MB  {path.relative_to(folder)}{told}")
    print(f"{total / 1e6:8.2f} MB  in all, {folder}, sha256 {done.preset.sha256}")
    if total > limit * 1e6:
        say(f"The preset is larger than {limit:g} MB; use smaller networks.")


def _range(key: str, text: str, usual: Any, kind: type) -> dict[str, Any]:
    """`4` sets the default and keeps the range; `2:4:8` sets both."""
    try:
        numbers = [kind(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return dict(usual) | {"default": numbers[0]}
    if len(numbers) == 3:
        return dict(zip(("low", "default", "high"), numbers, strict=True))
    raise RequestError(f"{key} is {text!r}: write one number, or LOW:DEFAULT:HIGH.")
