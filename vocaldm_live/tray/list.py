"""List: the clips on screen; click to hear, drag to take the file, keys for everything."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QDrag, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QListView, QMenu

from vocaldm_live.tray.looks import ClipPainter, drag_picture, faint, star_place
from vocaldm_live.tray.peaks import PeakReader
from vocaldm_live.tray.rows import CLIP, Rows
from vocaldm_live.tray.shelf import Clip


class ClipList(QListView):
    """The view over Rows. `menu` fills the context menu; `hold` is the record key going down (True) or up."""

    heard = Signal(object)  # a Clip that is to be played
    star = Signal(object)
    hold = Signal(bool)
    dragged = Signal(int, int)  # how many files were taken over there, how many are not here any more

    def __init__(self, rows: Rows, peaks: PeakReader, playing: Callable[[], tuple[str, float]]) -> None:
        super().__init__()
        self.setModel(rows)
        self.rows = rows
        self._peaks = peaks
        self.menu: Callable[[QMenu], None] = lambda menu: None
        self.empty = ""
        self._holding = False
        self._on_star = False
        self.setItemDelegate(ClipPainter(peaks.get, playing, self))
        self.setAccessibleName("Clips, newest first")
        self.setAccessibleDescription(
            "Enter plays, S stars, A makes another, R refines, space held records, dragging takes the file."
        )
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.clicked.connect(self._on_click)

    def chosen(self) -> list[Clip]:
        """The clips that are selected, from the top down; the current one where none is."""
        found = sorted(self.selectedIndexes(), key=lambda index: index.row())
        if not found and self.currentIndex().isValid():
            found = [self.currentIndex()]
        return [index.data(CLIP) for index in found]

    # What the hand does ------------------------------------------------------------------------------------

    def startDrag(self, supportedActions: Qt.DropAction) -> None:
        """Hand the files of the selected clips over to another program; they are copied or referred to there."""
        indexes = sorted(self.selectedIndexes(), key=lambda index: index.row())
        clips = [index.data(CLIP) for index in indexes]
        here = [clip for clip in clips if clip.is_here]
        if not here:
            self.dragged.emit(0, len(clips))
            return
        drag = QDrag(self)
        drag.setMimeData(self.rows.mimeData(indexes))
        drag.setPixmap(
            drag_picture(
                here, self._peaks.get(here[0].path), self.palette(), self.font(), self.devicePixelRatioF()
            )
        )
        drag.setHotSpot(QPoint(20, 23))
        taken = drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction)
        self.dragged.emit(len(here) if taken == Qt.DropAction.CopyAction else 0, len(clips) - len(here))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on a star sets it and does nothing else."""
        index = self.indexAt(event.position().toPoint())
        self._on_star = (
            index.isValid()
            and event.button() == Qt.MouseButton.LeftButton
            and star_place(self.visualRect(index)).contains(event.position().toPoint())
        )
        if self._on_star:
            self.star.emit(index.data(CLIP))
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A star is no handle."""
        if not self._on_star:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The end of a press on a star is no click on its clip."""
        if not self._on_star:
            super().mouseReleaseEvent(event)
        self._on_star = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Two fast clicks are two clicks."""
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space is the record button, for as long as it is held."""
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._holding = True
                self.hold.emit(True)
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space comes up."""
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.let_go()
            return
        super().keyReleaseEvent(event)

    def let_go(self) -> None:
        """The record key is up, or will come up where this window does not see it."""
        if self._holding:
            self._holding = False
            self.hold.emit(False)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be done with the selected clips."""
        menu = QMenu(self)
        self.menu(menu)
        menu.exec(event.globalPos())

    def copy(self) -> int:
        """Put the files of the selected clips on the clipboard; how many there are."""
        data = self.rows.mimeData([self.rows.index(self.rows.row_of(clip.path)) for clip in self.chosen()])
        if data.urls():
            QApplication.clipboard().setMimeData(data)
        return len(data.urls())

    def paintEvent(self, event: QPaintEvent) -> None:
        """The rows, or what to do where there are none."""
        super().paintEvent(event)
        if self.rows.rowCount() == 0 and self.empty:
            painter = QPainter(self.viewport())
            painter.setPen(faint(self.palette()))
            place = self.viewport().rect().adjusted(24, 24, -24, -24)
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(place, flags, self.empty)

    def _on_click(self, index: object) -> None:
        # With a modifier a click chooses clips for a drag, and that should make no noise.
        if not QApplication.keyboardModifiers():
            self.heard.emit(index.data(CLIP))  # type: ignore[attr-defined]
