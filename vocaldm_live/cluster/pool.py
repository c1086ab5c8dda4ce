"""Pool: gate and workers as actors of Ray, and the port that laptops reach them by."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from vocaldm_live.cluster.gate import Answer, Gate, WorkerLost, opened
from vocaldm_live.cluster.shelf import Shelf
from vocaldm_live.errors import ClusterError

NAME, NAMESPACE = "vocaldm-gate", "vocaldm"
LOOPBACK = ("127.0.0.1", "localhost")
TOKEN_FILE = Path("~/.ray/auth_token")
READY_SECONDS = 300.0
ANSWER_SECONDS = 10.0  # that the gate has to answer the process which serves it
# Each by itself, for ray.init sets the level of "ray" again.
LOGGERS = (
    "ray",
    "ray.client_builder",
    "ray._private.worker",
    "ray._private.authentication.authentication_token_setup",
    "ray._private.authentication.grpc_authentication_server_interceptor",
    "ray.util.client.server.logservicer",
    "ray.util.client.server.server",
    "ray.util.client.logsclient",
)
RECONNECT_SECONDS = "4"  # a laptop waits so long for a cluster that has gone


@dataclass(frozen=True)
class Plan:
    """What a cluster is to be: workers of so many threads each, on a device; address: a Ray that runs already.

    threads: 0 shares the cores of each machine among its workers.

    host: this machine's address that laptops use; memory: of Ray's object store, in MB; gpus: a worker's share.
    """

    workers: int = 1
    host: str = "127.0.0.1"
    port: int = 10001
    device: str = "auto"
    gpus: float = 0.0
    threads: int = 0
    memory: int = 200
    address: str | None = None
    folder: Path | None = None


def shelf_folder() -> Path:
    """Where presets that were sent are kept."""
    return Path(platformdirs.user_cache_dir("vocaldm-live", appauthor=False)) / "cluster"


def token_there() -> bool:
    """Whether this user has a token, by which laptops and cluster know each other; Ray looks in the same places."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else TOKEN_FILE.expanduser()
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or path.is_file()


def import_ray(serves: bool = False) -> Any:
    """Ray, with its reports to its maker switched off; raises ClusterError where it is not installed.

    With a token where there is one, and where a cluster is served in any case: Ray makes one then. It reads what is
    set here once, when it is imported.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Or whatever is asked of Ray after a connection broke would start a Ray on this machine.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if serves or token_there():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", RECONNECT_SECONDS)
    try:
        import ray
        import ray.util.client
    except ImportError as error:
        raise ClusterError(
            'Ray is not here: install it with `pip install "vocaldm-live[cluster]"`.'
        ) from error
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"ray\.util\.client")  # advice for whoever writes tasks
    return ray


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cause(error: BaseException) -> str:
    """What an error of Ray says, for a sentence: its first sentence, or the last line of a traceback in it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith(('File "', "Traceback")) for line in lines):
        lines = [re.sub(r"^[\w.]*(Error|Exception): ", "", lines[-1])]
    return " ".join(" ".join(lines).split()).partition(". ")[0].rstrip(".")[:200]


