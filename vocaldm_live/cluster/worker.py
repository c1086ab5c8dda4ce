"""Worker: a process of the cluster that holds warm engines and makes what the gate hands it."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.checkpoints.searching import searching_preset
from vocaldm_live.cluster.parcel import pack, pack_clip, unpack, unpack_request
from vocaldm_live.cluster.shelf import KEPT_PRESETS, Shelf
from vocaldm_live.engine.engine import Cancelled, Engine, choose_device
from vocaldm_live.engine.request import Clip, Progress, resolve
from vocaldm_live.errors import RequestError, VocalDMError
from vocaldm_live.sound.audio import Sound

log = logging.getLogger("vocaldm.worker")
_REMEMBERED = 64


class Worker:
    """Works at one job at a time; `stop` may be called from another thread meanwhile."""

    def __init__(self, device: str, threads: int, folder: str) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._device = choose_device(device)
        self._shelf = Shelf(Path(folder))
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """The process and its device."""
        return {"pid": os.getpid(), "device": self._device.type}

    def run(
        self,
        job: dict[str, Any],
        tell: Callable[[str, int, int], None],
        fetch: Callable[[Shelf, str], Preset],
    ) -> dict[str, Any]:
        """Do a job: `values`, bytes in the order of its parcels, and `device`; or `error`, a sentence; or `cancelled`.

        `tell(stage, step, steps)` hears how far it is, `fetch(shelf, digest)` brings a preset that is not here.
        """
        try:
            engine = self._engine(job["digest"], fetch)
            values = self._done(engine, job, tell)
        except Cancelled:
            return {"cancelled": True}
        except VocalDMError as error:
            return {"error": str(error)}
        except Exception as error:
            log.exception("a job failed")
            what = f"{type(error).__name__}: {error}".rstrip(".").replace(". ", ", ")
            return {"error": f"The clip could not be made in the cluster ({what}): its log has more."}
        return {"values": values, "device": self._device.type}

    def stop(self, batch: str) -> None:
        """End a job within one step, also one that is still to come."""
        with self._lock:
            self._stopped[batch] = None
            while len(self._stopped) > _REMEMBERED:
                self._stopped.popitem(last=False)

    def _done(
        self, engine: Engine, job: dict[str, Any], tell: Callable[[str, int, int], None]
    ) -> list[bytes]:
        if job["kind"] == "warm":
            return [b"" for _ in job["parcels"]]
        if job["kind"] in _ASKED:
            return [_ASKED[job["kind"]](engine, parcel) for parcel in job["parcels"]]
        requests = [unpack_request(parcel) for parcel in job["parcels"]]

        def progress(now: Progress) -> None:
            tell(now.stage, now.step, now.steps)

        clips = engine.generate_batch(requests, progress, lambda: job["batch"] in self._stopped)
        return [pack_clip(clip) for clip in clips]

    def _engine(self, digest: str, fetch: Callable[[Shelf, str], Preset]) -> Engine:
        engine = self._engines.get(digest)
        if engine is None:
            preset = self._shelf.find(digest) or fetch(self._shelf, digest)
            while len(self._engines) >= KEPT_PRESETS:
                self._engines.popitem(last=False)
            engine = Engine(preset, self._device.type)
            engine.warm()
            self._engines[digest] = engine
        self._engines.move_to_end(digest)
        return engine


def _embedding(engine: Engine, parcel: bytes) -> bytes:
    arrays, facts = unpack(parcel)
    part = searching_preset(engine.preset).header.parts.encoder
    if part is None or facts.get("encoder") != part.sha256:
        raise RequestError(
            "The cluster searches libraries with another encoder than this machine: put the same preset house on both."
        )
    sound = Sound(arrays["sound"], int(facts["rate"]))
    return pack({"vector": engine.embedding(sound, facts["is_voice"])}, {})


def _likeness(engine: Engine, parcel: bytes) -> bytes:
    arrays, facts = unpack(parcel)
    request = resolve(unpack_request(arrays["request"].tobytes()), engine.preset.header)
    clip = Clip(arrays["samples"], int(facts["rate"]), request, {})
    return pack({}, {"likeness": engine.likeness(clip)})


_ASKED: dict[str, Callable[[Engine, bytes], bytes]] = {"embedding": _embedding, "likeness": _likeness}
