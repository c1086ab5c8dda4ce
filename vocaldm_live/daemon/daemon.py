"""Daemon: makes the rooms, joins them with callbacks, starts and stops them in order. It owns no logic of its own."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live import __version__
from vocaldm_live.daemon.controls import Controls
from vocaldm_live.daemon.library import Library
from vocaldm_live.daemon.loader import Loader
from vocaldm_live.daemon.remote import Remote
from vocaldm_live.daemon.roots import Roots
from vocaldm_live.daemon.session import Session
from vocaldm_live.errors import VocalDMError
from vocaldm_live.osc.audio import AudioSender
from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.query import QueryServer, QuerySettings
from vocaldm_live.osc.server import OscServer, OscSettings
from vocaldm_live.osc.table import ROOT, OscError
from vocaldm_live.settings import Settings, default_folders

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.cluster.engine import RemoteEngine
    from vocaldm_live.engine.engine import Engine
    from vocaldm_live.listen.imitation import Imitation
    from vocaldm_live.listen.inbox import Inbox
    from vocaldm_live.listen.microphone import Level, Microphone

log = logging.getLogger("vocaldm.daemon")
# How long a thread may keep the interpreter from the others: OSC and the microphone wait for no longer. Python's
# own 5 ms were the 99th percentile of a ping while a clip was made.
SWITCH_SECONDS = 0.0005


class Daemon:
    """Microphone, inbox and OSC on one side, outbox, history and OSC on the other, an engine between.

    `start` returns when everything is open; the preset is loaded beside it and jobs wait for it. Raises
    VocalDMError where the outbox, the port or the preset's name can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        from vocaldm_live.deliver.gestures import Gestures
        from vocaldm_live.deliver.history import History
        from vocaldm_live.deliver.outbox import Outbox

        self.settings = settings
        self._switch_before = sys.getswitchinterval()
        folders, clips = settings.folders, settings.clips
        self.outbox_folder = folders.absolute(folders.outbox)
        self.state_folder = folders.absolute(folders.state)
        names = {"cat_id": clips.cat_id, "creator_id": clips.creator_id, "source_id": clips.source_id}
        outbox = Outbox(
            self.outbox_folder, clips.bits, **{name: text for name, text in names.items() if text is not None}
        )
        outbox.check()
        _make(self.state_folder)
        swept = outbox.sweep()
        if swept:
            log.info(
                "%d unfinished files of a daemon that was killed are removed from the outbox", len(swept)
            )
        history = History(self.state_folder / "history.sqlite")
        history.reconcile(self.outbox_folder)
        self.remote = Remote(self)
        controls = Controls(**settings.parameters.model_dump())
        self.server = self._server(controls.parameters)
        self.audio = AudioSender(self.server)
        self.server.handle(f"{ROOT}/audio/resend", self.audio.resend)
        inbox = folders.absolute(folders.inbox) if folders.inbox is not None else None
        self.roots = Roots(
            [
                self.outbox_folder,
                self.state_folder / "imitations",
                *([inbox] if inbox is not None else []),
                *(folders.absolute(folder) for folder in folders.allowed),
            ]
        )
        bases = (self.state_folder / "libraries", default_folders()["state"] / "libraries")
        self.library = Library(bases, self.roots, self.tell)
        self.session = Session(
            controls,
            outbox,
            history,
            Gestures(self.state_folder / "imitations"),
            self.tell,
            self.audio,
            self.roots,
            self.library,
            settings.queue.length,
        )
        self.engine_state = ("loading", "The preset is being loaded.")
        self.warm = threading.Event()
        self.failed: str | None = None
        self.loader = Loader(
            settings.device,
            settings.vocoder,
            self._on_engine,
            self._on_refused,
            self._on_state,
            settings.engine,
        )
        self.microphone: Microphone | None = self._microphone() if settings.microphone.enabled else None
        self.is_listening = settings.microphone.listen
        self.is_recording = False
        self._overflows = 0
        self._lost: str | None = None
        self._device = ""
        self.inbox: Inbox | None = self._inbox(inbox) if inbox is not None else None
        self._watch: Any = None
        self.query: QueryServer | None = None

    def start(self) -> None:
        """Open everything; raises OscError where the port is taken."""
        from vocaldm_live.checkpoints.watch import PresetWatch

        sys.setswitchinterval(SWITCH_SECONDS)
        self.server.start()
        self.loader.load(self.settings.preset)
        if self.settings.osc.query:
            wanted = QuerySettings(port=self.settings.osc.query_port, announce=self.settings.osc.announce)
            self.query = QueryServer(self.server, wanted)
            self.query.start()
        self._watch = PresetWatch(self._on_preset_changed, self._on_preset_gone)
        self._watch.start()
        if self.microphone is not None:
            self.microphone.listen(self.is_listening)
            self.microphone.start()
        if self.inbox is not None:
            self.inbox.start()

    def close(self, finish: bool = True) -> None:
        """Stop listening, finish or cancel the clip under way, write what is to be kept, close the port."""
        if self.inbox is not None:
            self.inbox.close()
        if self.microphone is not None:
            self.microphone.close()
        if self._watch is not None:
            self._watch.close()
        self.remote.close()
        self.session.close(finish)
        self.loader.close()
        self.server.stop()
        counts = sorted(self.server.counters.items())
        log.info("OSC: %s", ", ".join(f"{count} {kind}" for kind, count in counts) or "nothing came")
        self.session.history.close()
        sys.setswitchinterval(self._switch_before)

    # What the remote asks ----------------------------------------------------------------------------------

    def tell(self, name: str, *values: Any) -> None:
        """An event to every subscriber; one that no datagram can carry is told as such."""
        try:
            self.server.broadcast(f"{ROOT}/{name}", *values)
        except OscError as error:
            log.warning("%s", error)
            request = str(values[0]) if name == "ready" else ""
            self.server.broadcast(f"{ROOT}/error", error.code, f"{ROOT}/{name}", request[:100], str(error))

    def record(self, on: bool) -> None:
        """Push to talk; raises MicrophoneError where nothing is heard."""
        if self.microphone is None:
            if on:
                raise VocalDMError("The microphone is off: switch microphone.enabled on in the settings.")
            return
        self.microphone.record(on)
        self.is_recording = on
        self.tell("recording", int(on))

    def listen(self, on: bool) -> None:
        """The automatic gate."""
        self.is_listening = on
        if self.microphone is not None:
            self.microphone.listen(on)
        self.tell("listening", int(on))

    @property
    def microphone_state(self) -> tuple[str | None, str]:
        """The last complaint, and the device's name while it works."""
        return self._lost, self._device

    @staticmethod
    def preset_names() -> list[str]:
        """The names that can be asked for."""
        from vocaldm_live.checkpoints.places import find_presets

        return list(find_presets())

    # Callbacks ---------------------------------------------------------------------------------------------

    def _on_imitation(self, imitation: Imitation) -> None:
        try:
            self.session.heard(imitation)
        except VocalDMError as error:
            log.warning("%s", error)
            self.tell("error", "request", "", "", str(error))

    def _on_level(self, level: Level) -> None:
        self.tell("mic/level", level.peak_dbfs, level.rms_dbfs, int(level.open))
        overflows = self.microphone.state.overflows if self.microphone is not None else 0
        if overflows > self._overflows:
            self._overflows = overflows
            log.warning("the microphone's sound came faster than it was taken: %d blocks are lost", overflows)
            self.tell("mic/overflow", overflows)

    def _on_lost(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self._lost, self._device = sentence, ""
        if self.is_recording:
            self.is_recording = False
            self.tell("recording", 0)
        self.tell("mic/lost", sentence)

    def _on_ok(self, name: str) -> None:
        log.info("listening to %s", name)
        self._lost, self._device = None, name
        self.tell("mic/ok", name)

    def _on_file_refused(self, path: Path, sentence: str) -> None:
        log.warning("%s", sentence)
        self.tell("refused", str(path), sentence)

    def _on_inbox_trouble(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self.tell("error", "inbox", "", "", sentence)

    def _on_engine(self, engine: Engine | RemoteEngine) -> None:
        self.session.jobs.swap(engine)
        preset: Preset = engine.preset
        header: PresetHeader = preset.header
        for name, value in self.session.controls.use(header).items():
            self.tell(f"param/{name}", value)
        self.tell("preset/is", preset.name, preset.sha256)
        self.library.follow(preset)

    def _on_refused(self, name: str, sentence: str) -> None:
        self.tell("preset/refused", name, sentence)
        if self.loader.playing is None:
            self.failed = sentence
        else:
            self.server.set_parameter("preset", self.loader.playing.name)

    def _on_state(self, state: str, sentence: str) -> None:
        self.engine_state = (state, sentence)
        self.tell("engine", state, sentence)
        if state in ("warm", "failed"):
            self.warm.set()

    def _on_preset_changed(self, name: str, folder: Path) -> None:
        log.info("the preset %s has changed", name)
        playing = self.loader.playing
        if playing is not None and playing.name == name:
            self.loader.load(name)
            return
        from vocaldm_live.checkpoints.preset import check_preset

        problems = check_preset(folder)
        if problems:
            self._on_refused(name, problems[0])
        else:
            self.tell("preset/known", name)

    def _on_preset_gone(self, name: str) -> None:
        log.info("the preset %s is gone; what is loaded plays on", name)

    def _server(self, parameters: Parameters) -> OscServer:
        osc = self.settings.osc
        wanted = OscSettings(host=osc.host, port=osc.port, token=osc.token)
        return OscServer(wanted, self.remote.handlers(), parameters, self.remote.state, __version__)

    # Making ------------------------------------------------------------------------------------------------

    def _microphone(self) -> Microphone:
        from vocaldm_live.listen.microphone import Microphone, MicrophoneSettings

        wanted = self.settings.microphone
        settings = MicrophoneSettings(device=wanted.device, ring_seconds=wanted.ring_seconds)
        return Microphone(
            self._on_imitation,
            self._on_level,
            self._on_lost,
            self._on_ok,
            settings=settings,
            gate=self.settings.gate_settings,
        )

    def _inbox(self, folder: Path) -> Inbox:
        from vocaldm_live.listen.inbox import Inbox, InboxSettings

        _make(folder)
        return Inbox(
            folder,
            self._on_imitation,
            self._on_file_refused,
            self._on_inbox_trouble,
            outbox=self.outbox_folder,
            state_file=self.state_folder / "inbox.json",
            settings=InboxSettings(polling=self.settings.folders.polling),
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VocalDMError(
            f"The folder {folder} can't be made ({error.strerror}): choose another in the settings."
        ) from error
