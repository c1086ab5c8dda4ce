"""The tray's window on a real daemon: clips come, are heard, starred, made again, refined and put into a drag."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemons import started, voice
from osc_peers import Peer
from tiny import make_tiny_preset
from trays import application, dark, keep_picture, until, window

from vocaldm_live.daemon.daemon import Daemon


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    application()
    made = tmp_path_factory.mktemp("tray")
    make_tiny_preset(made / "presets", "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        yield made


@pytest.fixture(scope="module")
def running(place: Path) -> Iterator[Daemon]:
    with started(place) as made:
        yield made


@pytest.fixture
def daemon(running: Daemon) -> Daemon:
    """The daemon of all tests here, as if it were new."""
    for entry in running.session.history.entries(limit=500):
        entry.path.unlink(missing_ok=True)
        entry.recipe_path.unlink(missing_ok=True)
    running.session.history._base.execute("DELETE FROM clips")
    running.session.history._base.commit()
    running.server.set_parameter("steps", 2)
    return running


@pytest.fixture
def tray(daemon: Daemon) -> Iterator[Any]:
    with window(daemon.server.port) as made:
        until(lambda: made.shelf.is_up)
        yield made


def with_clips(tray: Any, place: Path, *names: str) -> list[Any]:
    """Make a clip of each; the rows' clips."""
    for name in names:
        wanted = len(tray.rows.clips) + 1
        tray.link.send("generate", name, str(voice(place / "files" / f"{name}.wav", 0.6, len(name))))
        until(lambda wanted=wanted: len(tray.rows.clips) >= wanted and not tray.shelf.work)
    return list(tray.rows.clips)


def press(widget: Any, key: Any, modifiers: Any = None) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    QTest.keyClick(widget, key, modifiers or Qt.KeyboardModifier.NoModifier)


@pytest.mark.slow
def test_clips_come_newest_first_and_stay_when_the_tray_is_opened_again(
    place: Path, daemon: Daemon, tray: Any
) -> None:
    clips = with_clips(tray, place, "knock", "whoosh")
    assert [clip.name for clip in clips] == ["whoosh", "knock"]
    assert all(Path(clip.path).is_file() for clip in clips)
    with window(daemon.server.port) as other:
        until(lambda: len(other.rows.clips) == 2)
        assert [(c.id, c.path, c.seed) for c in other.rows.clips] == [(c.id, c.path, c.seed) for c in clips]


def test_a_waveform_is_read_for_every_row(place: Path, tray: Any) -> None:
    (clip,) = with_clips(tray, place, "knock")
    until(lambda: tray.peaks.get(clip.path) is not None)
    peaks = tray.peaks.get(clip.path)
    assert peaks.shape == (240, 2) and (peaks[:, 0] <= peaks[:, 1]).all() and abs(peaks).max() > 0


def test_a_star_is_set_by_key_and_kept_by_the_daemon(place: Path, daemon: Daemon, tray: Any) -> None:
    from PySide6.QtCore import Qt

    clip = with_clips(tray, place, "knock", "whoosh")[1]
    tray.list.setCurrentIndex(tray.rows.index(1))
    press(tray.list, Qt.Key.Key_S)
    until(lambda: daemon.session.history.get(clip.id).starred)
    until(lambda: tray.rows.clips[1].starred)
    press(tray.list, Qt.Key.Key_S)
    until(lambda: not daemon.session.history.get(clip.id).starred)
    assert [one.starred for one in tray.rows.clips] == [False, False]  # an older answer sets no star again
    until(lambda: not tray.shelf._owed)
    with Peer(daemon.server.port) as other:
        other.send("star", clip.id, 1)  # in another front end
        until(lambda: tray.rows.clips[1].starred)


def test_a_press_on_the_star_stars_and_plays_nothing(place: Path, daemon: Daemon, tray: Any) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from vocaldm_live.tray.looks import star_place

    (clip,) = with_clips(tray, place, "knock")
    heard: list[Any] = []
    tray.list.heard.connect(heard.append)
    row = tray.list.visualRect(tray.rows.index(0))
    left = Qt.MouseButton.LeftButton
    QTest.mouseClick(tray.list.viewport(), left, pos=star_place(row).center())
    until(lambda: daemon.session.history.get(clip.id).starred)
    assert heard == []
    QTest.mouseClick(tray.list.viewport(), left, pos=row.center())
    assert heard and heard[0].id == clip.id
    QTest.mouseClick(tray.list.viewport(), left, Qt.KeyboardModifier.ControlModifier, row.center())
    assert len(heard) == 1


