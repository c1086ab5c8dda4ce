"""Round trips while two threads keep the interpreter busy; the figures are printed, not judged."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from osc_peers import Udp, serving


def round_trips(count, busy, interval):
    """Sorted round-trip times in ms, with so many threads doing numpy work and this switch interval (s)."""
    stop = threading.Event()

    def work():
        small, large = np.ones(300), np.ones((400, 400))
        while not stop.is_set():
            for _ in range(50):
                small = np.sqrt(small * 1.01 + 0.5)  # many short operations: the interpreter's lock is held
            large @ large  # one long one: it is not

    threads = [threading.Thread(target=work) for _ in range(busy)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        with serving() as server, Udp(server) as client:
            for thread in threads:
                thread.start()
            times = []
            for number in range(count):
                start = time.perf_counter()
                client.send("ping", str(number))
                assert client.next()[1][1] == str(number)
                times.append((time.perf_counter() - start) * 1000)
                time.sleep(0.002)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    return sorted(times)


@pytest.mark.slow
@pytest.mark.parametrize(("busy", "interval"), [(0, 0.005), (2, 0.005), (2, 0.001), (2, 0.0002)])
def test_every_ping_is_answered_while_threads_are_busy(busy, interval):
    times = round_trips(500, busy, interval)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"\n{busy} busy threads, switch interval {interval * 1000:g} ms: p50 {p50:.2f} p99 {p99:.2f} ms")
    assert len(times) == 500
