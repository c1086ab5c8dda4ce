"""Window: record button, level, the clips, and one sentence about how things are."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from vocaldm_live.tray.link import Link
from vocaldm_live.tray.list import ClipList
from vocaldm_live.tray.looks import faint
from vocaldm_live.tray.parts import Dot, Meter, Progress, RecordButton, Sentence
from vocaldm_live.tray.peaks import PeakReader
from vocaldm_live.tray.player import Player
from vocaldm_live.tray.rows import Rows
from vocaldm_live.tray.shelf import QUIET_DBFS, Clip, Shelf

ASKED_CLIPS = 60
REFINE = 4  # times the steps in force
MOST_STEPS = 200
TROUBLE_STAYS = 15000  # ms
FRAME = 40  # ms between pictures of what plays
HINT = "Click to hear, drag into your DAW."


class Bridge(QObject):
    """Brings what other threads say into the window's thread."""

    heard = Signal(str, object)
    played = Signal(str, str)
    pictured = Signal(str)


class Window(QWidget):
    """The tray. It owns its Link, and closes it."""

    def __init__(self, host: str, port: int, token: str = "", memory: Path | None = None) -> None:
        """`memory` is the file that remembers where the window was; none: it forgets."""
        super().__init__()
        self.shelf = Shelf()
        self.place = f"{host}:{port}"
        self._memory = QSettings(str(memory), QSettings.Format.IniFormat) if memory else None
        self._bridge = Bridge()
        self._bridge.heard.connect(self._on_event)
        self._bridge.played.connect(self._on_played)
        self._bridge.pictured.connect(self._on_pictured)
        self.link = Link(host, port, lambda name, values: self._bridge.heard.emit(name, values), token)
        self.player = Player(lambda path, sentence: self._bridge.played.emit(path, sentence))
        self.peaks = PeakReader(self._bridge.pictured.emit)
        self.rows = Rows()
        self._numbers = itertools.count(1)
        self._told: set[str] = set()
        self._recording = False
        self._build()
        self._actions()
        self._frames = QTimer(self, interval=FRAME)
        self._frames.timeout.connect(self._on_frame)
        self._fading = QTimer(self, interval=TROUBLE_STAYS, singleShot=True)
        self._fading.timeout.connect(lambda: self._say("", self.note))
        self._recall()
        self._show_state()
        self._show_level()
        self._show_work()
        self.link.start()

    # Building ----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setWindowTitle("VocalDM tray")
        self.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint, True)
        self.setMinimumSize(250, 220)
        self.resize(330, 520)
        self.dot, self.state = Dot(), Sentence("How the daemon is")
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel what is being made")
        self.cancel.clicked.connect(lambda: self.link.send("cancel", ""))
        self.record = RecordButton()
        self.record.pressed.connect(lambda: self._record(True))
        self.record.released.connect(lambda: self._record(False))
        self.meter, self.progress = Meter(), Progress()
        self.list = ClipList(self.rows, self.peaks, lambda: self.player.now)
        self.list.heard.connect(self._play)
        self.list.star.connect(lambda clip: self._star([clip]))
        self.list.hold.connect(self._hold)
        self.list.dragged.connect(self._on_dragged)
        self.list.menu = self._fill
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setAccessibleName("Last message")
        top = QHBoxLayout()
        for widget, stretch in ((self.dot, 0), (self.state, 1), (self.cancel, 0)):
            top.addWidget(widget, stretch)
        head = QVBoxLayout()
        head.setContentsMargins(14, 12, 14, 10)
        head.setSpacing(8)
        head.addLayout(top)
        head.addWidget(self.record)
        head.addWidget(self.meter)
        foot = QVBoxLayout()
        foot.setContentsMargins(14, 8, 14, 10)
        foot.addWidget(self.note)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addWidget(self.progress)
        whole.addWidget(self.list, 1)
        whole.addLayout(foot)
        QWidget.setTabOrder(self.record, self.list)
        QWidget.setTabOrder(self.list, self.cancel)
        self.list.setFocus()
        self._say("", self.note)

    def _actions(self) -> None:
        def action(text: str, keys: str, do: Callable[[], Any]) -> QAction:
            made = QAction(text, self.list)
            made.setShortcut(QKeySequence(keys))
            made.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            made.triggered.connect(lambda: do())
            self.list.addAction(made)
            return made

        chosen = self.list.chosen
        self.play_action = action("Play", "Return", lambda: self._play(*chosen()[:1]))
        self.star_action = action("Star", "S", lambda: self._star(chosen()))
        self.again_action = action("Again, another seed", "A", lambda: self._again(chosen()))
        self.refine_action = action("Refine", "R", lambda: self._refine(chosen()))
        self.copy_action = action("Copy files", "Ctrl+C", self.list.copy)
        self.stop_action = action("Stop playing", "Esc", self._stop)
        self.top_action = QAction("Keep above other windows", self, checkable=True, checked=True)
        self.top_action.toggled.connect(self._keep_above)

    def _fill(self, menu: QMenu) -> None:
        clips = self.list.chosen()
        stars = bool(clips) and all(clip.starred for clip in clips)
        self.star_action.setText("Take the star away" if stars else "Star")
        self.refine_action.setText(f"Refine with {self._refined()} steps")
        for one in (
            self.play_action,
            self.star_action,
            self.again_action,
            self.refine_action,
            self.copy_action,
        ):
            one.setEnabled(bool(clips))
            menu.addAction(one)
        menu.addAction(self.stop_action)
        menu.addSeparator()
        menu.addAction(self.top_action)
        menu.aboutToHide.connect(self._enable)

    def _enable(self) -> None:
        for one in self.list.actions():
            one.setEnabled(True)

    # What the daemon says ----------------------------------------------------------------------------------

    def _on_event(self, name: str, values: tuple[Any, ...]) -> None:
        changed = self.shelf.take(name, values)
        if "ask" in changed:
            self._ask()
        if changed & {"clips", "clip"}:
            self.rows.show(self.shelf.clips)
            self.list.viewport().update()
        if "level" in changed:
            self._show_level()
        if "work" in changed:
            self._show_work()
        if "trouble" in changed and self.shelf.is_up:
            self._say(self.shelf.trouble, self.note)
        if changed & {"state", "work"}:
            self._show_state()

    def _ask(self) -> None:
        if self.link.send("history", ASKED_CLIPS):
            self.shelf.asked()

    def _show_state(self) -> None:
        state, sentence = self.shelf.sentence(self.place)
        self.dot.show_state(state)
        self.state.setText(sentence)
        can_record = self.shelf.is_up and not self.shelf.lost
        if not can_record and self._recording:
            # A button that is switched off while it is held never says that it came up.
            self.record.setDown(False)
            self._recording = False
            self.link.send("record", 0)
        self.record.setEnabled(can_record)
        self.record.setToolTip(self.shelf.lost if self.shelf.is_up else sentence)
        self.record.show_state(self.shelf.is_recording, self.shelf.is_up and bool(self.shelf.lost))
        self.list.empty = (
            "No clip yet. Hold the record button and make a noise with your mouth: the clip appears here."
            if self.shelf.is_up
            else 'Clips appear here once "vocaldm live" runs.'
        )
        self.list.viewport().update()

    def _show_level(self) -> None:
        self.meter.show_level(max(self.shelf.peak, QUIET_DBFS), self.shelf.is_open or self.shelf.is_recording)
        self.record.show_state(self.shelf.is_recording, self.shelf.is_up and bool(self.shelf.lost))

    def _show_work(self) -> None:
        work = list(self.shelf.work.values())
        self.progress.show_share(max((one.share for one in work), default=0.0), bool(work))
        self.cancel.setVisible(bool(work))

    def _say(self, sentence: str, label: QLabel) -> None:
        label.setText(sentence or HINT)
        self._quiet(label, not sentence)
        if sentence:
            self._fading.start()

    @staticmethod
    def _quiet(label: QLabel, quiet: bool) -> None:
        palette = QPalette()  # the system's, which may have changed between light and dark
        if quiet:
            palette.setColor(QPalette.ColorRole.WindowText, faint(palette))
        label.setPalette(palette)

    # What the hand asks ------------------------------------------------------------------------------------

    def _hold(self, on: bool) -> None:
        if self.record.isEnabled() or not on:
            self.record.setDown(on)
            self._record(on)

    def _record(self, on: bool) -> None:
        if on != self._recording:
            self._recording = on
            self._send("record", int(on))

    def _play(self, clip: Clip | None = None) -> None:
        if clip is None:
            return
        if clip.is_here:
            self.player.play(clip.path)
        else:
            self._missing(1)

    def _stop(self) -> None:
        self.player.stop()

    def _star(self, clips: list[Clip]) -> None:
        on = not all(clip.starred for clip in clips)
        for clip in clips:
            if clip.id and self._send("star", clip.id, int(on)):
                self.shelf.starred(clip.key, on)
        self.rows.show(self.shelf.clips)
        self._ask()

    def _again(self, clips: list[Clip]) -> None:
        for clip in clips:
            self._send("again", self._id("again"), clip.id)

    def _refine(self, clips: list[Clip]) -> None:
        for clip in clips:
            self._send("refine", self._id("refine"), clip.id, self._refined())

    def _refined(self) -> int:
        return min(MOST_STEPS, REFINE * max(1, self.shelf.steps))

    def _id(self, kind: str) -> str:
        return f"tray-{os.getpid()}-{kind}-{next(self._numbers)}"

    def _send(self, name: str, *arguments: Any) -> bool:
        sent = self.link.send(name, *arguments)
        if not sent:
            self._say('No daemon is there to do that: start it with "vocaldm live".', self.note)
        return sent

    def _on_dragged(self, taken: int, missing: int) -> None:
        if missing:
            self._missing(missing)
        elif taken:
            self._say(f"{taken} clip{'s' if taken > 1 else ''} handed over.", self.note)

    def _missing(self, count: int) -> None:
        what = "That clip's file is" if count == 1 else f"The files of {count} clips are"
        self._say(f"{what} not here any more: look whether the outbox was moved.", self.note)

    # What plays --------------------------------------------------------------------------------------------

    def _on_played(self, path: str, sentence: str) -> None:
        if path:
            row = self.rows.row_of(path)
            seconds = self.rows.clips[row].seconds if row >= 0 else 0.0
            self.link.send("audition", min(600.0, seconds))
            self._frames.start()
        elif not self.player.now[0]:
            self.link.send("audition", 0.0)
            self._frames.stop()
            self.list.viewport().update()
        if sentence and sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence, self.note)

    def _on_frame(self) -> None:
        row = self.rows.row_of(self.player.now[0])
        if row >= 0:
            self.list.update(self.rows.index(row))

    def _on_pictured(self, path: str) -> None:
        row = self.rows.row_of(path)
        if row >= 0:
            self.list.update(self.rows.index(row))

    # The window itself -------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """A key that was held comes up elsewhere when another window takes over."""
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.list.let_go()
        elif event.type() == QEvent.Type.ActivationChange:
            self._ask()  # another front end may have set stars
        elif event.type() == QEvent.Type.PaletteChange:
            self._quiet(self.note, self.note.text() == HINT)
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the place, end the threads."""
        self._record(False) if self._recording else None
        if self._memory is not None:
            self._memory.setValue("geometry", self.saveGeometry())
            self._memory.setValue("above", self.top_action.isChecked())
            self._memory.sync()
        self.player.stop()
        self.peaks.close()
        self.link.stop()
        super().closeEvent(event)

    def _recall(self) -> None:
        if self._memory is None:
            return
        geometry = self._memory.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if self._memory.value("above", True, type=bool) is False:
            self.top_action.setChecked(False)

    def _keep_above(self, on: bool) -> None:
        was_visible = self.isVisible()
        self.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint, on)
        if was_visible:
            self.show()
