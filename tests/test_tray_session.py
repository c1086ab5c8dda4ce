"""A session with the tray: record held, a voice, a clip in the list; then the daemon is killed and started again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from daemons import ROOT, Running, write_settings
from programs import free_port
from trays import application, keep_picture, until, window
from virtual_microphone import VirtualMicrophone

import vocaldm_live

pytestmark = pytest.mark.slow
DEMO = Path(vocaldm_live.__file__).parent / "demo"


def settings(place: Path, port: int, **microphone: Any) -> None:
    osc = {"port": port, "query": False}
    write_settings(place, DEMO, preset="house", microphone=microphone, osc=osc)


def test_hold_make_a_noise_and_the_clip_is_there(
    tmp_path: Path, cable: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    application()
    port = free_port()
    settings(tmp_path, port, device="pulse")
    monkeypatch.setenv("VOCALDM_PRESETS", str(ROOT / "presets"))
    with window(port) as tray:
        assert "vocaldm live" in tray.state.text()
        with Running(tmp_path) as running:
            running.until("Warm after")
            until(lambda: tray.record.isEnabled() and "Ready" in tray.state.text())
            QTest.mousePress(tray.record, Qt.MouseButton.LeftButton)
            until(lambda: tray.shelf.is_recording)
            player = cable.play(DEMO / "creature.wav")
            until(lambda: tray.meter.value() > -40)
            keep_picture(tray, "tray-recording")
            until(lambda: player.poll() is not None)
            QTest.mouseRelease(tray.record, Qt.MouseButton.LeftButton)
            until(lambda: tray.rows.rowCount() == 1)
            clip = tray.rows.clips[0]
            assert clip.seconds > 1.5 and clip.is_here
            for name in ("bell", "rain"):
                tray.link.send("generate", name, str(DEMO / f"{name}.wav"))
            until(lambda: tray.rows.rowCount() == 3 and not tray.shelf.work)
            tray._star([tray.rows.clips[2]])
            tray.list.setCurrentIndex(tray.rows.index(0))
            until(lambda: all(tray.peaks.get(one.path) is not None for one in tray.rows.clips))
            until(lambda: tray.rows.clips[2].starred)
            keep_picture(tray, "tray-house")


def test_a_killed_daemon_is_noticed_and_its_successor_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    application()
    port = free_port()
    settings(tmp_path, port, enabled=False)
    monkeypatch.setenv("VOCALDM_PRESETS", str(ROOT / "presets"))
    with window(port) as tray:
        with Running(tmp_path) as running:
            running.until("Warm after")
            until(lambda: tray.shelf.is_up)
            tray.link.send("generate", "a", str(DEMO / "bell.wav"))
            until(lambda: tray.rows.rowCount() == 1 and not tray.shelf.work)
            before = [(clip.id, clip.path) for clip in tray.rows.clips]
            running.process.kill()
            begun = time.monotonic()
            until(lambda: "gone" in tray.state.text())
            record_property("seconds until it was told", round(time.monotonic() - begun, 2))
        with Running(tmp_path) as running:
            running.until("OSC at")
            begun = time.monotonic()
            until(lambda: tray.shelf.is_up)
            record_property("seconds until it was back", round(time.monotonic() - begun, 2))
            until(lambda: "Ready" in tray.state.text())
            assert [(clip.id, clip.path) for clip in tray.rows.clips] == before
