"""Looks: the tray's few colours for light and dark, and how a clip is painted in a row and under a drag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPalette, QPixmap, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from vocaldm_live.tray.peaks import Peaks
from vocaldm_live.tray.rows import CLIP, made
from vocaldm_live.tray.shelf import Clip

ROW_HEIGHT = 68
STAR_WIDTH = 30
MARGIN = 14


def is_dark(palette: QPalette) -> bool:
    """Whether the system's windows are dark."""
    return palette.color(QPalette.ColorRole.Window).lightness() < 128


def accent(palette: QPalette) -> QColor:
    """The colour of waveforms and of what is alive."""
    return QColor("#3fc7b4") if is_dark(palette) else QColor("#0b7f73")


def star_colour(palette: QPalette) -> QColor:
    """The colour of a star that is set."""
    return QColor("#f2c14e") if is_dark(palette) else QColor("#b07a00")


def state_colour(state: str, palette: QPalette) -> QColor:
    """The colour of the dot before the sentence; the sentence itself says it in words."""
    dark = is_dark(palette)
    return {
        "good": accent(palette),
        "busy": QColor("#f2c14e") if dark else QColor("#b07a00"),
        "bad": QColor("#ff7a70") if dark else QColor("#c0271b"),
    }.get(state, faint(palette))


def faint(palette: QPalette) -> QColor:
    """Text of second rank; more than 4.5 to 1 against the window in light and dark."""
    # The active group's colours: a disabled widget's own text is too pale to be read.
    active = QPalette.ColorGroup.Active
    text, ground = (
        palette.color(active, QPalette.ColorRole.Text),
        palette.color(active, QPalette.ColorRole.Base),
    )
    return mixed(text, ground, 0.32)


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """`one` with `share` of `other`."""

    def channel(a: float, b: float) -> float:
        return a + (b - a) * share

    return QColor.fromRgbF(
        channel(one.redF(), other.redF()),
        channel(one.greenF(), other.greenF()),
        channel(one.blueF(), other.blueF()),
    )


class ClipPainter(QStyledItemDelegate):
    """Paints a row: title, when it was made, its seconds, the star, and the waveform with where it plays."""

    def __init__(
        self, peaks: Callable[[str], Peaks | None], playing: Callable[[], tuple[str, float]], parent: Any
    ) -> None:
        super().__init__(parent)
        self._peaks = peaks
        self._playing = playing

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Every row is as high as every other."""
        lines = QFontMetrics(option.font).height()  # type: ignore[attr-defined]
        return QSize(160, max(ROW_HEIGHT, lines + 48))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """One clip."""
        clip: Clip = index.data(CLIP)
        place: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._ground(painter, place, palette, state)
        font = QFont(option.font)  # type: ignore[attr-defined]
        self._words(painter, place, palette, font, clip)
        star = star_place(place)
        paint_star(painter, QRectF(star).center(), 7.0, palette, clip.starred)
        path, share = self._playing()
        top = place.top() + QFontMetrics(font).height() + 14
        wave = QRectF(place.left() + MARGIN, top, place.width() - 2 * MARGIN, place.bottom() - top - 8)
        paint_wave(painter, wave, self._peaks(clip.path), palette, share if path == clip.path else None)
        painter.restore()

    @staticmethod
    def _ground(painter: QPainter, place: QRect, palette: QPalette, state: QStyle.StateFlag) -> None:
        inner = QRectF(place).adjusted(4, 2, -4, -2)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        under = bool(state & QStyle.StateFlag.State_MouseOver)
        colour = accent(palette)
        colour.setAlphaF(0.20 if chosen else 0.08 if under else 0.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(inner, 8, 8)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(accent(palette))
            painter.drawRoundedRect(inner.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    @staticmethod
    def _words(painter: QPainter, place: QRect, palette: QPalette, font: QFont, clip: Clip) -> None:
        small = QFont(font)
        small.setPointSizeF(max(7.0, font.pointSizeF() * 0.88))
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        line = QRect(place.left() + MARGIN, place.top() + 8, place.width(), QFontMetrics(bold).height())
        line.setRight(star_place(place).left() - 4)
        facts = f"{made(clip)}   {clip.seconds:.2f} s".strip()
        width = QFontMetrics(small).horizontalAdvance(facts)
        painter.setFont(small)
        painter.setPen(faint(palette))
        painter.drawText(line, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), facts)
        line.setRight(line.right() - width - 10)
        painter.setFont(bold)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        title = QFontMetrics(bold).elidedText(clip.name, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), title)


def star_place(row: QRect) -> QRect:
    """Where a row's star is, to be painted and to be clicked."""
    return QRect(row.right() - STAR_WIDTH - 4, row.top() + 2, STAR_WIDTH, STAR_WIDTH)


