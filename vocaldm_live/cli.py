"""The `vocaldm` command: its parts, its exit codes, its errors of one sentence.

Exit codes: 0, 1 something failed (the rest was still done), 2 usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from vocaldm_live import __version__
from vocaldm_live.commands import say
from vocaldm_live.commands.bench import benches
from vocaldm_live.commands.cluster import cluster
from vocaldm_live.commands.demo import demo
from vocaldm_live.commands.devices import devices
from vocaldm_live.commands.doctor import doctor
from vocaldm_live.commands.edit import edits
from vocaldm_live.commands.evaluate import evaluate
from vocaldm_live.commands.generate import generate
from vocaldm_live.commands.history import history
from vocaldm_live.commands.hosts import hosts
from vocaldm_live.commands.library import library
from vocaldm_live.commands.live import live
from vocaldm_live.commands.presets import presets
from vocaldm_live.commands.tray import tray
from vocaldm_live.errors import RequestError, VocalDMError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

# What typer raises for options it cannot parse; the class itself has moved between typer's versions.
_OptionError: type[Exception] = typer.BadParameter.__mro__[2]

# Without rich in help texts: it would take longer to load than everything else together.
app = typer.Typer(
    name="vocaldm",
    help="A voice imitates a sound; a 48 kHz sound with the same shape comes out.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (generate, live, tray, demo, devices, evaluate, doctor):
    app.command()(_command)
app.add_typer(edits, name="edit")
app.add_typer(benches, name="bench")
app.add_typer(presets, name="presets")
app.add_typer(history, name="history")
app.add_typer(library, name="library")
app.add_typer(hosts, name="hosts")
app.add_typer(cluster, name="cluster")


@app.callback(invoke_without_command=True)
def vocaldm(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A voice imitates a sound; a 48 kHz sound with the same shape comes out."""
    if version:
        typer.echo(f"vocaldm {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the process's own by default) and return its exit code."""
    return run(app, "vocaldm", arguments)


def run(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a program of this house, whatever it is called, by the same rules; returns its exit code."""
    # OpenMP reads this when torch is loaded: threads that spin long starve the sound card, and threads that
    # do not spin at all take longer to wake than a layer takes to run.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    command = typer.main.get_command(program)
    given = None if arguments is None else list(arguments)
    try:
        code = command.main(args=given, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except _OptionError as error:
        say(_usage_sentence(error, name))
        return USAGE
    except VocalDMError as error:
        say(str(error))
        return USAGE if isinstance(error, RequestError) else FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has gone; what is still buffered must not fail once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code if isinstance(code, int) else 0


def _usage_sentence(error: Exception, program: str) -> str:
    format_message = getattr(error, "format_message", None)
    message = (format_message() if format_message else str(error)).strip().rstrip(".")
    # What a typer of today or yesterday says of text where a number belongs, in words for people.
    for kind, wanted in (("integer", "a whole number"), ("number", "a number"), ("float", "a number")):
        if f"valid {kind}" in message:
            message = f"{message.partition(':')[0]}: {wanted} belongs there"
            break
    context = getattr(error, "ctx", None)
    return f"{message} (see `{context.command_path if context else program} --help`)."
