"""`vocaldm presets`: what presets there are, what is in them, whether they are whole, and new ones; vocoders too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import open_preset, say, table
from vocaldm_live.commands.import_preset import import_preset
from vocaldm_live.errors import PresetError, RequestError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.vocoders import VocoderChoice

presets = typer.Typer(
    help="List, show, check and import presets; make vocoders of published ones.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
presets.command("import")(import_preset)


@presets.callback(invoke_without_command=True)
def presets_command(context: typer.Context) -> None:
    """List, show, check and import presets."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@presets.command("list")
def list_presets() -> int:
    """The presets that can be named, with version, size and folder."""
    from vocaldm_live.checkpoints.places import find_presets
    from vocaldm_live.checkpoints.preset import read_preset

    rows, good = [], True
    for name, folder in sorted(find_presets().items()):
        try:
            preset = read_preset(folder)
        except PresetError as error:
            say(str(error))
            good = False
            continue
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6
        rate = preset.header.geometry.sample_rate
        rows.append((name, str(preset.header.version), f"{size:.1f} MB", f"{rate} Hz", str(folder)))
    if rows:
        print(table(("preset", "version", "weights", "rate", "folder"), rows))
    elif good:
        say("There are no presets: name a folder of them in VOCALDM_PRESETS.")
        good = False
    return 0 if good else 1


@presets.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A preset, or its folder.")]) -> int:
    """All that a preset's header says, as YAML."""
    preset = open_preset(name)
    print(f"# {preset.folder}\n# sha256 {preset.sha256}\n{preset.header.as_yaml()}", end="")
    return 0


@presets.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|PATH]", help="One preset; without it all that are found.")
    ] = None,
) -> int:
    """Check hashes, keys and shapes of every part; one sentence for each problem."""
    from vocaldm_live.checkpoints.places import find_presets, resolve_preset
    from vocaldm_live.checkpoints.preset import check_preset

    folders = dict(find_presets()) if name is None else {name: Path(resolve_preset(name))}
    if not folders:
        raise PresetError("There are no presets to check: name a folder of them in VOCALDM_PRESETS.")
    good = True
    for label, folder in sorted(folders.items()):
        problems = check_preset(folder)
        for problem in problems:
            say(problem)
        print(f"{label}: {'ok' if not problems else f'{len(problems)} problems'}")
        good = good and not problems
    return 0 if good else 1


@presets.command("vocoder")
def vocoder(
    file: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="Weights of HiFi-GAN or BigVGAN, or their folder.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The vocoder's folder, which --vocoder takes.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its config.json. [default: the one beside FILE]")
    ] = None,
    padding: Annotated[
        str | None,
        typer.Option(
            metavar="half|exact", help="HiFi-GAN only. [default: exact where kernels are 2 x rates]"
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The weights' licence, which clips made with them name."),
    ] = None,
) -> int:
    """Make a vocoder's folder of a published HiFi-GAN or BigVGAN."""
    from vocaldm_live.checkpoints.places import find_presets
    from vocaldm_live.checkpoints.published import import_vocoder

    if padding not in (None, "half", "exact"):
        raise RequestError(f"padding is {padding!r}: choose half or exact.")
    choice = import_vocoder(file, out, config, padding, licence)
    mel = choice.geometry
    assert mel is not None
    print(
        f"{choice.name}: {choice.part.kind}, {mel.sample_rate} Hz, hop {mel.hop}, {mel.mel_bands} bands of "
        f"{mel.fmin:g} to {mel.fmax:g} Hz, n_fft {mel.n_fft}"
    )
    able = [name for name, folder in sorted(find_presets().items()) if _fits(choice, folder)]
    if able:
        print(f"Presets that can play with it: {', '.join(able)}.")
    else:
        print("No preset that is known here makes such a mel.")
    return 0


def _fits(choice: VocoderChoice, folder: Path) -> bool:
    """Whether a preset makes the vocoder's mel; one that cannot be read does not."""
    from vocaldm_live.checkpoints.preset import read_preset

    try:
        read_preset(folder).with_vocoder(choice)
    except PresetError:
        return False
    return True
