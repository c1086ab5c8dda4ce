"""Trays for tests: an offscreen window on a real daemon, and the loop that its events need."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parts import missing

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
try:
    from PySide6.QtGui import QColor, QPalette
    from PySide6.QtWidgets import QApplication, QWidget
except ImportError as error:  # each test then says what is missing
    _absent: ImportError | None = error
else:
    _absent = None


def application() -> Any:
    """The one QApplication of this process; ends the test where Qt is not here."""
    if _absent is not None:
        missing(f"PySide6 cannot be used here: {_absent}")
    return QApplication.instance() or QApplication(["tray"])


def until(found: Callable[[], Any], seconds: float = 60.0) -> None:
    """Let the window's loop run until something is so."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never became so"
        application().processEvents()
        time.sleep(0.005)


@contextmanager
def window(port: int, **changes: Any) -> Iterator[Any]:
    """A tray that looks for a daemon at this port."""
    application()
    from vocaldm_live.tray.window import Window

    made = Window("127.0.0.1", port, **changes)
    made.show()
    try:
        yield made
    finally:
        made.close()


def dark() -> Any:
    """The palette of a dark desktop."""
    palette = QPalette(QColor(45, 45, 48))
    palette.setColor(QPalette.ColorRole.Base, QColor(30, 30, 32))
    return palette


def keep_picture(widget: QWidget, name: str) -> None:
    """Put a picture of a widget into the folder that VOCALDM_ARTIFACTS names, if it is set."""
    folder = os.environ.get("VOCALDM_ARTIFACTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        widget.grab().save(str(Path(folder) / f"{name}.png"))
