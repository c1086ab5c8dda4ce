"""Server: the OSC port, UDP and TCP, in a thread of its own, and the events that go out of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from vocaldm_live.osc.client import Client, Commands, Handler, State
from vocaldm_live.osc.counters import Counters, log
from vocaldm_live.osc.dispatch import Dispatch
from vocaldm_live.osc.leases import Lease, Leases
from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.table import ROOT, OscError
from vocaldm_live.osc.transport import Connection, Datagrams
from vocaldm_live.osc.wire import Event, event

LOOPBACK = ("127.0.0.1", "localhost")
ATTEMPTS = 20  # to find a port that is free for UDP and TCP both, where any will do


@dataclass(frozen=True)
class OscSettings:
    """Numbers of the OSC port. `port` 0: any free one. With a token, `subscribe` must carry it and commands
    are done for subscribers only; every host but loopback needs one.

    horizon: seconds; a bundle for later than that is refused. most_unsent: bytes that may wait for one TCP client.
    """

    host: str = "127.0.0.1"
    port: int = 9750
    token: str = ""
    horizon: float = 5.0
    most_waiting: int = 256
    most_leases: int = 64
    most_connections: int = 64
    most_unsent: int = 4 * 2**20


class OscServer:
    """Takes commands and sends events. `start` and `stop` from any thread; so are `broadcast` and `send`."""

    def __init__(
        self,
        settings: OscSettings,
        commands: Commands,
        parameters: Parameters,
        state: State = lambda: [],
        version: str = "",
    ) -> None:
        """commands: by address, what the server does not do itself (`subscribe`, `unsubscribe`, `state`, `ping`,
        `version`, `param/*`). A handler for a parameter is called with the checked value before it is set and
        may refuse it with an OscError. `state` is called in the server's thread.
        """
        self.settings = settings
        self.counters = Counters()
        self.leases = Leases(settings.most_leases)
        self.parameters = parameters
        self.state = state
        self.port = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self._dispatch = Dispatch(self, commands, version)
        self._connections: set[Connection] = set()
        self._datagrams = Datagrams(self._dispatch.packet, self.counters)
        self._tcp: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._closers: list[Callable[[], Any]] = []

    def start(self) -> None:
        """Bind and serve; back when it is done. OscError `port` or `token` says why it cannot be."""
        if self.settings.host not in LOOPBACK and not self.settings.token:
            raise OscError(
                "token", f"{self.settings.host} can be reached from elsewhere: set osc.token beside osc.host."
            )
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="osc", daemon=True)
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """Close everything; back when the thread has ended. Harmless when it was never started."""
        thread, loop = self._thread, self.loop
        if thread is None:
            return
        if loop is not None and thread.is_alive():
            with contextlib.suppress(RuntimeError):  # closed in between
                loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._thread = None

    def broadcast(self, address: str, *arguments: Any) -> None:
        """Send an event to every subscriber. Never blocks. OscError `too_long` where it does not fit a datagram."""
        self.post(event(address, *arguments))

    def send(self, client: Client, address: str, *arguments: Any) -> None:
        """Send an event to one client: where its subscription says, else where it came from (seq is 0 then)."""
        self.post(event(address, *arguments), client)

    def post(self, one: Event, client: Client | None = None, audio: bool = False) -> None:
        """Send an event in bytes to one client or all (`audio`: those that asked for it); from any thread."""
        if client is not None:
            self._in_loop(self._send_one, one, client)
        else:
            self._in_loop(self._send_all, one, audio)

    def call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call in the server's thread; dropped when the server has stopped."""
        self._in_loop(function, *arguments)

    def error(self, client: Client, code: str, address: str, id: str, sentence: str) -> None:
        """Tell a client that what it asked for is not possible."""
        self.send(client, f"{ROOT}/error", code[:40], address[:200], id[:100], sentence)

    def set_parameter(self, name: str, value: object) -> None:
        """Set a parameter from this side and tell every subscriber. OscError where it is not legal."""
        self.broadcast(f"{ROOT}/param/{name}", self.parameters.set(name, value))

    def handle(self, address: str, handler: Handler) -> None:
        """Add a handler to the commands, before `start`. ValueError where there is no such command."""
        self._dispatch.handle(address, handler)

    def on_stop(self, close: Callable[[], Any]) -> None:
        """Call this in the server's thread when it stops."""
        self._closers.append(close)

    def _in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        loop = self.loop
        if loop is None:
            return
        if threading.current_thread() is self._thread:
            function(*arguments)
            return
        with contextlib.suppress(RuntimeError):  # the loop was closed in between: nobody listens any more
            loop.call_soon_threadsafe(function, *arguments)

    def _send_all(self, one: Event, audio: bool) -> None:
        for lease in self.leases:
            if lease.audio or not audio:
                self._send(lease, one)

    def _send_one(self, one: Event, client: Client) -> None:
        lease = self.leases.of(client.source)
        if lease is not None:
            self._send(lease, one)
        else:
            self._deliver(client.source, one.numbered(0))

    def _send(self, lease: Lease, one: Event) -> None:
        self._deliver(lease.target, one.numbered(lease.next_seq()))

    def _deliver(self, target: Any, packet: bytes) -> None:
        if isinstance(target, Connection):
            target.send(packet)
        else:
            self._datagrams.send(packet, target)

    def _run(self, started: Future[None]) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._open(loop))
        except (OSError, OverflowError) as error:
            loop.run_until_complete(asyncio.sleep(0))  # what was opened closes in its own callback
            loop.close()
            started.set_exception(_cannot_bind(self.settings, error))
            return
        self.loop = loop
        loop.call_soon(started.set_result, None)
        loop.call_soon(self._sweep)
        try:
            loop.run_forever()
        finally:
            self._close(loop)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        host, port = self.settings.host, self.settings.port
        for attempt in range(ATTEMPTS):
            udp, _ = await loop.create_datagram_endpoint(
                lambda: self._datagrams, local_addr=(host, port), family=socket.AF_INET
            )
            with contextlib.suppress(OSError):
                udp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
            self.port = udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await loop.create_server(self._connection, host, self.port, family=socket.AF_INET)
                return
            except OSError:
                udp.close()
                if port or attempt == ATTEMPTS - 1:
                    raise

    def _connection(self) -> Connection:
        limits = self.settings.most_connections, self.settings.most_unsent
        return Connection(
            self._dispatch.packet, self.counters, self._connections, self.leases.end, *limits
        )  # fmt: skip

    def _sweep(self) -> None:
        assert self.loop is not None
        for lease in self.leases.drop_lapsed(self.loop.time()):
            log.info("the lease of %s ended", lease.target)
        self.loop.call_later(0.5, self._sweep)

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        for close in self._closers:
            close()
        for connection in tuple(self._connections):
            connection.drop()
        if self._tcp is not None:
            self._tcp.close()
        self._datagrams.close()
        loop.run_until_complete(_end_tasks())
        self.loop = None
        loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # transports close in their own callbacks


def _cannot_bind(settings: OscSettings, error: Exception) -> OscError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return OscError(
            "port",
            f"OSC port {settings.port} of {settings.host} is in use, perhaps by another vocaldm live: "
            "end that one, or set osc.port to another number.",
        )
    return OscError(
        "port", f"OSC port {settings.port} of {settings.host} cannot be opened ({error}): set another."
    )
