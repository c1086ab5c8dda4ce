"""Dispatch: from a packet that came in to the command that is done, the parameter that is set, or the error."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from vocaldm_live.osc.client import Client, Commands, Handler
from vocaldm_live.osc.counters import log
from vocaldm_live.osc.table import ROOT, TABLE, Entry, OscError, Value
from vocaldm_live.osc.wire import Message, WireError, read_packet

if TYPE_CHECKING:
    from vocaldm_live.osc.server import OscServer

# Kinds of trouble that a client is told about; what is no OSC at all has nobody to tell.
ANSWERED = {"types", "too_long", "bundle"}
STRANGERS_A_SECOND = 20


class Dispatch:
    """Runs in the server's thread only; nothing that comes in stops it."""

    def __init__(self, server: OscServer, commands: Commands, version: str) -> None:
        self._server = server
        self._commands: dict[str, Handler] = {}
        self._version = version
        self._waiting = 0
        self._strangers = (0, 0)
        self._own: dict[str, Callable[[tuple[Value, ...], Client], None]] = {
            f"{ROOT}/subscribe": self._subscribe,
            f"{ROOT}/unsubscribe": self._unsubscribe,
            f"{ROOT}/state": lambda _, client: self._tell_state(client),
            f"{ROOT}/ping": lambda arguments, client: server.send(client, f"{ROOT}/pong", *arguments),
            f"{ROOT}/version": lambda _, client: self._tell_version(client),
        }
        for address, handler in commands.items():
            self.handle(address, handler)

    def handle(self, address: str, handler: Handler) -> None:
        """Do this for a command of the table. ValueError where it is none, or one that is done here."""
        if address not in TABLE or TABLE[address].role == "event" or address in self._own:
            raise ValueError(f"no command to be handled: {address}")
        self._commands[address] = handler

    def packet(self, packet: bytes, client: Client) -> None:
        """Do what a packet asks, now or at its bundle's time."""
        self._server.counters["packets"] += 1
        try:
            messages = read_packet(packet, lambda error: self._trouble(error, client))
        except WireError as error:
            self._trouble(error, client)
            return
        for message in messages:
            if message.when is None:
                self.message(message, client)
            else:
                self._at_its_time(message, message.when - time.time(), client)

    def message(self, message: Message, client: Client) -> None:
        """Do one message; what it asks wrongly is told to its sender."""
        address = message.address
        entry = TABLE.get(address)
        if entry is not None and entry.role == "event":
            # Somebody's answer, or two daemons pointed at each other: never answered, or they would go on.
            self._server.counters["event_came_in"] += 1
            return
        id = _id_of(entry, message.arguments)
        try:
            if entry is None:
                raise OscError(
                    "unknown", f"There is no {address[:100]} here: docs/osc.md lists what there is."
                )
            self._admit(address, client)
            self._do(entry, entry.check(_clamped(address, message.arguments)), client)
        except OscError as error:
            self._refuse(error, address, id, client)
        except Exception:  # a mistake in a handler must not end the server
            self._server.counters["internal"] += 1
            log.exception("%s from %s failed", address, client.name, extra={"request": id})
            self._server.error(client, "internal", address, id, "That failed inside; the log says where.")

    def _do(self, entry: Entry, arguments: tuple[Value, ...], client: Client) -> None:
        own = self._own.get(entry.address)
        handler = self._commands.get(entry.address)
        if own is not None:
            own(arguments, client)
        elif entry.role == "parameter":
            name = entry.arguments[0].name
            checked = self._server.parameters.check(name, arguments[0])
            if handler is not None:
                handler((checked,), client)
            self._server.set_parameter(name, checked)
        elif handler is not None:
            handler(arguments, client)
        else:
            raise OscError("unavailable", f"{entry.address} is not served by this daemon.")
        self._server.counters["done"] += 1

    def _admit(self, address: str, client: Client) -> None:
        if not self._server.settings.token or address == f"{ROOT}/subscribe":
            return
        if self._server.leases.of(client.source) is None:
            raise OscError("token", "Commands are for subscribers here: subscribe with the token first.")

    def _at_its_time(self, message: Message, delay: float, client: Client) -> None:
        loop, settings = self._server.loop, self._server.settings
        if delay <= 0 or loop is None:
            self.message(message, client)
        elif delay > settings.horizon or self._waiting >= settings.most_waiting:
            self._server.counters.note("bundle_far", f"A bundle for {delay:.1f} s later was refused.")
            what = f"A bundle may wait {settings.horizon:g} s, and {settings.most_waiting} messages in all"
            id = _id_of(TABLE.get(message.address), message.arguments)
            self._server.error(client, "timetag", message.address, id, f"{what}: send it later.")
        else:
            self._waiting += 1
            loop.call_later(delay, self._now, message, client)

    def _now(self, message: Message, client: Client) -> None:
        self._waiting -= 1
        self.message(message, client)

    def _trouble(self, error: WireError, client: Client) -> None:
        self._server.counters.note(error.kind, f"{error} It came from {client.name}.")
        if error.kind in ANSWERED and (not self._server.settings.token or self._known(client)):
            self._server.error(client, error.kind, "", "", str(error))

    def _known(self, client: Client) -> bool:
        return self._server.leases.of(client.source) is not None

    def _refuse(self, error: OscError, address: str, id: str, client: Client) -> None:
        self._server.counters[f"refused_{error.code}"] += 1
        if self._server.settings.token and not self._known(client):
            # Answers to strangers are few, so that nobody can make this server flood a third party.
            second = int(time.monotonic())
            count = self._strangers[1] + 1 if self._strangers[0] == second else 1
            self._strangers = (second, count)
            if count > STRANGERS_A_SECOND:
                return
        self._server.error(client, error.code, address, id, str(error))

    def _subscribe(self, arguments: tuple[Value, ...], client: Client) -> None:
        port, ttl, audio, token = cast("tuple[int, float, int, str]", arguments)
        if not hmac.compare_digest(token.encode(), self._server.settings.token.encode()) and (
            self._server.settings.token
        ):
            self._server.counters.note("token", f"{client.name} subscribed without the right token.")
            raise OscError("token", "That is not the token: give the one of the daemon's settings.")
        assert self._server.loop is not None
        now = self._server.loop.time()
        target = _target(client, port)
        before = len(self._server.leases)
        self._server.leases.take(client.source, target, now, ttl, bool(audio))
        if len(self._server.leases) > before:
            log.info("%s subscribed for %g s", client.name, ttl)
        self._tell_state(client)

    def _unsubscribe(self, arguments: tuple[Value, ...], client: Client) -> None:
        lease = self._server.leases.of(client.source)
        target = _target(client, cast(int, arguments[0]))
        if not self._server.leases.end(target) and lease is not None:
            self._server.leases.end(lease.target)

    def _tell_state(self, client: Client) -> None:
        send = self._server.send
        send(client, f"{ROOT}/state/begin")
        for name, value in self._server.parameters.values().items():
            send(client, f"{ROOT}/param/{name}", value)
        for address, arguments in self._server.state():
            send(client, address, *arguments)
        send(client, f"{ROOT}/state/end")

    def _tell_version(self, client: Client) -> None:
        self._server.send(client, f"{ROOT}/version/is", "vocaldm", self._version)


def _target(client: Client, port: int) -> Any:
    """Where a client's events go: another port of the same machine, never another machine."""
    if isinstance(client.source, tuple) and port:
        return (client.source[0], port)
    return client.source


def _clamped(address: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of `subscribe` with a ttl inside what is allowed; all others as they are."""
    if address != f"{ROOT}/subscribe" or len(arguments) < 2:
        return arguments
    ttl = TABLE[address].arguments[1]
    value = arguments[1]
    if isinstance(value, (int, float)) and value == value and ttl.low is not None and ttl.high is not None:
        value = min(max(value, ttl.low), ttl.high)
    return (arguments[0], value, *arguments[2:])


def _id_of(entry: Entry | None, arguments: tuple[Any, ...]) -> str:
    """The request id that a message carries, for its answer; empty where it has none."""
    if entry is None:
        return ""
    pairs = zip(entry.arguments, arguments, strict=False)
    return next((value for a, value in pairs if a.name == "id" and isinstance(value, str)), "")