def paint_star(painter: QPainter, centre: QPointF, radius: float, palette: QPalette, on: bool) -> None:
    """A star of five points, filled where it is set."""
    from math import cos, pi, sin

    points = QPolygonF()
    for corner in range(10):
        reach = radius if corner % 2 == 0 else radius * 0.45
        angle = pi * corner / 5
        points.append(QPointF(centre.x() + reach * sin(angle), centre.y() - reach * cos(angle)))
    painter.setPen(star_colour(palette) if on else faint(palette))
    painter.setBrush(star_colour(palette) if on else Qt.BrushStyle.NoBrush)
    painter.drawPolygon(points)


def paint_wave(
    painter: QPainter, place: QRectF, peaks: Peaks | None, palette: QPalette, share: float | None
) -> None:
    """A waveform in `place`, brought to its height; what was played of it (`share`) in full colour."""
    middle = place.center().y()
    colour = accent(palette)
    if peaks is None:
        painter.setPen(faint(palette))
        painter.drawLine(QPointF(place.left(), middle), QPointF(place.right(), middle))
        return
    # Quiet clips are drawn as high as loud ones: the picture is for telling shapes apart, not levels.
    largest = max(float(abs(peaks).max()), 1e-4)
    step, half = place.width() / len(peaks), place.height() / 2
    shape = QPainterPath(QPointF(place.left(), middle))
    for column, (_, high) in enumerate(peaks):
        shape.lineTo(place.left() + (column + 0.5) * step, middle - max(0.6, half * float(high) / largest))
    for column in range(len(peaks) - 1, -1, -1):
        low = float(peaks[column][0])
        shape.lineTo(place.left() + (column + 0.5) * step, middle + max(0.6, -half * low / largest))
    shape.closeSubpath()
    painter.setPen(Qt.PenStyle.NoPen)
    if share is None:
        painter.fillPath(shape, colour)
        return
    pale = QColor(colour)
    pale.setAlphaF(0.35)
    painter.fillPath(shape, pale)
    painter.save()
    played = QRectF(place.left(), place.top(), place.width() * share, place.height())
    painter.setClipRect(played)
    painter.fillPath(shape, colour)
    painter.restore()
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    painter.drawLine(played.topRight(), played.bottomRight())


def drag_picture(
    clips: list[Clip], peaks: Peaks | None, palette: QPalette, font: QFont, ratio: float
) -> QPixmap:
    """What hangs at the pointer while clips are dragged."""
    size = QSize(190, 46)
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(accent(palette))
    painter.setBrush(palette.color(QPalette.ColorRole.Base))
    painter.drawRoundedRect(QRectF(0.5, 0.5, size.width() - 1, size.height() - 1), 8, 8)
    painter.setFont(font)
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    title = clips[0].name if len(clips) == 1 else f"{len(clips)} clips"
    line = QRect(10, 4, size.width() - 20, QFontMetrics(font).height())
    painter.drawText(line, 0, QFontMetrics(font).elidedText(title, Qt.TextElideMode.ElideRight, line.width()))
    paint_wave(
        painter,
        QRectF(10, line.bottom() + 2, size.width() - 20, size.height() - line.bottom() - 7),
        peaks,
        palette,
        None,
    )
    painter.end()
    return picture


def picture_of_itself(size: int = 128) -> QPixmap:
    """The window's icon: a gesture's outline in a rounded square."""
    picture = QPixmap(size, size)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#0b7f73"))
    painter.drawRoundedRect(QRectF(0, 0, size, size), size * 0.22, size * 0.22)
    painter.setBrush(Qt.GlobalColor.white)
    for bar, height in enumerate((0.16, 0.42, 0.70, 0.52, 0.30, 0.14)):
        left = size * (0.15 + 0.12 * bar)
        bar_place = QRectF(left, size * (0.5 - height / 2), size * 0.08, size * height)
        painter.drawRoundedRect(bar_place, size * 0.04, size * 0.04)
    painter.end()
    return picture
