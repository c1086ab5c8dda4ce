"""`vocaldm tray`: a small window with the last clips, to be heard and dragged into a DAW."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live.errors import RequestError

# On Python before 3.12 PySide6 6.12.0 forgets to count None and ends in a crash.
PACKAGE = "PySide6-Essentials" if sys.version_info >= (3, 12) else "PySide6-Essentials<6.12"
INSTALL = f'install it with `{sys.executable} -m pip install "{PACKAGE}"`'


def tray(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where the daemon is; as in its settings.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="N", min=1, max=65535, help="Its OSC port.")] = None,
    token: Annotated[str | None, typer.Option(metavar="TEXT", help="Where the daemon wants one.")] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="The daemon's settings, YAML.")
    ] = None,
) -> int:
    """Show the last clips in a small window: click to hear, drag into any DAW."""
    from vocaldm_live.settings import default_file, read_settings

    osc = read_settings(settings_file).osc
    try:
        from vocaldm_live.tray.app import loses_none, run
    except ImportError as error:
        if (error.name or "").split(".")[0] in ("PySide6", "shiboken6"):
            raise RequestError(f"The tray needs PySide6, which is not here: {INSTALL}.") from error
        # Qt is here and a library of the system is not.
        raise RequestError(
            f"The tray's windows can't be used here ({error}): install what is named."
        ) from error
    if loses_none():
        raise RequestError(
            f"This version of PySide6 crashes on this Python: {INSTALL.replace('it', 'another', 1)}."
        )
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise RequestError("There is no screen here to show the tray on: start it in a desktop session.")
    found = host or osc.host
    # A daemon that listens everywhere is reached here at home.
    where = "127.0.0.1" if found in ("0.0.0.0", "::") else found
    memory = default_file().with_name("tray.ini")
    return run(where, port or osc.port, osc.token if token is None else token, memory)
