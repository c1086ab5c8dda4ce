"""Ledger: which files of the inbox were handed on or refused already, kept over a restart."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("vocaldm.listen")
VERSION = 1
MOST = 20_000


@dataclass(frozen=True)
class Signature:
    """What tells a file from another one of its name: bytes, time of change in ns, inode."""

    size: int
    changed: int
    inode: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Signature:
        """The signature of what stat() says."""
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ino)


class Ledger:
    """Files by name and signature. Written to `file` by save(), whole or not at all; without one, kept in memory."""

    def __init__(self, file: Path | None) -> None:
        """Read what an earlier run wrote; a damaged file counts as none, and says so in the log."""
        self._file = file
        self._known: dict[str, Signature] = {}
        self._signatures: set[Signature] = set()
        self._changed = False
        self._complained = False
        if file is None:
            return
        try:
            self._known = _read(json.loads(file.read_text(encoding="utf-8")))
            self._signatures = set(self._known.values())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s cannot be read (%s): files in the inbox may be taken a second time", file, error)

    def knows(self, name: str, signature: Signature) -> bool:
        """Whether this very file was noted, under this name or, since then renamed, under another one."""
        known = self._known.get(name)
        # Inodes change where a network mount is mounted again; name, size and time are enough then.
        if known is not None and (known.size, known.changed) == (signature.size, signature.changed):
            return True
        return signature in self._signatures

    def note(self, name: str, signature: Signature) -> None:
        """Remember a file as done with; of very many, the oldest notes go.

        Files that have gone stay noted: a network mount that is away for a while brings them all back.
        """
        self._signatures.discard(self._known.pop(name, signature))
        self._known[name] = signature
        self._signatures.add(signature)
        while len(self._known) > MOST:
            self._signatures.discard(self._known.pop(next(iter(self._known))))
        self._changed = True

    def save(self) -> None:
        """Write what has changed; a folder that takes no files is reported to the log once."""
        if self._file is None or not self._changed:
            return
        rows = {name: [s.size, s.changed, s.inode] for name, s in self._known.items()}
        part = self._file.with_name(f".{self._file.name}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"version": VERSION, "files": rows}), encoding="utf-8")
            os.replace(part, self._file)
        except OSError as error:
            if not self._complained:
                log.warning(
                    "%s cannot be written (%s): after a restart files may be taken again", self._file, error
                )
            self._complained = True
            return
        self._changed = self._complained = False


def _read(plain: Any) -> dict[str, Signature]:
    if plain["version"] != VERSION:
        raise ValueError(f"version {plain['version']}")
    return {str(name): Signature(*(int(number) for number in row)) for name, row in plain["files"].items()}