def test_again_and_refine_by_key(place: Path, tray: Any) -> None:
    from PySide6.QtCore import Qt

    (clip,) = with_clips(tray, place, "knock")
    tray.list.setCurrentIndex(tray.rows.index(0))
    press(tray.list, Qt.Key.Key_R)
    until(lambda: len(tray.rows.clips) == 2)
    refined = tray.rows.clips[0]
    recipe = json.loads(Path(refined.path).with_suffix(".json").read_text())
    assert refined.seed == clip.seed and recipe["steps"] == 4 * 2
    assert tray.list.chosen() == [clip]
    press(tray.list, Qt.Key.Key_A)
    until(lambda: len(tray.rows.clips) == 3)
    assert tray.rows.clips[0].seed != clip.seed


def test_a_drag_carries_the_files_of_the_selected_rows(place: Path, tray: Any) -> None:
    clips = with_clips(tray, place, "a", "bb", "ccc")
    tray.list.selectAll()
    indexes = list(reversed(tray.list.selectedIndexes()))
    data = tray.rows.mimeData(indexes)
    assert data.formats() == ["text/uri-list"]
    assert [url.toLocalFile() for url in data.urls()] == [clip.path for clip in clips]
    assert all(url.isLocalFile() and os.path.isabs(url.toLocalFile()) for url in data.urls())
    Path(clips[1].path).unlink()
    assert [url.toLocalFile() for url in tray.rows.mimeData(indexes).urls()] == [clips[0].path, clips[2].path]


def test_files_that_are_gone_are_told_not_dragged(place: Path, tray: Any) -> None:
    from PySide6.QtCore import Qt

    (clip,) = with_clips(tray, place, "knock")
    Path(clip.path).unlink()
    tray.list.selectAll()
    tray.list.startDrag(Qt.DropAction.CopyAction)
    assert "not here any more" in tray.note.text()


