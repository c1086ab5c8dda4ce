"""Leftovers: what a process that was killed while it published left behind, told from what still lives.

A publishing process holds a lock on the WAV's `.part`, and through the rename on the WAV itself, until recipe
and `latest.json` are in place. The system lets go of the lock when the process ends, however it ends. So
whoever can take the lock knows that nobody is at work there. Where there are no such locks (Windows, some
network mounts) a part counts as left behind after a day.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OLD_SECONDS = 86400.0
# Our own names only: the UCS name with its number, then what is being written.
_PART = re.compile(r"\.(?P<stem>[^.]+_\d{4,9})\.(?P<kind>wav|json|latest\.json)\.part")
_CHECK = re.compile(r"\.check\.(?P<process>\d+)\.part")


def hold(descriptor: int) -> int | None:
    """Lock an open part; a descriptor to close when all is published, None where there are no locks.

    Raises FileExistsError when somebody who sweeps was faster and is about to remove the part.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
    except OSError:
        return None
    # The writer closes its own descriptor; the lock lives as long as any of them does.
    return os.dup(descriptor)


def sweep(folder: Path) -> list[Path]:
    """Remove the parts of processes that are gone; the paths that were removed. A part in use is left alone."""
    found: dict[str, list[Path]] = {}
    removed: list[Path] = []
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return []
    for name in names:
        part, check = _PART.fullmatch(name), _CHECK.fullmatch(name)
        if part is not None:
            found.setdefault(part["stem"], []).append(folder / name)
        elif check is not None and (not _alive(int(check["process"])) or _old(folder / name)):
            removed += _remove(folder / name)
    for stem, parts in found.items():
        with _taken(folder, stem, parts) as free:
            if free:
                for path in parts:
                    removed += _remove(path)
    return removed


@contextlib.contextmanager
def _taken(folder: Path, stem: str, parts: list[Path]) -> Iterator[bool]:
    """Whether a name's parts are nobody's; while inside, nobody else can take the name."""
    part, clip = folder / f".{stem}.wav.part", folder / f"{stem}.wav"
    if fcntl is None:
        yield all(_old(path) for path in parts)
        return
    held: list[int] = []
    made = False
    try:
        try:
            # The clip after its rename, before its recipe's: the lock went with it.
            if clip.exists():
                held.append(os.open(clip, os.O_RDONLY))
                fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            create = part not in parts
            held.append(os.open(part, os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0), 0o666))
            made = create
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.path.samestat(os.fstat(held[-1]), os.stat(part))
        except (BlockingIOError, FileExistsError, FileNotFoundError):
            free = False
        except OSError:
            free = all(_old(path) for path in parts)
        yield free
    finally:
        if made:
            _remove(part)
        for descriptor in held:
            os.close(descriptor)


def _remove(path: Path) -> list[Path]:
    try:
        path.unlink()
    except OSError:
        return []
    return [path]


def _old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > OLD_SECONDS
    except OSError:
        return False


def _alive(process: int) -> bool:
    if os.name == "nt":  # there os.kill would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
