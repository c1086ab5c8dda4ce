"""Daemons for tests: in this process with a tiny preset, or as the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent


def voice(path: Path, seconds: float = 0.6, seed: int = 0) -> Path:
    times = np.arange(round(seconds * 44100)) / 44100
    noise = np.random.default_rng(seed).standard_normal(len(times))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * noise * np.exp(-3 * times), 44100)
    return path


def make(place: Path, **changes: Any) -> Daemon:
    folders: dict[str, Any] = {f"folders.{name}": str(place / name) for name in ("outbox", "inbox", "state")}
    plain = {
        "preset": "one",
        "device": "cpu",
        "microphone.enabled": False,
        "osc.port": 0,
        "osc.query": False,
        "folders.allowed": [str(place / "files")],
    }
    path = place / "settings.yaml"
    path.write_text("")
    return Daemon(read_settings(path, {**plain, **folders, **changes}))


@contextmanager
def started(place: Path, warm: bool = True, **changes: Any) -> Iterator[Daemon]:
    """A daemon that runs, with its preset loaded where it is to be `warm`; closed at the end."""
    daemon = make(place, **changes)
    try:
        daemon.start()
        assert not warm or daemon.warm.wait(60)
        yield daemon
    finally:
        daemon.close()


def write_settings(place: Path, *allowed: Path, **changes: Any) -> None:
    """`mine.yaml` for `Running`: the preset `one`, no microphone, folders in `place`, any free port."""
    plain = {
        "preset": "one",
        "device": "cpu",
        "microphone": {"enabled": False},
        "folders": {name: str(place / name) for name in ("outbox", "inbox", "state")}
        | {"allowed": [str(folder) for folder in allowed]},
        "osc": {"port": 0, "query": False},
    }
    (place / "mine.yaml").write_text(yaml.safe_dump({**plain, **changes}))


class Running:
    """The command in a process of its own; `lines` is what it has said."""

    def __init__(self, place: Path, *more: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "vocaldm_live", "live", "--settings", "mine.yaml", *more]
        self.process = subprocess.Popen(
            command, cwd=place, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._passed = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def until(self, text: str, seconds: float = 60.0) -> str:
        """The next line with this text, after the one that was waited for before."""
        end = time.monotonic() + seconds
        with self._news:
            while True:
                for number in range(self._passed, len(self.lines)):
                    if text in self.lines[number]:
                        self._passed = number + 1
                        return self.lines[number]
                rest = end - time.monotonic()
                if rest <= 0 or not (self._reader.is_alive() and self._news.wait(rest)):
                    raise AssertionError(f"it never said {text!r}: {self.lines}")

    def port(self) -> int:
        """The port that it says it has."""
        return int(self.until("OSC at").split(":")[1].split(",")[0])

    def end(self, number: int) -> int:
        """The exit status after this signal."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
