"""Leases: who is sent events, where to, until when, and how many each was sent."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from vocaldm_live.osc.table import OscError
from vocaldm_live.osc.wire import SEQ_END


@dataclass(eq=False)
class Lease:
    """One subscription. `source`: who asked, (ip, port) or a connection; `target`: where its events go."""

    source: Hashable
    target: Hashable
    ends: float
    audio: bool
    seq: int = 0

    def next_seq(self) -> int:
        """The number of the next event; it wraps at 2^31."""
        seq = self.seq
        self.seq = (seq + 1) % SEQ_END
        return seq


class Leases:
    """Subscriptions by target. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self, most: int = 64) -> None:
        self.most = most
        self._leases: dict[Hashable, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._leases.values()))

    def take(self, source: Hashable, target: Hashable, now: float, ttl: float, audio: bool) -> Lease:
        """A new lease, or the one for this target renewed: its count goes on. OscError `busy` when full."""
        self.drop_lapsed(now)
        lease = self._leases.get(target)
        if lease is None:
            if len(self._leases) >= self.most:
                raise OscError("busy", f"{self.most} clients are subscribed already: end one first.")
            lease = self._leases[target] = Lease(source, target, now + ttl, audio)
        lease.source, lease.ends, lease.audio = source, now + ttl, audio
        return lease

    def end(self, target: Hashable) -> bool:
        """End the lease for this target; False where there was none."""
        return self._leases.pop(target, None) is not None

    def of(self, source: Hashable) -> Lease | None:
        """The lease that this source took or that sends to it, None where it has none."""
        found = self._leases.get(source)
        if found is not None:
            return found
        return next((lease for lease in reversed(self._leases.values()) if lease.source == source), None)

    def drop_lapsed(self, now: float) -> list[Lease]:
        """Drop the leases whose time is over, and tell which."""
        lapsed = [lease for lease in self._leases.values() if lease.ends <= now]
        for lease in lapsed:
            del self._leases[lease.target]
        return lapsed
