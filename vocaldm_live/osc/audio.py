"""Audio: a clip's samples over OSC, in numbered chunks that fit a datagram, while the clip is being decoded.

Samples travel as 16-bit integers, little-endian: half the datagrams of float32, and what sclang, Pd and Max
turn into samples with the least work. The file on disk keeps its full resolution. 600 samples are 1200 bytes,
which leaves 200 of a datagram's 1400 for address, type tags, id and numbers.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vocaldm_live.osc.client import Client
from vocaldm_live.osc.table import ROOT, OscError, Value
from vocaldm_live.osc.wire import Event, event

if TYPE_CHECKING:
    from vocaldm_live.osc.server import OscServer

CHUNK = 600  # samples; the table's help of audio/chunk says so too
FULL_SCALE = 32767.0
# Makes an event when it is its turn, or None when it is not wanted any more.
Maker = Callable[[], Event | None]


@dataclass(frozen=True)
class AudioSettings:
    """Chunks a second that go out at most (the system's receive buffer silently drops what comes faster than
    it is read), MB of recent clips kept for `audio/resend`, chunks of one resend, events that may wait."""

    chunks_per_second: float = 2000.0
    store_mb: float = 8.0
    most_resent: int = 1000
    tick: float = 0.005
    most_waiting: int = 20000


class AudioSender:
    """Sends clips to those who subscribed with `audio` 1. Any thread may open and write streams."""

    def __init__(self, server: OscServer, settings: AudioSettings = AudioSettings()) -> None:  # noqa: B008
        self._server = server
        self._settings = settings
        self._store: OrderedDict[tuple[str, int], AudioStream] = OrderedDict()
        self._lock = threading.Lock()
        self._queue: deque[tuple[Maker, Client | None]] = deque()
        self._ticking = False
        self._allowance = 0.0

    def open(self, id: str, variation: int, sample_rate: int, samples: int) -> AudioStream:
        """Announce a clip of so many samples and take them as they come."""
        stream = AudioStream(self, id, variation, samples)
        with self._lock:
            self._store.pop((id, variation), None)
            self._store[id, variation] = stream
            while len(self._store) > 1 and self._bytes() > self._settings.store_mb * 1e6:
                self._store.popitem(last=False)
        begin = event(f"{ROOT}/audio/begin", id, variation, sample_rate, samples, stream.chunks)
        self.put([lambda: begin])
        return stream

    def resend(self, arguments: tuple[Value, ...], client: Client) -> None:
        """Handler of `audio/resend`: chunks first to last of a clip, to the one who asks."""
        id, variation, first, last = str(arguments[0]), *(int(a) for a in arguments[1:])
        with self._lock:
            stream = self._store.get((id, variation))
        if stream is None:
            raise OscError("gone", f"The samples of {id} are not kept any more: read the file.")
        if not first <= last < stream.chunks or last - first >= self._settings.most_resent:
            raise OscError(
                "range",
                f"Chunks {first} to {last} of {id}: give up to {self._settings.most_resent} "
                f"of 0 to {stream.chunks - 1}.",
            )
        numbers = range(first, min(last + 1, stream.ready))
        self.put([partial(stream.event, number) for number in numbers], client)

    def forget(self, stream: AudioStream) -> None:
        """Keep a stream no longer."""
        with self._lock:
            if self._store.get((stream.id, stream.variation)) is stream:
                del self._store[stream.id, stream.variation]

    def _bytes(self) -> int:
        return sum(stream.chunks * CHUNK * 2 for stream in self._store.values())

    def put(self, makers: list[Maker], client: Client | None = None) -> None:
        """Have events made and sent in their turn: made only then, in the server's thread, and only if wanted."""
        self._server.call_soon(self._queue_up, makers, client)

    def _queue_up(self, makers: list[Maker], client: Client | None) -> None:
        if client is None and not any(lease.audio for lease in self._server.leases):
            return
        if len(self._queue) + len(makers) > self._settings.most_waiting:
            self._server.counters.note(
                "audio_dropped", "Audio waits to be sent for too long: chunks are dropped."
            )
            return
        self._queue.extend((make, client) for make in makers)
        if not self._ticking:
            self._ticking = True
            self._tick()

    def _tick(self) -> None:
        self._allowance += self._settings.chunks_per_second * self._settings.tick
        while self._queue and self._allowance >= 1.0:
            make, client = self._queue.popleft()
            made = make()
            if made is not None:
                self._server.post(made, client, audio=client is None)
                self._allowance -= 1.0
        loop = self._server.loop
        if self._queue and loop is not None:
            loop.call_later(self._settings.tick, self._tick)
        else:
            self._ticking, self._allowance = False, 0.0


