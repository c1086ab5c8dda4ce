"""Remote: what each OSC command does. Short ones at once in the server's loop, the others in one worker thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from vocaldm_live import __version__
from vocaldm_live.daemon.edits import Edits, find_sound
from vocaldm_live.errors import VocalDMError
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.osc.table import ROOT, OscError, Value, entries

if TYPE_CHECKING:
    from vocaldm_live.daemon.daemon import Daemon
    from vocaldm_live.engine.engine import Engine
    from vocaldm_live.osc.client import Client, Handler

log = logging.getLogger("vocaldm.osc")
MOST_WAITING = 64


class Remote:
    """Joins the OSC server's commands to a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="commands")
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def close(self) -> None:
        """End the worker; what has begun is finished."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def handlers(self) -> dict[str, Handler]:
        """What the server is to call for each command and parameter."""
        calls: dict[str, Callable[..., None]] = {
            "record": self._record,
            "listen": self._listen,
            "audition": self._audition,
            "cancel": self._cancel,
            "capture": self._capture,
            "generate": self._generate,
            "again": self._again,
            "refine": self._refine,
            "like": self._like,
            "history": self._history,
            "star": self._star,
            "library/use": self._library_use,
            "library/find": self._library_find,
            **Edits(self._daemon, self._slowly).calls(),
        }
        found = {f"{ROOT}/{name}": self._handler(f"{ROOT}/{name}", call) for name, call in calls.items()}
        for entry in entries("parameter"):
            found[entry.address] = self._setter(entry.arguments[0].name)
        return found

    def state(self) -> list[tuple[str, tuple[Value, ...]]]:
        """Everything that a new client may want to show, beside the parameters."""
        daemon = self._daemon
        preset = daemon.loader.playing
        lost, device = daemon.microphone_state
        rows: list[tuple[str, tuple[Value, ...]]] = [
            ("version/is", ("VocalDM Live", __version__)),
            ("engine", daemon.engine_state),
            *([("preset/is", (preset.name, preset.sha256))] if preset is not None else []),
            *[("preset/known", (name,)) for name in daemon.preset_names()],
            ("listening", (int(daemon.is_listening),)),
            ("recording", (int(daemon.is_recording),)),
            ("liking", (daemon.session.liking,)),
            ("library/using", daemon.library.using),
            ("mic/ok", (device,)) if device else ("mic/lost", (lost or "The microphone is off.",)),
        ]
        return [(f"{ROOT}/{name}", values) for name, values in rows]

    @staticmethod
    def _handler(address: str, call: Callable[..., None]) -> Handler:
        def handle(arguments: tuple[Value, ...], client: Client) -> None:
            call(client, address, *arguments)

        return handle

    def _setter(self, name: str) -> Handler:
        def handle(arguments: tuple[Value, ...], client: Client) -> None:
            daemon = self._daemon
            if name == "preset":
                known = daemon.preset_names()
                if arguments[0] not in known:
                    sentence = f"There is no preset {arguments[0]!r}: there are {', '.join(known)}."
                    raise OscError("preset", sentence)
                daemon.loader.load(str(arguments[0]))
            daemon.session.controls.touch(name, arguments[0])

        return handle

    # Quick ones --------------------------------------------------------------------------------------------

    def _record(self, client: Client, address: str, on: int) -> None:
        self._quickly("microphone", lambda: self._daemon.record(bool(on)))

    def _listen(self, client: Client, address: str, on: int) -> None:
        self._daemon.listen(bool(on))

    def _audition(self, client: Client, address: str, seconds: float) -> None:
        if self._daemon.microphone is not None:
            self._daemon.microphone.mute(seconds)

    def _cancel(self, client: Client, address: str, request_id: str) -> None:
        jobs = self._daemon.session.jobs
        if not request_id:
            jobs.cancel_all()
        elif not jobs.cancel(request_id):
            raise OscError("id", f"No request {request_id[:100]} is under way: it may have ended already.")

    # Slow ones: files and history --------------------------------------------------------------------------

    def _capture(self, client: Client, address: str, seconds: float, request_id: str) -> None:
        microphone = self._daemon.microphone
        if microphone is None:
            raise OscError(
                "microphone", "The microphone is off: switch microphone.enabled on in the settings."
            )
        snapshot = self._daemon.session.controls.snapshot()

        def capture() -> None:
            self._daemon.session.heard(microphone.capture(seconds), request_id, snapshot)

        self._slowly(client, address, request_id, capture)

    def _generate(self, client: Client, address: str, request_id: str, path: str) -> None:
        snapshot = self._daemon.session.controls.snapshot()

        def generate() -> None:
            from vocaldm_live.sound.audio import check_imitation, read_sound

            if not path:
                self._daemon.session.said(request_id, snapshot)
                return
            real = self._daemon.roots.check(path)
            sound = check_imitation(read_sound(real), real.name)
            imitation = Imitation(sound, real.stem, "osc", real.stat().st_mtime, time.monotonic(), real)
            self._daemon.session.heard(imitation, request_id, snapshot)

        self._slowly(client, address, request_id, generate)

    def _again(self, client: Client, address: str, request_id: str, clip: str) -> None:
        snapshot = self._daemon.session.controls.snapshot()
        self._slowly(
            client, address, request_id, lambda: self._daemon.session.again(request_id, clip, snapshot)
        )

    def _refine(self, client: Client, address: str, request_id: str, clip: str, steps: int) -> None:
        self._slowly(
            client, address, request_id, lambda: self._daemon.session.refine(request_id, clip, steps)
        )

    def _like(self, client: Client, address: str, text: str) -> None:
        def like() -> None:
            from vocaldm_live.sound.audio import check_imitation, read_sound

            daemon = self._daemon
            if not text:
                daemon.session.like(None, None)
            else:
                real, _ = find_sound(daemon, text)
                daemon.session.like(check_imitation(read_sound(real), "the example sound"), real)
            daemon.tell("liking", daemon.session.liking)
            if text and daemon.library.anchoring is not None:
                daemon.library.clear()

        self._slowly(client, address, "", like)

    def _library_use(self, client: Client, address: str, text: str, nearest: int) -> None:
        def use() -> None:
            daemon = self._daemon
            if not text:
                daemon.library.clear()
                return
            daemon.library.use(text, nearest, self._engine().preset)
            if daemon.session.liking:
                daemon.session.like(None, None)
                daemon.tell("liking", "")

        self._slowly(client, address, "", use)

    def _library_find(
        self, client: Client, address: str, request_id: str, text: str, first: int, count: int, library: str
    ) -> None:
        def find() -> None:
            from vocaldm_live.sound.audio import check_imitation, read_sound

            daemon = self._daemon
            if "/" in text or "\\" in text:
                real = daemon.roots.check(text)
                sound = check_imitation(read_sound(real), real.name)
            else:
                sound = daemon.session.gesture_sound(text)

            def send(name: str, *values: Value) -> None:
                daemon.server.send(client, f"{ROOT}/{name}", *values)

            daemon.library.find(request_id, self._engine(), sound, first, count, library, send)

        self._slowly(client, address, request_id, find)

    def _history(self, client: Client, address: str, count: int) -> None:
        def history() -> None:
            found = self._daemon.session.history.entries(missing=False, limit=count)

            def send(name: str, *values: Value) -> None:
                self._daemon.server.send(client, f"{ROOT}/{name}", *values)

            send("history/begin", len(found))
            for one in found:
                send(
                    "history/item",
                    one.id,
                    str(one.path),
                    one.name,
                    one.created,
                    one.seconds,
                    str(one.seed),
                    int(one.starred),
                )
            send("history/end")

        self._slowly(client, address, "", history)

    def _star(self, client: Client, address: str, clip: str, on: int) -> None:
        def star() -> None:
            history = self._daemon.session.history
            found = history.get(clip).id
            history.star(found, bool(on))
            self._daemon.tell("starred", found, int(bool(on)))

        self._slowly(client, address, "", star)

    # Inside ------------------------------------------------------------------------------------------------

    def _engine(self) -> Engine:
        engine: Any = self._daemon.session.jobs.engine
        if engine is None:
            raise OscError("engine", "The preset is still being loaded: ask again when the engine is warm.")
        found: Engine = engine
        return found

    @staticmethod
    def _quickly(code: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except OscError:
            raise
        except VocalDMError as error:
            raise OscError(code, str(error)) from error

    def _slowly(self, client: Client, address: str, request_id: str, call: Callable[[], Any]) -> None:
        if not self._room.acquire(blocking=False):
            raise OscError("busy", "Too many commands wait: send them more slowly.")

        def work() -> None:
            try:
                call()
            except OscError as error:
                self._daemon.server.error(client, error.code, address, request_id, str(error))
            except VocalDMError as error:
                self._daemon.server.error(client, "request", address, request_id, str(error))
            except Exception:
                log.exception("%s failed", address, extra={"request": request_id})
                sentence = "That failed inside the daemon: its log says more."
                self._daemon.server.error(client, "internal", address, request_id, sentence)
            finally:
                self._room.release()

        self._worker.submit(work)
