"""The microphone with a backend of the tests' own: devices that come, go, fall silent and lose samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rooms
from waiting import until

from vocaldm_live.errors import SoundError
from vocaldm_live.listen.backend import OnBlock
from vocaldm_live.listen.devices import Device, MicrophoneError
from vocaldm_live.listen.gate import GateSettings
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.listen.microphone import Level, Microphone, MicrophoneSettings

RATE = rooms.RATE
QUICK = MicrophoneSettings(silent_after=0.4, first_retry=0.01, longest_retry=0.05, look_every=0.002)


class FakeStream:
    def __init__(self, on_block: OnBlock, channels: int) -> None:
        self.on_block, self.channels, self.active, self.closed = on_block, channels, True, False

    def close(self) -> None:
        self.closed = True


class FakeBackend:
    """Devices by hand; `silent` streams never call."""

    def __init__(self, *devices: Device, missing: str = "") -> None:
        self.there = list(devices)
        self.missing = missing
        self.silent = False
        self.streams: list[FakeStream] = []
        self.looks: list[bool] = []

    def devices(self, refresh: bool) -> list[Device]:
        self.looks.append(refresh)
        if self.missing:
            raise MicrophoneError(self.missing)
        return list(self.there)

    def open(self, device: Device, channels: int, on_block: OnBlock) -> FakeStream:
        stream = FakeStream(on_block, channels)
        self.streams.append(stream)
        if not self.silent:
            on_block(np.zeros((64, channels), np.float32), False)
        return stream

    def play(self, samples: np.ndarray, overflow: bool = False, block: int = 1024) -> None:
        stream = self.streams[-1]
        for start in range(0, len(samples), block):
            part = samples[start : start + block].astype(np.float32)
            data = part[:, None].repeat(stream.channels, axis=1) if part.ndim == 1 else part
            stream.on_block(data, overflow and start == 0)


class Ears:
    """What the microphone said."""

    def __init__(self) -> None:
        self.imitations: list[Imitation] = []
        self.levels: list[Level] = []
        self.said: list[tuple[str, str]] = []

    def microphone(self, backend: FakeBackend, **given: Any) -> Microphone:
        given.setdefault("settings", QUICK)
        return Microphone(
            self.imitations.append,
            self.levels.append,
            lambda sentence: self.said.append(("lost", sentence)),
            lambda name: self.said.append(("ok", name)),
            backend=backend,
            **given,
        )


def rests(microphone: Microphone, backend: FakeBackend) -> None:
    """Wait until the worker has seen all that was played."""
    now = microphone._input
    assert now is not None
    until(lambda: now.read_to == now.ring.written)


MIC = Device(4, "Desk Microphone", "ALSA", 2, RATE, default=True)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def opened(ears: Ears) -> Iterator[tuple[FakeBackend, Microphone]]:
    backend = FakeBackend(MIC)
    microphone = ears.microphone(backend)
    microphone.start()
    until(lambda: ("ok", "Desk Microphone") in ears.said)
    yield backend, microphone
    microphone.close()
    assert all(stream.closed for stream in backend.streams)


def voiced(before: float, length: float, after: float) -> np.ndarray:
    """Room noise with a voice-like burst."""
    samples = 0.001 * rooms.noise("pink", before + length + after, 3)
    times = np.arange(int(length * RATE)) / RATE
    burst = 0.3 * np.sin(2 * np.pi * 300 * times) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))
    start = int(before * RATE)
    samples[start : start + len(burst)] += burst.astype(np.float32)
    return samples


def test_a_voice_becomes_an_imitation(ears: Ears, opened: tuple[FakeBackend, Microphone]) -> None:
    backend, microphone = opened
    began = time.time()
    microphone.listen(True)
    until(lambda: microphone._input.gate.listening)  # type: ignore[union-attr]
    backend.play(voiced(1, 0.7, 2))
    until(lambda: ears.imitations)
    (heard,) = ears.imitations
    assert heard.source == "microphone" and heard.path is None and heard.sound.sample_rate == RATE
    assert heard.sound.seconds == pytest.approx(0.7 + 0.25, abs=0.08)
    loud = np.flatnonzero(np.abs(heard.sound.samples) > 0.05)
    assert loud[0] / RATE == pytest.approx(GateSettings().voice_pre_roll, abs=0.04)
    # Nearly four seconds were played at once, so that the voice lies before the test began.
    assert began - 4 < heard.started < time.time()
    assert heard.ended <= time.monotonic()
    assert ears.levels and max(level.peak_dbfs for level in ears.levels) <= 0


def test_push_to_talk_has_its_pre_roll(ears: Ears, opened: tuple[FakeBackend, Microphone]) -> None:
    backend, microphone = opened
    clock = np.linspace(0, 0.5, 4 * RATE, dtype=np.float32)  # a sample's value says when it was
    backend.play(clock[:RATE])
    rests(microphone, backend)
    microphone.record(True)
    until(lambda: microphone.state.recording)
    backend.play(clock[RATE : 2 * RATE])
    rests(microphone, backend)
    microphone.record(False)
    backend.play(clock[2 * RATE : 3 * RATE])
    until(lambda: ears.imitations)
    (heard,) = ears.imitations
    begin, end = heard.sound.samples[0] * 8, heard.sound.samples[-1] * 8
    # A press or release between two blocks counts what is under way, up to 0.2 s.
    assert 0.69 <= begin <= 0.91
    assert 2.14 <= end <= 2.36
    assert not microphone.state.recording


def test_capture_takes_what_was_just_heard(ears: Ears, opened: tuple[FakeBackend, Microphone]) -> None:
    backend, microphone = opened
    backend.play(voiced(2, 0.6, 1))
    rests(microphone, backend)
    heard = microphone.capture(3.0)
    assert heard.source == "capture"
    assert heard.sound.seconds == pytest.approx(0.8, abs=0.1)
    assert ears.imitations == []
    with pytest.raises(SoundError, match=r"last 0\.5 s"):
        microphone.capture(0.5)


def test_an_audition_is_not_heard(ears: Ears, opened: tuple[FakeBackend, Microphone]) -> None:
    backend, microphone = opened
    microphone.listen(True)
    microphone.mute(3.0)
    until(lambda: microphone._commands.empty())
    time.sleep(0.02)
    backend.play(voiced(1, 0.7, 1))
    backend.play(voiced(2, 0.5, 2))
    until(lambda: ears.imitations)
    rests(microphone, backend)
    assert [round(heard.sound.seconds, 1) for heard in ears.imitations] == [pytest.approx(0.7, abs=0.11)]


def test_an_audition_that_was_stopped_is_not_waited_for(
    ears: Ears, opened: tuple[FakeBackend, Microphone]
) -> None:
    backend, microphone = opened
    microphone.listen(True)
    microphone.mute(3600)
    backend.play(np.zeros(RATE // 2))
    rests(microphone, backend)
    microphone.mute(0)
    until(lambda: microphone._commands.empty())
    time.sleep(0.02)
    backend.play(voiced(2, 0.5, 2))
    until(lambda: ears.imitations)
    rests(microphone, backend)
    (heard,) = ears.imitations
    assert heard.source == "microphone" and heard.sound.seconds == pytest.approx(0.5 + 0.25, abs=0.08)


def test_overflows_are_counted(ears: Ears, opened: tuple[FakeBackend, Microphone]) -> None:
    backend, microphone = opened
    backend.play(np.zeros(2048), overflow=True)
    backend.play(np.zeros(2048), overflow=True)
    assert microphone.state.overflows == 2
    backend.streams[-1].active = False
    until(lambda: len(backend.streams) > 1)
    assert microphone.state.overflows == 2


@pytest.mark.parametrize("how", ["unplugged", "silent"])
def test_a_device_that_goes_is_reported_once_and_found_again(
    ears: Ears, opened: tuple[FakeBackend, Microphone], how: str
) -> None:
    backend, microphone = opened
    backend.there = []
    looks = len(backend.looks)
    if how == "unplugged":
        backend.streams[-1].active = False
    until(lambda: len(backend.looks) > looks + 4)
    assert [kind for kind, _ in ears.said] == ["ok", "lost"]
    assert "Desk Microphone" in ears.said[-1][1]
    assert microphone.state.device is None and "plug in" in str(microphone.state.complaint)
    with pytest.raises(MicrophoneError, match="plug in"):
        microphone.record(True)
    with pytest.raises(MicrophoneError, match="plug in"):
        microphone.capture(5)
    backend.there = [MIC]
    until(lambda: len(ears.said) == 3)
    assert ears.said[-1] == ("ok", "Desk Microphone")
    assert all(backend.looks[looks:]), "only a fresh look sees new devices"
    assert microphone.state.complaint is None
    backend.play(voiced(1, 0.6, 0.5))
    rests(microphone, backend)
    assert microphone.capture(3).sound.seconds == pytest.approx(0.8, abs=0.1)


def test_a_device_that_opens_and_stays_silent_is_not_called_ok(ears: Ears) -> None:
    backend = FakeBackend(MIC)
    backend.silent = True
    settings = MicrophoneSettings(silent_after=0.02, first_retry=0.01, longest_retry=0.02, look_every=0.002)
    microphone = ears.microphone(backend, settings=settings)
    microphone.start()
    until(lambda: len(backend.streams) >= 3)
    microphone.close()
    assert [kind for kind, _ in ears.said] == ["lost"]
    assert all(stream.closed for stream in backend.streams)


def test_what_was_being_said_when_the_device_went_is_kept(
    ears: Ears, opened: tuple[FakeBackend, Microphone]
) -> None:
    backend, microphone = opened
    microphone.record(True)
    until(lambda: microphone.state.recording)
    backend.play(voiced(0.5, 0.5, 0))
    backend.streams[-1].active = False
    until(lambda: ears.imitations)
    assert np.abs(ears.imitations[0].sound.samples).max() > 0.2
    microphone.record(False)  # meant for the device that is gone
    until(lambda: len(ears.said) >= 3)
    assert not microphone.state.recording


def test_without_portaudio_it_says_so_once_and_goes_on_looking(ears: Ears) -> None:
    backend = FakeBackend(MIC, missing="PortAudio does not load: install it.")
    microphone = ears.microphone(backend)
    microphone.start()
    until(lambda: len(backend.looks) > 4)
    assert ears.said == [("lost", "PortAudio does not load: install it.")]
    backend.missing = ""
    until(lambda: len(ears.said) == 2)
    microphone.close()
    assert ears.said[1] == ("ok", "Desk Microphone")


def test_a_driver_that_fails_in_its_own_way_ends_nothing(ears: Ears) -> None:
    backend = FakeBackend(MIC)
    real, broken = backend.open, True

    def open_once(device: Device, channels: int, on_block: OnBlock) -> FakeStream:
        nonlocal broken
        if broken:
            broken = False
            raise RuntimeError("driver said no")
        return real(device, channels, on_block)

    backend.open = open_once  # type: ignore[method-assign]
    microphone = ears.microphone(backend)
    microphone.start()
    until(lambda: len(ears.said) == 2)
    microphone.close()
    assert "driver said no" in ears.said[0][1] and ears.said[1][0] == "ok"


def test_a_listener_that_raises_ends_nothing() -> None:
    backend, levels = FakeBackend(MIC), []

    def fail(what: object) -> None:
        levels.append(what)
        raise RuntimeError("listener")

    microphone = Microphone(fail, fail, fail, fail, settings=QUICK, backend=backend)
    microphone.start()
    until(lambda: microphone.state.device)
    for _ in range(3):
        backend.play(np.zeros(RATE // 4))
        rests(microphone, backend)
    microphone.close()
    assert len(levels) >= 3


def test_channels_are_chosen_and_mixed(ears: Ears) -> None:
    backend = FakeBackend(MIC)
    settings = MicrophoneSettings(channels=(1, 2), silent_after=5, look_every=0.002)
    microphone = ears.microphone(backend, settings=settings)
    microphone.start()
    until(lambda: microphone.state.device)
    backend.play(np.tile(np.array([[0.5, 0.1]]), (4800, 1)))
    rests(microphone, backend)
    ring = microphone._input.ring  # type: ignore[union-attr]
    assert np.allclose(ring.read(ring.written - 4800, ring.written).samples, 0.3)
    microphone.close()

    third = ears.microphone(FakeBackend(MIC), settings=MicrophoneSettings(channels=(3,)))
    third.start()
    until(lambda: third.state.complaint)
    third.close()
    assert "no channel 3" in str(third.state.complaint)


def test_closing_leaves_no_thread(ears: Ears) -> None:
    microphone = ears.microphone(FakeBackend())
    microphone.start()
    until(lambda: ears.said)
    microphone.close()
    assert not any(thread.name == "microphone" for thread in threading.enumerate())


def test_a_ring_too_short_for_the_longest_gesture_is_refused() -> None:
    with pytest.raises(MicrophoneError, match="ring_seconds"):
        Microphone(lambda imitation: None, settings=MicrophoneSettings(ring_seconds=10))
