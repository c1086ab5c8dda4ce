"""The Pure Data twin as a musician uses it: real patch, real Pd, real daemon; every command and every event."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from daemons import Running, started, voice, write_settings
from osc_peers import PLAIN
from pd_peer import Twin
from tiny import make_tiny_preset
from virtual_microphone import VirtualMicrophone

from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.server import OscServer, OscSettings
from vocaldm_live.osc.table import entries

pytestmark = pytest.mark.slow


@pytest.fixture
def place(place: Path) -> Path:
    make_tiny_preset(place / "presets", "two", seed=3)
    return place


@pytest.fixture
def twin(place: Path, daemon: Daemon) -> Iterator[Twin]:
    with Twin(place, daemon.server.port) as made:
        made.wait("event: state/end")
        yield made


def test_every_control_reaches_the_daemon_and_every_event_the_patch(
    place: Path, daemon: Daemon, twin: Twin
) -> None:
    path = voice(place / "files" / "a hit, once.wav")
    # Commands
    twin.press("vocaldm-generate-file", "symbol", str(path))
    request = twin.wait("event: accepted").split()[2]
    twin.wait("event: progress")
    ready = twin.wait("event: ready").split()
    assert ready[2] == request
    twin.wait("event: done")
    clip = ready[-3]
    while not twin.wait("event: history/").startswith("event: history/item"):
        pass  # the list that was asked for when the patch connected may come late, and is empty
    twin.wait("event: history/end")
    twin.press("vocaldm-star-0", "1")
    twin.wait(f"command: star {clip} 1")
    twin.wait(f"event: starred {clip} 1")
    twin.press("vocaldm-history", "bang")
    while not twin.wait("event: history/item").endswith(" 1"):
        pass  # a list from before the star may still be on its way
    twin.press("vocaldm-again", "bang")
    assert twin.wait("event: ready").split()[-1] != ready[-1]
    twin.wait("event: history/end")
    twin.press("vocaldm-row", "1")
    twin.wait("loaded:")
    twin.press("vocaldm-refine-steps", "3")
    twin.press("vocaldm-refine", "bang")
    twin.wait(f" {clip} 3")
    assert twin.wait("event: ready").split()[-1] == ready[-1]
    twin.press("vocaldm-like-file", "symbol", str(path))
    twin.wait("event: liking " + str(path).replace(" ", "\\ ").replace(",", "\\,"))
    twin.press("vocaldm-like-clip", "bang")
    twin.wait("event: liking /")
    twin.press("vocaldm-like-none", "bang")
    twin.wait("event: liking")
    twin.press("vocaldm-listen", "1")
    twin.wait("event: listening 1")
    for control, words in (("record", "1"), ("capture", "bang")):
        twin.press(f"vocaldm-{control}", words)
        assert f"/vocaldm/{control}" in twin.wait("event: error microphone")
    # Parameters
    for name, value in (("steps", "40"), ("guidance", "3.5"), ("follow", "0.25"), ("strength", "0.5"),
                        ("eta", "0.75"), ("variations", "3"), ("seed", "77"), ("duration", "1.5")):  # fmt: skip
        twin.press(f"vocaldm-{name}", value)
        twin.wait(f"event: param/{name} {value}")
    twin.press("vocaldm-lock", "0")
    twin.wait("event: param/seed -1")
    twin.press("vocaldm-lock", "1")
    assert float(twin.wait("event: param/seed").split()[-1]) >= 0
    twin.press("vocaldm-sampler-number", "2")
    twin.wait("event: param/sampler deis")
    twin.press("vocaldm-text", "symbol", "bell")
    twin.wait("event: error text")
    twin.press("vocaldm-preset", "symbol", "two")
    twin.wait("event: engine loading")
    twin.wait("event: preset/is two")
    twin.press("vocaldm-preset-number", str(list(daemon.preset_names()).index("one")))
    twin.wait("command: param/preset one")
    twin.wait("event: preset/is one")
    # Cancelling, and what only goes wrong now and then
    twin.press("vocaldm-again", "bang")
    twin.wait("event: accepted")
    twin.press("vocaldm-cancel", "bang")
    twin.wait("event: cancelled")
    bad = shutil.copytree(place / "presets" / "one", place / "presets" / "bad")
    (bad / "unet.safetensors").write_bytes(b"no weights")
    twin.press("vocaldm-preset", "symbol", "bad")
    twin.wait("event: preset/refused bad")
    (place / "inbox" / "empty.wav").write_bytes(b"RIFF")
    twin.wait("event: refused")
    # Events that need a broken microphone, a late computer or a full queue are told by the daemon itself.
    told = {
        "mic/level": (-20.0, -30.5, 1),
        "mic/overflow": (3,),
        "mic/ok": ("Cable",),
        "recording": (1,),
        "failed": ("x", "The disk is full: make room."),
        "dropped": ("x", "Newer gestures came."),
        "library/begin": ("x", 0, 1, 3),
        "library/item": ("x", 1, "/sounds/bell.wav", 0.0, 0.75),
        "library/end": ("x",),
    }
    for event, values in told.items():
        daemon.tell(event, *values)
        twin.wait(f"event: {event}")
    twin.press("vocaldm-command", "version")
    twin.wait("event: version/is vocaldm")
    heard = {line.split()[1] for line in twin.program.lines if line.startswith("event: ")}
    wanted = {entry.address.removeprefix("/vocaldm/") for entry in entries("event", "parameter")}
    assert wanted - heard == {"audio/begin", "audio/chunk", "audio/end"}
    said = {line.split()[1] for line in twin.program.lines if line.startswith("command: ")}
    daily = {
        entry.address.removeprefix("/vocaldm/") for entry in entries("command", "parameter") if entry.daily
    }
    assert daily <= said
    assert twin.troubles() == []


def played(twin: Twin, out: Path, rate: int) -> tuple[np.ndarray, float]:
    """What Pd plays when play is pressed, silence before and after included, and how long it says that takes."""
    twin.press("test-write", "open", "-bytes", "4", str(out))
    twin.press("test-write", "start")
    twin.press("vocaldm-play", "bang")
    seconds = float(twin.wait("command: audition").split()[-1])
    time.sleep(seconds + 1.0)  # Pd plays in real time
    twin.press("test-write", "stop")
    for _ in range(100):  # Pd writes the header's length in a thread of its own
        time.sleep(0.1)
        if soundfile.info(out).frames > seconds * rate:
            break
    sound, written_rate = soundfile.read(out, dtype="float32")
    assert written_rate == rate
    return sound, seconds


def assert_same(sound: np.ndarray, written: np.ndarray, rate: int) -> None:
    """At the clip's rate the same samples and silence around them; at another one the same sound at the same speed."""
    first = int(np.flatnonzero(sound)[0])
    if rate == 48000:
        first -= int(np.flatnonzero(written)[0])
        assert np.array_equal(sound[first : first + len(written)], written)
        assert not sound[first + len(written) :].any()
        return
    length = len(written) * rate // 48000
    there = np.interp(np.arange(length) * 48000 / rate, np.arange(len(written)), written)
    # Interpolated in another way, and a clip may begin with silence.
    heard = sound[first : first + length]
    assert max(np.corrcoef(heard[:-200], there[lag : lag + length - 200])[0, 1] for lag in range(200)) > 0.98
    assert not sound[first + length + 128 :].any()


