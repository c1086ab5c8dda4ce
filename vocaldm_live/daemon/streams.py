"""Streams: a clip's samples on their way to OSC clients while the clip is still being decoded."""

from __future__ import annotations

import threading

import numpy as np

from vocaldm_live.deliver.outbox import FADE_MILLISECONDS
from vocaldm_live.deliver.wave import fade_ramp
from vocaldm_live.engine.jobs import Job
from vocaldm_live.osc.audio import AudioSender, AudioStream


class Streams:
    """Turns the engine's pieces into audio streams, with the file's fades at the clip's ends where it has them.

    What only the whole clip can tell, the clip guard's gain, is not in them: samples beyond full scale are
    clipped.
    """

    def __init__(self, sender: AudioSender) -> None:
        self._sender = sender
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], tuple[AudioStream, np.ndarray]] = {}

    def hear(
        self, job: Job, variation: int, first: int, samples: np.ndarray, total: int, sample_rate: int
    ) -> None:
        """The next samples `[n]` of a clip of `total`; the first ones announce it."""
        key = (job.id, variation)
        if first == 0:
            stream = self._sender.open(job.id, variation, sample_rate, total)
            with self._lock:
                self._open[key] = (stream, fade_ramp(total, sample_rate, FADE_MILLISECONDS))
        with self._lock:
            stream, ramp = self._open[key]
        edit = job.requests[variation].edit
        ends = (True, True) if edit is None else edit.fades(total / sample_rate)
        stream.write(_faded(samples, first, total, ramp, ends))

    def end(self, job: Job, variation: int) -> None:
        """The clip is whole."""
        with self._lock:
            found = self._open.pop((job.id, variation), None)
        if found is not None:
            found[0].close()

    def give_up(self, job: Job) -> None:
        """The job ended before its clip was whole: what waits to be sent is thrown away."""
        with self._lock:
            keys = [key for key in self._open if key[0] == job.id]
            found = [self._open.pop(key) for key in keys]
        for stream, _ in found:
            stream.abort()


def _faded(
    samples: np.ndarray, first: int, total: int, ramp: np.ndarray, ends: tuple[bool, bool]
) -> np.ndarray:
    end = first + len(samples)
    if first >= len(ramp) and end <= total - len(ramp):
        return samples
    position = np.arange(first, end)
    nearest = np.minimum(position, total - 1 - position)
    inside = (nearest < len(ramp)) & np.where(2 * position < total, *ends)
    faded = np.array(samples)
    faded[inside] *= ramp[nearest[inside]].astype(faded.dtype)
    return faded
