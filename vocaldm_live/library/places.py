"""Places: where the indexes of folders lie, and which one a user means."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from vocaldm_live.errors import LibraryError
from vocaldm_live.library.store import is_index


def index_of(root: Path, base: Path) -> Path:
    """The index of a folder below `base`: named by the folder, told from others of that name by its whole path."""
    real = os.path.realpath(root)
    digest = hashlib.sha256(os.fsencode(os.path.normcase(real))).hexdigest()[:10]
    name = re.sub(r"[^\w.-]+", "_", os.path.basename(real), flags=re.ASCII).strip("._")[:40]
    return base / f"{name or 'sounds'}-{digest}"


def known_indexes(base: Path) -> list[Path]:
    """The indexes below `base`, by name."""
    if not base.is_dir():
        return []
    return sorted(path for path in base.iterdir() if is_index(path))


def locate(given: Path, base: Path) -> Path:
    """The index that is meant by an index, or by a folder of sounds; raises LibraryError where there is none."""
    if is_index(given):
        return given
    index = index_of(given, base)
    if is_index(index):
        return index
    if not given.exists():
        raise LibraryError(f"{given} does not exist: give a folder of sounds or its index.")
    raise LibraryError(f"{given} has no index yet: make it with `vocaldm library build`.")


def only_index(base: Path) -> Path:
    """The one index that there is; raises LibraryError where there are none or several."""
    there = known_indexes(base)
    if len(there) == 1:
        return there[0]
    if not there:
        raise LibraryError("There is no library yet: make one with `vocaldm library build DIR`.")
    raise LibraryError(
        f"There are {len(there)} libraries: name one with --library (see `vocaldm library list`)."
    )
