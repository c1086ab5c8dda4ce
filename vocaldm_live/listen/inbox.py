"""Inbox: a watched folder; every sound file that is complete becomes an imitation, once."""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vocaldm_live.errors import SoundError, VocalDMError
from vocaldm_live.listen.finished import shortfall
from vocaldm_live.listen.hints import Kind, watch
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.listen.ledger import Ledger, Signature
from vocaldm_live.listen.mounts import on_network
from vocaldm_live.listen.quarantine import FOLDER, put_away
from vocaldm_live.sound.audio import LONGEST_SECONDS, SOUND_SUFFIXES, check_imitation, read_sound

log = logging.getLogger("vocaldm.listen")

UNFINISHED = frozenset({".part", ".partial", ".tmp", ".crdownload", ".download"})
COMPANIONS = frozenset({".asd", ".reapeaks", ".pkf", ".sfk", ".ovw"})
# Sound that may not be readable here: its owner is told so. All other files are none of our business.
OTHER_SOUND = frozenset(
    {
        ".m4a",
        ".aac",
        ".mp4",
        ".wma",
        ".opus",
        ".caf",
        ".au",
        ".snd",
        ".oga",
        ".webm",
        ".amr",
        ".3gp",
        ".ape",
        ".wv",
    }
)
DEEPEST = 8


class InboxError(VocalDMError):
    """The inbox cannot be where the settings say."""


@dataclass(frozen=True)
class InboxSettings:
    """How patiently the folder is watched; seconds.

    A file that nobody reports as closed is taken once it has been still for `settle`, one that is held open, or
    promises more than it has, is refused after `patience` of stillness. The folder is scanned every `rescan`, and
    every `poll` while it is polled: `polling` says whether always, never, or on network mounts (auto).
    """

    settle: float = 0.6
    patience: float = 15.0
    rescan: float = 5.0
    poll: float = 0.5
    polling: Literal["auto", "always", "never"] = "auto"


@dataclass
class _Waiting:
    """A file that is not taken yet."""

    signature: Signature
    still_since: float
    whole: bool = False  # reported as closed, or moved here in one piece
    held: bool = False  # somebody has it open


