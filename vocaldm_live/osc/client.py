"""Client: one who sent us a message, over UDP or TCP, as handlers of commands see it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vocaldm_live.osc.table import Value


@dataclass(frozen=True)
class Client:
    """`source`: (ip, port) of a UDP sender, or a TCP connection; `name`: the same for people and logs."""

    source: Hashable
    name: str


class Handler(Protocol):
    """What is done for a command. Called in the server's thread, so it never blocks: it passes work on.

    The arguments are checked and in the table's types, defaults put in. An OscError that it raises goes back
    as `/vocaldm/error`; anything else it raises is logged and goes back as `internal`.
    """

    def __call__(self, arguments: tuple[Value, ...], client: Client) -> None:
        """Do or pass on what the command asks."""


Commands = Mapping[str, Handler]  # by address, `/vocaldm/record` and so on
State = Callable[
    [], "list[tuple[str, tuple[Any, ...]]]"
]  # events that tell the whole state, without its bounds
