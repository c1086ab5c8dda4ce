"""A process that has imported everything and makes daemons by forking: one for each line that it reads.

Its argument is the folder; it answers "PID PORT" when a daemon is open, and "gone PID" when it has ended.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
from pathlib import Path

import daemons
import onnxruntime  # noqa: F401
import swift_f0  # noqa: F401

import vocaldm_live


def bear(folder: Path) -> None:
    daemon = daemons.make(folder)
    daemon.start()
    print(os.getpid(), daemon.server.port, flush=True)
    signal.pause()


def nurse(folder: Path) -> None:
    os.chdir(folder)
    for module in pkgutil.walk_packages(vocaldm_live.__path__, "vocaldm_live."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                bear(folder)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        print("gone", child, flush=True)


if __name__ == "__main__":
    nurse(Path(sys.argv[1]))
