"""`vocaldm live` as a process: what it says, how it ends, what a wrong start is told."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from daemons import Running, voice, write_settings
from osc_peers import Peer
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.cli import main


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_tiny_preset(tmp_path / "presets", "one")
    write_settings(tmp_path)
    return tmp_path


@pytest.fixture
def running(place: Path) -> Iterator[Running]:
    with Running(place, "--log-json") as made:
        yield made


@pytest.mark.slow
def test_it_says_where_it_is_and_stops_when_asked(place: Path, running: Running) -> None:
    port = running.port()
    running.until("Warm after")
    peer = Peer(port)
    peer.send("subscribe", 0, 600.0)
    peer.wait("state/end")
    voice(place / "inbox" / "knock.wav")
    clip = Path(peer.wait("ready")[2])
    assert clip.is_file() and clip.with_suffix(".json").is_file()
    peer.close()
    assert running.end(signal.SIGTERM) == 0
    assert "Stopping" in "\n".join(running.lines)
    assert not list(place.rglob("*.part*"))
    logged = [json.loads(line) for line in running.lines if line.startswith("{")]
    assert [one for one in logged if one["room"] == "session" and one.get("request", "").startswith("inbox")]
    assert main(["history", "list", "--state", str(place / "state")]) == 0


@pytest.mark.slow
def test_interrupting_while_it_loads_is_no_error(running: Running) -> None:
    running.until("Loading")
    assert running.end(signal.SIGINT) == 0


@pytest.mark.slow
def test_a_second_one_on_the_port_says_so(place: Path, running: Running) -> None:
    with Running(place, "--port", str(running.port())) as second:
        assert_sentence(second.until("another vocaldm live"))
        assert second.process.wait(60) == 1


@pytest.mark.slow
def test_an_unknown_preset_ends_it_with_a_sentence(place: Path) -> None:
    with Running(place, "--preset", "nowhere") as wrong:
        assert wrong.process.wait(120) == 1
        wrong.until("nowhere")


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


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_said_in_one_sentence(place: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with Running(place, "--engine", f"ray://127.0.0.1:{free}") as running:
        running.until("Loading one")
        line = running.until(str(free))
        assert_sentence(line.partition(": ")[2] if "presets" in line else line)
        assert running.process.wait(60) == 1
