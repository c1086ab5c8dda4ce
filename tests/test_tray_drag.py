"""A real drag: a hand takes clips out of the tray and drops them on programs that are not ours."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from daemons import ROOT, voice
from drops import Desktop, gtk_target, qt_target
from osc_peers import Peer
from parts import needs
from programs import Program
from trays import application

from vocaldm_live.daemon.daemon import Daemon

pytestmark = pytest.mark.slow
FIRST_ROW = (60, 128)  # in the tray's window, below record button and level; the second is one row further
ROW = 68


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    application()
    with Desktop(tmp_path) as made:
        yield made


def clips(peer: Peer, place: Path, *names: str) -> list[Path]:
    """Clips in the outbox, newest first."""
    made = []
    for name in names:
        peer.send("generate", name, str(voice(place / "files" / f"{name}.wav", 0.8)))
        made.insert(0, Path(peer.wait("ready")[2]))
    return made


def tray(desktop: Desktop, daemon: Daemon) -> Program:
    desktop.environment["PYTHONPATH"] = str(ROOT)
    port = str(daemon.server.port)
    return desktop.program(sys.executable, "-m", "vocaldm_live", "tray", "--port", port)


def dropped(target: Program, count: int) -> list[Path]:
    for _ in range(100):
        found = [Path(line[5:]) for line in target.lines if line.startswith("DROP ")]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"only {target.lines} came")


@pytest.mark.parametrize("target", [qt_target, gtk_target], ids=["qt", "gtk"])
def test_a_drop_delivers_the_clip(
    place: Path, desktop: Desktop, daemon: Daemon, peer: Peer, target: Callable[[Desktop], Program]
) -> None:
    newest, older = clips(peer, place, "knock", "two words")
    assert " " in newest.name
    with tray(desktop, daemon), target(desktop) as other:
        other.wait_for("SHOWN", 60)
        source, there = desktop.window("VocalDM tray"), desktop.window("DROPTARGET")
        time.sleep(2)  # until rows and waveforms are painted
        desktop.picture("tray-desktop")
        desktop.drag(source, FIRST_ROW, there)
        assert dropped(other, 1) == [newest]
        other.wait_for("ACTION CopyAction")
        assert soundfile.info(newest).frames > 1000  # whole, and still where it was
        # Both, with control held for the second.
        desktop.do("mousemove", "--window", source, FIRST_ROW[0], FIRST_ROW[1])
        desktop.do("click", 1)
        desktop.do("keydown", "ctrl")
        desktop.do("mousemove", "--window", source, FIRST_ROW[0], FIRST_ROW[1] + ROW)
        desktop.do("click", 1)
        desktop.do("keyup", "ctrl")
        desktop.drag(source, FIRST_ROW, there)
        assert dropped(other, 3)[1:] == [newest, older]


def test_audacity_imports_a_drop(place: Path, desktop: Desktop, daemon: Daemon, peer: Peer) -> None:
    """Opt-in, for it takes half a minute and depends on where Audacity's window is."""
    if not os.environ.get("VOCALDM_TEST_DAWS"):
        pytest.skip("VOCALDM_TEST_DAWS is not set: it asks for drops onto DAWs")
    needs("audacity")
    (clip,) = clips(peer, place, "knock")
    home = place / "home"
    (home / ".audacity-data").mkdir(parents=True)
    (home / ".audacity-data" / "audacity.cfg").write_text("[GUI]\nShowSplashScreen=0\n")
    desktop.environment["HOME"] = str(home)
    with desktop.program(str(shutil.which("audacity"))):
        desktop.window("Audacity")  # the splash first; the window that stays comes later
        time.sleep(10)
        desktop.do("key", "Escape")
        there = desktop.window("^Audacity$")
        with tray(desktop, daemon):
            source = desktop.window("VocalDM tray")
            desktop.do("windowmove", source, 900, 60)
            time.sleep(3)
            desktop.drag(source, FIRST_ROW, there, (300, 400))
            try:
                assert desktop.window(clip.stem)  # Audacity calls its window as what it imported
            finally:
                desktop.picture("tray-audacity")
