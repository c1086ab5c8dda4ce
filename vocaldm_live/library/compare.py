"""Compare: what has happened in a folder since its index was built, without changing anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vocaldm_live.errors import LibraryError
from vocaldm_live.library.scan import walk
from vocaldm_live.library.store import complaints, connect


def differences(index: Path, root: Path, problem: Callable[[str], None]) -> tuple[int, int, int]:
    """How many files are new, changed and gone; `problem` hears of folders that cannot be listed.

    Raises LibraryError where the folder is not there.
    """
    if not root.is_dir():
        raise LibraryError(f"{root}, the folder of {index}, is not there: connect its disk.")
    unlisted: list[bytes] = []

    def not_listed(path: bytes, sentence: str) -> None:
        unlisted.append(path)
        problem(sentence)

    with complaints(index), closing(connect(index)) as database:
        rows = database.execute("SELECT path, size, mtime_ns FROM sources")
        known = {path: (size, mtime_ns) for path, size, mtime_ns in rows}
    new = changed = 0
    for found in walk(root, not_listed):
        before = known.pop(found.path, None)
        new += before is None
        changed += before is not None and before != (found.size, found.mtime_ns)
    hidden = tuple(unlisted)
    gone = sum(not (hidden and path.startswith(hidden)) for path in known)
    return new, changed, gone
