"""Watch: tells when a preset's folder has changed and come to rest. Looks, loads nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from vocaldm_live.checkpoints.places import find_presets
from vocaldm_live.errors import PresetError

Signature = tuple[tuple[str, int, int], ...]
log = logging.getLogger("vocaldm.presets")


class PresetWatch:
    """Looks at every preset folder each `interval` seconds and reports those that changed.

    A folder is reported once it has looked the same twice in a row, so that a preset that is still being
    copied is left alone. `on_changed(name, folder)`: new or changed; `on_gone(name)`: no longer there. Both are
    called in the watch's own thread. Folders are polled: presets are few and large, and polling works on
    network mounts too.
    """

    def __init__(
        self,
        on_changed: Callable[[str, Path], None],
        on_gone: Callable[[str], None] = lambda name: None,
        extra: Sequence[Path] = (),
        interval: float = 1.0,
    ) -> None:
        self._on_changed = on_changed
        self._on_gone = on_gone
        self._extra = tuple(extra)
        self._interval = interval
        self._known: dict[str, tuple[Path, Signature]] = {}
        self._restless: dict[str, tuple[Path, Signature]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take what is there now as known and begin to look."""
        self._known = self._look()
        self._thread = threading.Thread(target=self._run, name="presets", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; returns when the thread has ended."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def look_once(self) -> None:
        """One look, with its reports; the thread does this by itself."""
        seen = self._look()
        for name in [name for name in self._known if name not in seen]:
            del self._known[name]
            self._restless.pop(name, None)
            self._on_gone(name)
        for name, now in seen.items():
            if self._known.get(name) == now:
                self._restless.pop(name, None)
            elif self._restless.get(name) == now:
                del self._restless[name]
                self._known[name] = now
                self._on_changed(name, now[0])
            else:
                self._restless[name] = now

    def _look(self) -> dict[str, tuple[Path, Signature]]:
        try:
            found = find_presets(self._extra)
        except PresetError as error:
            log.warning("%s", error)
            return dict(self._known)
        return {name: (folder, signature(folder)) for name, folder in found.items()}

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.look_once()
            except Exception:
                log.exception("A look at the presets failed; the next one comes in %.0f s.", self._interval)


def signature(folder: Path) -> Signature:
    """Names, sizes and times (ns) of a folder's visible files; files that vanish meanwhile are left out."""
    rows = []
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return ()
    for path in paths:
        try:
            facts = path.stat()
        except OSError:
            continue
        rows.append((path.name, facts.st_size, facts.st_mtime_ns))
    return tuple(rows)
