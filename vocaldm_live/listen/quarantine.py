"""Quarantine: where files that cannot be used are put, each with a note that says why."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("vocaldm.listen")
FOLDER = "quarantine"


def put_away(inbox: Path, path: Path, sentence: str) -> Path | None:
    """Move a file into `<inbox>/quarantine` with `<name>.reason.txt` beside it; the new path.

    Nothing there is overwritten: a namesake gets a number. None, and the file stays where it is, when the folder
    cannot be written.
    """
    folder = inbox / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        if folder.is_symlink():
            return None
        target, number = folder / path.name, 1
        while os.path.lexists(target):
            number += 1
            target = folder / f"{path.stem}-{number}{path.suffix}"
        os.rename(path, target)
    except OSError as error:
        log.debug("%s stays where it is: %s", path, error)
        return None
    try:
        target.with_name(f"{target.name}.reason.txt").write_text(sentence + "\n", encoding="utf-8")
    except OSError as error:
        log.warning("the reason for %s cannot be written: %s", target, error)
    return target