@pytest.mark.parametrize("rate", [48000, 44100])
def test_a_clip_is_loaded_and_played(place: Path, daemon: Daemon, rate: int) -> None:
    with Twin(place, daemon.server.port, rate) as twin:
        twin.wait("event: state/end")
        twin.press("vocaldm-generate-file", "symbol", str(voice(place / "files" / "hit.wav", 1.0)))
        samples = float(twin.wait("loaded:").split()[-1])
        twin.wait("event: done")
        sound, seconds = played(twin, place / "played.wav", rate)
        (clip,) = (place / "outbox").glob("*.wav")
        written, _ = soundfile.read(clip, dtype="float32")
        assert samples == len(written) and abs(seconds - len(written) / 48000) < 0.001
        assert_same(sound, written, rate)
        # A sound that is loud from its first sample to its last; clips are faded in.
        times = np.arange(24000) / 48000
        loud = np.cos(2 * np.pi * 440 * times).astype("float32") * 0.5
        soundfile.write(place / "loud.wav", loud, 48000, "FLOAT")
        twin.press("vocaldm.read", "symbol", str(place / "loud.wav"))
        assert twin.wait("loaded:").split()[-1] == "24000"
        assert_same(played(twin, place / "again.wav", rate)[0], loud, rate)


def test_the_twin_finds_a_daemon_that_was_started_again(place: Path, daemon: Daemon, twin: Twin) -> None:
    port = daemon.server.port
    daemon.close()
    twin.wait("status: connected 0", 10)
    with started(place, warm=False, **{"osc.port": port}) as again:
        began = time.monotonic()
        twin.wait("status: connected 1", 60)
        twin.wait("event: state/end")
        print(f"heard again after {time.monotonic() - began:.1f} s")
        assert again.warm.wait(60)
        again.server.set_parameter("guidance", 1.25)
        twin.wait("event: param/guidance 1.25")


