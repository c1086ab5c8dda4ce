"""Ring: the last minute of a microphone, written by the audio callback, read by anybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stretch:
    """What a ring still had of `[start, stop)`: samples float32 `[n]` from the absolute position `start` on.

    `lost` counts the samples that were asked for and are gone (overwritten before, or while, they were read).
    """

    start: int
    samples: np.ndarray
    lost: int

    @property
    def stop(self) -> int:
        """The absolute position after the last sample."""
        return self.start + len(self.samples)


class Ring:
    """A preallocated ring of mono samples with an absolute sample counter.

    One writer, which only copies and counts; no locks, so that an audio callback never waits. Readers copy what
    they want and look afterwards whether the writer has overtaken them.
    """

    def __init__(self, seconds: float, sample_rate: int) -> None:
        """A ring of `seconds` at `sample_rate` in Hz; raises ValueError when that is not a second at least."""
        if sample_rate < 1 or seconds < 1:
            raise ValueError(f"a ring of {seconds} s at {sample_rate} Hz is too small: use a second or more")
        self.sample_rate = int(sample_rate)
        self._data = np.zeros(int(seconds * sample_rate), dtype=np.float32)
        self._written = 0
        self._writing = 0
        self._overflows = 0

    def __len__(self) -> int:
        return len(self._data)

    @property
    def written(self) -> int:
        """How many samples have been written since the beginning: the position after the newest one."""
        return self._written

    @property
    def oldest(self) -> int:
        """The absolute position of the oldest sample that is still here."""
        return max(0, self._writing - len(self._data))

    @property
    def overflows(self) -> int:
        """How often the device reported that it had lost samples."""
        return self._overflows

    def count_overflow(self) -> None:
        """Note that the device has lost samples; called by the writer."""
        self._overflows += 1

    def write(self, samples: np.ndarray) -> None:
        """Copy float32 `[n]` behind what is there; called by the one writer only."""
        size, count = len(self._data), len(samples)
        # Readers check this counter after copying: from here on the oldest samples count as gone.
        self._writing = self._written + count
        if count > size:
            samples = samples[count - size :]
        place = (self._writing - len(samples)) % size
        first = min(len(samples), size - place)
        self._data[place : place + first] = samples[:first]
        self._data[: len(samples) - first] = samples[first:]
        self._written = self._writing

    def read(self, start: int, stop: int) -> Stretch:
        """A copy of what is here of `[start, stop)`; what is gone, at the beginning, is counted in `lost`.

        Samples that are not written yet are simply not in the result and do not count as lost.
        """
        stop = min(stop, self._written)
        if stop <= start:
            return Stretch(start, np.zeros(0, dtype=np.float32), 0)
        begin = min(stop, max(start, self.oldest))
        samples = self._copy(begin, stop)
        # The writer may have come round while we copied.
        safe = min(stop, max(begin, self.oldest))
        return Stretch(safe, samples[safe - begin :], safe - start)

    def _copy(self, start: int, stop: int) -> np.ndarray:
        size, count = len(self._data), stop - start
        copied = np.empty(count, dtype=np.float32)
        place = start % size
        first = min(count, size - place)
        copied[:first] = self._data[place : place + first]
        copied[first:] = self._data[: count - first]
        return copied
