"""A daemon that is killed at any moment: no half clip is ever seen, and history and outbox agree after the restart."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from daemons import ROOT, voice
from osc_peers import Peer
from tiny import make_tiny_preset

from vocaldm_live.deliver.history import History

NURSERY = Path(__file__).with_name("daemon_nursery.py")
KILLS = int(os.environ.get("VOCALDM_KILLS", "16"))  # 100 take some minutes


def visible(outbox: Path) -> set[Path]:
    return {path for path in outbox.glob("*.wav") if not path.name.startswith(".")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the daemons are forked from one process")
@pytest.mark.parametrize("kills", [4, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_killed_at_any_moment(tmp_path: Path, kills: int) -> None:
    make_tiny_preset(tmp_path / "presets", "one")
    path, outbox = voice(tmp_path / "files" / "hit.wav", 0.3), tmp_path / "outbox"
    ways = os.pathsep.join((str(ROOT), str(NURSERY.parent), os.environ.get("PYTHONPATH", "")))
    nursery = subprocess.Popen(
        [sys.executable, str(NURSERY), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ways},
    )  # fmt: skip
    assert nursery.stdin is not None and nursery.stdout is not None
    moments, promised, parts = random.Random(kills), set[str](), 0
    try:
        for turn in range(kills + 1):
            print(file=nursery.stdin, flush=True)
            process, port = (int(word) for word in nursery.stdout.readline().split())
            # The new daemon has swept and reconciled, and has not been asked for anything.
            assert not list(outbox.glob(".*.part"))
            history = History(tmp_path / "state" / "history.sqlite")
            entries = history.entries()
            assert history.notes == () and not any(entry.missing for entry in entries)
            assert {entry.path for entry in entries} == visible(outbox)
            assert all(entry.recipe_path.is_file() for entry in entries)
            assert promised <= {entry.id for entry in entries}
            history.close()
            with Peer(port) as peer:
                peer.send("subscribe", 0, 600.0)
                peer.wait("state/end")
                for number in range(8):
                    peer.send("generate", f"t{turn}-{number}", str(path))
                peer.wait("ready")
                time.sleep(moments.uniform(0.0, 0.6))
                os.kill(process, signal.SIGKILL)
                assert nursery.stdout.readline() == f"gone {process}\n"
                peer.send("ping", "nobody")
                peer.socket.setblocking(False)
                try:
                    while True:
                        peer.next()
                except (BlockingIOError, ConnectionRefusedError):
                    pass
                promised |= {values[4] for name, values in peer.heard if name == "ready"}
            for clip in visible(outbox):
                assert len(soundfile.read(clip)[0]) == soundfile.info(clip).frames > 10000
            parts += len(list(outbox.glob(".*.part")))
    finally:
        nursery.stdin.close()
        nursery.kill()
        nursery.wait()
        nursery.stdout.close()
    assert len(promised) >= kills
    print(f"{kills} kills, {len(promised)} clips told, {parts} unfinished files swept")
