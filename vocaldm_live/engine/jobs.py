"""Jobs: the queue before a warm engine; the newest gesture first, bounded, and nothing vanishes unsaid."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from vocaldm_live.errors import RequestError, VocalDMError
from vocaldm_live.model.samplers import Cancelled

if TYPE_CHECKING:
    import numpy as np

    from vocaldm_live.engine.request import Clip, Progress, Request

log = logging.getLogger("vocaldm.engine")
LENGTH = 8


class Generator(Protocol):
    """What makes clips: `Engine`, or in tests something that takes its place."""

    def generate(
        self,
        request: Request,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        audio: Callable[[int, np.ndarray, int], None] | None = None,
    ) -> Clip: ...


@dataclass(frozen=True, eq=False)
class Job:
    """One gesture and its variations, which are made one by one, so that each can be made again bit for bit.

    `id` is the client's and unique among the jobs under way; `tag` is the caller's own and comes back untouched.
    candidates: how many clips are made of each request, of which the one most like what was asked for counts.
    """

    id: str
    requests: tuple[Request, ...]
    tag: Any = None
    candidates: int = 1


@dataclass(frozen=True)
class JobEvents:
    """What the queue tells; what a callback raises is logged and changes nothing.

    accepted(job, position): 0 is next. progress(job, variation, progress): at every step. audio(job, variation,
    first_sample, samples, total_samples): a piece of a clip that is still being decoded, float32 `[n]`, before fades
    and clip guard; a clip that is cancelled or fails just ends. clip(job, variation, clip):
    one is there. done(job): all are. failed(job, sentence), cancelled(job), dropped(job, sentence): it ended.
    `accepted` comes first; `dropped`, and `cancelled` of a job that waited, come from the thread that called.
    """

    accepted: Callable[[Job, int], None] = lambda job, position: None
    progress: Callable[[Job, int, Progress], None] = lambda job, variation, progress: None
    audio: Callable[[Job, int, int, np.ndarray, int], None] | None = None
    clip: Callable[[Job, int, Clip], None] = lambda job, variation, clip: None
    done: Callable[[Job], None] = lambda job: None
    failed: Callable[[Job, str], None] = lambda job, sentence: None
    cancelled: Callable[[Job], None] = lambda job: None
    dropped: Callable[[Job, str], None] = lambda job, sentence: None


@dataclass(eq=False)
class _Running:
    job: Job
    engine: Generator
    stop: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """A queue and the one thread that empties it.

    Policy: the newest waiting job is made next, for in a session the last gesture is the one that is waited
    for. At most `length` jobs wait; one more drops the oldest of them, which is told. A job that has begun is
    finished before the next one begins. Without an engine (`None`, while it loads) jobs wait.
    """

    def __init__(
        self, engine: Generator | None, events: JobEvents | None = None, length: int = LENGTH
    ) -> None:
        if length < 1:
            raise RequestError(f"The queue's length is {length}: let at least one gesture wait.")
        self._events = events or JobEvents()
        self._length = length
        self._engine = engine
        self._waiting: list[Job] = []
        self._running: _Running | None = None
        self._busy = False
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    # What anybody may call ---------------------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[str, ...]:
        """The ids of the jobs that wait, the next one first."""
        with self._change:
            return tuple(job.id for job in reversed(self._waiting))

    @property
    def running(self) -> str | None:
        """The id of the job under way."""
        with self._change:
            return self._running.job.id if self._running is not None else None

    @property
    def engine(self) -> Generator | None:
        """The engine that makes the job under way, else the one that will make the next."""
        with self._change:
            return self._running.engine if self._running is not None else self._engine

    @property
    def busy(self) -> bool:
        """Whether a job is under way or waits."""
        with self._change:
            return self._running is not None or bool(self._waiting)

    def __len__(self) -> int:
        """How many jobs wait."""
        with self._change:
            return len(self._waiting)

    def submit(self, job: Job) -> None:
        """Queue a job; raises RequestError when it is empty, its id is taken or the queue is closed."""
        if not job.requests:
            raise RequestError(f"The request {job.id!r} asks for no clip: give at least one variation.")
        with self._change:
            if self._closed:
                raise RequestError("The daemon is stopping: ask again when it has been started anew.")
            taken = {other.id for other in self._waiting}
            if self._running is not None:
                taken.add(self._running.job.id)
            if job.id in taken:
                raise RequestError(
                    f"A request {job.id!r} is under way: choose another id or cancel it first."
                )
            dropped = self._waiting.pop(0) if len(self._waiting) >= self._length else None
            self._waiting.append(job)
            # Told under the lock, so that nothing about a job can be heard before it was accepted.
            self._tell(self._events.accepted, job, 0)
            self._change.notify_all()
        if dropped is not None:
            sentence = f"Dropped for newer gestures: more than {self._length} were waiting."
            log.info("dropped", extra={"request": dropped.id})
            self._tell(self._events.dropped, dropped, sentence)

    def cancel(self, job_id: str) -> bool:
        """End a job, at once where it waits and within one step where it runs; False where there is none."""
        with self._change:
            if self._running is not None and self._running.job.id == job_id:
                self._running.stop.set()
                return True
            found = next((job for job in self._waiting if job.id == job_id), None)
            if found is None:
                return False
            self._waiting.remove(found)
            self._change.notify_all()
        self._tell(self._events.cancelled, found)
        return True

    def cancel_all(self) -> int:
        """End every job; how many there were."""
        with self._change:
            ended, self._waiting = self._waiting, []
            running = self._running
            if running is not None:
                running.stop.set()
            self._change.notify_all()
        for job in ended:
            self._tell(self._events.cancelled, job)
        return len(ended) + (running is not None)

    def swap(self, engine: Generator | None) -> None:
        """Use another engine from the next job on; a clip under way is finished by the one that began it."""
        with self._change:
            self._engine = engine
            self._change.notify_all()

    def wait_idle(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits or runs and all was told; False when that took longer than `timeout` seconds."""
        with self._change:
            return self._change.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self, finish: bool = True) -> None:
        """Take no more jobs, tell the waiting ones that they are cancelled, and end the thread.

        The job under way is finished, or with `finish=False` cancelled within one step.
        """
        with self._change:
            self._closed = True
            ended, self._waiting = self._waiting, []
            if self._running is not None and not finish:
                self._running.stop.set()
            self._change.notify_all()
        for job in ended:
            self._tell(self._events.cancelled, job)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # The thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or (self._waiting and self._engine is not None))
                if self._closed:
                    return
                assert self._engine is not None
                engine = self._engine
                running = _Running(self._waiting.pop(), engine)
                self._running, self._busy = running, True
            end = self._make(engine, running)
            with self._change:
                # Before the end is told, so that whoever hears of it finds the id free.
                self._running = None
            end()
            with self._change:
                self._busy = False
                self._change.notify_all()

    def _make(self, engine: Generator, running: _Running) -> Callable[[], None]:
        """Make a job's clips; what is to be told when it is out of the way."""
        job, events = running.job, self._events
        try:
            for variation, request in enumerate(job.requests):
                if running.stop.is_set():
                    raise Cancelled("The request was cancelled between two variations.")

                def progress(step: Progress, variation: int = variation) -> None:
                    self._tell(events.progress, job, variation, step)

                def audio(first: int, samples: np.ndarray, total: int, variation: int = variation) -> None:
                    assert events.audio is not None
                    self._tell(events.audio, job, variation, first, samples, total)

                hears = audio if events.audio is not None else None
                if job.candidates == 1:
                    clip = engine.generate(request, progress, running.stop.is_set, hears)
                else:
                    clip = self._best(engine, job, request, progress, running.stop.is_set)
                    if hears is not None:
                        hears(0, clip.samples, len(clip.samples))
                # The one callback that may fail the job: a clip that can't be written is no clip.
                events.clip(job, variation, clip)
        except Cancelled:
            return lambda: self._tell(events.cancelled, job)
        except VocalDMError as error:
            log.warning("%s", error, extra={"request": job.id})
            sentence = str(error)
        except Exception as error:
            log.exception("a request failed", extra={"request": job.id})
            what = f"{type(error).__name__}: {error}".rstrip(".")
            sentence = f"The clip could not be made ({what}): the log has more."
        else:
            return lambda: self._tell(events.done, job)
        return lambda: self._tell(events.failed, job, sentence)

    @staticmethod
    def _best(
        engine: Any,
        job: Job,
        request: Request,
        progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
    ) -> Clip:
        from vocaldm_live.engine.candidates import best_of

        return best_of(engine, request, job.candidates, progress, cancelled)

    @staticmethod
    def _tell(callback: Callable[..., None], *what: object) -> None:
        try:
            callback(*what)
        except Exception:
            log.exception("whoever was told of a job failed")
