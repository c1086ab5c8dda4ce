"""The queue before the engine: newest first, bounded, cancelled within a step, and nothing vanishes unsaid."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.jobs import Job, JobEvents, Jobs
from vocaldm_live.engine.request import Request
from vocaldm_live.errors import RequestError
from vocaldm_live.model.samplers import Cancelled
from vocaldm_live.sound.audio import Sound

LONG = 30.0
VOICE = Sound((0.2 * np.sin(np.arange(24000) / 10)).astype(np.float32), 48000)


class Story:
    """Everything the queue told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.events = JobEvents(
            accepted=lambda job, position: self.told.append(("accepted", job.id)),
            progress=lambda job, variation, step: self.told.append(("progress", job.id)),
            clip=lambda job, variation, clip: self.told.append(("clip", job.id, variation)),
            done=lambda job: self.told.append(("done", job.id)),
            failed=lambda job, sentence: self.told.append(("failed", job.id, sentence)),
            cancelled=lambda job: self.told.append(("cancelled", job.id)),
            dropped=lambda job, sentence: self.told.append(("dropped", job.id, sentence)),
        )

    def of(self, kind: str) -> list[str]:
        return [one[1] for one in self.told if one[0] == kind]


class SlowEngine:
    """Makes a step whenever it is let; obeys `cancelled` before each."""

    def __init__(self, steps: int = 3) -> None:
        self.let = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.steps = steps

    def generate(
        self,
        request: Request,
        progress: Any = None,
        cancelled: Callable[[], bool] | None = None,
        audio: Any = None,
    ) -> Any:
        self.began.release()
        for step in range(self.steps):
            assert self.let.acquire(timeout=LONG)
            if cancelled is not None and cancelled():
                raise Cancelled("cancelled")
            if progress is not None:
                progress(SimpleNamespace(step=step))
        return SimpleNamespace(request=request)

    def go(self, steps: int = 1000) -> None:
        self.let.release(steps)


def job(name: str, count: int = 1) -> Job:
    return Job(name, tuple(Request(VOICE, seed=seed, id=name) for seed in range(count)))


def busy(length: int = 8) -> tuple[SlowEngine, Story, Jobs]:
    """A queue whose job "first" has begun and stands still."""
    engine, story = SlowEngine(), Story()
    jobs = Jobs(engine, story.events, length)
    jobs.submit(job("first"))
    assert engine.began.acquire(timeout=LONG)
    return engine, story, jobs


def test_the_newest_gesture_is_made_first() -> None:
    engine, story, jobs = busy()
    for name in "abc":
        jobs.submit(job(name))
    assert jobs.waiting == ("c", "b", "a") and jobs.running == "first"
    engine.go()
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("done") == ["first", "c", "b", "a"]


def test_what_is_dropped_is_told() -> None:
    engine, story, jobs = busy(length=2)
    for name in "abcd":
        jobs.submit(job(name))
    assert story.of("dropped") == ["a", "b"]
    assert_sentence([one[2] for one in story.told if one[0] == "dropped"][0])
    engine.go()
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("done") == ["first", "d", "c"]


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_within_a_step() -> None:
    engine, story, jobs = busy()
    jobs.submit(job("waits"))
    assert jobs.cancel("waits") and story.of("cancelled") == ["waits"]
    engine.go(1)
    assert jobs.cancel("first")
    engine.go(1)
    assert jobs.wait_idle(LONG)
    assert story.of("cancelled") == ["waits", "first"] and story.of("clip") == []
    assert not jobs.cancel("first")
    jobs.close()


def test_variations_come_one_by_one_and_cancel_ends_the_rest() -> None:
    engine, story = SlowEngine(steps=1), Story()
    jobs = Jobs(engine, story.events)
    jobs.submit(job("many", 5))
    engine.go(2)
    for _ in range(3):
        assert engine.began.acquire(timeout=LONG)
    jobs.cancel("many")
    engine.go()
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert [one[2] for one in story.told if one[0] == "clip"] == [0, 1]
    assert story.of("cancelled") == ["many"] and story.of("done") == []


def test_an_id_is_free_again_when_its_job_has_ended() -> None:
    engine, story, jobs = busy()
    with pytest.raises(RequestError, match="first") as caught:
        jobs.submit(job("first"))
    assert_sentence(str(caught.value))
    engine.go()
    assert jobs.wait_idle(LONG)
    jobs.submit(job("first"))
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("done") == ["first", "first"]


