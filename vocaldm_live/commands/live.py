"""`vocaldm live`: the daemon, from its settings to its last line."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live.commands import VocoderOption, large_imports, say

if TYPE_CHECKING:
    from vocaldm_live.daemon.daemon import Daemon
    from vocaldm_live.panel.panel import Panel

FAILED = 1
LEVELS = ("debug", "info", "warning", "error")


def live(
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="The settings, YAML.")
    ] = None,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Print the settings in force, and no more.")
    ] = False,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="The preset to begin with.")] = None,
    vocoder: VocoderOption = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="local, or ray://HOST:PORT: generate on a studio's cluster."),
    ] = None,
    microphone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="An input device: number, name or part of one; off: none."),
    ] = None,
    listen: Annotated[
        bool | None, typer.Option("--listen/--no-listen", help="The automatic gate from the start.")
    ] = None,
    outbox: Annotated[Path | None, typer.Option(metavar="DIR", help="Where clips appear.")] = None,
    inbox: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder whose sounds become clips.")
    ] = None,
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="History and heard gestures.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="OSC over UDP and TCP.")] = None,
    panel: Annotated[bool | None, typer.Option("--panel/--no-panel", help="The page for a browser.")] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help=", ".join(LEVELS) + ".")] = None,
    log_json: Annotated[bool | None, typer.Option("--log-json", help="Log lines as JSON.")] = None,
) -> int:
    """Listen to microphone, OSC and inbox; put clips into the outbox."""
    from vocaldm_live.settings import read_settings

    given: dict[str, Any] = {
        "preset": preset,
        "vocoder": vocoder,
        "device": device,
        "engine": engine,
        "microphone.listen": listen,
        "folders.outbox": str(outbox) if outbox else None,
        "folders.inbox": str(inbox) if inbox else None,
        "folders.state": str(state) if state else None,
        "osc.port": port,
        "panel.enabled": panel,
        "log.level": log_level,
        "log.json": log_json,
    }
    if microphone is not None:
        given["microphone.enabled"] = microphone.casefold() != "off"
        if given["microphone.enabled"]:
            given["microphone.device"] = int(microphone) if microphone.isdigit() else microphone
    settings = read_settings(settings_file, {key: value for key, value in given.items() if value is not None})
    if print_settings:
        print(settings.as_yaml(), end="")
        return 0
    begin_logging(settings.log.level, settings.log.json_lines)

    with large_imports():
        from vocaldm_live.daemon.daemon import Daemon

    begun = time.monotonic()
    daemon = Daemon(settings)
    stop = threading.Event()
    signals: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    finish = True
    page = None
    try:
        daemon.start()
        say(f"OSC at {settings.osc.host}:{daemon.server.port}, UDP and TCP.")
        say(f"Clips appear in {daemon.outbox_folder}.")
        if daemon.inbox is not None:
            say(f"Sounds put into {daemon.inbox.folder} become clips.")
        if daemon.microphone is None:
            say("The microphone is off.")
        if settings.panel.enabled:
            page = _open_panel(daemon)
        say(f"Loading {settings.preset} ...")
        while not stop.is_set() and not daemon.warm.wait(0.1):
            pass
        if daemon.failed is not None:
            say(daemon.failed)
            finish = False
            return FAILED
        if not stop.is_set():
            say(f"Warm after {time.monotonic() - begun:.1f} s: make a noise. Ctrl-C ends.")
        stop.wait()
        return 0
    finally:
        if signals:
            say("Stopping: the clip under way is finished." if daemon.session.jobs.running else "Stopping.")
        if page is not None:
            page.stop()
        daemon.close(finish)


def _open_panel(daemon: Daemon) -> Panel | None:
    """The panel; where there can be none that is said, and everything else goes on."""
    from vocaldm_live.daemon.page import open_panel
    from vocaldm_live.panel.panel import PanelError

    try:
        page = open_panel(daemon)
    except PanelError as error:
        say(str(error))
        return None
    say(f"Panel at {page.address}")
    return page


class Lines(logging.Formatter):
    """One line an event: time, level, room, request, sentence."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback's lines after it where there is one."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        request = getattr(record, "request", "")
        about = f" [{request}]" if request else ""
        text = f"{moment}.{int(record.msecs):03d} {record.levelname.lower():<7} {record.name.removeprefix('vocaldm.')}"
        text += f"{about}: {' '.join(record.getMessage().split())}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class JsonLines(logging.Formatter):
    """The same as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        plain: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("vocaldm."),
            "message": " ".join(record.getMessage().split()),
        }
        if getattr(record, "request", ""):
            plain["request"] = getattr(record, "request")  # noqa: B009
        if record.exc_info:
            plain["traceback"] = self.formatException(record.exc_info)
        return json.dumps(plain, ensure_ascii=False)


def begin_logging(level: str, as_json: bool) -> None:
    """Send the project's log to stderr, a line an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Lines())
    root = logging.getLogger("vocaldm")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