class Inbox:
    """Watches `folder` with its sub-folders until it is closed; callbacks come from its own thread.

    `on_imitation(imitation)`; `on_refused(path, sentence)` once for each file that cannot be used, which then lies
    in the folder `quarantine` where that can be written; `on_trouble(sentence)` once when the folder has gone or
    cannot be written, `on_ok(folder)` when all is well again. `state_file` remembers over a restart what was
    handed on. A user's file is never deleted or changed.
    """

    def __init__(
        self,
        folder: Path,
        on_imitation: Callable[[Imitation], None],
        on_refused: Callable[[Path, str], None] = lambda path, sentence: None,
        on_trouble: Callable[[str], None] = lambda sentence: None,
        on_ok: Callable[[Path], None] = lambda folder: None,
        outbox: Path | None = None,
        state_file: Path | None = None,
        settings: InboxSettings | None = None,
    ) -> None:
        """Raises InboxError when the inbox is the outbox or lies inside it."""
        self.folder = folder.expanduser().absolute()
        self._outbox = None if outbox is None else Path(os.path.realpath(outbox.expanduser()))
        real = Path(os.path.realpath(self.folder))
        if self._outbox is not None and (real == self._outbox or self._outbox in real.parents):
            raise InboxError(
                f"The inbox {folder} lies in the outbox {outbox}: every clip would be imitated again; "
                "choose a folder beside it."
            )
        self._on_imitation, self._on_refused = on_imitation, on_refused
        self._on_trouble, self._on_ok = on_trouble, on_ok
        self._settings = settings or InboxSettings()
        self._ledger = Ledger(state_file)
        self._waiting: dict[str, _Waiting] = {}
        self._hints: queue.SimpleQueue[tuple[Kind, str] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._observer: Any = None
        self._watched: tuple[int, int] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong with the folder now; None: nothing."""
        return self._trouble

    @property
    def polling(self) -> bool:
        """Whether the folder is scanned all the time because nothing reports its changes."""
        return self._observer is None

    def start(self) -> None:
        """Make the folder where it is missing, and begin to watch it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.debug("the inbox cannot be made: %s", error)
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; returns when the thread has ended."""
        self._stop.set()
        self._hints.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    # The thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        scanned = -1e9
        try:
            while not self._stop.is_set():
                try:
                    if self._there():
                        pause = self._settings.poll if self._observer is None else self._settings.rescan
                        if time.monotonic() - scanned >= pause:
                            self._scan()
                            scanned = time.monotonic()
                        self._look()
                        self._ledger.save()
                except Exception:
                    log.exception("a look into the inbox failed; the next one comes soon")
                self._listen()
        finally:
            self._unwatch()
            self._ledger.save()

    def _listen(self) -> None:
        """Wait for a hint, or for the next look; take in all hints that are there."""
        busy = self._waiting or self._observer is None or self._trouble
        wait = min(self._settings.poll, self._settings.settle / 2) if busy else self._settings.poll * 2
        try:
            hint = self._hints.get(timeout=wait)
            while True:
                if hint is not None:
                    self._heed(*hint)
                hint = self._hints.get_nowait()
        except queue.Empty:
            return

    def _heed(self, kind: Kind, path: str) -> None:
        if kind == "folder":
            # Files made together with their folder are not reported.
            self._scan(Path(path))
            return
        waiting = self._add(path)
        if waiting is None:
            return
        if kind in ("closed", "moved"):
            waiting.whole, waiting.held = True, False
        elif kind in ("opened", "released"):
            waiting.held = kind == "opened"
        else:
            waiting.whole = False

    def _there(self) -> bool:
        """Whether the folder can be used; tells when that changes, and watches it where it is not watched yet."""
        try:
            facts = os.stat(self.folder)
            os.listdir(self.folder)
            if self._watched != (facts.st_dev, facts.st_ino):
                self._unwatch()
                self._watch()
                self._watched = (facts.st_dev, facts.st_ino)
            writable = os.access(self.folder, os.W_OK)
            os.stat(self.folder)
        except OSError as error:
            self._unwatch()
            self._waiting.clear()
            reason = (error.strerror or str(error)).lower()
            self._tell_trouble(f"The inbox {self.folder} cannot be read ({reason}): bring the folder back.")
            return False
        self._tell_trouble(
            None
            if writable
            else f"The inbox {self.folder} cannot be written: files are taken, but what cannot be read stays there; "
            "allow writing to have it put aside."
        )
        return True

    def _tell_trouble(self, sentence: str | None) -> None:
        before, self._trouble = self._trouble, sentence
        if sentence and sentence != before:
            log.warning("%s", sentence)
            self._tell(self._on_trouble, sentence)
        elif before and not sentence:
            log.info("the inbox %s is all right again", self.folder)
            self._tell(self._on_ok, self.folder)

    def _watch(self) -> None:
        """Have changes reported, where that works."""
        polling = self._settings.polling
        if polling == "always" or (polling == "auto" and on_network(self.folder)):
            return
        try:
            self._observer = watch(self.folder, self._hints.put)
        except OSError as error:
            log.warning("changes in %s are not reported (%s): it is polled", self.folder, error)

    def _unwatch(self) -> None:
        observer, self._observer, self._watched = self._observer, None, None
        if observer is not None:
            observer.stop()
            observer.join()

    # What lies there ---------------------------------------------------------------------------------------

    def _scan(self, top: Path | None = None) -> None:
        """Note every file that is not known."""
        for path in self._files(str(top or self.folder)):
            self._add(path)

    def _files(self, top: str) -> Iterator[str]:
        base = len(self.folder.parts)
        for folder, folders, files in os.walk(top):
            place = Path(folder)
            depth = len(place.parts) - base
            folders[:] = sorted(
                name for name in folders if depth < DEEPEST and self._is_ours(place / name, folder=True)
            )
            yield from (os.path.join(folder, name) for name in sorted(files) if self._is_ours(place / name))

    def _is_ours(self, path: Path, folder: bool = False) -> bool:
        """Whether a path may hold an imitation, by its name and place alone."""
        try:
            parts = path.relative_to(self.folder).parts
        except ValueError:
            return False
        if (
            not parts
            or parts[0] == FOLDER
            or any(part.startswith(".") or part.endswith("~") for part in parts)
        ):
            return False
        if self._outbox is not None:
            real = Path(os.path.realpath(path.parent)) / path.name
            if real == self._outbox or self._outbox in real.parents:
                return False
        if folder:
            return True
        endings = [suffix.lower() for suffix in path.suffixes[-2:]]
        if any(ending in UNFINISHED | COMPANIONS for ending in endings):
            return False
        return bool(endings) and endings[-1] in SOUND_SUFFIXES | OTHER_SOUND

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self.folder)

    def _add(self, path: str) -> _Waiting | None:
        """The file among those that wait; None when it is none of ours, or was dealt with."""
        if not self._is_ours(Path(path)):
            return None
        try:
            signature = Signature.of(os.lstat(path))
        except OSError:
            self._waiting.pop(path, None)
            return None
        waiting = self._waiting.get(path)
        if waiting is None:
            if self._ledger.knows(self._name(path), signature):
                return None
            waiting = self._waiting[path] = _Waiting(signature, time.monotonic())
        return waiting

    def _look(self) -> None:
        """Take every waiting file that is ready, oldest first."""
        for path, waiting in sorted(self._waiting.items(), key=lambda item: item[1].signature.changed):
            if self._stop.is_set():
                return
            try:
                facts = os.lstat(path)
            except OSError:
                del self._waiting[path]
                continue
            signature, now = Signature.of(facts), time.monotonic()
            if signature != waiting.signature:
                waiting.signature, waiting.still_since = signature, now
            still = now - waiting.still_since
            enough = self._settings.patience if waiting.held else self._settings.settle
            if waiting.whole or still >= enough:
                self._take(path, facts, waiting, final=still >= self._settings.patience)

    def _take(self, path: str, facts: os.stat_result, waiting: _Waiting, final: bool) -> None:
        """Hand a file on, refuse it, or leave it for a later look."""
        if stat.S_ISLNK(facts.st_mode) and not self._leads_inside(path):
            self._refuse(path, waiting, f"{path} leads out of the inbox: copy the file itself.", aside=False)
            return
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                del self._waiting[path]
                return
            missing = shortfall(Path(path))
            if missing:
                if final:
                    self._refuse(path, waiting, f"{path} was never finished ({missing}): export it again.")
                return
            sound = check_imitation(read_sound(path, LONGEST_SECONDS + 1), path)
            after = os.lstat(path)
        except SoundError as error:
            if waiting.whole or final:
                self._refuse(path, waiting, str(error))
            return
        except OSError as error:
            if final:
                reason = error.strerror or str(error)
                self._refuse(
                    path, waiting, f"{path} cannot be read ({reason}): allow reading it.", aside=False
                )
            return
        if Signature.of(after) != waiting.signature:
            return  # it was changed while it was read
        del self._waiting[path]
        self._ledger.note(self._name(path), waiting.signature)
        self._ledger.save()
        log.info("took %s from the inbox", self._name(path))
        ended = time.monotonic()
        self._tell(
            self._on_imitation,
            Imitation(sound, Path(path).stem, "inbox", after.st_mtime, ended, Path(path)),
        )

    def _leads_inside(self, path: str) -> bool:
        target, root = Path(os.path.realpath(path)), Path(os.path.realpath(self.folder))
        return root in target.parents and self._is_ours(self.folder / target.relative_to(root))

    def _refuse(self, path: str, waiting: _Waiting, sentence: str, aside: bool = True) -> None:
        del self._waiting[path]
        log.warning("%s", sentence)
        if not aside or put_away(self.folder, Path(path), sentence) is None:
            self._ledger.note(self._name(path), waiting.signature)
        self._tell(self._on_refused, Path(path), sentence)

    @staticmethod
    def _tell(callback: Callable[..., None], *what: object) -> None:
        try:
            callback(*what)
        except Exception:
            log.exception("a listener of the inbox failed; it goes on")
