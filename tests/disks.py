"""Small disks for tests: a tmpfs that is soon full, or a mount that takes no files. Linux, as root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parts import missing


@contextmanager
def small_disk(folder: Path, size: str = "256k") -> Iterator[Path]:
    """A disk of so many bytes at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        missing("this system does not let a test mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """`ro` takes no files any more, `rw` does again, `size=1m` is larger."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
