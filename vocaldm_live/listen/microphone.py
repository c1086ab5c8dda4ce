"""Microphone: keeps an input open, whatever happens to the device, and turns what it hears into imitations."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vocaldm_live.errors import VocalDMError
from vocaldm_live.listen.backend import Backend, PortAudio, Stream
from vocaldm_live.listen.capture import trim
from vocaldm_live.listen.devices import Device, MicrophoneError, choose_device
from vocaldm_live.listen.gate import Gate, GateSettings, Segment
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.listen.ring import Ring
from vocaldm_live.sound.audio import Sound

log = logging.getLogger("vocaldm.listen")
SILENT_DBFS = -120.0
LATEST_BLOCK_SECONDS = 0.2


@dataclass(frozen=True)
class MicrophoneSettings:
    """What to listen to and how patiently; seconds.

    `device`: None the system's default, a number, a name or part of one. `channels` counts from 1; several are
    mixed. After `silent_after` without a block the input is opened again, after pauses that double from
    `first_retry` to `longest_retry`. The worker looks into the ring every `look_every`.
    """

    device: str | int | None = None
    channels: tuple[int, ...] = (1,)
    ring_seconds: float = 60.0
    level_hz: float = 10.0
    silent_after: float = 1.0
    first_retry: float = 0.5
    longest_retry: float = 8.0
    look_every: float = 0.015

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise MicrophoneError(f"microphone: channels are {self.channels}: count them from 1.")
        if not 0 < self.first_retry <= self.longest_retry or self.silent_after <= 0 or self.look_every <= 0:
            raise MicrophoneError("microphone: silent_after, the retries and look_every are seconds above 0.")


@dataclass(frozen=True)
class Level:
    """What the microphone heard in the last tenth of a second: dBFS, and whether the gate is open."""

    peak_dbfs: float
    rms_dbfs: float
    open: bool


@dataclass(frozen=True)
class MicrophoneState:
    """How the microphone is: the device's name (None: lost), the last complaint, what it does, what was lost."""

    device: str | None
    complaint: str | None
    listening: bool
    recording: bool
    overflows: int


