"""A desktop without a screen: Xvfb with a window manager, a hand that drags, and programs that take drops."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from parts import missing, needs
from programs import Program

PROGRAMS = ("Xvfb", "openbox", "xdotool")

QT_TARGET = """
import sys
from PySide6.QtWidgets import QApplication, QLabel

class Target(QLabel):
    def __init__(self):
        super().__init__("drop here")
        self.setAcceptDrops(True)
    def dragEnterEvent(self, event):
        print("FORMATS", *event.mimeData().formats(), flush=True)
        event.acceptProposedAction()
    def dropEvent(self, event):
        for url in event.mimeData().urls():
            print("DROP", url.toLocalFile(), flush=True)
        print("ACTION", event.dropAction().name, flush=True)
        event.acceptProposedAction()

app = QApplication(sys.argv)
target = Target()
target.setWindowTitle("DROPTARGET")
target.resize(300, 250)
target.move(700, 60)
target.show()
print("SHOWN", flush=True)
app.exec()
"""

# GTK's own drag and drop, nothing of Qt: for the interpreter of the system, which has PyGObject.
GTK_TARGET = """
from urllib.parse import unquote
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk

def dropped(widget, context, x, y, data, info, time):
    for uri in data.get_uris():
        print("DROP", unquote(uri.removeprefix("file://")), flush=True)
    print("ACTION", "CopyAction" if context.get_selected_action() == Gdk.DragAction.COPY else "other", flush=True)
    Gtk.drag_finish(context, True, False, time)

window = Gtk.Window(title="DROPTARGET")
window.set_default_size(300, 250)
window.move(700, 60)
label = Gtk.Label(label="drop here")
box = Gtk.EventBox()
box.add(label)
box.drag_dest_set(Gtk.DestDefaults.ALL, [], Gdk.DragAction.COPY)
box.drag_dest_add_uri_targets()
box.connect("drag-data-received", dropped)
window.add(box)
window.show_all()
print("SHOWN", flush=True)
Gtk.main()
"""


class Desktop:
    """A context: an X server of its own with a window manager. `environment` leads programs to it."""

    def __init__(self, folder: Path) -> None:
        needs(*PROGRAMS)
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Desktop:
        read, write = os.pipe()
        # The server looks for a free number itself and tells it.
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        self._start(command, os.environ.copy(), (write,))
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        self.environment = {
            "DISPLAY": f":{number}",
            "QT_QPA_PLATFORM": "xcb",
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
        }
        self._start(["openbox"], {**os.environ, **self.environment})
        time.sleep(0.7)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, command: list[str], environment: dict[str, str], keep: tuple[int, ...] = ()) -> None:
        quiet = subprocess.DEVNULL
        self._processes.append(
            subprocess.Popen(
                command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, pass_fds=keep
            )  # fmt: skip
        )

    def do(self, *words: str | int) -> str:
        """One command of xdotool; what it prints."""
        command = ["xdotool", *(str(word) for word in words)]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def window(self, title: str) -> str:
        """The number of the window with this title, once it is there."""
        for _ in range(200):
            if found := self.do("search", "--onlyvisible", "--name", title).split():
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no window {title}")

    def drag(self, source: str, at: tuple[int, int], target: str, over: tuple[int, int] = (60, 60)) -> None:
        """Press in one window, move as a hand does, and let go over another."""
        self.do("mousemove", "--window", source, *at)
        time.sleep(0.3)
        self.do("mousedown", 1)
        time.sleep(0.3)
        for _ in range(6):
            self.do("mousemove_relative", "--", 8, 4)
            time.sleep(0.06)
        for step in range(5):
            self.do("mousemove", "--window", target, over[0] + 10 * step, over[1] + 8 * step)
            time.sleep(0.15)
        time.sleep(0.3)
        self.do("mouseup", 1)

    def program(self, *command: str) -> Program:
        """A program on this desktop."""
        return Program(*command, **self.environment)

    def picture(self, name: str) -> None:
        """Put a picture of the whole desktop into the folder that VOCALDM_ARTIFACTS names, if it is set."""
        folder = os.environ.get("VOCALDM_ARTIFACTS")
        if folder and shutil.which("import"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            command = ["import", "-window", "root", str(Path(folder) / f"{name}.png")]
            subprocess.run(command, env={**os.environ, **self.environment}, timeout=60, check=False)


def qt_target(desktop: Desktop) -> Program:
    return desktop.program(sys.executable, "-c", QT_TARGET)


def gtk_target(desktop: Desktop) -> Program:
    python = "/usr/bin/python3"
    look = "import gi; gi.require_version('Gtk', '3.0'); from gi.repository import Gtk"
    if not Path(python).exists() or subprocess.run([python, "-c", look], capture_output=True).returncode:
        missing("not installed on this system: GTK 3 for the system's Python (python3-gi, gir1.2-gtk-3.0)")
    return desktop.program(python, "-c", GTK_TARGET)
