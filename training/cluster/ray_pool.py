"""Ray's pool: the same function over the same tasks, in the workers of a cluster."""

from __future__ import annotations

import pickle
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from training.cluster.pool import Result, Task
from vocaldm_live.cluster.pool import NAMESPACE, Plan, begin_ray, cause, import_ray
from vocaldm_live.errors import ClusterError, VocalDMError

LOCAL = "local"
AHEAD = 2  # tasks that a worker has: one that it works at, and the next
MEMORY = 500  # MB of Ray's object store, for one that is started here
CONNECT_SECONDS = 5.0
TRIES = 3  # that a task gets beside the first where its worker ends, and a worker to start again


class Hand:
    """The actor: works on one thread, or on a GPU with a function that has a `to` by which it is brought there."""

    def __init__(self, on_gpu: bool) -> None:
        import torch

        torch.set_num_threads(1)
        self._on_gpu = on_gpu
        self._number = -1
        self._function: Callable[[Any], Any] | None = None

    def work(self, number: int, function: list[Any], task: Any) -> Any:
        """What comes of a task by a function, of which `number` tells the next one.

        function: Ray's reference to it, in a list, for by itself Ray would bring all of it along with every task.
        """
        if number != self._number or self._function is None:
            import ray

            self._function, self._number = pickle.loads(ray.get(function[0])), number
            if self._on_gpu and hasattr(self._function, "to"):
                self._function.to("cuda")
        return self._function(task)


class RayPool:
    """Workers of Ray, as many as are asked for and free; one that ends is started again and its task done again."""

    def __init__(self, ray: Any, workers: int, gpus: float) -> None:
        free = ray.available_resources()
        most = int(free.get("CPU", 0.0))
        if gpus:
            most = min(most, int(free.get("GPU", 0.0) / gpus))
        if most < 1:
            what = f"processor with {gpus:g} of a GPU" if gpus else "processor"
            raise ClusterError(
                f"The cluster has no free {what}: wait for those who use it, or give it more machines."
            )
        self._ray, self._runs = ray, 0
        kind = ray.remote(Hand).options(num_cpus=1, num_gpus=gpus, max_restarts=TRIES, max_task_retries=TRIES)
        self._hands = [kind.remote(gpus > 0) for _ in range(min(workers, most))]

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Results as they come; raises what `work` raises, and ClusterError where the cluster ends."""
        ray = self._ray
        self._runs += 1
        try:
            function = None
            waiting: dict[Any, Any] = {}
            idle = self._hands * AHEAD
            for task in tasks:
                if function is None:
                    function = [ray.put(pickle.dumps(work))]
                hand = idle.pop(0)
                waiting[hand.work.remote(self._runs, function, task)] = hand
                while not idle:
                    yield from self._done(waiting, idle)
            while waiting:
                yield from self._done(waiting, idle)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, VocalDMError):
                raise error.cause from error
            raise
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise ClusterError(
                f"The cluster or its workers are gone ({cause(error)}): give the same command again, what is done is kept."
            ) from error

    def _done(self, waiting: dict[Any, Any], idle: list[Any]) -> Iterator[Any]:
        done, _ = self._ray.wait(list(waiting), num_returns=1)
        for reference in done:
            idle.append(waiting.pop(reference))
            yield self._ray.get(reference)


@contextmanager
def ray_pool(where: str, workers: int, gpus: float = 0.0) -> Iterator[RayPool]:
    """Ray's workers on this machine ("local") or in the cluster at ray://HOST:PORT; raises ClusterError."""
    ray = begin_ray(Plan(workers=workers, memory=MEMORY)) if where == LOCAL else _reached(where)
    try:
        yield RayPool(ray, workers, gpus)
    finally:
        ray.shutdown()


def _reached(address: str) -> Any:
    found = re.fullmatch(r"ray://([^/:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})", address)
    if found is None:
        raise ClusterError(f"cluster is {address!r}: give local, or ray://HOST:PORT.")
    ray = import_ray()
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"There is no Ray at {address}: start it there with `ray start --head`, or name another."
        ) from error
    try:
        ray.init(address, namespace=NAMESPACE, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"Ray at {address} cannot be used ({cause(error)}): use the same Python, Ray and token on both sides."
        ) from error
    return ray
