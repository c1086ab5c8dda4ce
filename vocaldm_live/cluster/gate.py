"""Gate: the one door of a cluster: what laptops ask waits here, is put into batches, and goes to free workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vocaldm_live import __version__
from vocaldm_live.cluster.parcel import FORMAT
from vocaldm_live.cluster.shelf import KEPT_PRESETS, Shelf
from vocaldm_live.errors import ClusterError, VocalDMError

MOST_ROWS = 8
TRIES = 2
LEASE_SECONDS = 60.0
NEWS_SECONDS = 5.0

Answer = dict[str, Any]


class WorkerLost(Exception):
    """A worker's process ended before it answered."""


class Hand(Protocol):
    """A worker as the gate reaches it. `run` raises WorkerLost; `ready` waits until a new process can be asked."""

    async def run(self, job: Answer) -> Answer: ...
    async def stop(self, batch: str) -> None: ...
    async def ready(self) -> Answer: ...


@dataclass(eq=False)
class _Ticket:
    """One thing that was asked: its kind, its preset, its bytes, and how far it is."""

    id: str
    kind: str
    digest: str
    parcel: bytes
    key: str
    tries: int = 0
    alone: bool = False
    seen: float = field(default_factory=time.monotonic)
    told: tuple[str, int, int] = ("wait", 0, 1)
    end: Answer | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_cancelled: bool = False


@dataclass(eq=False)
class _Worker:
    hand: Hand
    about: Answer = field(default_factory=dict)
    state: str = "starting"
    batch: str = ""
    rows: list[_Ticket] = field(default_factory=list)
    holds: list[str] = field(
        default_factory=list
    )  # presets that are loaded there, the last used one at the end


