"""Addresses: what the patches take from the daemon's table: names below the root, ranges, versions."""

from __future__ import annotations

from vocaldm_live import __version__
from vocaldm_live.osc.table import ROOT, TABLE, Entry, entries

# Patch and daemon belong together while the first two numbers of the version are the same.
MADE_FOR = ".".join(__version__.split(".")[:2])
PROGRAMS = ("VocalDM Live", "vocaldm")  # how a daemon names itself in the state and when it is asked
PORT = 9750
LEASE = 30  # seconds; renewed long before they are over
ROWS = 8  # clips of the history that an instrument shows
TRIPLE = "audio/begin", "audio/chunk", "audio/end"  # samples over OSC: patches read the file instead


def name(entry: Entry) -> str:
    """An address without the root: `/vocaldm/mic/level` -> `mic/level`."""
    return entry.address.removeprefix(f"{ROOT}/")


def entry(short: str) -> Entry:
    """The entry of a name below the root. KeyError where there is none."""
    return TABLE[f"{ROOT}/{short}"]


def commands() -> tuple[Entry, ...]:
    """Every command."""
    return entries("command")


def parameters() -> tuple[Entry, ...]:
    """Every parameter."""
    return entries("parameter")


def incoming() -> tuple[Entry, ...]:
    """Everything that the daemon sends to a client that reads files itself."""
    return tuple(one for one in entries("event", "parameter") if name(one) not in TRIPLE)


def daily() -> tuple[Entry, ...]:
    """Commands and parameters that a person at a front end uses."""
    return tuple(one for one in entries("command", "parameter") if one.daily)
