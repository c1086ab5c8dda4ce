"""Loader: brings presets into warm engines beside the work, and swaps them in between two requests."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vocaldm_live.errors import VocalDMError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.cluster.engine import RemoteEngine
    from vocaldm_live.engine.engine import Engine

log = logging.getLogger("vocaldm.presets")


class Loader:
    """Loads one preset after the other in its own thread, in `where`, local or a cluster, each with `vocoder`
    where that is not None.

    `on_engine(engine)` gets a warm one; `on_refused(name, sentence)` when a preset can't be played: what played
    before plays on. `on_state(state, sentence)` tells loading, warm and failed.
    """

    def __init__(
        self,
        device: str,
        vocoder: str | None,
        on_engine: Callable[[Engine | RemoteEngine], None],
        on_refused: Callable[[str, str], None],
        on_state: Callable[[str, str], None],
        where: str = "local",
    ) -> None:
        self._device, self._vocoder, self._where = device, vocoder, where
        self._on_engine, self._on_refused, self._on_state = on_engine, on_refused, on_state
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ends = threading.Event()
        self.playing: Preset | None = None
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self._thread.start()

    def load(self, name: str) -> None:
        """Load a preset by name or folder; what comes of it is told."""
        self._wanted.put(name)

    def close(self) -> None:
        """End the thread once the presets at hand are loaded; a cluster is waited for no longer."""
        self._ends.set()
        self._wanted.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (name := self._wanted.get()) is not None:
            if self._where != "local" and self._ends.is_set():
                continue
            try:
                self._load(name)
            except VocalDMError as error:
                self._refuse(name, str(error))
            except Exception as error:
                log.exception("the preset %s failed", name)
                what = f"{type(error).__name__}: {error}".rstrip(".")
                self._refuse(name, f"The preset {name} does not load ({what}): the log has more.")

    def _load(self, name: str) -> None:
        from vocaldm_live.checkpoints.places import resolve_preset
        from vocaldm_live.checkpoints.preset import read_preset
        from vocaldm_live.checkpoints.vocoders import resolve_vocoder

        preset = read_preset(resolve_preset(name))
        if self._vocoder is not None:
            preset = preset.with_vocoder(resolve_vocoder(self._vocoder))
        if self.playing is not None and _identity(preset) == _identity(self.playing):
            self._on_state("warm", f"{preset.name} plays.")
            return
        self._on_state("loading", f"{preset.name} is being loaded.")
        from vocaldm_live.cluster.engine import RemoteEngine, open_engine
        from vocaldm_live.engine.engine import Cancelled

        begun = time.monotonic()
        engine = open_engine(preset, self._device, self._where)
        try:
            if isinstance(engine, RemoteEngine):
                engine.warm(self._ends.is_set)
            else:
                engine.warm()
        except Cancelled:
            log.info("%s is no longer waited for", preset.name)
            return
        self.playing = preset
        log.info("%s is warm after %.1f s on %s", preset.name, time.monotonic() - begun, engine.device)
        self._on_engine(engine)
        self._on_state("warm", f"{preset.name} plays.")

    def _refuse(self, name: str, sentence: str) -> None:
        log.warning("%s", sentence)
        self._on_refused(name, sentence)
        self._on_state("warm" if self.playing is not None else "failed", sentence)


def _identity(preset: Preset) -> tuple[Path, str, str | None]:
    return preset.folder, preset.sha256, preset.vocoder.sha256 if preset.vocoder else None
