"""Panel: the web server in front of the daemon, on a thread of its own."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vocaldm_live.errors import VocalDMError

if TYPE_CHECKING:
    import uvicorn

    from vocaldm_live.deliver.gestures import Gestures
    from vocaldm_live.deliver.history import History
    from vocaldm_live.osc.table import Argument
    from vocaldm_live.panel.guard import App
    from vocaldm_live.panel.library import Reach

log = logging.getLogger("vocaldm.panel")
LARGEST_MESSAGE = 64 * 1024
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class PanelError(VocalDMError):
    """The panel can't be opened."""


@dataclass(frozen=True)
class PanelSettings:
    """Where the page is. `port` 0: any free one. Every host but loopback needs a token."""

    host: str = "127.0.0.1"
    port: int = 9752
    token: str = ""


@dataclass(frozen=True)
class Behind:
    """What lies behind the panel: the daemon's OSC port and token, and the clips and folders it may show."""

    osc_host: str
    osc_port: int
    osc_token: str
    history: History
    gestures: Gestures
    outbox: Path
    dropped: Path
    reach: Reach
    legal: Callable[[str], Argument]


class Panel:
    """Serves the page. PanelError where its packages are missing, its port is taken or its token is.

    `start` and `stop` from any thread.
    """

    def __init__(self, settings: PanelSettings, behind: Behind) -> None:
        try:
            import starlette  # noqa: F401
            import uvicorn  # noqa: F401
            import websockets  # noqa: F401
        except ImportError as error:
            raise PanelError(
                f"There is no panel, for the package {error.name} is missing: pip install 'vocaldm-live[panel]'."
            ) from error
        self.settings = settings
        self.port = 0
        self._behind = behind
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        host = EVERYWHERE.get(self.settings.host, self.settings.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def start(self) -> None:
        """Bind and serve; back when the port is open."""
        import uvicorn

        from vocaldm_live.panel.guard import Guard, is_loopback

        wanted = self.settings
        if not is_loopback(wanted.host) and not wanted.token:
            raise PanelError(
                f"The panel at {wanted.host} can be reached from elsewhere: set panel.token beside it."
            )
        bound = self._bind()
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(
            Guard(self._app(), wanted.host, wanted.token),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        # What goes wrong inside is logged by the app; what strangers send wrongly is not worth a line.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [bound]}, name="panel", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every page's connection; back when the thread has ended."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None

    def _app(self) -> App:
        from vocaldm_live.panel.app import Rooms, make_app
        from vocaldm_live.panel.bridge import DaemonPlace
        from vocaldm_live.panel.drops import Drops
        from vocaldm_live.panel.library import Library
        from vocaldm_live.panel.views import Views

        behind = self._behind
        host = EVERYWHERE.get(behind.osc_host, behind.osc_host)
        return make_app(
            Rooms(
                DaemonPlace(host, behind.osc_port, behind.osc_token),
                Library(behind.history, behind.gestures, behind.outbox, behind.reach),
                Drops(behind.dropped),
                Views(),
                behind.legal,
            )
        )

    def _bind(self) -> socket.socket:
        host, port = self.settings.host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            if socket.has_ipv6 and family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # So that a daemon that is started again at once gets its port; elsewhere it would share the port.
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen(128)
        except (OSError, OverflowError) as error:
            bound.close()
            raise PanelError(
                f"The panel's port {port} of {host} can't be opened ({getattr(error, 'strerror', None) or error}): "
                "end what uses it, or set panel.port to another number."
            ) from error
        return bound
