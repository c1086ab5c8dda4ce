"""A cluster for tests: `vocaldm cluster serve` with two workers on loopback, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(place: Path) -> dict[str, str]:
    """What a cluster's own processes and its laptops have to know; the token is that of the tests."""
    kept = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(place / "cache"),
        "RAY_TMPDIR": str(place),
    }


class Served:
    """The command; `lines` is what it has said."""

    def __init__(self, place: Path, workers: int = 2) -> None:
        self.port = free_port()
        self.address = f"ray://127.0.0.1:{self.port}"
        self.shelf = place / "shelf"
        command = [sys.executable, "-m", "vocaldm_live", "cluster", "serve", "--device", "cpu"]
        command += ["--workers", str(workers), "--port", str(self.port), "--threads", "1"]
        command += ["--presets", str(self.shelf)]
        self.process = subprocess.Popen(
            command,
            cwd=place,
            env=environment(place),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def wait(self, seconds: float = 300.0) -> None:
        """Until laptops can come."""
        end = time.monotonic() + seconds
        while not any("Laptops reach" in line for line in self.lines):
            if self.process.poll() is not None or time.monotonic() > end:
                self.end()
                raise AssertionError(f"the cluster never opened: {self.lines}")
            time.sleep(0.1)

    def end(self) -> int:
        """Ctrl-C, and its exit code; whatever is left of it then is killed, once."""
        if self._code is not None:
            return self._code
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self._code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self._code = -1
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self._reader.join(10)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return self._code