@pytest.mark.parametrize("error", [RequestError("Too long: cut it."), MemoryError("gone"), ValueError("bug")])
def test_a_failure_fails_one_job_and_no_more(error: Exception) -> None:
    class Failing:
        def generate(self, request: Request, *others: Any) -> Any:
            if request.id == "bad":
                raise error
            return SimpleNamespace()

    story = Story()
    jobs = Jobs(None, story.events)
    jobs.submit(job("good"))
    jobs.submit(job("bad"))
    jobs.swap(Failing())
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("failed") == ["bad"] and story.of("done") == ["good"]
    assert_sentence([one[2] for one in story.told if one[0] == "failed"][0])


def test_a_clip_that_cannot_be_delivered_fails_its_job() -> None:
    def full(job: Job, variation: int, clip: Any) -> None:
        raise RequestError("The disk is full: free some space.")

    story, engine = Story(), SlowEngine()
    engine.go()
    jobs = Jobs(engine, JobEvents(clip=full, failed=story.events.failed, done=story.events.done))
    jobs.submit(job("one"))
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("failed") == ["one"] and story.of("done") == []


def test_a_listener_that_fails_disturbs_nobody() -> None:
    def fail(*what: Any) -> None:
        raise RuntimeError("the listener's own fault")

    story, engine = Story(), SlowEngine()
    engine.go()
    jobs = Jobs(engine, JobEvents(accepted=fail, progress=fail, clip=story.events.clip, done=fail))
    jobs.submit(job("one"))
    assert jobs.wait_idle(LONG)
    jobs.submit(job("two"))
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("clip") == ["one", "two"]


def test_another_engine_takes_over_between_two_jobs() -> None:
    engine, story, jobs = busy()
    other = SlowEngine()
    jobs.submit(job("second"))
    jobs.swap(other)
    assert not other.began.acquire(blocking=False)
    engine.go()
    assert other.began.acquire(timeout=LONG)
    other.go()
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert story.of("done") == ["first", "second"]


@pytest.mark.parametrize("finish", [True, False])
def test_closing_ends_everything_and_says_so(finish: bool) -> None:
    engine, story, jobs = busy()
    jobs.submit(job("waits"))
    closing = threading.Thread(target=jobs.close, args=(finish,))
    closing.start()
    while "waits" not in story.of("cancelled"):
        assert closing.is_alive()
    engine.go()
    closing.join(LONG)
    assert not closing.is_alive()
    assert story.of("done") == (["first"] if finish else [])
    with pytest.raises(RequestError, match="stopping"):
        jobs.submit(job("late"))


@pytest.mark.slow
def test_a_real_engine_behind_the_queue(tmp_path: Path) -> None:
    clips: list[Any] = []
    story = Story()
    engine = Engine(read_preset(make_tiny_preset(tmp_path)), "cpu")
    events = JobEvents(progress=story.events.progress, clip=lambda job, variation, clip: clips.append(clip))
    jobs = Jobs(engine, events)
    jobs.submit(job("real", 2))
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert [clip.request.seed for clip in clips] == [0, 1] and len(story.of("progress")) >= 4
    again = engine.generate(Request(VOICE, seed=1))
    assert np.array_equal(again.samples, clips[1].samples)


def test_whoever_hears_of_the_end_finds_the_id_free() -> None:
    told: list[str] = []
    jobs: Jobs

    def done(ended: Job) -> None:
        told.append(ended.id)
        if len(told) < 3:
            jobs.submit(job("same"))

    engine = SlowEngine()
    engine.go()
    jobs = Jobs(None, JobEvents(done=done))
    jobs.submit(job("same"))
    jobs.swap(engine)
    assert jobs.wait_idle(LONG)
    jobs.close()
    assert told == ["same"] * 3 and jobs.running is None


def test_audio_of_a_job_is_the_clip_it_becomes(tmp_path: Path) -> None:
    heard: dict[int, list[np.ndarray]] = {0: [], 1: []}
    clips: list[Any] = []
    lengths: list[int] = []

    def audio(job: Job, variation: int, first: int, samples: np.ndarray, total: int) -> None:
        assert first == sum(len(piece) for piece in heard[variation]) and not clips[variation:]
        heard[variation].append(samples)
        lengths.append(total)

    events = JobEvents(audio=audio, clip=lambda job, variation, clip: clips.append(clip))
    jobs = Jobs(Engine(read_preset(make_tiny_preset(tmp_path)), "cpu"), events)
    jobs.submit(job("heard", 2))
    assert jobs.busy and jobs.wait_idle(LONG)
    assert not jobs.busy and len(jobs) == 0
    jobs.close()
    assert set(lengths) == {len(VOICE.samples)}
    for variation, clip in enumerate(clips):
        np.testing.assert_array_equal(np.concatenate(heard[variation]), clip.samples)
