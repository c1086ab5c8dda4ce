"""Roots: the folders that clients may name files in; everything else is out of their reach."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vocaldm_live.osc.table import OscError


class Roots:
    """Folders, with whatever links in them followed: a file counts where it really lies."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [Path(os.path.realpath(folder.expanduser())) for folder in folders]

    def check(self, text: str) -> Path:
        """The real path of a file that a client named; raises OscError where it may not be read."""
        if not os.path.isabs(text):
            raise OscError("path", f"{text[:200]} is not an absolute path: give the whole path.")
        real = Path(os.path.realpath(text))
        if not self.holds(real):
            raise OscError(
                "path", f"{text[:200]} lies outside the daemon's folders: add its folder to folders.allowed."
            )
        if not real.is_file():
            raise OscError("path", f"{text[:200]} is no file: check the path.")
        return real

    def holds(self, real: Path) -> bool:
        """Whether a path, its links followed already, lies in one of the folders."""
        return any(folder == real or folder in real.parents for folder in self._folders)
