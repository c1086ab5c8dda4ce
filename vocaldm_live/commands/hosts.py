"""`vocaldm hosts`: what other programs need to fetch clips by themselves; scripts for REAPER."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.errors import DeliveryError, RequestError

OUTBOX_NOTE = "vocaldm_outbox.txt"

hosts = typer.Typer(help="Install scripts for other programs.", no_args_is_help=True, rich_markup_mode=None)


@hosts.callback()
def hosts_command() -> None:
    """Install scripts for other programs."""


@hosts.command("reaper")
def reaper(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Another folder than REAPER's usual one.")
    ] = None,
    outbox: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the clips are; as in the daemon's settings.")
    ] = None,
) -> int:
    """Copy the two REAPER actions: insert the newest clip, insert all variations as takes."""
    from vocaldm_live.settings import read_settings

    target = to.expanduser().absolute() if to is not None else usual_folder()
    if to is None:
        print(f"REAPER's Scripts folder here is usually {target}")
        if not target.parent.is_dir():
            raise RequestError(
                f"{target.parent} is not there: start REAPER once, or name its Scripts folder with --to."
            )
        target = target / "VocalDM"
    folders = read_settings().folders
    clips = folders.absolute(outbox or folders.outbox)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for script in sorted(scripts(), key=lambda one: one.name):
            (target / script.name).write_bytes(script.read_bytes())
            print(target / script.name)
        (target / OUTBOX_NOTE).write_text(f"{clips}\n", encoding="utf-8")
    except OSError as error:
        raise DeliveryError(
            f"{target} takes no scripts ({error.strerror}): name another with --to."
        ) from error
    print(f"They take clips from {clips}")
    print(
        "In REAPER: Actions, Show action list, New action, Load ReaScript, and choose both `VocalDM - ...` files."
    )
    return 0


def scripts() -> list[resources.abc.Traversable]:
    """The files that REAPER needs."""
    folder = resources.files("vocaldm_live") / "hosts" / "reaper"
    return [one for one in folder.iterdir() if one.name.endswith(".lua")]


def usual_folder() -> Path:
    """Where REAPER keeps scripts on this system, unless it is a portable installation."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "REAPER" / "Scripts"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / "REAPER" / "Scripts"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "REAPER" / "Scripts"
