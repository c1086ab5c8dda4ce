"""`vocaldm live` as a process: what it says, how it ends, what a wrong start is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from osc_peer import UdpPeer
from test_daemon import voice
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.cli import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_tiny_preset(tmp_path / "presets", "one")
    settings = {
        "preset": "one",
        "device": "cpu",
        "microphone": {"enabled": False},
        "folders": {name: str(tmp_path / name) for name in ("outbox", "inbox", "state")},
        "osc": {"port": 0, "query": False},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


class Running:
    """The command in a process of its own; `lines` is what it has said."""

    def __init__(self, place: Path, *more: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "vocaldm_live", "live", "--settings", "mine.yaml", *more]
        self.process = subprocess.Popen(
            command, cwd=place, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []

    def until(self, text: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return line
        raise AssertionError(f"it never said {text!r}: {self.lines}")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        assert self.process.stderr is not None
        self.lines += self.process.stderr.read().splitlines()
        return self.process.wait(60)


@pytest.fixture
def running(place: Path) -> Iterator[Running]:
    made = Running(place, "--log-json")
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_it_says_where_it_is_and_stops_when_asked(place: Path, running: Running) -> None:
    port = int(running.until("OSC at").split(":")[1].split(",")[0])
    running.until("Warm after")
    peer = UdpPeer(port)
    peer.send("subscribe", 0, 600.0)
    peer.until("state/end")
    voice(place / "inbox" / "knock.wav")
    clip = Path(peer.until("ready")[2])
    assert clip.is_file() and clip.with_suffix(".json").is_file()
    peer.close()
    assert running.end(signal.SIGTERM) == 0
    assert "Stopping" in "\n".join(running.lines)
    assert not list(place.rglob("*.part*"))
    logged = [json.loads(line) for line in running.lines if line.startswith("{")]
    assert [one for one in logged if one["room"] == "session" and one.get("request", "").startswith("inbox")]
    assert main(["history", "list", "--state", str(place / "state")]) == 0


def test_interrupting_while_it_loads_is_no_error(running: Running) -> None:
    running.until("Loading")
    assert running.end(signal.SIGINT) == 0


def test_a_second_one_on_the_port_says_so(place: Path, running: Running) -> None:
    port = running.until("OSC at").split(":")[1].split(",")[0]
    second = Running(place, "--port", port)
    assert second.process.wait(120) == 1
    assert second.process.stderr is not None
    said = second.process.stderr.read().strip().splitlines()
    assert "another vocaldm live" in said[-1]
    assert_sentence(said[-1])


def test_an_unknown_preset_ends_it_with_a_sentence(place: Path) -> None:
    wrong = Running(place, "--preset", "nowhere")
    assert wrong.process.wait(120) == 1
    assert wrong.process.stderr is not None
    assert "nowhere" in wrong.process.stderr.read()


def test_settings_in_force_are_printed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["live", "--settings", str(place / "mine.yaml"), "--print-settings", "--port", "9123"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert code == 0 and printed["osc"]["port"] == 9123 and printed["preset"] == "one"
    assert printed["gate"]["hangover"] > 0


def test_a_wrong_setting_is_told_with_its_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mine.yaml").write_text("preset: one\nosc:\n  port: many\n")
    assert main(["live", "--settings", str(place / "mine.yaml")]) == 1
    told = capsys.readouterr().err.strip()
    assert "line 3" in told and "osc.port" in told
    assert_sentence(told)
