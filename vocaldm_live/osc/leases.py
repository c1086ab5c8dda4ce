"""Leases: who gets events, where to, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LARGEST_SEQ = 2**31


@dataclass(frozen=True)
class Client:
    """Whom a message came from or goes to: an address of UDP, or one connection of TCP."""

    transport: Literal["udp", "tcp"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}:{self.host}:{self.port}"


@dataclass(eq=False)
class Lease:
    """A subscription: its target, who asked for it, until when (monotonic seconds), and the events' count."""

    target: Client
    asker: Client
    until: float
    audio: bool
    seq: int = 0

    def next_seq(self) -> int:
        """The number of the next event; wraps before it no longer fits an OSC integer."""
        now = self.seq
        self.seq = (self.seq + 1) % LARGEST_SEQ
        return now


class Leases:
    """All subscriptions; not for several threads."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._by_target: dict[Client, Lease] = {}

    def __len__(self) -> int:
        return len(self._by_target)

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._by_target.values()))

    def grant(self, asker: Client, target: Client, until: float, audio: bool) -> tuple[Lease, bool] | None:
        """A new lease and True, or the renewed one and False; None where there are too many."""
        held = self._by_target.get(target)
        if held is not None:
            held.asker, held.until, held.audio = asker, until, audio
            return held, False
        if len(self._by_target) >= self._most:
            return None
        lease = Lease(target, asker, until, audio)
        self._by_target[target] = lease
        return lease, True

    def of(self, client: Client) -> Lease | None:
        """The lease that a client holds or asked for."""
        held = self._by_target.get(client)
        return held or next((lease for lease in self._by_target.values() if lease.asker == client), None)

    def end(self, target: Client) -> bool:
        """End one; whether there was one."""
        return self._by_target.pop(target, None) is not None

    def lapse(self, now: float) -> list[Lease]:
        """End those whose time is over, and return them."""
        over = [lease for lease in self._by_target.values() if lease.until <= now]
        for lease in over:
            del self._by_target[lease.target]
        return over
