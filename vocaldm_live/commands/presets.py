"""`vocaldm presets`: what presets there are, what is in them, whether they are whole, and new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.commands import open_preset, say, table
from vocaldm_live.commands.import_preset import import_preset
from vocaldm_live.errors import PresetError

presets = typer.Typer(
    help="List, show, check and import presets.",
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
