"""Pool: one function over many tasks, here, in processes of this machine, or wherever else workers are."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_one
from typing import Any, Protocol, TypeVar

from training.errors import RunError

AHEAD = 2  # tasks that are read and wait, for each worker

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
    """Processes of this machine, one thread each, which end when this one does, however it ends.

    A pool may be handed to several calls one after the other; each starts processes of its own. Raises RunError
    where one of them is killed.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results as they come; a few tasks more than there are workers are taken ahead."""
        remaining = iter(tasks)
        first = next(remaining, None)
        if first is None:
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, context, _begin, (pickle.dumps(work),)) as executor:
            waiting: set[Future[Any]] = {executor.submit(_work, first)}
            try:
                while waiting:
                    while len(waiting) < self.workers * AHEAD:
                        try:
                            waiting.add(executor.submit(_work, next(remaining)))
                        except StopIteration:
                            break
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for one in done:
                        yield one.result()
            except BrokenProcessPool as error:
                raise RunError(
                    "A worker process was ended from outside, maybe for want of memory: take fewer --workers and give "
                    "the same command again."
                ) from error
            finally:
                executor.shutdown(wait=False, cancel_futures=True)


def open_pool(workers: int) -> Pool:
    """So many workers on this machine; with one or none everything happens in this process."""
    return Processes(workers) if workers > 1 else Here()


_function: Callable[[Any], Any] | None = None


def _begin(pickled: bytes) -> None:
    """In a new process: one thread, the function of the pool, and an end with the parent's."""
    global _function
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    _function = pickle.loads(pickled)


def _work(task: Any) -> Any:
    assert _function is not None
    return _function(task)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_one([parent.sentinel])
        os._exit(1)
