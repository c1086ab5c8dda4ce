"""A clip through the speakers: PulseAudio's sink hears it; without a sound card one sentence is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import assert_sentence
from virtual_microphone import SINK, VirtualMicrophone

ROOT = Path(__file__).resolve().parent.parent

# In a process of its own, because PortAudio looks for devices once in a process's life.
PLAY = """
import sys, threading
from vocaldm_live.tray.player import Player

ended = threading.Event()

def changed(path, sentence):
    print("PLAYS" if path else "ENDS", sentence, flush=True)
    if not path:
        ended.set()

player = Player(changed)
player.play(sys.argv[1])
if len(sys.argv) > 2:
    ended.wait(float(sys.argv[2]))
    player.stop()
assert ended.wait(60)
print("NOW", repr(player.now[0]))
"""


def play(path: Path, environment: dict[str, str], *more: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PLAY, str(path), *more],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def tone(path: Path, seconds: float) -> Path:
    times = np.arange(round(seconds * 48000)) / 48000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 700 * times), 48000, "PCM_24")
    return path


@pytest.mark.slow
def test_a_clip_is_heard_and_can_be_stopped(tmp_path: Path) -> None:
    with VirtualMicrophone() as microphone:
        record = tmp_path / "heard.raw"
        with record.open("wb") as out:
            listener = subprocess.Popen(
                ["parec", "-d", f"{SINK}.monitor", "--raw", "--format=float32le", "--rate=48000", "--channels=1"],
                env={**os.environ, **microphone.environment}, stdout=out,
            )  # fmt: skip
            try:
                whole = play(tone(tmp_path / "clip.wav", 1.0), microphone.environment)
                stopped = play(tone(tmp_path / "long.wav", 30.0), microphone.environment, "1.5")
            finally:
                listener.terminate()
                listener.wait(10)
    assert whole == ["PLAYS ", "ENDS ", "NOW ''"] and stopped == whole
    heard = np.frombuffer(record.read_bytes()[: record.stat().st_size // 4 * 4], np.float32)
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    first = heard[loud[0] : loud[0] + 24000].astype(float)
    pitch = np.argmax(np.abs(np.fft.rfft(first * np.hanning(len(first))))) * 48000 / len(first)
    assert abs(pitch - 700) <= 15  # a busy machine may leave out a block
    # One second of the first clip, and of the second no more than it was left to play.
    assert 48000 < len(loud) * 1.1 and len(loud) < 6 * 48000


def test_without_an_output_device_one_sentence_is_told(tmp_path: Path) -> None:
    nothing = {"PULSE_SERVER": "unix:/nowhere"}
    look = "import sounddevice; sounddevice.query_devices(kind='output')"
    looked = subprocess.run([sys.executable, "-c", look], env={**os.environ, **nothing}, capture_output=True)
    if looked.returncode == 0:
        pytest.skip("this machine has an output device")
    first, *rest = play(tone(tmp_path / "clip.wav", 0.1), nothing)
    assert first.startswith("ENDS ") and rest == ["NOW ''"]
    assert_sentence(first.removeprefix("ENDS "))
    assert "dragging works" in first or "PortAudio" in first


def test_a_file_that_is_no_sound_is_told(tmp_path: Path) -> None:
    path = tmp_path / "no.wav"
    path.write_text("no sound")
    first, *_ = play(path, {})
    assert first.startswith("ENDS ") and "no.wav" in first and first.endswith(".")
