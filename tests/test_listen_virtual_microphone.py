"""The microphone on real PortAudio and PulseAudio: real voices in, imitations out, devices that go and return."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import parts
import pytest
import waiting
from virtual_microphone import VirtualMicrophone

from vocaldm_live.listen.devices import MicrophoneError, list_devices
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.listen.microphone import Microphone, MicrophoneSettings
from vocaldm_live.sound.audio import Sound, read_sound

pytestmark = pytest.mark.slow
DEMO = Path(__file__).resolve().parent.parent / "vocaldm_live" / "demo"


until = partial(waiting.until, seconds=30.0)  # PulseAudio takes its time


def envelope(samples: np.ndarray, rate: int) -> np.ndarray:
    """RMS of each 10 ms."""
    hop = rate // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    return np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1))


def likeness(heard: Sound, played: Sound) -> tuple[float, float]:
    """Correlation of the envelopes where both lie upon each other, and how much of the energy played is there."""
    want = played.at(heard.sample_rate).samples
    size = 1 << (len(want) + len(heard.samples)).bit_length()
    product = np.fft.rfft(heard.samples, size) * np.conj(np.fft.rfft(want, size))
    shift = int(np.argmax(np.fft.irfft(product, size)))
    shift -= size if shift > size // 2 else 0  # where in `heard` the beginning of what was played lies
    begin, end = max(0, -shift), min(len(want), len(heard.samples) - shift)
    both = [
        envelope(part, heard.sample_rate)
        for part in (heard.samples[begin + shift : end + shift], want[begin:end])
    ]
    there = float(np.sum(want[begin:end] ** 2) / np.sum(want**2))
    return float(np.corrcoef(both[0], both[1])[0, 1]), there


def check_likeness(heard: Imitation, played: Sound) -> None:
    match, there = likeness(heard.sound, played)
    assert match > 0.97 and there > 0.95


class Ears:
    def __init__(self) -> None:
        self.imitations: list[Imitation] = []
        self.said: list[str] = []
        self.microphone = Microphone(
            self.imitations.append,
            on_lost=lambda sentence: self.said.append(f"lost: {sentence}"),
            on_ok=lambda name: self.said.append(f"ok: {name}"),
            settings=MicrophoneSettings(device="pulse", first_retry=0.2, longest_retry=0.5),
        )


@pytest.fixture
def cable(cable: VirtualMicrophone) -> VirtualMicrophone:
    try:
        found = list_devices(refresh=True)
    except MicrophoneError as error:
        parts.missing(str(error))
    if not any(device.name == "pulse" for device in found):
        parts.missing("PortAudio has no device pulse: the package libasound2-plugins is not installed")
    return cable


@pytest.fixture
def ears(cable: VirtualMicrophone) -> Iterator[Ears]:
    ears = Ears()
    ears.microphone.start()
    until(lambda: ears.said)
    assert ears.said == ["ok: pulse"]
    yield ears
    ears.microphone.close()


def check_played(cable: VirtualMicrophone, ears: Ears, path: Path) -> None:
    """Play a file and expect one imitation with its course of loudness."""
    ears.microphone.listen(True)
    time.sleep(1.0)  # the gate learns the room
    ears.imitations.clear()
    assert cable.play(path).wait() == 0
    until(lambda: ears.imitations)
    time.sleep(1.0)
    (heard,) = ears.imitations
    played = read_sound(path)
    assert heard.source == "microphone"
    check_likeness(heard, played)
    assert heard.sound.seconds < played.seconds + 0.6
    assert ears.microphone.state.overflows == 0


@pytest.mark.parametrize("name", ["creature", "whoosh"])
def test_a_voice_that_ships_is_heard_as_it_was_played(
    cable: VirtualMicrophone, ears: Ears, name: str
) -> None:
    check_played(cable, ears, DEMO / f"{name}.wav")


@pytest.mark.parametrize("number", ["001", "060"])
def test_a_real_voice_is_heard_as_it_was_played(
    cable: VirtualMicrophone, ears: Ears, test_data: Path, number: str
) -> None:
    (path,) = (test_data / "imitations").glob(f"{number}_imitation__*.wav")
    check_played(cable, ears, path)


def test_push_to_talk_and_capture_hear_what_was_played(cable: VirtualMicrophone, ears: Ears) -> None:
    path = DEMO / "laser.wav"
    played = read_sound(path)
    ears.microphone.record(True)
    assert cable.play(path).wait() == 0
    ears.microphone.record(False)
    until(lambda: ears.imitations)
    (talked,) = ears.imitations
    caught = ears.microphone.capture(played.seconds + 2)
    for heard in (talked, caught):
        check_likeness(heard, played)
    assert caught.source == "capture" and caught.sound.seconds <= played.seconds + 0.4


def test_a_source_that_falls_silent_is_lost_and_found_again(cable: VirtualMicrophone, ears: Ears) -> None:
    cable.suspend()
    until(lambda: len(ears.said) > 1)
    time.sleep(3)
    cable.suspend(False)
    until(lambda: len(ears.said) > 2)
    assert [line.split(":")[0] for line in ears.said] == ["ok", "lost", "ok"]
    check_played(cable, ears, DEMO / "bell.wav")


def test_an_unplugged_device_is_lost_and_found_again(cable: VirtualMicrophone, ears: Ears) -> None:
    cable.unplug()
    until(lambda: len(ears.said) > 1)
    time.sleep(2)
    cable.plug()
    until(lambda: len(ears.said) > 2)
    assert [line.split(":")[0] for line in ears.said] == ["ok", "lost", "ok"]
    check_played(cable, ears, DEMO / "creature.wav")
