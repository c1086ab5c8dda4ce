"""Library: the daemon's side of `/vocaldm/library`: which one is in use, and what is found in one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints.searching import searching_preset
from vocaldm_live.commands.anchoring import Anchoring, open_anchoring, open_search
from vocaldm_live.errors import LibraryError, VocalDMError
from vocaldm_live.library.ears import clap_space, encoder_hash
from vocaldm_live.library.places import locate
from vocaldm_live.library.store import is_index
from vocaldm_live.osc.table import OscError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.daemon.roots import Roots
    from vocaldm_live.library.search import Search
    from vocaldm_live.sound.audio import Sound

log = logging.getLogger("vocaldm.library")

Tell = Callable[..., None]


class Library:
    """The library in use. An index counts where its user built it, in `bases`, or inside the daemon's folders."""

    def __init__(self, bases: tuple[Path, ...], roots: Roots, tell: Tell) -> None:
        self._bases = bases
        self._roots = roots
        self._tell = tell
        self._lock = threading.Lock()
        self._anchoring: Anchoring | None = None

    @property
    def anchoring(self) -> Anchoring | None:
        """What finds the anchor of a gesture; None without a library."""
        with self._lock:
            return self._anchoring

    @property
    def using(self) -> tuple[str, int]:
        """The folder in use and how many of its sounds give the timbre, as the event tells them."""
        anchoring = self.anchoring
        return ("", 0) if anchoring is None else (_plain(anchoring.search.root), anchoring.nearest)

    def use(self, text: str, nearest: int, preset: Preset) -> None:
        """Take a library for the gestures to come; raises VocalDMError, and keeps the one before."""
        self._set(open_anchoring(self._index(text), preset, nearest))

    def clear(self) -> None:
        """Let the gestures to come have their own timbre again."""
        self._set(None)

    def follow(self, preset: Preset) -> None:
        """Another preset plays: it needs embeddings of its own networks, without which no library is in use."""
        anchoring = self.anchoring
        if anchoring is None:
            return
        try:
            encoder, space = encoder_hash(searching_preset(preset)), clap_space(preset)
            if (anchoring.encoder, anchoring.tower) == (encoder, space[1] if space else encoder):
                return
            self.use(str(anchoring.search.index), anchoring.nearest, preset)
        except VocalDMError as error:
            log.warning("%s", error)
            self.clear()
            self._tell("error", "library", "/vocaldm/library/use", "", str(error))

    def find(
        self, request_id: str, engine: Any, sound: Sound, first: int, count: int, text: str, send: Tell
    ) -> None:
        """Send a page of the sounds nearest to a sound; raises VocalDMError."""
        anchoring = self.anchoring
        if text:
            search = open_search(self._index(text), engine.preset)
        elif anchoring is None:
            raise OscError("library", "No library is in use: name one, or choose it with library/use.")
        else:
            search = anchoring.search
        try:
            self._send_page(request_id, search, engine.embedding(sound), first, count, send)
        finally:
            if text:
                search.close()

    # Inside -------------------------------------------------------------------------------------------------

    def _set(self, anchoring: Anchoring | None) -> None:
        with self._lock:
            # The one before is closed with its last user: a gesture that waits may still need it.
            self._anchoring = anchoring
        self._tell("library/using", *self.using)

    @staticmethod
    def _send_page(
        request_id: str, search: Search, embedding: Any, first: int, count: int, send: Tell
    ) -> None:
        hits = search.find(embedding, count, first)
        send("library/begin", request_id, first, len(hits), len(search))
        for hit in hits:
            send("library/item", request_id, hit.rank, _plain(hit.path), hit.start, hit.score)
        send("library/end", request_id)

    def _index(self, text: str) -> Path:
        """The index that a client means; raises OscError where it may not be opened."""
        if not os.path.isabs(text):
            raise OscError("path", f"{text[:200]} is not an absolute path: give the whole path.")
        given = Path(os.path.realpath(text))
        if is_index(given):
            if given.parent in {Path(os.path.realpath(base)) for base in self._bases}:
                return given
            if not self._roots.holds(given):
                raise OscError(
                    "path",
                    f"{text[:200]} lies outside the daemon's folders: add its folder to folders.allowed.",
                )
            return given
        for base in self._bases:
            try:
                return locate(given, base)
            except LibraryError:
                continue
        raise OscError("library", f"{text[:200]} has no index: make it with `vocaldm library build`.")


def _plain(path: Path) -> str:
    """A path as text, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
