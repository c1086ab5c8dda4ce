"""Parts: the tray's small widgets; dot, sentence, record button, level and progress."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from vocaldm_live.tray.looks import accent, faint, mixed, state_colour

LOWEST_DBFS = -60


class Dot(QWidget):
    """A dot in the colour of the state. The sentence beside it says the same in words."""

    def __init__(self) -> None:
        super().__init__()
        self._state = ""
        self.setFixedSize(12, 12)

    def show_state(self, state: str) -> None:
        """`good`, `busy`, `waiting` or `bad`."""
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A ring where nobody is there, a full dot elsewhere."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = state_colour(self._state, self.palette())
        painter.setPen(colour)
        painter.setBrush(Qt.BrushStyle.NoBrush if self._state == "waiting" else colour)
        painter.drawEllipse(QRectF(1.5, 1.5, 9, 9))


class Sentence(QLabel):
    """One sentence in as many lines as it needs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def setText(self, text: str) -> None:
        """Show it; screen readers hear it as the description."""
        if text != self.text():
            super().setText(text)
            self.setAccessibleDescription(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the whole sentence to be seen."""
        super().resizeEvent(event)
        self.setMinimumHeight(self.heightForWidth(self.width()))


class RecordButton(QPushButton):
    """Held to record."""

    def __init__(self) -> None:
        super().__init__("Hold to record")
        self.setAccessibleName("Record while held")
        self.setAccessibleDescription("Hold with the mouse or the space key and make a noise.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._recording = False

    def sizeHint(self) -> QSize:
        """High enough to be hit without looking."""
        return QSize(160, QFontMetrics(self.font()).height() + 22)

    def show_state(self, recording: bool, deaf: bool) -> None:
        """Recording now or not; `deaf`: the daemon has no microphone."""
        text = "Recording" if recording else "No microphone" if deaf else "Hold to record"
        if (text, recording) != (self.text(), self._recording):
            self._recording = recording
            self.setText(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A wide pill with a red dot; red all over while it records."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        red = QColor("#d93a2f")
        ground = mixed(
            palette.color(QPalette.ColorRole.Button), palette.color(QPalette.ColorRole.ButtonText), 0.06
        )
        on = self._recording or self.isDown()
        if on:
            ground = red
        elif self.underMouse() and self.isEnabled():
            ground = mixed(ground, palette.color(QPalette.ColorRole.ButtonText), 0.07)
        place = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        edge = mixed(ground, palette.color(QPalette.ColorRole.ButtonText), 0.18)
        painter.setPen(accent(palette) if self.hasFocus() else edge)
        painter.setBrush(ground)
        painter.drawRoundedRect(place, 10, 10)
        text = self.text()
        width = QFontMetrics(self.font()).horizontalAdvance(text)
        left = place.center().x() - (width + 20) / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(Qt.GlobalColor.white if on else red if self.isEnabled() else faint(palette))
        painter.drawEllipse(QRectF(left, place.center().y() - 5, 10, 10))
        painter.setPen(
            Qt.GlobalColor.white
            if on
            else palette.color(QPalette.ColorRole.ButtonText)
            if self.isEnabled()
            else faint(palette)
        )
        painter.drawText(
            QRectF(left + 20, place.top(), width + 4, place.height()),
            int(Qt.AlignmentFlag.AlignVCenter),
            text,
        )


class Meter(QProgressBar):
    """The microphone's peak, in dBFS."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(LOWEST_DBFS, 0)
        self.setValue(LOWEST_DBFS)
        self.setFormat("%v dBFS")
        self.setAccessibleName("Microphone level")
        self.setFixedHeight(4)
        self._open = False

    def show_level(self, dbfs: float, is_open: bool) -> None:
        """A peak and whether a voice is heard."""
        self._open = is_open
        self.setValue(round(min(0.0, max(float(LOWEST_DBFS), dbfs))))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A thin bar; the last 6 dB are red."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        palette = self.palette()
        window = palette.color(QPalette.ColorRole.Window)
        painter.setBrush(mixed(window, palette.color(QPalette.ColorRole.WindowText), 0.10))
        place = QRectF(self.rect())
        painter.drawRoundedRect(place, 2, 2)
        share = (self.value() - LOWEST_DBFS) / -LOWEST_DBFS
        if share > 0:
            colour = QColor("#d93a2f") if self.value() > -6 else accent(palette)
            painter.setBrush(colour if self._open else mixed(colour, window, 0.45))
            painter.drawRoundedRect(QRectF(0, 0, place.width() * share, place.height()), 2, 2)


class Progress(QProgressBar):
    """How far the request under way is."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(0, 100)
        self.setAccessibleName("Progress")
        self.setFixedHeight(3)
        self._shown = False

    def show_share(self, share: float, shown: bool) -> None:
        """0 to 1; nothing where nothing is under way."""
        self._shown = shown
        self.setValue(round(100 * share))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line between the head and the clips."""
        painter = QPainter(self)
        palette = self.palette()
        window = palette.color(QPalette.ColorRole.Window)
        line = mixed(window, palette.color(QPalette.ColorRole.WindowText), 0.14)
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), line)
        if self._shown:
            painter.fillRect(
                QRectF(0, 0, self.width() * max(0.02, self.value() / 100), self.height()), accent(palette)
            )
