"""The ring: what was written comes back, what is gone is counted."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocaldm_live.listen.ring import Ring


@given(st.lists(st.integers(0, 260), max_size=12), st.integers(0, 900), st.integers(0, 900))
def test_a_ring_gives_back_what_it_still_has(blocks: list[int], start: int, length: int) -> None:
    ring = Ring(1.0, 100)
    position = 0
    for count in blocks:
        ring.write(np.arange(position, position + count, dtype=np.float32))
        position += count
    stop = min(start + length, position)
    got = ring.read(start, start + length)
    assert ring.written == position
    if stop <= start:
        assert len(got.samples) == 0 and got.lost == 0
    else:
        begin = min(stop, max(start, position - 100))
        assert (got.start, got.stop, got.lost) == (begin, stop, begin - start)
        assert np.array_equal(got.samples, np.arange(begin, stop, dtype=np.float32))


def test_a_reader_never_gets_samples_that_were_overwritten_meanwhile() -> None:
    ring = Ring(1.0, 1000)
    done = threading.Event()

    def write() -> None:
        for start in range(0, 400_000, 40):
            ring.write(np.arange(start, start + 40, dtype=np.float32))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = 0
    while not done.is_set():
        got = ring.read(max(0, ring.written - 1000), ring.written)
        assert np.array_equal(got.samples, np.arange(got.start, got.stop, dtype=np.float32))
        read += 1
    writer.join()
    assert read


def test_overflows_are_counted_and_a_ring_has_a_size() -> None:
    ring = Ring(2.0, 8000)
    ring.count_overflow()
    assert ring.overflows == 1 and len(ring) == 16000
    with pytest.raises(ValueError, match="too small"):
        Ring(0.0, 48000)