class RayWorker:
    """The actor: a Worker that asks the gate by Ray's handle. `workers`: that share this machine."""

    def __init__(self, device: str, threads: int, folder: str, workers: int = 1) -> None:
        from vocaldm_live.cluster.worker import Worker

        # Told in any case: to what keeps no processor Ray gives one thread.
        self._worker = Worker(device, threads or max(1, cores() // workers), folder)

    def about(self) -> Answer:
        """Process and device."""
        return self._worker.about()

    def stop(self, batch: str) -> None:
        """End a job within one step."""
        self._worker.stop(batch)

    def run(self, job: Answer, gate: Any) -> Answer:
        """A job's answer, as Worker's."""
        import ray

        def tell(stage: str, step: int, steps: int) -> None:
            gate.tell.remote(job["batch"], stage, step, steps)

        def fetch(shelf: Shelf, digest: str) -> Any:
            name, vocoder, files = opened(ray.get(gate.facts.remote(digest)))
            return shelf.fetch(
                digest,
                (name, vocoder, files),
                lambda file, offset: opened(ray.get(gate.piece.remote(digest, file, offset))),
            )

        return self._worker.run(job, tell, fetch)


class RayHand:
    """A worker's actor as the gate reaches it; Ray starts its process again where it ends."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def run(self, job: Answer) -> Answer:
        """Its answer; raises WorkerLost where its process ended."""
        import ray

        gate = ray.get_runtime_context().current_actor
        try:
            return await self._actor.run.remote(job, gate)
        except ray.exceptions.RayActorError as error:
            raise WorkerLost(str(error)) from error

    async def stop(self, batch: str) -> None:
        """Ask it to end a job; a process that has ended needs no telling."""
        import ray

        with suppress(ray.exceptions.RayActorError):
            await self._actor.stop.remote(batch)

    async def ready(self) -> Answer:
        """Process and device, when it can be asked; raises WorkerLost where that never comes.

        A process that could not begin is not started again; one that has ended is, within five minutes.
        """
        import ray

        loop = asyncio.get_running_loop()
        end = loop.time() + READY_SECONDS
        while True:
            try:
                return await asyncio.wait_for(self._actor.about.remote(), max(1.0, end - loop.time()))
            except (ray.exceptions.RayActorError, ray.exceptions.RayTaskError, asyncio.TimeoutError) as error:
                is_final = isinstance(error, ray.exceptions.RayTaskError)
                if is_final or getattr(error, "actor_init_failed", False) or loop.time() > end:
                    raise WorkerLost(cause(error)) from error
                await asyncio.sleep(0.3)


class RayGate(Gate):
    """The actor: a Gate before workers' actors."""

    def __init__(self, actors: list[Any], folder: str) -> None:
        super().__init__([RayHand(actor) for actor in actors], folder)


@dataclass(frozen=True)
class Opened:
    """A cluster that is served: its address for `--engine`."""

    address: str
    ray: Any
    gate: Any

    def check(self) -> None:
        """Raise ClusterError where the gate has ended, for nothing starts it again."""
        with suppress(self.ray.exceptions.GetTimeoutError):  # one that is busy
            _workers(self.ray, self.gate)


@contextmanager
def open_pool(plan: Plan) -> Iterator[Opened]:
    """Start gate and workers and open the port. Raises ClusterError and, for the device, RequestError."""
    if plan.workers < 1:
        raise ClusterError(f"The number of workers is {plan.workers}: give at least one.")
    _check_token(plan)
    _check_port(plan.host, plan.port)
    if plan.address is None:
        from vocaldm_live.engine.device import choose_device

        choose_device(plan.device)
    ray = begin_ray(plan)
    from ray.util.client.server.server import serve

    server = None
    try:
        gate = _started(ray, plan)
        _wait_for_one(ray, gate)
        server = serve(plan.host, plan.port)
        # Ray's server ends all of Ray when its last client goes; this process counts as one that stays.
        with server.data_servicer.clients_lock:
            server.data_servicer.num_clients += 1
        yield Opened(f"ray://{plan.host}:{plan.port}", ray, gate)
    finally:
        if server is not None:
            server.stop(0)
        ray.shutdown()


def _started(ray: Any, plan: Plan) -> Any:
    """The gate before its workers; they keep no processor, so that Ray has some left for `vocaldm-train`."""
    folder = str(plan.folder or shelf_folder())
    machines = max(1, sum(bool(node["Alive"]) for node in ray.nodes()))
    there = -(-plan.workers // machines)
    kind = ray.remote(RayWorker).options(
        num_cpus=0,
        num_gpus=plan.gpus,
        max_concurrency=4,
        max_restarts=-1,
        max_task_retries=0,
        scheduling_strategy="SPREAD",
    )
    actors = [kind.remote(plan.device, plan.threads, folder, there) for _ in range(plan.workers)]
    options = {"name": NAME, "namespace": NAMESPACE, "num_cpus": 0, "max_concurrency": 1000}
    try:
        return ray.remote(RayGate).options(**options).remote(actors, folder)
    except ValueError as error:
        raise ClusterError(
            f"Clips are served by this Ray already ({cause(error)}): use that, or end it first."
        ) from error


def begin_ray(plan: Plan) -> Any:
    """Start Ray on this machine, or join the one at `plan.address`; gives the module. Raises ClusterError."""
    local = plan.host in LOOPBACK
    if local and plan.address is None:
        # By this Ray binds all that it opens to loopback; it reads it when it is imported.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    ray = import_ray(serves=plan.address is None)
    options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
    if plan.address is not None:
        options["address"] = plan.address
    else:
        # Or Ray would begin with an idle process for every core.
        os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
        # Local, or Ray would join the one that RAY_ADDRESS or `ray start` on this machine tells of.
        options |= {
            "address": "local",
            "num_cpus": max(cores(), plan.workers),
            "include_dashboard": False,
            "object_store_memory": plan.memory * 1_000_000,
        }
        options |= {} if local else {"_node_ip_address": plan.host}
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises plain ones, as where a busy machine starts it too slowly
        raise ClusterError(f"Ray cannot be started ({cause(error)}): see `ray status`.") from error
    return ray


def _wait_for_one(ray: Any, gate: Any) -> None:
    """Until a worker can be asked; raises ClusterError where none ever can."""
    end = time.monotonic() + READY_SECONDS
    while True:
        workers = _workers(ray, gate, READY_SECONDS)
        if any(worker["state"] == "free" for worker in workers):
            return
        if time.monotonic() > end or all(worker["state"] == "lost" for worker in workers):
            what = next((f" ({worker['trouble']})" for worker in workers if worker.get("trouble")), "")
            raise ClusterError(
                f"No worker can be started{what}: ask for a device that is there, and for no more workers than it "
                "holds."
            )
        time.sleep(0.1)


def _workers(ray: Any, gate: Any, seconds: float = ANSWER_SECONDS) -> list[Answer]:
    """The gate's workers; raises ClusterError where it has ended, and Ray's GetTimeoutError."""
    try:
        workers: list[Answer] = ray.get(gate.about.remote(), timeout=seconds)["workers"]
        return workers
    except ray.exceptions.GetTimeoutError:
        raise
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise ClusterError(f"The cluster's gate has ended ({cause(error)}): serve it again.") from error


def _check_token(plan: Plan) -> None:
    """Ray runs code for everybody who reaches its port: on a network only for who has the token."""
    if plan.host in LOOPBACK:
        return
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        raise ClusterError(
            f"RAY_AUTH_MODE lets everybody run code who reaches {plan.host}: unset it, or serve 127.0.0.1."
        )
    if plan.address is not None and not token_there():
        raise ClusterError(
            f"Without a token everybody could run code who reaches {plan.host}: make one with "
            "`ray get-auth-token --generate` and start Ray again, with RAY_AUTH_MODE=token."
        )


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ClusterError(
                f"{host}:{port} cannot be opened ({error.strerror}): give this machine's address and a free port."
            ) from error
