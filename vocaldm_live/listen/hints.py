"""Hints: what the system reports about a folder's files. They say where to look, never that a file is good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

Kind = Literal["closed", "moved", "opened", "released", "changed", "folder"]


def watch(folder: Path, hint: Callable[[tuple[Kind, str]], None]) -> Any:
    """Begin to watch a folder with its sub-folders; the running observer, to be ended by stop() and join().

    `hint` is called from the observer's thread with a kind and a path. "closed": written and closed; "moved": it
    came here whole, or was renamed here; "opened", "released": somebody has it open, or has read it; "changed":
    written, or only just there; "folder": a new folder. Raises OSError when the system has no watches left.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    top = str(folder)

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            kind, path = event.event_type, os.fsdecode(event.src_path)
            if kind == "moved":
                path = os.fsdecode(event.dest_path)
            if not path.startswith(top):
                return
            if event.is_directory:
                if kind in ("created", "moved"):
                    hint(("folder", path))
            elif kind == "moved":
                hint(("moved", path))
            elif kind == "closed":
                hint(("closed", path))
            elif kind == "opened":
                hint(("opened", path))
            elif kind == "closed_no_write":
                hint(("released", path))
            elif kind in ("created", "modified"):
                hint(("changed", path))

    observer = Observer()
    observer.schedule(Handler(), top, recursive=True)
    observer.start()
    return observer
