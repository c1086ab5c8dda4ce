"""Announce: OSC and OSCQuery by zeroconf, for hosts that look for them; only where the settings ask for it."""

from __future__ import annotations

import socket
from typing import Any

from vocaldm_live.osc.table import OscError


class Announcement:
    """Announced on loopback only, because that is where OSCQuery answers; until `close`."""

    def __init__(self, name: str, query_port: int, osc_port: int) -> None:
        """OscError `zeroconf` where the package is not installed or cannot register."""
        try:
            from zeroconf import Error, IPVersion, ServiceInfo, Zeroconf
        except ImportError as error:
            raise OscError(
                "zeroconf",
                "osc.announce needs the package zeroconf: install it (pip install zeroconf) or turn osc.announce off.",
            ) from error
        self._zeroconf: Any = None
        try:
            self._zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
            for kind, port in (("_oscjson._tcp.local.", query_port), ("_osc._udp.local.", osc_port)):
                info = ServiceInfo(
                    kind,
                    f"{name} {osc_port}.{kind}",
                    addresses=[socket.inet_aton("127.0.0.1")],
                    port=port,
                    server=f"vocaldm-{osc_port}.local.",
                )
                self._zeroconf.register_service(info)
        except (OSError, Error) as error:
            self.close()
            raise OscError(
                "zeroconf", f"Zeroconf cannot announce ({error!r}): turn osc.announce off."
            ) from error

    def close(self) -> None:
        """Take the announcement back."""
        if self._zeroconf is not None:
            self._zeroconf.close()
            self._zeroconf = None
