"""Server: UDP and TCP on one port, in a thread with a loop of its own, that checks everything against the table."""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from vocaldm_live.osc.leases import Client, Lease, Leases
from vocaldm_live.osc.table import ROOT, TABLE, Entry, OscError, Value
from vocaldm_live.osc.wire import Frames, decode, fit, frame

log = logging.getLogger("vocaldm.osc")

Handler = Callable[[Client, Entry, tuple[Value, ...]], None]
LONGEST_DELAY = 5.0  # seconds that a bundle may ask to wait
MOST_DELAYED = 256
MOST_CONNECTIONS = 64
SLOW_BYTES = 1 << 20  # unsent bytes after which a TCP client is let go
LARGEST_TCP = 60000
QUIET_SECONDS = 10.0


class Server:
    """Speaks the table with many clients at once.

    `handler(client, entry, values)` gets every checked command and parameter, in the loop's thread: it must
    return at once, and may raise OscError, which goes back as /vocaldm/error. On a new subscription and on
    /vocaldm/state it is called with the entry of /vocaldm/state. subscribe, unsubscribe and ping are answered here.
    `counters` counts what came in, by kind. With a `token`, subscribe must carry it and all else needs a lease.
    """

    def __init__(self, handler: Handler, host: str = "127.0.0.1", port: int = 0, token: str = "") -> None:
        self._handler = handler
        self._host, self._wanted_port = host, port
        self._token = token
        self.port = port
        self.counters: Counter[str] = Counter()
        self.leases = Leases()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: dict[Client, tuple[asyncio.StreamWriter, Frames]] = {}
        self._delayed = 0
        self._told_at = 0.0
        self._closing = False

    # What anybody may call ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the port; raises OscError where it is taken or the address is not this machine's."""
        self._thread.start()
        try:
            self.run(self._open())
        except OSError as error:
            self.close()
            raise OscError(
                "port",
                f"Port {self._wanted_port} of {self._host} can't be opened ({error.strerror or error}): "
                "another daemon may be running; stop it or choose another osc.port.",
            ) from error

    def close(self) -> None:
        """End every connection and the thread."""
        if self._closing or not self._thread.is_alive():
            return
        self._closing = True
        self.run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the server's loop and wait for it; not from the loop's own thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def broadcast(self, name: str, *values: Value) -> None:
        """Send an event to every subscriber; from any thread, returns at once. Events keep their order."""
        self._later(self._broadcast, TABLE[f"{ROOT}/{name}"], values)

    def send(self, client: Client, name: str, *values: Value) -> None:
        """Send an event to one client; from any thread."""
        self._later(self._send, client, TABLE[f"{ROOT}/{name}"], values)

    def fail(self, client: Client, error: OscError, address: str = "", request: str = "") -> None:
        """Tell one client that something was not possible; from any thread."""
        self.send(client, "error", error.code, address, request, str(error))

    # The loop's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _later(self, call: Callable[..., None], *what: Any) -> None:
        if self._closing:
            return
        try:
            self._loop.call_soon_threadsafe(call, *what)
        except RuntimeError:
            log.debug("an event came after the loop had ended")

    async def _open(self) -> None:
        for _ in range(20 if not self._wanted_port else 1):
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: _Datagrams(self), (self._host, self._wanted_port)
            )
            port = transport.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._connected, self._host, port)
            except OSError:
                transport.close()
                if self._wanted_port:
                    raise
                continue
            self._udp, self.port = transport, port
            self._loop.create_task(self._sweep())
            return
        raise OSError("no port is free for UDP and TCP at once")

    async def _shut(self) -> None:
        if self._tcp is not None:
            self._tcp.close()
        for writer, _ in list(self._connections.values()):
            writer.close()
        if self._udp is not None:
            self._udp.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for lease in self.leases.lapse(time.monotonic()):
                log.info("the lease of %s has lapsed", lease.target)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        client = Client("tcp", peer[0], peer[1])
        if len(self._connections) >= MOST_CONNECTIONS:
            self.counters["too many connections"] += 1
            writer.close()
            return
        frames = Frames()
        self._connections[client] = (writer, frames)
        try:
            while data := await reader.read(65536):
                for packet in frames.feed(data):
                    self.receive(client, packet)
        except ValueError as error:
            self._malformed(client, error)
        except (ConnectionError, asyncio.IncompleteReadError):
            log.debug("%s has gone", client)
        finally:
            self.leases.end(client)
            del self._connections[client]
            writer.close()

    def receive(self, client: Client, packet: bytes) -> None:
        """One packet from outside; never raises."""
        try:
            messages = decode(packet)
        except ValueError as error:
            self._malformed(client, error)
            return
        now = time.time()
        for due, address, arguments in messages:
            wait = due - now
            if wait <= 0.001:
                self._message(client, address, arguments)
            elif wait > LONGEST_DELAY or self._delayed >= MOST_DELAYED:
                self.counters["too far ahead"] += 1
                self._answer_error(
                    client, OscError("time", f"A bundle may wait {LONGEST_DELAY:g} s at most."), address
                )
            else:
                self._delayed += 1
                self._loop.call_later(wait, self._delayed_message, client, address, arguments)

    def _delayed_message(self, client: Client, address: str, arguments: tuple[object, ...]) -> None:
        self._delayed -= 1
        self._message(client, address, arguments)

    def _message(self, client: Client, address: str, arguments: tuple[object, ...]) -> None:
        entry = TABLE.get(address)
        if entry is None or entry.role == "event":
            self.counters["unknown"] += 1
            shown = address[:100]
            self._answer_error(
                client, OscError("unknown", f"There is no command {shown}: docs/osc.md has the list."), shown
            )
            return
        request = ""
        try:
            if entry.arguments and entry.arguments[0].name == "id" and arguments:
                request = str(arguments[0])[:100] if isinstance(arguments[0], str) else ""
            values = entry.check(arguments)
            self.counters["messages"] += 1
            self._command(client, entry, values)
        except OscError as error:
            self.counters[f"error {error.code}"] += 1
            self._answer_error(client, error, address, request)
        except Exception:
            self.counters["failed"] += 1
            log.exception("%s from %s failed", address, client)
            self._answer_error(
                client,
                OscError("internal", "That failed inside the daemon: its log says more."),
                address,
                request,
            )

    def _command(self, client: Client, entry: Entry, values: tuple[Value, ...]) -> None:
        name = entry.address.removeprefix(f"{ROOT}/")
        if name == "subscribe":
            self._subscribe(client, values)
            return
        if self._token and self.leases.of(client) is None:
            raise OscError("token", "Subscribe with the token first.")
        if name == "unsubscribe":
            self.leases.end(self._target(client, values[0]))
        elif name == "ping":
            self._send(client, TABLE[f"{ROOT}/pong"], values)
        else:
            self._handler(client, entry, values)

    def _subscribe(self, client: Client, values: tuple[Value, ...]) -> None:
        port, ttl, audio, token = values
        assert isinstance(ttl, float) and isinstance(token, str)
        if self._token and not hmac.compare_digest(token.encode(), self._token.encode()):
            raise OscError("token", "The token is not the one in the daemon's settings.")
        granted = self.leases.grant(client, self._target(client, port), time.monotonic() + ttl, bool(audio))
        if granted is None:
            raise OscError("leases", "Too many clients are subscribed: end one first.")
        lease, is_new = granted
        if is_new:
            log.info("%s has subscribed", lease.target)
            self._handler(lease.target, TABLE[f"{ROOT}/state"], ())

    @staticmethod
    def _target(client: Client, port: Value) -> Client:
        if client.transport == "tcp" or not port:
            return client
        assert isinstance(port, int)
        return Client("udp", client.host, port)

    def _answer_error(self, client: Client, error: OscError, address: str, request: str = "") -> None:
        self._send(client, TABLE[f"{ROOT}/error"], (error.code, address, request, str(error)))

    def _broadcast(self, entry: Entry, values: tuple[Value, ...]) -> None:
        for lease in self.leases:
            if lease.audio or "/audio/" not in entry.address:
                self._deliver(lease.target, lease, entry, values)

    def _send(self, client: Client, entry: Entry, values: tuple[Value, ...]) -> None:
        lease = self.leases.of(client)
        self._deliver(lease.target if lease is not None else client, lease, entry, values)

    def _deliver(self, target: Client, lease: Lease | None, entry: Entry, values: tuple[Value, ...]) -> None:
        seq = lease.next_seq() if lease is not None else 0
        types = "i" + "".join(argument.kind for argument in entry.arguments)
        try:
            if target.transport == "udp":
                if self._udp is not None and not self._udp.is_closing():
                    self._udp.sendto(fit(entry.address, types, (seq, *values)), (target.host, target.port))
                return
            held = self._connections.get(target)
            if held is None:
                return
            writer, frames = held
            if writer.transport.get_write_buffer_size() > SLOW_BYTES:
                log.warning("%s does not read what it asked for: the connection is closed", target)
                self.leases.end(target)
                writer.transport.abort()
                return
            writer.write(frame(fit(entry.address, types, (seq, *values), LARGEST_TCP), bool(frames.slip)))
        except OscError as error:
            self.counters["too long"] += 1
            log.warning("%s", error)
            if entry.address != f"{ROOT}/error":
                self._deliver(
                    target, lease, TABLE[f"{ROOT}/error"], (error.code, entry.address, "", str(error))
                )
        except OSError as error:
            log.debug("%s can't be reached: %s", target, error)

    def _malformed(self, client: Client, error: Exception) -> None:
        self.counters["malformed"] += 1
        now = time.monotonic()
        if now - self._told_at > QUIET_SECONDS:
            self._told_at = now
            log.warning("%s sends what is no OSC (%s; %d so far)", client, error, self.counters["malformed"])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._server.receive(Client("udp", addr[0], addr[1]), data)

    def error_received(self, exc: Exception) -> None:
        log.debug("a datagram could not be delivered: %s", exc)