class Gate:
    """First come, first served; what has the same key as the first one goes along with it, 8 rows at most.

    A request whose worker ends is given to another one once. What nobody asks about for a minute is given up. A
    worker with nothing to do loads the presets that laptops chose last, so that it can take over at once.
    Every method belongs to one asyncio loop; only plain values come and go.
    """

    def __init__(self, hands: Sequence[Hand], folder: str) -> None:
        self._shelf = Shelf(Path(folder))
        self._shelf.sweep()
        self._workers = [_Worker(hand) for hand in hands]
        self._tickets: dict[str, _Ticket] = {}
        self._waiting: list[_Ticket] = []
        self._chosen: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._is_begun = False

    # What laptops ask ----------------------------------------------------------------------------------------

    async def about(self) -> Answer:
        """Format, version, and the workers: pid, device, state (starting, free, warms, works, lost), rows, trouble."""
        self._begin()
        workers = [
            {**worker.about, "state": worker.state, "rows": len(worker.rows)} for worker in self._workers
        ]
        return {
            "format": FORMAT,
            "version": __version__,
            "workers": workers,
            "waiting": len(self._waiting),
            "kept": len(self._tickets),
        }

    async def knows(self, digest: str) -> bool:
        """Whether a preset is on the gate's shelf."""
        return await asyncio.to_thread(self._shelf.find, digest) is not None

    async def begin(self, digest: str, name: str, vocoder: str) -> Answer:
        """Begin to send a preset; answers its key."""
        return await self._answer(self._shelf.begin, digest, name, vocoder)

    async def put(self, key: str, file: str, data: bytes) -> Answer:
        """A piece of a file of a preset that is sent."""
        return await self._answer(self._shelf.put, key, file, data)

    async def finish(self, key: str, digest: str) -> Answer:
        """The preset is whole: it goes on the shelf."""
        return await self._answer(lambda: self._shelf.finish(key, digest).name)

    async def submit(self, ticket: str, kind: str, digest: str, parcel: bytes, key: str) -> bool:
        """Ask for something: clip, embedding, likeness or warm; False where the preset has to be sent before.

        Requests with the same key, not empty, may share a batch.
        """
        self._begin()
        if not await self.knows(digest):
            return False
        asked = _Ticket(ticket, kind, digest, parcel, key)
        self._tickets[ticket] = asked
        self._waiting.append(asked)
        # After a start laptops ask at once, for what they chose before.
        if kind == "warm" or len(self._chosen) < KEPT_PRESETS:
            _last(self._chosen, digest)
        self._pump()
        return True

    async def news(self, ticket: str, seen: Sequence[Any], seconds: float = NEWS_SECONDS) -> Answer:
        """How far a request is as soon as that is not `seen`, at the latest after `seconds`; its end is told once.

        told: stage, step, steps; end: None, or what came of it.
        """
        asked = self._tickets.get(ticket)
        if asked is None:
            return {"told": list(seen), "end": {"error": "The cluster has given the request up: ask again."}}
        asked.seen = time.monotonic()
        if asked.end is None and list(asked.told) == list(seen):
            asked.news.clear()
            try:
                await asyncio.wait_for(asked.news.wait(), seconds)
            except asyncio.TimeoutError:
                pass
        asked.seen = time.monotonic()
        if asked.end is not None:
            self._tickets.pop(ticket, None)
        return {"told": list(asked.told), "end": asked.end}

    async def cancel(self, ticket: str) -> None:
        """End a request: one that waits goes, one that is made ends within a step unless others share its batch."""
        asked = self._tickets.pop(ticket, None)
        if asked is None:
            return
        asked.is_cancelled = True
        if asked in self._waiting:
            self._waiting.remove(asked)
        for worker in self._workers:
            if asked in worker.rows and all(row.is_cancelled for row in worker.rows):
                await worker.hand.stop(worker.batch)

    # What workers ask ----------------------------------------------------------------------------------------

    async def tell(self, batch: str, stage: str, step: int, steps: int) -> None:
        """How far a batch is."""
        for worker in self._workers:
            if worker.batch == batch:
                for row in worker.rows:
                    row.told = (stage, step, steps)
                    row.news.set()

    async def facts(self, digest: str) -> Answer:
        """Name, vocoder and file names of a preset on the shelf."""
        return await self._answer(self._shelf.facts, digest)

    async def piece(self, digest: str, file: str, offset: int) -> Answer:
        """Bytes of a file of a preset on the shelf."""
        return await self._answer(self._shelf.piece, digest, file, offset)

    # Inside --------------------------------------------------------------------------------------------------

    @staticmethod
    async def _answer(function: Any, *values: Any) -> Answer:
        try:
            return {"value": await asyncio.to_thread(function, *values)}
        except VocalDMError as error:
            return {"error": str(error)}

    def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        for worker in self._workers:
            self._start(self._wake(worker))
        self._start(self._give_up())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, worker: _Worker) -> None:
        try:
            worker.about = await worker.hand.ready()
        except WorkerLost as error:
            worker.state, worker.about = "lost", {"trouble": str(error)}
            if all(one.state == "lost" for one in self._workers):
                for asked in [*self._waiting]:
                    self._end(asked, {"error": "No worker of the cluster lives: start the cluster again."})
                self._waiting.clear()
            return
        worker.state = "free"
        self._pump()

    async def _give_up(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            limit = time.monotonic() - LEASE_SECONDS
            for asked in [asked for asked in self._tickets.values() if asked.seen < limit]:
                await self.cancel(asked.id)

    def _pump(self) -> None:
        """Give what waits to the workers that are free."""
        if all(worker.state == "lost" for worker in self._workers):
            for asked in self._waiting:
                self._end(asked, {"error": "No worker of the cluster lives: start the cluster again."})
            self._waiting.clear()
        while self._waiting and (worker := self._free(self._waiting[0].digest)) is not None:
            first = self._waiting[0]
            rows = [first]
            if first.key and not first.alone:
                rows += [
                    one
                    for one in self._waiting[1:]
                    if one.key == first.key and one.digest == first.digest and not one.alone
                ][: MOST_ROWS - 1]
            self._waiting = [one for one in self._waiting if one not in rows]
            for row in rows:
                row.tries += 1
            self._give(worker, first.kind, first.digest, rows)
        for worker in self._workers:
            missing = [digest for digest in self._chosen if digest not in worker.holds]
            if worker.state == "free" and missing:
                self._give(worker, "warm", missing[-1], [])

    def _free(self, digest: str) -> _Worker | None:
        """A worker that has nothing to do, if possible one that holds the preset."""
        free = [worker for worker in self._workers if worker.state == "free"]
        return min(free, key=lambda worker: digest not in worker.holds, default=None)

    def _give(self, worker: _Worker, kind: str, digest: str, rows: list[_Ticket]) -> None:
        self._number += 1
        worker.state, worker.batch = "works" if rows else "warms", f"batch-{self._number}"
        worker.rows = rows
        _last(worker.holds, digest)
        parcels = [row.parcel for row in rows]
        job = {"batch": worker.batch, "kind": kind, "digest": digest, "parcels": parcels}
        self._start(self._serve(worker, job, rows))

    async def _serve(self, worker: _Worker, job: Answer, rows: list[_Ticket]) -> None:
        try:
            answer = await worker.hand.run(job)
        except WorkerLost:
            worker.state, worker.batch, worker.rows, worker.holds = "starting", "", [], []
            if not rows and job["digest"] in self._chosen:
                self._chosen.remove(job["digest"])  # a preset that ends workers is loaded for requests alone
            self._again(rows)
            self._start(self._wake(worker))
            self._pump()
            return
        except Exception as error:  # Ray's own troubles: told, for a gate that stops serves nobody
            answer = {"error": f"The cluster failed ({type(error).__name__}): its log has more."}
        worker.state, worker.batch, worker.rows = "free", "", []
        left = [row for row in rows if not row.is_cancelled]
        if "error" in answer and len(rows) > 1:
            # One row's trouble, memory for instance, is not the others': each gets its own answer.
            for row in left:
                row.alone, row.tries = True, row.tries - 1
            self._waiting = left + self._waiting
        elif answer.get("cancelled"):
            self._waiting = left + self._waiting
        else:
            for row in left:
                value = None if "error" in answer else answer["values"][rows.index(row)]
                self._end(row, answer if "error" in answer else {"value": value, "device": answer["device"]})
        self._pump()

    def _again(self, rows: Sequence[_Ticket]) -> None:
        """Put what a worker took along with it before all others; what has ended two of them is given up."""
        left = [row for row in rows if not row.is_cancelled]
        for row in [row for row in left if row.tries >= TRIES]:
            self._end(
                row,
                {
                    "error": f"{TRIES} workers of the cluster ended while they made this clip: "
                    "ask for a shorter one, or look at the cluster's log."
                },
            )
        for row in left:
            row.told, row.alone = ("wait", 0, 1), True
            row.news.set()
        self._waiting = [row for row in left if row.tries < TRIES] + self._waiting

    @staticmethod
    def _end(asked: _Ticket, end: Answer) -> None:
        asked.end = end
        asked.news.set()


def _last(digests: list[str], digest: str) -> None:
    """Put a digest at the end of a list that holds so many as a worker does."""
    digests[:] = [*(one for one in digests if one != digest), digest][-KEPT_PRESETS:]


def opened(answer: Answer) -> Any:
    """The value of an answer; raises ClusterError with its sentence where it is an error."""
    if "error" in answer:
        raise ClusterError(answer["error"])
    return answer["value"]
