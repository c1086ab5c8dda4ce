"""Pool: one function over many tasks, here, in processes of this machine, or in the workers of a cluster."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any, Protocol, TypeVar

from training.errors import RunError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Pool(Protocol):
    """What spreads tasks: the function goes to every worker once, tasks and results one by one."""

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results as they come, in any order; tasks are taken as they are needed. Raises what `work` raises."""


class Here:
    """All of it in this process, one after the other, on one thread: the same bytes as from any worker."""

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results in the order of the tasks."""
        import torch

        for task in tasks:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                result = work(task)
            finally:
                torch.set_num_threads(threads)
            yield result


class Processes:
    """Processes of this machine, one thread each, which start with the first task and end when this one does.

    They stay for the next call of `run`, until `close`.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pipes: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results as they come; the next task is taken while others are worked at.

        Raises RunError where a process was ended from outside.
        """
        remaining = iter(tasks)
        # In a list of one, for None may be a task.
        ahead = [task for task in [next(remaining, _NONE)] if task is not _NONE]
        if not ahead:
            return
        self._start()
        function = pickle.dumps(work)
        busy: set[Connection] = set()
        whole = False
        try:
            for pipe in self._pipes:
                pipe.send(("function", function))
            idle = list(self._pipes)
            while ahead or busy:
                while ahead and idle:
                    pipe = idle.pop()
                    pipe.send(("task", ahead.pop()))
                    busy.add(pipe)
                    ahead = [task for task in [next(remaining, _NONE)] if task is not _NONE]
                for one in wait_for_any(list(busy)):
                    assert isinstance(one, Connection)
                    kind, value = one.recv()
                    busy.discard(one)
                    idle.append(one)
                    if kind == "error":
                        raise value
                    yield value
            whole = True
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise RunError(
                "A worker process was ended from outside, maybe for want of memory: take fewer --workers and give "
                "the same command again."
            ) from error
        finally:
            if not whole:
                self.close()  # what is still being worked at belongs to nobody now

    def close(self) -> None:
        """End the processes, at once."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        self._pipes, self._processes = [], []

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        while len(self._processes) < self.workers:
            own, other = context.Pipe()
            process = context.Process(target=_serve, args=(other,), daemon=True)
            process.start()
            other.close()  # or its end would never be seen
            self._pipes.append(own)
            self._processes.append(process)


@contextmanager
def spread(workers: int, cluster: str | None = None, gpus: float = 0.0) -> Iterator[Pool]:
    """A pool on this machine, or where `cluster` is "local" or ray://HOST:PORT, of Ray's workers.

    With one worker of this machine all happens in this process. gpus: the share of one that Ray keeps for each
    worker. Raises ClusterError.
    """
    if cluster is not None:
        from training.cluster.ray_pool import ray_pool

        with ray_pool(cluster, workers, gpus) as pool:
            yield pool
    elif workers > 1:
        processes = Processes(workers)
        try:
            yield processes
        finally:
            processes.close()
    else:
        yield Here()


@contextmanager
def lent(pool: Pool | None, workers: int) -> Iterator[Pool]:
    """A pool that was given, which stays open, or one of so many processes of this machine."""
    if pool is not None:
        yield pool
        return
    with spread(workers) as own:
        yield own


_NONE: Any = object()


def _serve(pipe: Connection) -> None:
    """A process of the pool, until its pipe ends: by `close`, or with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    # For when torch is imported later on; where it is here already, it is told below.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    function: Callable[[Any], Any] | None = None
    with suppress(EOFError, OSError):
        while True:
            kind, value = pipe.recv()
            if kind == "function":
                function = pickle.loads(value)
                if "torch" in sys.modules:
                    sys.modules["torch"].set_num_threads(1)
                continue
            assert function is not None
            try:
                answer = ("done", function(value))
            except Exception as error:
                answer = ("error", error)
            pipe.send(answer)