def test_copied_files_lie_on_the_clipboard(place: Path, tray: Any) -> None:
    from PySide6.QtCore import Qt

    clips = with_clips(tray, place, "knock")
    tray.list.setCurrentIndex(tray.rows.index(0))
    press(tray.list, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = application().clipboard()
    assert [u.toLocalFile() for u in clipboard.mimeData().urls()] == [clips[0].path]
    # Without a screen Qt keeps it until after Python has ended, and would then ask Python to free it.
    clipboard.clear()


def test_the_selection_stays_on_its_clip_when_another_comes(place: Path, tray: Any) -> None:
    (clip,) = with_clips(tray, place, "knock")
    tray.list.setCurrentIndex(tray.rows.index(0))
    with_clips(tray, place, "whoosh")
    tray._ask()
    until(lambda: not tray.shelf._fresh)
    assert [one.id for one in tray.list.chosen()] == [clip.id] and tray.list.currentIndex().row() == 1


def test_progress_is_shown_and_can_be_cancelled(place: Path, tray: Any) -> None:
    tray.link.send("param/steps", 100)
    tray.link.send("generate", "long", str(voice(place / "files" / "long.wav", 6.0)))
    until(lambda: tray.progress.value() > 0)
    assert tray.cancel.isVisible() and "long" in tray.state.text()
    tray.cancel.click()
    until(lambda: not tray.shelf.work)
    assert not tray.cancel.isVisible() and tray.rows.rowCount() == 0


def test_without_a_microphone_the_record_button_says_so(tray: Any) -> None:
    until(lambda: tray.shelf.lost)
    assert not tray.record.isEnabled() and tray.record.text() == "No microphone" and tray.record.toolTip()


def test_space_holds_the_record_button(tray: Any) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    tray._on_event("mic/ok", ("Scarlett",))
    said: list[Any] = []
    tray.link.send = lambda *one: said.append(one) or True
    QTest.keyPress(tray.list, Qt.Key.Key_Space)
    QTest.keyPress(tray.list, Qt.Key.Key_Space)
    assert said == [("record", 1)] and tray.record.isDown()
    QTest.keyRelease(tray.list, Qt.Key.Key_Space)
    assert said == [("record", 1), ("record", 0)] and not tray.record.isDown()
    QTest.mousePress(tray.record, Qt.MouseButton.LeftButton)
    QTest.mouseRelease(tray.record, Qt.MouseButton.LeftButton)
    assert said[2:] == [("record", 1), ("record", 0)]
    QTest.keyPress(tray.list, Qt.Key.Key_Space)
    tray.list.let_go()  # another window takes over
    assert said[-1] == ("record", 0)


def test_a_microphone_that_goes_while_the_button_is_held_ends_the_recording(tray: Any) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    tray._on_event("mic/ok", ("Scarlett",))
    said: list[Any] = []
    tray.link.send = lambda *one: said.append(one) or True
    QTest.mousePress(tray.record, Qt.MouseButton.LeftButton)
    tray._on_event("mic/lost", ("It was unplugged.",))
    assert said == [("record", 1), ("record", 0)] and not tray.record.isDown()
    tray._on_event("mic/ok", ("Scarlett",))
    QTest.mousePress(tray.record, Qt.MouseButton.LeftButton)
    QTest.mouseRelease(tray.record, Qt.MouseButton.LeftButton)
    assert said[2:] == [("record", 1), ("record", 0)]


def test_the_level_moves_and_falls_when_the_daemon_goes(tray: Any) -> None:
    tray._on_event("mic/ok", ("Scarlett",))
    tray._on_event("mic/level", (-12.0, -20.0, 1))
    assert tray.meter.value() == -12
    tray._on_event("link/down", ("",))
    assert tray.meter.value() == -60 and not tray.record.isEnabled()


@pytest.mark.slow
def test_it_says_when_the_daemon_goes_and_comes_back_by_itself(place: Path) -> None:
    own = {"folders.outbox": str(place / "own"), "folders.state": str(place / "mine")}
    with started(place, warm=False, **own) as daemon, window(daemon.server.port) as tray:
        until(lambda: tray.shelf.is_up)
        assert daemon.warm.wait(60)
        with_clips(tray, place, "knock")
        daemon.close()
        until(lambda: not tray.shelf.is_up)
        assert "gone" in tray.state.text() and tray.rows.rowCount() == 1
        with started(place, warm=False, **own, **{"osc.port": daemon.server.port}):
            until(lambda: tray.shelf.is_up)
            until(lambda: "Ready" in tray.state.text())
            assert tray.rows.rowCount() == 1


def test_it_remembers_its_place(place: Path, daemon: Daemon) -> None:
    memory = place / "tray.ini"
    with window(daemon.server.port, memory=memory) as one:
        one.resize(411, 377)
        one.top_action.setChecked(False)
    with window(daemon.server.port, memory=memory) as two:
        assert (two.width(), two.height()) == (411, 377) and not two.top_action.isChecked()


def test_everything_can_be_reached_by_keyboard_and_has_a_name(place: Path, tray: Any) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QProgressBar

    with_clips(tray, place, "knock")
    kinds = (QAbstractButton, QAbstractItemView, QProgressBar)
    shown = [one for kind in kinds for one in tray.findChildren(kind) if "scroll" not in one.objectName()]
    assert {tray.record, tray.list, tray.meter, tray.cancel} <= set(shown)
    assert [one for one in shown if not one.accessibleName()] == []
    for widget in (tray.record, tray.list, tray.cancel):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    told = tray.rows.data(tray.rows.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert told.startswith("knock, 0.6 seconds")
    keys = [action.shortcut().toString() for action in tray.list.actions()]
    assert keys == ["Return", "S", "A", "R", "Ctrl+C", "Esc"]


def test_light_and_dark_follow_the_system_and_can_be_read(place: Path, tray: Any) -> None:
    from PySide6.QtGui import QPalette

    from vocaldm_live.tray.looks import accent, faint

    with_clips(tray, place, "knock", "whoosh", "rattle")
    tray._star([tray.rows.clips[1]])
    tray.list.setCurrentIndex(tray.rows.index(0))
    until(lambda: all(tray.peaks.get(clip.path) is not None for clip in tray.rows.clips))
    app = application()
    light = app.palette()
    pictures = []
    try:
        for name, palette in (("light", light), ("dark", dark())):
            app.setPalette(palette)
            app.processEvents()
            base = tray.list.palette().color(QPalette.ColorRole.Base)
            assert contrast(faint(tray.list.palette()), base) >= 4.5
            assert contrast(accent(tray.list.palette()), base) >= 3.0
            window_colour = tray.palette().color(QPalette.ColorRole.Window)
            assert contrast(tray.note.palette().color(QPalette.ColorRole.WindowText), window_colour) >= 4.5
            pictures.append(tray.grab().toImage())
            keep_picture(tray, f"tray-{name}")
    finally:
        app.setPalette(light)
    assert pictures[0] != pictures[1]


def contrast(one: Any, other: Any) -> float:
    """WCAG 2.2's contrast ratio of two colours."""

    def luminance(colour: Any) -> float:
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (colour.redF(), colour.greenF(), colour.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)
