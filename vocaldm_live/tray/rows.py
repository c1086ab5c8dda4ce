"""Rows: the clips as Qt's list model, which also says what a drag of them carries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QPersistentModelIndex, Qt, QUrl

from vocaldm_live.tray.shelf import Clip

Index = QModelIndex | QPersistentModelIndex
CLIP = Qt.ItemDataRole.UserRole + 1
_TOP = QModelIndex()


class Rows(QAbstractListModel):
    """Clips, newest first; the role CLIP gives the Clip itself."""

    def __init__(self) -> None:
        super().__init__()
        self.clips: list[Clip] = []

    def show(self, clips: Sequence[Clip]) -> None:
        """Show these clips; rows that stay keep their selection."""
        wanted = [clip.key for clip in clips]
        position = 0
        while position < len(self.clips):
            if self.clips[position].key in wanted:
                position += 1
                continue
            self.beginRemoveRows(QModelIndex(), position, position)
            del self.clips[position]
            self.endRemoveRows()
        for row, clip in enumerate(clips):
            old = next((i for i in range(row, len(self.clips)) if self.clips[i].key == clip.key), None)
            if old is None:
                self.beginInsertRows(QModelIndex(), row, row)
                self.clips.insert(row, clip)
                self.endInsertRows()
                continue
            if old != row:
                self.beginMoveRows(QModelIndex(), old, old, QModelIndex(), row)
                self.clips.insert(row, self.clips.pop(old))
                self.endMoveRows()
            if self.clips[row] != clip:
                self.clips[row] = clip
                self.dataChanged.emit(self.index(row), self.index(row))

    def row_of(self, path: str) -> int:
        """The row of the clip with this file, -1 where there is none."""
        return next((row for row, clip in enumerate(self.clips) if clip.path == path), -1)

    # What Qt asks ------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _TOP) -> int:
        """How many clips."""
        return 0 if parent.isValid() else len(self.clips)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A clip's title, or what a screen reader or a tool tip says of it."""
        if not index.isValid() or index.row() >= len(self.clips):
            return None
        clip = self.clips[index.row()]
        if role == CLIP:
            return clip
        if role == Qt.ItemDataRole.DisplayRole:
            return clip.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            star = ", starred" if clip.starred else ""
            return f"{clip.name}, {clip.seconds:.1f} seconds, made {made(clip)}{star}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{clip.path}\nseed {clip.seed}, made {made(clip)}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Clips can be chosen and dragged; nothing is dropped here."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsDragEnabled
            | Qt.ItemFlag.ItemNeverHasChildren
        )

    def supportedDragActions(self) -> Qt.DropAction:
        """Copies only: the outbox keeps its files."""
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        """Files."""
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[Index]) -> QMimeData:
        """The files of these rows that are here, from the top down, as `text/uri-list`."""
        data = QMimeData()
        rows = sorted({index.row() for index in indexes if index.isValid()})
        data.setUrls([QUrl.fromLocalFile(self.clips[row].path) for row in rows if self.clips[row].is_here])
        return data


def made(clip: Clip) -> str:
    """When a clip was made, in this machine's time: the hour for today, the day for older ones."""
    if clip.created is None:
        return ""
    moment = clip.created if clip.created.tzinfo else clip.created.replace(tzinfo=timezone.utc)
    moment = moment.astimezone()
    same_day = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M") if same_day else moment.strftime("%d %b")
