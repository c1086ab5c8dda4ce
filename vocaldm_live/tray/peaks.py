"""Peaks: a clip's waveform, small enough to be drawn, read in a thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile

COLUMNS = 240
MOST_KEPT = 400

Peaks = np.ndarray  # [COLUMNS, 2]: the lowest and the highest sample of each column, full scale 1.0


def read_peaks(path: str, columns: int = COLUMNS) -> Peaks:
    """The lowest and highest sample, over all channels, in each of `columns` equal stretches; OSError, SoundFileError."""
    with soundfile.SoundFile(path) as file:
        frames = file.frames
        found = np.zeros((columns, 2), np.float32)
        edges = np.linspace(0, frames, columns + 1).round().astype(int)
        for column, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            block = file.read(end - begin, dtype="float32", always_2d=True)
            if block.size:
                found[column] = block.min(), block.max()
    return found


class PeakReader:
    """Reads waveforms beside the window's thread; each is read once."""

    def __init__(self, done: Callable[[str], None]) -> None:
        """`done(path)` is called in the reader's thread when a waveform is there."""
        self._done = done
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tray-peaks")
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Peaks | None] = OrderedDict()

    def get(self, path: str) -> Peaks | None:
        """The waveform, or None while it is not read or where it cannot be."""
        with self._lock:
            if path in self._kept:
                return self._kept[path]
            self._kept[path] = None
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._pool.submit(self._read, path)
        return None

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, path: str) -> None:
        try:
            found = read_peaks(path)
        except (OSError, soundfile.SoundFileError):
            return  # a row without a waveform; dragging or playing it says what is wrong
        with self._lock:
            self._kept[path] = found
        self._done(path)
