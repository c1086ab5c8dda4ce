"""Hundreds of clips through a whole daemon: no memory, thread, file handle or lease is left behind."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest
from daemons import voice
from osc_peers import Peer

from vocaldm_live.daemon.daemon import Daemon

pytestmark = pytest.mark.slow
PROCESS = Path("/proc/self")
# By then the samples that are kept for audio/resend fill their 8 MB.
CLIPS, SETTLED = int(os.environ.get("VOCALDM_SOAK", "300")), 200  # 500 take some minutes


def resident() -> int:
    """Bytes of memory that this process holds for itself."""
    gc.collect()
    return int((PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return len(list((PROCESS / "fd").iterdir()))


@pytest.mark.skipif(not PROCESS.is_dir(), reason="memory and file handles are counted in /proc")
def test_hundreds_of_clips_leave_nothing_behind(place: Path, daemon: Daemon) -> None:
    paths = [str(voice(place / "files" / f"{n}.wav", 0.2 + 0.1 * n, n)) for n in range(5)]
    before, open_before, threads = 0, 0, 0
    for number in range(CLIPS):
        # Every client comes, asks for a clip with its samples, and goes; every tenth just lets its lease lapse.
        with Peer(daemon.server.port) as peer:
            peer.send("subscribe", 0, 1.0 if number % 10 == 9 else 600.0, 1)
            peer.send("generate", f"r{number}", paths[number % 5])
            peer.wait("audio/end")
            if not any(name == "done" for name, _ in peer.heard):
                peer.wait("done")
            if number % 10 != 9:
                peer.send("unsubscribe", 0)
            peer.send("ping", "gone")
            peer.wait("pong")
        if number == SETTLED - 1:
            before, open_before, threads = resident(), handles(), threading.active_count()
    grown = resident() - before
    with Peer(daemon.server.port) as peer:
        for _ in range(200):
            peer.send("ping", "x")
            peer.wait("pong")
            if not len(daemon.server.leases):
                break
            threading.Event().wait(0.05)
    print(f"{CLIPS} clips: {before / 1e6:.0f} MB after {SETTLED}, {grown / 1e6:+.1f} MB at the end")
    assert len(list((place / "outbox").glob("*.wav"))) == CLIPS == len(daemon.session.history.entries())
    assert len(daemon.server.leases) == 0
    assert threading.active_count() <= threads and handles() <= open_before
    assert grown < 0.02 * before
