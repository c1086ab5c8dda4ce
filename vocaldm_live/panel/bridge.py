"""Bridge: one websocket of a page and its own OSC connection to the daemon, translated both ways."""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import suppress
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from vocaldm_live.osc.framing import Framer
from vocaldm_live.osc.table import ROOT, OscError
from vocaldm_live.osc.wire import WireError
from vocaldm_live.panel.translate import as_json, from_osc, message, request_id, to_osc

log = logging.getLogger("vocaldm.panel")
CONNECT_SECONDS = 5.0
TRY_AGAIN_LATER, WENT_AWAY = 1013, 1012
RECORD = f"{ROOT}/record"


@dataclass(frozen=True)
class DaemonPlace:
    """Where the daemon's OSC port is, and its token where it has one."""

    host: str
    port: int
    token: str = ""
    lease_seconds: float = 120.0


class Bridge:
    """Carries messages until either side ends. The lease is taken and renewed here, not by the page."""

    def __init__(self, websocket: WebSocket, daemon: DaemonPlace) -> None:
        self._websocket = websocket
        self._daemon = daemon
        self._held = False  # push to talk went down through this page and has not come up

    async def run(self) -> None:
        """Accept the page, connect, and carry; back when it is over. Never raises for an end of either side."""
        await self._websocket.accept()
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(self._daemon.host, self._daemon.port), CONNECT_SECONDS
            )
        except (OSError, asyncio.TimeoutError):  # noqa: UP041 - another class before Python 3.11
            await self._close(TRY_AGAIN_LATER, "The daemon's OSC port does not answer.")
            return
        tasks = [
            asyncio.ensure_future(one) for one in (self._up(writer), self._down(reader), self._renew(writer))
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                error = task.exception()
                if error is not None and not isinstance(error, (OSError, WebSocketDisconnect, RuntimeError)):
                    log.error("the page's connection ended: %s", error, exc_info=error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._hang_up(writer)
        await self._close(WENT_AWAY, "The daemon ended the connection.")

    async def _up(self, writer: asyncio.StreamWriter) -> None:
        async for text in self._websocket.iter_text():
            try:
                address, packet = to_osc(text)
            except OscError as error:
                where, id = request_id(text)
                # No event of the daemon, so it has no seq.
                refusal = as_json(f"{ROOT}/error", None, error.code, where, id, str(error))
                await self._websocket.send_text(refusal)
                continue
            if address == RECORD:
                self._held = packet == message(RECORD, 1)
            _send(writer, packet)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader) -> None:
        framer = Framer()
        while data := await reader.read(65536):
            try:
                for packet in framer.feed(data):
                    for text in from_osc(packet):
                        await self._websocket.send_text(text)
            except WireError as error:
                log.warning("what the daemon sent is no OSC: %s", error)
                return

    async def _renew(self, writer: asyncio.StreamWriter) -> None:
        while True:
            seconds = self._daemon.lease_seconds
            _send(writer, message(f"{ROOT}/subscribe", 0, seconds, 0, self._daemon.token))
            await writer.drain()
            await asyncio.sleep(seconds / 2)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, RuntimeError):
            if self._held:
                # A page that is closed with the button down must not leave the microphone recording.
                _send(writer, message(RECORD, 0))
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 1.0)

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):
            await self._websocket.close(code, reason)


def _send(writer: asyncio.StreamWriter, packet: bytes) -> None:
    writer.write(struct.pack(">I", len(packet)) + packet)
