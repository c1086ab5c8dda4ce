"""A running daemon and programs nobody here wrote: Pure Data asks for a clip and loads it, sclang takes its samples."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from daemons import started, voice
from programs import free_port, oscdump, oscsend, pure_data, sclang

from vocaldm_live.daemon.daemon import Daemon


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    # A seed of its own: where random weights and a random seed make a clip too loud, its file is turned down.
    with started(place, **{"parameters.seed": 1}) as made:
        yield made


def only_clip(place: Path, seconds: float = 0.0) -> Path:
    """The clip in the outbox, which may still be on its way there for so many seconds."""
    until = time.monotonic() + seconds
    while not (clips := list((place / "outbox").glob("*.wav"))) and time.monotonic() < until:
        time.sleep(0.05)
    (clip,) = clips
    return clip


@pytest.mark.slow
def test_pure_data_asks_for_a_clip_and_loads_it(place: Path, daemon: Daemon) -> None:
    asked = voice(place / "files" / "hit.wav")
    with pure_data(place, daemon.server.port, "generate", f"pd-1 {asked}") as pd:
        loaded = int(pd.wait_for("loaded:").split()[-1])
        assert "pd-1" in pd.wait_for("vocaldm ready") and pd.wait_for("vocaldm done")
    assert loaded == soundfile.info(only_clip(place)).frames > 1000


@pytest.mark.slow
def test_liblo_asks_for_a_clip_and_sees_it(place: Path, daemon: Daemon) -> None:
    port = free_port()
    with oscdump(port) as dump:
        for _ in range(100):
            oscsend(daemon.server.port, "/vocaldm/subscribe", "if", str(port), "60")
            if any("state/end" in line for line in dump.lines):
                break
        path = voice(place / "files" / "hit.wav")
        oscsend(daemon.server.port, "/vocaldm/generate", "ss", "lo-1", str(path))
        line = dump.wait_for("/vocaldm/ready")
        assert '"lo-1"' in line and str(only_clip(place)) in line


@pytest.mark.slow
def test_sclang_takes_a_clips_samples_from_the_daemon(place: Path, daemon: Daemon) -> None:
    out, path = place / "clip.raw", voice(place / "files" / "hit.wav", 2.0)
    port = daemon.server.port
    ask = f'NetAddr("127.0.0.1", {port}).sendMsg("/vocaldm/generate", "sc-1", "{path}");'
    with sclang(place, port, out, ask) as language:
        language.wait_for("SUBSCRIBED", 90)
        line = language.wait_for("WROTE")
    taken = out.read_bytes()
    assert line.split()[-1] == hashlib.sha256(taken).hexdigest()
    # Samples leave while the clip is decoded: its file comes after them.
    written = soundfile.read(only_clip(place, 30.0))[0]
    assert np.abs(np.frombuffer(taken, "<i2") / 32767 - written).max() < 1e-4