@pytest.mark.parametrize(
    ("program", "version", "sentence"),
    [
        ("VocalDM Live", "0.9.1", "has\\ another"),
        ("VocalDM Live", "0.1.7", ""),
        ("Other", "0.1.0", "Another\\ program"),
    ],
)
def test_a_daemon_of_another_version_is_told(place: Path, program: str, version: str, sentence: str) -> None:
    state = [("/vocaldm/version/is", (program, version)), ("/vocaldm/engine", ("warm", "one plays."))]
    server = OscServer(OscSettings(port=0), {}, Parameters(PLAIN), lambda: state, version)
    server.start()
    try:
        with Twin(place, server.port) as twin:
            twin.wait("event: state/end")
            twin.wait("event: pong")
            said = [
                line for line in twin.program.lines if "status: sentence" in line and "Not\\ conn" not in line
            ]
            if sentence:
                assert sentence in said[0]
            else:
                assert said == []
            shown = [line for line in twin.program.lines if line.startswith("line:")][-1]
            assert sentence in shown and ("plays" in shown) != bool(sentence)
    finally:
        server.stop()


def test_a_lost_event_makes_the_twin_ask_for_the_state(place: Path) -> None:
    server = OscServer(OscSettings(port=0), {}, Parameters(PLAIN), lambda: [], "0.1.0")
    server.start()
    try:
        with Twin(place, server.port) as twin:
            twin.wait("event: state/end")
            twin.wait("event: pong")
            missed = [line for line in twin.program.lines if "status: missed" in line]
            assert missed == []
            (lease,) = server.leases
            lease.next_seq()  # as if the network had lost one
            server.broadcast("/vocaldm/done", "x")
            twin.wait("status: missed")
            twin.wait("event: done")
            twin.wait("event: state/end")
    finally:
        server.stop()


def test_a_voice_is_recorded_and_captured(place: Path, cable: VirtualMicrophone) -> None:
    write_settings(place, microphone={"device": "pulse"})
    with Running(place) as running:
        port = running.port()
        running.until("Warm after")
        with Twin(place, port) as twin:
            twin.wait("event: mic/level")
            twin.press("vocaldm-record", "1")
            twin.wait("event: recording 1")
            assert cable.play(voice(place / "voice.wav", 1.5)).wait(60) == 0
            twin.press("vocaldm-record", "0")
            twin.wait("event: recording 0")
            assert twin.wait("event: heard").split()[3] == "microphone"
            twin.wait("event: done")
            twin.press("vocaldm-capture", "bang")
            assert twin.wait("event: heard").split()[3] == "capture"
            twin.wait("event: done")
            cable.unplug()
            twin.wait("event: mic/lost")
        assert running.end(15) == 0
    assert len(list((place / "outbox").glob("*.wav"))) == 2