class AudioStream:
    """One clip on its way. `write` samples in order, then `close`."""

    def __init__(self, sender: AudioSender, id: str, variation: int, samples: int) -> None:
        self.id, self.variation, self.samples = id, variation, samples
        self.chunks = -(-samples // CHUNK)
        self.ready = 0  # chunks that can be sent, and sent again
        self._sender = sender
        self._data = np.zeros(samples, dtype="<i2")
        self._written = 0
        self._closed = self.aborted = False

    def write(self, samples: np.ndarray) -> None:
        """The next samples, float `[n]` in -1..1 (what is beyond is clipped); more than announced is left out."""
        if self._closed:
            return
        room = self.samples - self._written
        new = np.asarray(samples, dtype=np.float32).reshape(-1)[:room]
        end = self._written + len(new)
        whole = np.rint(np.clip(np.nan_to_num(new), -1.0, 1.0) * FULL_SCALE)
        self._data[self._written : end] = whole.astype("<i2")
        self._written = end
        complete = self.chunks if end == self.samples else end // CHUNK
        if complete > self.ready:
            self._sender.put([partial(self.event, number) for number in range(self.ready, complete)])
            self.ready = complete

    def close(self) -> None:
        """End the clip; what was announced but never written is silence."""
        if self._closed:
            return
        if self._written < self.samples:
            self.write(np.zeros(self.samples - self._written, dtype=np.float32))
        self._closed = True
        digest = hashlib.sha256(self._data.tobytes()).hexdigest()
        end = event(f"{ROOT}/audio/end", self.id, self.variation, digest)
        self._sender.put([lambda: end])

    def abort(self) -> None:
        """The clip will not be: what waits is not sent, and it can't be asked for again."""
        self._closed = self.aborted = True
        self._sender.forget(self)

    def event(self, number: int) -> Event | None:
        """One chunk as it goes out, None where the clip was given up."""
        if self.aborted:
            return None
        data = self._data[number * CHUNK : (number + 1) * CHUNK].tobytes()
        return event(f"{ROOT}/audio/chunk", self.id, self.variation, number, data)


class AudioReceiver:
    """The other side, for tests and for hosts written in Python: puts one clip together again.

    Feed it the arguments after `seq` of begin, chunk and end events, in any order after begin.
    """

    def __init__(self) -> None:
        self.sample_rate = 0
        self.chunks = -1
        self._samples = 0
        self._sha256 = ""
        self._got: dict[int, bytes] = {}

    def begin(self, id: str, variation: int, sample_rate: int, samples: int, chunks: int) -> None:
        """audio/begin"""
        self.sample_rate, self._samples, self.chunks = sample_rate, samples, chunks

    def chunk(self, id: str, variation: int, number: int, data: bytes) -> None:
        """audio/chunk"""
        self._got[number] = data

    def end(self, id: str, variation: int, sha256: str) -> None:
        """audio/end"""
        self._sha256 = sha256

    def missing(self) -> list[tuple[int, int]]:
        """Ranges (first, last) to ask for with `audio/resend`."""
        ranges: list[tuple[int, int]] = []
        for number in range(self.chunks):
            if number in self._got:
                continue
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return ranges

    @property
    def complete(self) -> bool:
        """Every chunk is here and their sha256 is the one that audio/end gave."""
        return bool(self._sha256) and not self.missing() and self._digest() == self._sha256

    def samples(self) -> np.ndarray:
        """Float32 `[n]`."""
        return np.frombuffer(self._joined(), dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE)

    def _joined(self) -> bytes:
        return b"".join(self._got[number] for number in range(self.chunks))

    def _digest(self) -> str:
        return hashlib.sha256(self._joined()).hexdigest()
