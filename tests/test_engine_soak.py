"""Hundreds of jobs through one engine: no thread, no file handle and hardly any memory is left behind."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from tiny import make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.jobs import Job, JobEvents, Jobs
from vocaldm_live.engine.request import Request
from vocaldm_live.sound.audio import Sound

LONG = 120.0
JOBS = 300
PROCESS = Path("/proc/self")


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    return int((PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return len(list((PROCESS / "fd").iterdir()))


@pytest.mark.slow
@pytest.mark.skipif(not PROCESS.is_dir(), reason="memory and file handles are counted in /proc")
def test_three_hundred_jobs_leave_nothing_behind(tmp_path: Path) -> None:
    times = np.arange(24000) / 48000
    voice = Sound((0.3 * np.sin(2 * np.pi * 220 * times) * np.exp(-4 * times)).astype(np.float32), 48000)
    engine = Engine(read_preset(make_tiny_preset(tmp_path)), "cpu")
    engine.warm()
    threads = set(threading.enumerate())
    made, failed, heard = [0], [0], [0]

    def count(box: list[int], by: int = 1) -> None:
        box[0] += by

    events = JobEvents(
        audio=lambda job, variation, first, samples, total: count(heard, len(samples)),
        clip=lambda job, variation, clip: count(made),
        failed=lambda job, sentence: count(failed),
    )
    jobs = Jobs(engine, events)
    before, open_before = 0, 0
    for number in range(JOBS):
        bad = number % 10 == 9
        request = Request(voice, seed=number, steps=10**6 if bad else 1, id=str(number))
        jobs.submit(Job(str(number), (request,)))
        assert jobs.wait_idle(LONG)
        if number == 49:
            before, open_before = resident(), handles()
    grown = resident() - before
    jobs.close()
    print(f"{JOBS} jobs: {before / 1e6:.0f} MB after 50, {grown / 1e6:+.1f} MB at the end")
    assert (made[0], failed[0]) == (JOBS * 9 // 10, JOBS // 10)
    assert heard[0] == made[0] * len(voice.samples)
    left = set(threading.enumerate()) - threads
    assert not left and handles() <= open_before
    assert grown < 0.02 * before
