"""Link: the line to the daemon, OSC over TCP; the lease is renewed, and a line that breaks is tried again."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from vocaldm_live.osc.framing import Framer
from vocaldm_live.osc.table import ROOT, TABLE
from vocaldm_live.osc.wire import SEQ_END, WireError

LEASE = 60.0  # seconds; TCP would tell a client that is gone, but a computer that sleeps tells nobody
RENEW = 20.0
PING = 2.0
SILENCE = 6.0  # seconds without any word, three pings among them: the daemon hangs or the line is dead
RETRY = 1.0
MOST_WAITING = 200

Heard = Callable[[str, tuple[Any, ...]], None]


class Link:
    """Talks with one daemon from a thread of its own.

    `heard(name, arguments)` gets every event: its address below /vocaldm, its arguments after `seq`. Two names
    are the link's own: `link/up` (no arguments) and `link/down` (a sentence). Both come in the link's thread.
    """

    def __init__(self, host: str, port: int, heard: Heard, token: str = "") -> None:
        self.host, self.port = host, port
        self._heard = heard
        self._token = token
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._bell, self._ear = socket.socketpair()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tray-link", daemon=True)
        self._up = False
        self._seq = 0

    def start(self) -> None:
        """Begin to look for the daemon."""
        self._thread.start()

    def stop(self) -> None:
        """Unsubscribe and end; back when the thread has ended."""
        self._stopped.set()
        self._ring()
        if self._thread.is_alive():
            self._thread.join(5)
        if not self._thread.is_alive():
            self._bell.close()
            self._ear.close()

    def send(self, name: str, *arguments: Any) -> bool:
        """Send a command of the table; False where nobody is there to hear it. From any thread.

        OscError where the arguments are not the command's.
        """
        packet = packed(name, *arguments)
        if not self._up:
            return False
        self._waiting.append(packet)
        self._ring()
        return True

    # Inside ------------------------------------------------------------------------------------------------

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._bell.send(b"!")

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with socket.create_connection((self.host, self.port), 2.0) as line:
                    reason = self._talk(line)
            except OSError as error:
                reason = (
                    ""
                    if isinstance(error, (ConnectionRefusedError, TimeoutError))
                    else os.strerror(error.errno or 0)
                )
            self._up = False
            if not self._stopped.is_set():
                self._heard("link/down", (reason,))
                self._stopped.wait(RETRY)

    def _talk(self, line: socket.socket) -> str:
        """Speak until the line breaks; why it did."""
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        framer, self._seq = Framer(), -1
        subscribe = packed("subscribe", 0, LEASE, 0, self._token)
        self._waiting.clear()
        now = time.monotonic()
        line.sendall(framer.wrap(subscribe))
        renew, ping, silent = now + RENEW, now + PING, now + SILENCE
        while not self._stopped.is_set():
            ready, _, _ = select.select([line, self._ear], [], [], max(0.0, min(renew, ping, silent) - now))
            now = time.monotonic()
            if self._ear in ready:
                self._ear.recv(4096)
            if line in ready:
                data = line.recv(65536)
                if not data:
                    return ""
                silent = now + SILENCE
                try:
                    packets = framer.feed(data)
                except WireError:
                    return f"what answers at port {self.port} is not VocalDM Live"
                for packet in packets:
                    self._take(packet)
            if now >= silent:
                return "it does not answer any more"
            if now >= renew:
                renew = now + RENEW
                line.sendall(framer.wrap(subscribe))
            if now >= ping:
                ping = now + PING
                line.sendall(framer.wrap(packed("ping", "tray")))
            while self._waiting:
                line.sendall(framer.wrap(self._waiting.popleft()))
        with contextlib.suppress(OSError):
            line.sendall(framer.wrap(packed("unsubscribe", 0)))
        return ""

    def _take(self, packet: bytes) -> None:
        try:
            message = OscMessage(packet)
        except Exception:  # python-osc raises many kinds; a message that cannot be read is as good as lost
            return
        entry = TABLE.get(message.address)
        values = message.params
        if entry is None or entry.role == "command" or len(values) != len(entry.arguments) + 1:
            return  # a newer daemon says more than this tray knows
        name = message.address[len(ROOT) + 1 :]
        if name == "state/end":
            # Only now is it known that the lease was given; a wrong token is told by an error before this.
            if not self._up:
                self._up = True
                self._heard("link/up", ())
        elif 0 <= self._seq and values[0] != (self._seq + 1) % SEQ_END and self._up:
            self._waiting.append(packed("state"))
            self._heard("link/gap", ())
        self._seq = values[0]
        self._heard(name, tuple(values[1:]))


def packed(name: str, *arguments: Any) -> bytes:
    """A command of the table in bytes; OscError where the arguments are not the command's."""
    entry = TABLE[f"{ROOT}/{name}"]
    builder = OscMessageBuilder(entry.address)
    for argument, value in zip(entry.arguments, entry.check(arguments), strict=False):
        builder.add_arg(value, argument.kind)
    return builder.build().dgram
