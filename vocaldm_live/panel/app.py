"""App: the panel's addresses over HTTP: the page, what it draws and plays, what is dropped on it, and its events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from vocaldm_live import __version__
from vocaldm_live.errors import VocalDMError
from vocaldm_live.osc.table import Argument, entries
from vocaldm_live.panel.bridge import Bridge, DaemonPlace
from vocaldm_live.panel.drops import DropError, Drops
from vocaldm_live.panel.library import Library, NotThere, Shown
from vocaldm_live.panel.views import View, Views

log = logging.getLogger("vocaldm.panel")
PAGE = Path(__file__).resolve().parent / "page"
MOST_PAGES = 16  # websockets at once; each is a connection to the daemon
KEEP = {"Cache-Control": "private, max-age=3600"}  # a published clip never changes
ASK = {"Cache-Control": "no-cache"}


@dataclass
class Rooms:
    """What the addresses need. `legal`: what a parameter may be now, by name."""

    daemon: DaemonPlace
    library: Library
    drops: Drops
    views: Views
    legal: Callable[[str], Argument]
    pages: int = 0


def make_app(rooms: Rooms) -> Starlette:
    """The ASGI app, not yet guarded."""
    addresses = Addresses(rooms)
    return Starlette(
        routes=[
            Route("/", addresses.page),
            Route("/table", addresses.table),
            Route("/clips/{id}/audio", addresses.audio),
            Route("/clips/{id}/view", addresses.figures),
            Route("/clips/{id}/spectrogram.png", addresses.picture),
            Route("/dropped", addresses.dropped, methods=["POST"]),
            WebSocketRoute("/events", addresses.events),
            Mount("/page", _Page(directory=PAGE)),
        ],
        exception_handlers={
            NotThere: _not_there,
            DropError: _drop_refused,
            VocalDMError: _failed,
            Exception: _broken,
        },
    )


class Addresses:
    """What each address answers."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def page(self, request: Request) -> Response:
        """The page, with the version that it belongs to."""
        text = (PAGE / "index.html").read_text(encoding="utf-8").replace("{{version}}", __version__)
        return Response(text, media_type="text/html; charset=utf-8", headers=ASK)

    async def table(self, request: Request) -> Response:
        """The parameters with what is legal for the preset that plays."""
        rows = {}
        for entry in entries("parameter"):
            legal = self._rooms.legal(entry.arguments[0].name)
            rows[legal.name] = {
                "kind": legal.kind,
                "low": legal.low,
                "high": legal.high,
                "choices": list(legal.choices),
                "help": entry.help,
            }
        return JSONResponse(
            {"version": __version__, "parameters": rows}, headers={"Cache-Control": "no-store"}
        )

    async def audio(self, request: Request) -> Response:
        """A clip's file, whole or a range of it."""
        shown = await self._shown(request)
        kind = "attachment" if "download" in request.query_params else "inline"
        return FileResponse(
            shown.path, media_type="audio/wav", filename=shown.entry.path.name,
            content_disposition_type=kind, headers=KEEP,
        )  # fmt: skip

    async def figures(self, request: Request) -> Response:
        """A clip's waveform and sketches."""
        return Response((await self._view(request)).figures, media_type="application/json", headers=KEEP)

    async def picture(self, request: Request) -> Response:
        """A clip's spectrogram in grey."""
        return Response((await self._view(request)).picture, media_type="image/png", headers=KEEP)

    async def dropped(self, request: Request) -> Response:
        """Keep a dropped file; its path can then be named to generate and like."""
        name = request.query_params.get("name", "")
        try:
            kept = await self._rooms.drops.take(name, request.headers.get("content-length"), request.stream())
        except ClientDisconnect:
            return Response(status_code=400)
        plain = {"path": str(kept.path), "name": kept.name, "seconds": round(kept.seconds, 4)}
        return JSONResponse(plain, 201)

    async def events(self, websocket: WebSocket) -> None:
        """The OSC table as JSON, both ways."""
        if self._rooms.pages >= MOST_PAGES:
            await websocket.accept()
            await websocket.close(1013, f"{MOST_PAGES} pages are open already: close one.")
            return
        self._rooms.pages += 1
        try:
            await Bridge(websocket, self._rooms.daemon).run()
        finally:
            self._rooms.pages -= 1

    async def _shown(self, request: Request) -> Shown:
        return await run_in_threadpool(self._rooms.library.clip, request.path_params["id"])

    async def _view(self, request: Request) -> View:
        shown = await self._shown(request)
        return await run_in_threadpool(self._rooms.views.of, shown)


class _Page(StaticFiles):
    """The page's own files; asked for anew each time, for the program may have been updated."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers.update(ASK)
        return response


def _sentence(status: int, error: Exception) -> Response:
    return JSONResponse({"sentence": str(error)}, status)


async def _not_there(request: Request, error: Exception) -> Response:
    return _sentence(404, error)


async def _drop_refused(request: Request, error: Exception) -> Response:
    return _sentence(error.status if isinstance(error, DropError) else 400, error)


async def _failed(request: Request, error: Exception) -> Response:
    return _sentence(422, error)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s failed", request.url.path, exc_info=error)
    return JSONResponse({"sentence": "That failed inside the panel: the daemon's log says more."}, 500)