class _Input:
    """One opening of a device: its stream, its ring, and when it was last heard."""

    def __init__(self, device: Device, settings: MicrophoneSettings, gate: Gate) -> None:
        self.device = device
        self.gate = gate
        self.ring = Ring(settings.ring_seconds, device.sample_rate)
        self.heard_at = time.monotonic()
        self.read_to = 0
        self.stream: Stream | None = None
        self._columns = [channel - 1 for channel in settings.channels]

    def on_block(self, data: np.ndarray, overflow: bool) -> None:
        """The audio callback: copies and counts, nothing else."""
        if overflow:
            self.ring.count_overflow()
        columns = self._columns
        self.ring.write(data[:, columns[0]] if len(columns) == 1 else data[:, columns].mean(axis=1))
        self.heard_at = time.monotonic()

    def position(self) -> int:
        """The position of this moment: blocks come late, so what is still under way counts too."""
        under_way = min(LATEST_BLOCK_SECONDS, time.monotonic() - self.heard_at)
        return self.ring.written + round(under_way * self.ring.sample_rate)

    def close(self) -> None:
        """Give the device back."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None


class Microphone:
    """Listens until it is closed; every callback comes from its own thread.

    `on_imitation` gets what the gate cut out, `on_level` a Level ten times a second, `on_lost` one sentence
    when the device is gone or was never there, `on_ok` the device's name once samples flow. What a callback
    raises is logged and changes nothing.
    """

    def __init__(
        self,
        on_imitation: Callable[[Imitation], None],
        on_level: Callable[[Level], None] = lambda level: None,
        on_lost: Callable[[str], None] = lambda sentence: None,
        on_ok: Callable[[str], None] = lambda name: None,
        settings: MicrophoneSettings | None = None,
        gate: GateSettings | None = None,
        backend: Backend | None = None,
    ) -> None:
        self._settings = settings or MicrophoneSettings()
        self._gate_settings = gate or GateSettings()
        needed = self._gate_settings.longest + self._gate_settings.pre_roll + 2
        if self._settings.ring_seconds < needed:
            raise MicrophoneError(
                f"microphone: ring_seconds {self._settings.ring_seconds:g} is too short for gestures of "
                f"{self._gate_settings.longest:g} s: use {needed:g} or more."
            )
        self._on_imitation, self._on_level = on_imitation, on_level
        self._on_lost, self._on_ok = on_lost, on_ok
        self._backend: Backend = backend or PortAudio()
        self._commands: queue.SimpleQueue[tuple[_Input, str, int]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._input: _Input | None = None
        self._flowing = False
        self._listening = False
        self._complaint: str | None = None
        self._past_overflows = 0
        self._opened_once = False

    # What anybody may call ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look for the device and to listen, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and give the device back; returns when the thread has ended."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def state(self) -> MicrophoneState:
        """How it is now."""
        now = self._input
        recording = now is not None and now.gate.talking
        overflows = self._past_overflows + (now.ring.overflows if now is not None else 0)
        name = now.device.name if now is not None and self._flowing else None
        return MicrophoneState(name, self._complaint, self._listening, recording, overflows)

    def listen(self, on: bool) -> None:
        """Switch the automatic gate."""
        self._listening = on

    def record(self, on: bool) -> None:
        """Push to talk goes down or up now; raises MicrophoneError when it goes down and nothing is heard."""
        now = self._heard_input() if on else self._input
        if now is not None:
            self._commands.put((now, "press" if on else "release", now.position()))

    def mute(self, seconds: float) -> None:
        """Keep the automatic gate shut for so long: a clip is auditioned through the speakers. 0 ends that."""
        now = self._input
        if now is not None:
            span = round(max(0.0, seconds) * now.ring.sample_rate)
            self._commands.put((now, "mute" if span else "unmute", now.position() + span))

    def capture(self, seconds: float) -> Imitation:
        """What was heard in the last `seconds`, without the silence around it, as an Imitation.

        Raises MicrophoneError when there is no microphone, SoundError when nothing stands out of the room.
        """
        ended = time.monotonic()
        now = self._heard_input()
        ring = now.ring
        floor = now.gate.floor if now.gate.floor_known else None
        stretch = ring.read(max(0, ring.written - round(max(0.0, seconds) * ring.sample_rate)), ring.written)
        begin, end = trim(stretch.samples, ring.sample_rate, floor)
        return self._imitation(
            stretch.samples[begin:end],
            ring.sample_rate,
            "capture",
            time.time() - (stretch.stop - stretch.start - begin) / ring.sample_rate,
            ended,
        )

    # The thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = self._settings.first_retry
        try:
            while not self._stop.is_set():
                try:
                    now = self._open()
                except MicrophoneError as error:
                    self._lose(str(error))
                except Exception as error:
                    # A driver may fail in ways that nobody foresaw; the daemon must outlive them all.
                    log.debug("the input did not open", exc_info=True)
                    self._lose(f"The microphone does not open ({type(error).__name__}: {error}): check it.")
                else:
                    if self._attend(now):
                        pause = self._settings.first_retry
                    self._shut(now)
                if self._stop.wait(pause):
                    break
                pause = min(self._settings.longest_retry, 2 * pause)
        finally:
            if self._input is not None:
                self._shut(self._input)

    def _open(self) -> _Input:
        devices = self._backend.devices(refresh=self._opened_once)
        self._opened_once = True
        device = choose_device(devices, self._settings.device)
        wanted = max(self._settings.channels)
        if device.channels < wanted:
            raise MicrophoneError(
                f"{device.name} has {device.channels} input channels and no channel {wanted}: choose another."
            )
        gate = Gate(device.sample_rate, self._gate_settings, self._listening)
        now = _Input(device, self._settings, gate)
        now.stream = self._backend.open(device, wanted, now.on_block)
        if not now.ring.written:
            now.heard_at = time.monotonic()
        self._input = now
        return now

    def _attend(self, now: _Input) -> bool:
        """Work until the stream falls silent or the microphone is closed; whether anything was heard."""
        level_hop = max(1, round(now.ring.sample_rate / self._settings.level_hz))
        level_at = 0
        while not self._stop.wait(self._settings.look_every):
            self._obey(now)
            silent = time.monotonic() - now.heard_at
            fresh = now.ring.read(now.read_to, now.ring.written)
            if len(fresh.samples):
                if not self._flowing:
                    self._gain(now.device.name)
                if fresh.lost:
                    log.warning("%d samples were overwritten before the gate saw them", fresh.lost)
                self._hand_on(now, now.gate.feed(fresh.start, fresh.samples))
                now.read_to = fresh.stop
                if fresh.stop - level_at >= level_hop:
                    level_at = fresh.stop
                    self._tell(self._on_level, _level(now, level_hop))
            elif silent >= self._settings.silent_after:
                self._lose(f"The microphone {now.device.name} has fallen silent: check its cable.")
                break
            elif not (now.stream is not None and now.stream.active):
                self._lose(f"The microphone {now.device.name} is gone: plug it in again.")
                break
        return now.read_to > 0

    def _obey(self, now: _Input) -> None:
        if now.gate.listening != self._listening:
            now.gate.listen(self._listening)
        while True:
            try:
                meant, command, value = self._commands.get_nowait()
            except queue.Empty:
                return
            if meant is not now:
                continue  # it was for a device that is gone; its positions mean nothing here
            if command == "press":
                now.gate.press(value)
            elif command == "release":
                now.gate.release(value)
            elif command == "mute":
                now.gate.mute(now.ring.written, value)
            else:
                now.gate.unmute(value)

    def _shut(self, now: _Input) -> None:
        """Close the device; what was being said until now is kept."""
        now.close()
        rest = now.ring.read(now.read_to, now.ring.written)
        now.read_to = rest.stop
        segments = now.gate.feed(rest.start, rest.samples) if len(rest.samples) else []
        self._hand_on(now, [*segments, *now.gate.interrupt()])
        self._past_overflows += now.ring.overflows
        self._input = None
        self._flowing = False

    def _hand_on(self, now: _Input, segments: Sequence[Segment]) -> None:
        for segment in segments:
            heard = now.ring.read(segment.start, segment.stop)
            if not len(heard.samples):
                continue
            behind = now.ring.written - segment.start
            waited = max(0, now.ring.written - segment.decided) / now.ring.sample_rate
            started = time.time() - (time.monotonic() - now.heard_at) - behind / now.ring.sample_rate
            imitation = self._imitation(
                heard.samples, now.ring.sample_rate, "microphone", started, now.heard_at - waited
            )
            log.info("heard %.2f s (%s)", imitation.sound.seconds, segment.cause)
            self._tell(self._on_imitation, imitation)

    def _imitation(
        self,
        samples: np.ndarray,
        sample_rate: int,
        source: Literal["microphone", "capture"],
        started: float,
        ended: float,
    ) -> Imitation:
        # Two of one second are told apart by the number that the outbox gives.
        name = time.strftime("Voice %H%M%S", time.localtime(started))
        return Imitation(Sound(samples, sample_rate), name, source, started, ended)

    def _lose(self, sentence: str) -> None:
        """Say so once; while nothing changes, retrying is quiet."""
        first = self._complaint is None
        self._complaint = sentence
        self._flowing = False
        if first:
            log.warning("%s", sentence)
            self._tell(self._on_lost, sentence)
        else:
            log.debug("%s", sentence)

    def _gain(self, name: str) -> None:
        self._complaint = None
        self._flowing = True
        log.info("listening to %s", name)
        self._tell(self._on_ok, name)

    def _heard_input(self) -> _Input:
        now = self._input
        if now is None or not self._flowing:
            raise MicrophoneError(self._complaint or "The microphone is not open yet: wait a moment.")
        return now

    @staticmethod
    def _tell(callback: Callable[..., None], what: object) -> None:
        try:
            callback(what)
        except VocalDMError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("a listener of the microphone failed; it goes on")


def _level(now: _Input, count: int) -> Level:
    samples = now.ring.read(now.ring.written - count, now.ring.written).samples
    if not len(samples):
        return Level(SILENT_DBFS, SILENT_DBFS, now.gate.open)
    floor = 10 ** (SILENT_DBFS / 20)
    peak = max(floor, float(np.abs(samples).max()))
    rms = max(floor, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))
    return Level(float(20 * np.log10(peak)), float(20 * np.log10(rms)), now.gate.open or now.gate.talking)
