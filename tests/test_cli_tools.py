"""`presets`, `doctor`, `bench` and `demo`: what they say of a machine, a preset and the time a clip takes."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import yaml
from cli_helpers import run, visible
from tiny import assert_sentence

from vocaldm_live.commands import doctor
from vocaldm_live.commands.doctor_live import look_at_live


@pytest.fixture
def shelf(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a whole preset and a damaged one, searched first."""
    shelf = tmp_path / "shelf"
    shutil.copytree(tiny, shelf / "tiny")
    (shelf / "torn").mkdir()
    (shelf / "torn" / "preset.yaml").write_text("name: torn\n")
    monkeypatch.setenv("VOCALDM_PRESETS", str(shelf))
    return shelf


def test_presets_are_listed_and_a_damaged_one_is_told(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    said = run(capsys, "presets", "list")
    assert said.code == 1
    assert any(line.split()[0] == "tiny" and "48000 Hz" in line for line in said.out.splitlines())
    assert str(shelf / "torn") in said.err and "Traceback" not in said.err


def test_a_preset_is_shown_as_its_header(capsys: pytest.CaptureFixture[str], shelf: Path) -> None:
    import yaml

    said = run(capsys, "presets", "show", "tiny")
    assert (said.code, said.err) == (0, "")
    assert yaml.safe_load(said.out)["parameters"]["steps"] == {"default": 2, "low": 1, "high": 100}
    assert str(shelf / "tiny") in said.out


@pytest.mark.slow
def test_presets_are_checked_one_or_all(capsys: pytest.CaptureFixture[str], shelf: Path) -> None:
    one = run(capsys, "presets", "check", "tiny")
    assert (one.code, one.out, one.err) == (0, "tiny: ok\n", "")
    everything = run(capsys, "presets", "check")
    assert everything.code == 1 and "tiny: ok" in everything.out and "torn" in everything.err


def states(text: str) -> dict[str, set[str]]:
    """What `doctor` found: subject -> the states it is in."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines()[:-1]:
        state, subject, _ = line.split(maxsplit=2)
        found.setdefault(subject, set()).add(state)
    return found


def test_doctor_finds_that_clips_can_be_made(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    said = run(capsys, "doctor", "--preset", "tiny", "--out", tmp_path / "later" / "clips")
    found = states(said.out)
    assert said.code == 0 and said.out.endswith("Clips can be made.\n")
    assert {"Python", "torch", "device", "processor", "PortAudio", "preset", "output", "disk"} <= set(found)
    assert found["preset"] == {"ok", "note"}, "the damaged preset is not the one that is used"
    assert not (tmp_path / "later").exists(), "looking makes no folder"


def test_doctor_names_what_prevents_clips(
    capsys: pytest.CaptureFixture[str], shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for arguments, subject in (
        (("--preset", "torn"), "preset"),
        (("--preset", "none"), "preset"),
        (("--preset", "tiny", "--out", tmp_path / "file"), "output"),
    ):
        said = run(capsys, "doctor", *arguments)
        assert said.code == 1 and "problem" in states(said.out)[subject]


def test_doctor_tells_how_to_get_portaudio_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(sys, "platform", "linux")
    (finding,) = doctor.look_at_portaudio()
    assert finding.state == "note" and "apt-get install libportaudio2" in finding.sentence


def test_doctor_knows_the_torchaudio_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.11.0")
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    (finding,) = doctor.look_at_torchaudio()
    assert finding.state == "note" and "vocaldm.py" in finding.sentence


def test_doctor_looks_at_what_live_needs(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = {
            "microphone": {"enabled": False},
            "osc": {"port": 0, "query_port": taken.getsockname()[1]},
            "folders": {
                "outbox": str(tmp_path / "new" / "clips"),
                "inbox": str(tmp_path / "in the way"),
                "state": str(tmp_path / "in the way" / "state"),
            },
        }
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
        found = {one.subject: one for one in look_at_live(tmp_path / "mine.yaml")}
    assert {name: one.state for name, one in found.items()} == {
        "microphone": "ok", "OSC port": "ok", "OSCQuery": "note", "outbox": "ok", "inbox": "note", "state": "note",
    }  # fmt: skip
    assert "to be made in" in found["outbox"].sentence and "osc.query_port" in found["OSCQuery"].sentence
    for one in found.values():
        assert_sentence(one.sentence)


def test_doctor_tells_what_is_wrong_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("osc:\n  port: 99999\n")
    (finding,) = look_at_live(tmp_path / "mine.yaml")
    assert finding.subject == "settings" and "line 2" in finding.sentence and "65535" in finding.sentence


def test_doctor_sees_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert [finding.state for finding in doctor.look_at_output(tmp_path)] == ["ok", "problem"]


@pytest.mark.slow
def test_bench_accounts_for_all_the_time(capsys: pytest.CaptureFixture[str], tiny: Path) -> None:
    said = run(capsys, "bench", "--preset", tiny, "--seconds", 0.5, "--runs", 1, "--sweep", "--json")
    assert said.code == 0
    (report,) = said.objects
    assert report["seconds"] == 0.5 and report["runs"] == 1 and report["steps"] == 2
    assert set(report["sweep"]) == {"2", "4", "6", "8"}
    assert report["peak_memory_mb"] is None or report["peak_memory_mb"] > 50
    stages = {name: one["median"] for name, one in report["stages_ms"].items()}
    assert {"read", "sample", "write", "rest"} <= set(stages)
    total = stages.pop("total")
    assert sum(stages.values()) == pytest.approx(total, abs=0.01)


def test_bench_shows_a_table(capsys: pytest.CaptureFixture[str], tiny: Path) -> None:
    said = run(capsys, "bench", "--preset", tiny, "--seconds", 0.2, "--runs", 1)
    assert said.code == 0 and "median ms" in said.out and "total, file to file" in said.out
    assert run(capsys, "bench", "--preset", tiny, "--runs", 0).code == 2
    assert run(capsys, "bench", "--preset", tiny, "--seconds", 0).code == 2


@pytest.mark.slow
def test_demo_makes_a_clip_and_a_picture_of_every_imitation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny: Path
) -> None:
    shipped = sorted((Path(doctor.__file__).parent.parent / "demo").glob("*.wav"))
    said = run(capsys, "demo", "--preset", tiny, "--out", tmp_path / "clips")
    assert (said.code, said.err) == (0, "") and shipped
    assert all(path.name in said.out for path in shipped)
    assert "vocaldm generate" in said.out.splitlines()[-1]
    for suffix in (".wav", ".png"):
        assert len([name for name in visible(tmp_path / "clips") if name.endswith(suffix)]) == len(shipped)


@pytest.mark.slow
def test_bench_live_accounts_for_the_way_to_ready(capsys: pytest.CaptureFixture[str], tiny: Path) -> None:
    said = run(capsys, "bench", "live", "--preset", tiny, "--seconds", 0.3, "--gestures", 3, "--json")
    report = json.loads(said.out)
    found = report["ms"]
    assert said.code == 0 and report["gestures"] == 3 and report["pings"]["idle"] > 20
    assert found["total"]["p50"] >= found["engine"]["p50"] > 0 and found["busy"]["p50"] > 0
    assert report["vocoder"] is None
    assert run(capsys, "bench", "live", "--gestures", 0).code == 2


@pytest.mark.slow
def test_bench_live_with_another_vocoder(capsys: pytest.CaptureFixture[str], tiny: Path) -> None:
    asked = ("bench", "live", "--preset", tiny, "--seconds", 0.3, "--gestures", 1)
    said = run(capsys, *asked, "--vocoder", "griffin-lim")
    assert said.code == 0 and "1 gestures of 0.3 s with tiny and griffin-lim" in said.out
    said = run(capsys, *asked, "--vocoder", "nobody")
    assert said.code == 1 and said.is_one_sentence() and "nobody" in said.err
