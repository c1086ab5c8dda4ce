"""Gate: decides where in a stream of samples a voice begins and ends. Pure: no threads, no clocks, no devices."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from vocaldm_live.errors import VocalDMError
from vocaldm_live.listen.noise_floor import (
    BLOCK_FRAMES,
    HOP_SECONDS,
    BandMeter,
    NoiseFloor,
    colour_db,
    unsteadiness_db,
)

BLOCK_SECONDS = HOP_SECONDS * BLOCK_FRAMES
STEADY_SECONDS = 2.0
STEADY_BODY_SECONDS = 0.6
STEADY_TONE_SECONDS = 6.0
TONE_COLOUR_DB = 7.0
# Who has made sounds for this long is waited for longest.
PATIENCE_SECONDS = 2.0

# name: (least, most, unit)
RANGES: dict[str, tuple[float, float, str]] = {
    "pre_roll": (0.0, 2.0, "s"),
    "post_roll": (0.0, 2.0, "s"),
    "voice_pre_roll": (0.0, 1.0, "s"),
    "voice_post_roll": (0.0, 1.0, "s"),
    "open_db": (3.0, 40.0, "dB"),
    "close_db": (2.0, 40.0, "dB"),
    "open_for": (0.01, 0.5, "s"),
    "soft_open_for": (0.01, 2.0, "s"),
    "quietest_db": (-90.0, -10.0, "dB"),
    "shortest": (0.02, 2.0, "s"),
    "longest": (1.0, 60.0, "s"),
    "hangover": (0.05, 3.0, "s"),
    "longest_hangover": (0.05, 3.0, "s"),
    "refractory": (0.0, 5.0, "s"),
    "mute_tail": (0.0, 5.0, "s"),
    "floor_seconds": (0.5, 30.0, "s"),
    "steady_db": (0.0, 10.0, "dB"),
}


class GateError(VocalDMError):
    """A threshold of the gate is out of its range."""


@dataclass(frozen=True)
class GateSettings:
    """The gate's thresholds; seconds and dB. Raises GateError when one is out of its range.

    Push to talk keeps `pre_roll` before the press and `post_roll` after the release. The automatic gate opens
    when the sound stands `open_db` above the room's floor for `open_for`, or `close_db` above it for
    `soft_open_for`, and is louder than `quietest_db` (dBFS). It closes when the sound has stayed less than
    `close_db` above the floor for `hangover`. A short sound is answered soon; longer gestures pause to breathe,
    so that the wait grows to `longest_hangover` within two seconds. The gate keeps `voice_pre_roll` and
    `voice_post_roll` around the voice, ignores what was voiced for less than `shortest`, ends at `longest`, waits
    `refractory` before it opens again and `mute_tail` after an audition. What moves less than `steady_db` over
    time is a machine and no voice; 0 takes it for a voice. The floor is learned over `floor_seconds`.
    """

    pre_roll: float = 0.3
    post_roll: float = 0.15
    voice_pre_roll: float = 0.15
    voice_post_roll: float = 0.1
    open_db: float = 8.0
    close_db: float = 4.0
    open_for: float = 0.02
    soft_open_for: float = 0.15
    quietest_db: float = -60.0
    shortest: float = 0.08
    longest: float = 20.0
    hangover: float = 0.4
    longest_hangover: float = 0.75
    refractory: float = 0.2
    mute_tail: float = 0.25
    floor_seconds: float = 3.0
    steady_db: float = 1.3

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high, unit = RANGES[field.name]
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise GateError(f"gate: {field.name} is {value}: use {low:g} to {high:g} {unit}.")
        if self.close_db > self.open_db:
            raise GateError(
                f"gate: close_db {self.close_db:g} is above open_db {self.open_db:g}: it could never stay open."
            )
        if self.longest_hangover < self.hangover:
            raise GateError(
                f"gate: longest_hangover {self.longest_hangover:g} is shorter than hangover {self.hangover:g}."
            )


@dataclass(frozen=True)
class Segment:
    """An imitation in the stream: samples `[start, stop)`, and the position at which that was decided.

    `cause` is "talk" (push to talk) or "voice" (the automatic gate).
    """

    start: int
    stop: int
    decided: int
    cause: Literal["talk", "voice"]


class Gate:
    """Fed with blocks of samples and their absolute positions, it returns the segments that have ended.

    The room's floor is learned all the time; `listening` says whether the automatic gate may open. All positions
    are absolute sample counts of the stream. Not safe for several threads at once.
    """

    def __init__(
        self, sample_rate: int, settings: GateSettings | None = None, listening: bool = False
    ) -> None:
        self.settings = settings or GateSettings()
        self.sample_rate = sample_rate
        self.dropped_steady = 0
        self._meter = BandMeter(sample_rate)
        self._floor = NoiseFloor(self._meter.bands, self.settings.floor_seconds)
        self._listening = listening
        self._first: int | None = None  # where the meter began to count frames
        self._next = 0  # the position that the next block should begin at
        self._frames = 0
        self._talk: int | None = None  # where the recording that is held down begins
        self._release: int | None = None
        self._taken = 0  # what lies before belongs to an earlier segment
        self._muted_until = 0
        self._closed_until = 0
        self._blocks: deque[np.ndarray] = deque(maxlen=round(self.settings.longest / BLOCK_SECONDS) + 1)
        self._gathered: list[np.ndarray] = []
        self._shut()

    # What is seen from outside ---------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether the automatic gate may open."""
        return self._listening

    @property
    def talking(self) -> bool:
        """Whether push to talk is held down."""
        return self._talk is not None

    @property
    def open(self) -> bool:
        """Whether the automatic gate hears a voice now."""
        return self._begin is not None

    @property
    def floor(self) -> np.ndarray:
        """The room's level in each band of the meter, mean squares `[bands]`."""
        return self._floor.powers

    @property
    def floor_known(self) -> bool:
        """Whether the room has been heard for long enough to know its floor."""
        return self._floor.warm

    @property
    def floor_dbfs(self) -> float:
        """The room's level between 100 Hz and 8 kHz, dBFS."""
        return float(10 * np.log10(self._floor.powers.sum()))

    # What can be asked of it -----------------------------------------------------------------------------

    def listen(self, on: bool) -> None:
        """Switch the automatic gate; an unfinished segment is dropped when it is switched off."""
        self._listening = on
        self._shut()

    def press(self, position: int) -> None:
        """Push to talk begins at `position`; the automatic gate keeps out until the release."""
        if self._talk is None:
            self._talk = max(self._taken, position - self._samples(self.settings.pre_roll), 0)
            self._release = None
            self._shut()

    def release(self, position: int) -> None:
        """Push to talk ends at `position`; its segment comes once the post-roll has been fed."""
        if self._talk is not None and self._release is None:
            self._release = max(position, self._talk) + self._samples(self.settings.post_roll)

    def mute(self, start: int, stop: int) -> None:
        """Between these positions the automatic gate hears our own clip: it ignores that, and its echo."""
        if stop > start:
            self._muted_until = max(self._muted_until, stop + self._samples(self.settings.mute_tail))
            self._shut()

    def unmute(self, position: int) -> None:
        """The audition ended at `position`, sooner than was said; its echo is still waited for."""
        self._muted_until = min(self._muted_until, position + self._samples(self.settings.mute_tail))

    def interrupt(self) -> list[Segment]:
        """The stream has ended for now: end what is open where the samples end, and return it."""
        segments: list[Segment] = []
        if self._begin is not None:
            self._finish(segments, self._next)
        if self._talk is not None:
            self._release = min(self._next, self._release or self._next)
            self._end_talk(segments)
            self._talk = self._release = None
        self._first = None
        return [segment for segment in segments if segment.stop > segment.start]

    def feed(self, position: int, samples: np.ndarray) -> list[Segment]:
        """Take float32 `[n]` at absolute `position`; return what has ended, oldest first.

        A position behind the expected one means that samples were lost: what was open ends there.
        """
        segments: list[Segment] = []
        if self._first is None or position != self._next:
            if self._begin is not None:
                self._finish(segments, self._next)
            self._meter.reset()
            self._first, self._frames = position, 0
        self._next = position + len(samples)
        for powers in self._meter.feed(samples):
            self._frame(self._first + self._frames * self._meter.hop, powers, segments)
            self._frames += 1
        self._end_talk(segments)
        return segments

    # Inside ----------------------------------------------------------------------------------------------

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)

    def _shut(self) -> None:
        self._begin: int | None = None
        self._last_voice = 0
        self._voiced = 0
        self._run = self._loud = self._run_start = 0
        self._blocks.clear()
        self._gathered.clear()

    def _end_talk(self, segments: list[Segment]) -> None:
        if self._talk is None:
            return
        stop = self._talk + self._samples(self.settings.longest)
        if self._release is not None:
            stop = min(stop, self._release)
        if self._next >= stop:
            segments.append(Segment(self._talk, stop, stop, "talk"))
            self._taken = stop
            self._talk = self._release = None
            self._closed_until = stop + self._samples(self.settings.refractory)
            self._shut()

    def _frame(self, start: int, powers: np.ndarray, segments: list[Segment]) -> None:
        """One frame of the meter: a step of the automatic gate."""
        if start < self._muted_until:
            return
        middle = start + self._meter.window // 2
        excess = self._floor.excess_db(powers)
        if self._begin is None:
            self._closed_frame(middle, excess, powers)
        else:
            self._open_frame(middle, excess, powers, segments)

    def _closed_frame(self, middle: int, excess: float, powers: np.ndarray) -> None:
        settings = self.settings
        dbfs = 10 * np.log10(powers.sum() + 1e-12)
        if not self._floor.warm or excess < settings.close_db or dbfs < settings.quietest_db:
            self._run = self._loud = 0
            self._gathered.clear()
            self._blocks.clear()
            self._floor.hear(powers)
            return
        if not self._run:
            self._run_start = middle
        self._run += 1
        self._loud = self._loud + 1 if excess >= settings.open_db else 0
        self._gather(powers)
        # A quiet tone never stands far above a floor that is summed over all bands, but it lasts.
        asked = (
            self._loud * HOP_SECONDS >= settings.open_for - 1e-9
            or self._run * HOP_SECONDS >= settings.soft_open_for - 1e-9
        )
        if asked and middle >= self._closed_until:
            self._begin = self._run_start
            self._voiced = self._run
            self._last_voice = middle

    def _open_frame(self, middle: int, excess: float, powers: np.ndarray, segments: list[Segment]) -> None:
        assert self._begin is not None
        settings = self.settings
        self._gather(powers)
        silent = middle - self._last_voice
        if excess >= settings.close_db:
            self._voiced += 1
            self._last_voice = middle
            silent = 0
        if middle - self._begin >= self._samples(settings.longest - settings.voice_pre_roll):
            self._finish(segments, middle)
            self._floor.replace(list(self._blocks)[-round(settings.floor_seconds / BLOCK_SECONDS) :])
        elif not self._gathered and (steady := self._steady_for()):
            # The room has become louder and stays so. What came before that may still be a voice.
            lately = list(self._blocks)[-round(steady / BLOCK_SECONDS) :]
            self._last_voice = middle - self._samples(steady)
            self._finish(segments, middle)
            self._floor.replace(lately)
        elif silent >= self._patience():
            self._finish(segments, middle)

    def _patience(self) -> int:
        """How many samples of silence end the gesture."""
        settings = self.settings
        share = min(1.0, (self._last_voice - (self._begin or 0)) / self._samples(PATIENCE_SECONDS))
        return self._samples(settings.hangover + share * (settings.longest_hangover - settings.hangover))

    def _gather(self, powers: np.ndarray) -> None:
        self._gathered.append(powers)
        if len(self._gathered) == BLOCK_FRAMES:
            self._blocks.append(np.mean(self._gathered, axis=0))
            self._gathered.clear()

    def _steady_for(self) -> float:
        """For how many of the last seconds nothing has moved as voices do; 0 where that is too short to tell.

        A tone in a few bands may well be whistled or played: it has to last longer to be taken for a machine.
        """
        for span, coloured in ((STEADY_SECONDS, False), (STEADY_TONE_SECONDS, True)):
            count = round(span / BLOCK_SECONDS)
            if len(self._blocks) < count:
                break
            lately = np.array(list(self._blocks)[-count:])
            if self._is_machine(lately, coloured):
                return span
        return 0.0

    def _is_machine(self, blocks: np.ndarray, coloured: bool) -> bool:
        floor = self._floor.powers
        if unsteadiness_db(blocks, floor) >= self.settings.steady_db:
            return False
        return coloured or colour_db(blocks, floor) < TONE_COLOUR_DB

    def _was_steady(self, begin: int, end: int) -> bool:
        """Whether all that was voiced was a machine that went on and off; the edges are left out."""
        count = int((end - begin) / self._samples(BLOCK_SECONDS)) - 2
        if count * BLOCK_SECONDS < STEADY_BODY_SECONDS:
            return False
        body = np.array(list(self._blocks)[1 : 1 + count])
        return len(body) > 1 and self._is_machine(body, count * BLOCK_SECONDS >= STEADY_TONE_SECONDS)

    def _finish(self, segments: list[Segment], now: int) -> None:
        """Close the gate; what was voiced long enough and is no machine becomes a segment."""
        assert self._begin is not None
        settings = self.settings
        begin, end, voiced = self._begin, self._last_voice, self._voiced * HOP_SECONDS
        steady = self._was_steady(begin, end)
        self._shut()
        steady = steady or end <= begin
        self.dropped_steady += steady
        if steady or voiced < settings.shortest - 1e-9:
            return
        start = max(self._taken, begin - self._samples(settings.voice_pre_roll), 0)
        stop = min(end + self._samples(settings.voice_post_roll), self._next)
        if self._listening and self._talk is None and stop > start:
            segments.append(Segment(start, stop, min(now + self._meter.window // 2, self._next), "voice"))
            self._taken = stop
        self._closed_until = now + self._samples(settings.refractory)
