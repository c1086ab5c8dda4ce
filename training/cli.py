"""The `vocaldm-train` command: presets and their parts are made offline. Exit codes are those of `vocaldm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from training.commands.average import average
from training.commands.check import check
from training.commands.convert import convert
from training.commands.encode import encode
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.render import render
from training.commands.vae import vae
from training.commands.vocaldm import vocaldm
from vocaldm_live import __version__
from vocaldm_live.cli import run

app = typer.Typer(
    name="vocaldm-train",
    help="Makes and measures what `vocaldm` plays: offline, resumable.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (vae, check, convert, evaluate, vocaldm, export, average, encode, render):
    app.command()(_command)


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Makes and measures what `vocaldm` plays: offline, resumable."""
    if version:
        typer.echo(f"vocaldm-train {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the process's own by default) and return its exit code."""
    return run(app, "vocaldm-train", arguments)
