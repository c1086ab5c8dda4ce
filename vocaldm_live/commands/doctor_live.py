"""What `vocaldm doctor` looks at for `vocaldm live`: settings, microphone, ports, folders; files need none of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vocaldm_live.commands.finding import NOTE, OK, Finding
from vocaldm_live.errors import VocalDMError

if TYPE_CHECKING:
    from vocaldm_live.settings import Settings


def look_at_live(path: Path | None = None) -> Iterator[Finding]:
    """Everything that the daemon needs, by a settings file or the usual one."""
    from vocaldm_live.settings import read_settings

    try:
        settings = read_settings(path)
    except VocalDMError as error:
        for sentence in str(error).splitlines():
            yield Finding("settings", NOTE, sentence)
        return
    yield from look_at_microphone(settings)
    yield from look_at_ports(settings)
    yield from look_at_folders(settings)


def look_at_microphone(settings: Settings) -> Iterator[Finding]:
    """The input device that the daemon would take."""
    from vocaldm_live.listen.devices import choose_device, list_devices

    if not settings.microphone.enabled:
        yield Finding("microphone", OK, "It is switched off in the settings.")
        return
    try:
        device = choose_device(list_devices(), settings.microphone.device)
    except VocalDMError as error:
        yield Finding("microphone", NOTE, f"{error} Files and OSC work without it.")
        return
    yield Finding("microphone", OK, f"{device.name}, {device.channels} channels at {device.sample_rate} Hz.")


def look_at_ports(settings: Settings) -> Iterator[Finding]:
    """Whether the daemon's ports are free."""
    from vocaldm_live.daemon.controls import START
    from vocaldm_live.osc.parameters import Parameters
    from vocaldm_live.osc.server import OscServer, OscSettings

    osc = settings.osc
    server = OscServer(OscSettings(host=osc.host, port=osc.port, token=osc.token), {}, Parameters(START))
    try:
        server.start()
        server.stop()
        yield Finding("OSC port", OK, f"{osc.host}:{osc.port} is free for `vocaldm live`.")
    except VocalDMError as error:
        yield Finding("OSC port", NOTE, str(error))
    if not osc.query:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if os.name == "posix" else 0)
        try:
            one.bind(("127.0.0.1", osc.query_port))
        except OSError as error:
            sentence = f"OSCQuery's port {osc.query_port} is taken ({error.strerror}): set osc.query_port to another."
            yield Finding("OSCQuery", NOTE, sentence)
            return
    yield Finding("OSCQuery", OK, f"127.0.0.1:{osc.query_port} is free for it.")


def look_at_folders(settings: Settings) -> Iterator[Finding]:
    """Whether outbox, inbox and state take files, or can be made."""
    folders = settings.folders
    for name, folder in (("outbox", folders.outbox), ("inbox", folders.inbox), ("state", folders.state)):
        if folder is None:
            yield Finding(name, OK, "It is switched off in the settings.")
            continue
        wanted = folders.absolute(folder)
        place = wanted
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            yield Finding(name, NOTE, f"{place} is a file: set folders.{name} to another folder.")
        elif not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(name, NOTE, f"{place} takes no files: mend its permissions or set folders.{name}.")
        else:
            yield Finding(name, OK, f"{wanted}." if place == wanted else f"{wanted}, to be made in {place}.")
