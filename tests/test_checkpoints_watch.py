"""The watch over preset folders: changes are told once, and only when they have come to rest."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from tiny import make_tiny_preset

from vocaldm_live.checkpoints.watch import PresetWatch


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "presets"
    folder.mkdir()
    make_tiny_preset(folder, "one")
    return folder


def test_nothing_is_told_of_what_was_there_before(place: Path) -> None:
    told: list[str] = []
    watch = PresetWatch(lambda name, folder: told.append(name), interval=60)
    watch.start()
    watch.look_once()
    watch.look_once()
    watch.close()
    assert told == []


def test_a_new_preset_is_told_when_it_has_come_to_rest(place: Path) -> None:
    told: list[tuple[str, Path]] = []
    watch = PresetWatch(lambda name, folder: told.append((name, folder)), interval=60)
    watch.start()
    shutil.copytree(place / "one", place / "two")
    watch.look_once()
    (place / "two" / "unet.safetensors").write_bytes(b"still being copied")
    watch.look_once()
    assert told == []
    watch.look_once()
    watch.look_once()
    watch.close()
    assert told == [("two", (place / "two").resolve())]


@pytest.mark.slow
def test_a_changed_and_a_removed_preset_are_told(place: Path) -> None:
    changed: list[str] = []
    gone: list[str] = []
    arrived = threading.Event()

    def on_changed(name: str, folder: Path) -> None:
        changed.append(name)
        arrived.set()

    watch = PresetWatch(on_changed, gone.append, interval=0.05)
    watch.start()
    make_tiny_preset(place, "one", seed=5)
    assert arrived.wait(20)
    shutil.rmtree(place / "one")
    for _ in range(200):
        if gone:
            break
        threading.Event().wait(0.05)
    watch.close()
    assert changed == ["one"] and gone == ["one"]


def test_a_failing_report_does_not_end_the_watch(place: Path) -> None:
    told: list[str] = []
    twice = threading.Event()

    def on_changed(name: str, folder: Path) -> None:
        told.append(name)
        if len(told) == 2:
            twice.set()
        raise RuntimeError("the listener's own fault")

    watch = PresetWatch(on_changed, interval=0.05)
    watch.start()
    shutil.copytree(place / "one", place / "two")
    shutil.copytree(place / "one", place / "three")
    assert twice.wait(20)
    watch.close()
    assert sorted(told[:2]) == ["three", "two"]
