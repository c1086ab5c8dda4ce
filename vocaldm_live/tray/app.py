"""App: the tray as a program, from its window to its last line."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from vocaldm_live.tray.looks import picture_of_itself
from vocaldm_live.tray.window import Window


def loses_none() -> bool:
    """Whether this PySide6 forgets to count None, as 6.12.0 does on Python before 3.12: that ends in a crash."""
    one, before = QObject(), sys.getrefcount(None)
    for _ in range(1000):
        one.setObjectName("")
    return sys.getrefcount(None) < before - 500


def run(host: str, port: int, token: str, memory: Path) -> int:
    """Show the tray until it is closed; the exit code."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("vocaldm-tray")
    app.setWindowIcon(QIcon(picture_of_itself()))
    window = Window(host, port, token, memory)
    window.show()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())
    # Python sees a signal only when it runs, and Qt's loop does not let it: so it runs a little now and then.
    awake = QTimer(interval=200)
    awake.timeout.connect(lambda: None)
    awake.start()
    return app.exec()
