"""Remote engine: takes Engine's place on a laptop and has a cluster make the clips."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.checkpoints.searching import searching_preset
from vocaldm_live.cluster.gate import Answer, opened
from vocaldm_live.cluster.parcel import FORMAT, pack, pack_request, unpack, unpack_clip
from vocaldm_live.cluster.pool import NAME, NAMESPACE, TOKEN_FILE, cause, import_ray, token_there
from vocaldm_live.cluster.shelf import bundle_of, read_piece
from vocaldm_live.engine.batch import batch_key
from vocaldm_live.engine.canvas import clip_rate
from vocaldm_live.engine.engine import Cancelled, Engine, Listener
from vocaldm_live.engine.request import Anchor, Clip, Progress, Request, ResolvedRequest, resolve
from vocaldm_live.errors import ClusterError, RequestError, VocalDMError
from vocaldm_live.sound.audio import Sound, check_imitation

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("vocaldm.cluster")
LOCAL = "local"
CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 0.05


def open_engine(preset: Preset, device: str, where: str = LOCAL) -> Engine | RemoteEngine:
    """The engine for a preset: on this machine, or in the cluster at ray://HOST:PORT."""
    return Engine(preset, device) if where == LOCAL else RemoteEngine(preset, link_to(where))


@cache
def link_to(address: str) -> Link:
    """The one connection of this process to an address, for Ray has one; raises ClusterError."""
    return Link(address)


class Link:
    """The connection to a cluster's gate, opened when it is first used and again after it broke. Any thread may ask."""

    def __init__(self, address: str) -> None:
        """Raises ClusterError for an address that is not ray://HOST:PORT."""
        found = re.fullmatch(r"ray://([^/:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})", address)
        if found is None or not 0 < int(found[2]) < 65536:
            raise ClusterError(f"engine is {address!r}: give local, or ray://HOST:PORT.")
        self.address = address
        self._host, self._port = found[1].strip("[]"), int(found[2])
        self._lock = threading.Lock()
        self._gate: Any = None

    def call(self, name: str, *values: Any, look: Callable[[], None] | None = None) -> Any:
        """The gate's answer; `look` is called every 50 ms meanwhile, and may raise. Raises ClusterError."""
        ray = import_ray()
        from grpc import RpcError

        gate = self._connected(ray)
        try:
            reference = getattr(gate, name).remote(*values)
            while look is not None:
                done, _ = ray.wait([reference], timeout=_LOOK_SECONDS)
                if done:
                    break
                look()
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            log.info("%s", error)
            raise ClusterError(
                f"The cluster at {self.address} failed ({cause(error)}): its log has more."
            ) from error
        except (VocalDMError, Cancelled):
            raise  # of `look`
        except Exception as error:
            # Plain ones too, once the connection is broken, or another thread has found it so and has ended it.
            is_whole = self._gate is gate and ray.util.client.ray.is_connected()
            if is_whole and not isinstance(error, (ConnectionError, RpcError, ray.exceptions.RayError)):
                raise
            log.info("%s", error)
            self._end(gate)
            raise ClusterError(
                f"The cluster at {self.address} is gone: start it again, or go on with engine local."
            ) from error

    def close(self) -> None:
        """End the connection; the next call opens another."""
        self._end(self._gate)

    def _end(self, broken: Any) -> None:
        """End the connection that this gate was reached by, unless another thread has done so already."""
        with self._lock:
            if broken is not None and self._gate is broken:
                self._gate = None
                import_ray().shutdown()

    def _connected(self, ray: Any) -> Any:
        with self._lock:
            if self._gate is not None and ray.util.client.ray.is_connected():
                return self._gate
            self._gate = None
            try:
                socket.create_connection((self._host, self._port), CONNECT_SECONDS).close()
            except OSError as error:
                raise ClusterError(
                    f"There is no cluster at {self.address}: start it there with `vocaldm cluster serve`."
                ) from error
            ray.shutdown()
            from grpc import RpcError

            gate = None
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ray.init(self.address, namespace=NAMESPACE)
                gate = _found_gate(ray)
                about = ray.get(gate.about.remote()) if gate is not None else None
            except (ConnectionError, RuntimeError, ValueError, RpcError, ray.exceptions.RayError) as error:
                ray.shutdown()
                advice = (
                    "use the same Python, Ray and token on both sides"
                    if token_there()
                    else f"copy {TOKEN_FILE} from there to this machine and start again"
                )
                raise ClusterError(
                    f"The cluster at {self.address} does not answer as one of `vocaldm cluster serve` ({cause(error)}): "
                    f"{advice}."
                ) from error
            if about is None:
                ray.shutdown()
                raise ClusterError(
                    f"Ray answers at {self.address}, but no gate of `vocaldm cluster serve`: start it there again."
                )
            if about["format"] != FORMAT:
                ray.shutdown()
                raise ClusterError(
                    f"The cluster at {self.address} has version {about['version']}: install the same one here."
                )
            self._gate = gate
            return gate


def _found_gate(ray: Any) -> Any:
    """The gate's actor; None where this Ray has none, or where it has ended."""
    try:
        return ray.get_actor(NAME, namespace=NAMESPACE)
    except ValueError:
        return None


class RemoteEngine:
    """A preset that a cluster plays. What session, library and loader use of Engine, and no more.

    Requests are checked and anchors found here, so that a library stays on the laptop.
    """

    def __init__(self, preset: Preset, link: Link) -> None:
        self.preset = preset
        self.device = torch.device("cpu")
        self._link = link
        self._bundle = bundle_of(preset)

    def warm(self, cancelled: Callable[[], bool] | None = None) -> float:
        """Have the preset there and a worker warm with it; returns seconds.

        Raises ClusterError, and Cancelled when `cancelled` turns true.
        """
        begun = time.perf_counter()
        self._ask("warm", b"", "", cancelled=cancelled)
        return time.perf_counter() - begun

    def generate(
        self,
        request: Request,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        audio: Listener | None = None,
    ) -> Clip:
        """Make the clip of a request, as Engine does; it is heard in one piece, when it has come.

        Raises RequestError and SoundError for what cannot be done, ClusterError where the cluster is gone, and
        Cancelled when `cancelled` turns true, of which the worker hears.
        """
        resolved = resolve(request, self.preset.header)
        if resolved.imitation is not None and resolved.hears_voice:
            check_imitation(resolved.imitation, resolved.name)
        if resolved.like is not None:
            check_imitation(resolved.like, "the example sound")
        resolved = self._anchored(resolved)
        key = batch_key(resolved, self.preset.geometry)
        data = self._ask(
            "clip", pack_request(resolved), repr(key) if key else "", resolved.id, progress, cancelled
        )
        clip = unpack_clip(data, resolved)
        if audio is not None:
            audio(0, clip.samples, len(clip.samples))
        return clip

    def embedding(self, sound: Sound, is_voice: bool = True) -> np.ndarray:
        """A sound's unit vector, float32 `[960]`, as libraries are searched by; any thread may ask.

        Raises ClusterError where the cluster searches by another encoder than this machine would.
        """
        part = searching_preset(self.preset).header.parts.encoder
        facts = {"rate": sound.sample_rate, "is_voice": is_voice, "encoder": part.sha256 if part else ""}
        parcel = pack({"sound": sound.samples}, facts)
        arrays, _ = unpack(self._ask("embedding", parcel, ""))
        return arrays["vector"]

    def likeness(self, clip: Clip) -> float:
        """How near a clip is to what was asked for, as the preset hears it: a cosine, for ranking candidates."""
        request = np.frombuffer(pack_request(clip.request), np.uint8)
        parcel = pack({"request": request, "samples": clip.samples}, {"rate": clip.sample_rate})
        _, facts = unpack(self._ask("likeness", parcel, ""))
        return float(facts["likeness"])

    def rate_of(self, request: Request) -> int:
        """The sample rate in Hz of a request's clip."""
        return clip_rate(request.edit, request.source, self.preset.geometry.sample_rate)

    def _anchored(self, request: ResolvedRequest) -> ResolvedRequest:
        anchor = request.anchor
        if anchor is None or isinstance(anchor, Anchor):
            return request
        if request.unconditional or request.like_weight == 0.0:
            return replace(request, anchor=None)
        part = searching_preset(self.preset).header.parts.encoder
        if part is None or anchor.encoder != part.sha256:
            raise RequestError(
                f"The library was indexed with another encoder than the preset {self.preset.name} searches with: "
                "build it again."
            )
        return replace(request, anchor=anchor(self.embedding(request.voice, request.hears_voice)))

    def _ask(
        self,
        kind: str,
        parcel: bytes,
        key: str,
        name: str = "",
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        ticket = uuid.uuid4().hex

        def look() -> None:
            if cancelled is not None and cancelled():
                self._link.call("cancel", ticket)
                raise Cancelled("The request was cancelled while the cluster made it.")

        look()
        asked = (ticket, kind, self._bundle.digest, parcel, key)
        if not self._link.call("submit", *asked):
            self._send_preset(look)
            if not self._link.call("submit", *asked):
                raise ClusterError(
                    f"The preset {self.preset.name} was sent and is not there: choose it once more."
                )
        told: list[Any] = []
        while True:
            news: Answer = self._link.call("news", ticket, told, look=look)
            if progress is not None and news["told"] != told and news["told"][0] != "wait":
                progress(Progress(name, *news["told"]))
            told = news["told"]
            if news["end"] is not None:
                value: bytes = opened(news["end"])
                self.device = torch.device(news["end"]["device"])
                return value

    def _send_preset(self, look: Callable[[], None]) -> None:
        """Send the preset's files, for the cluster does not know its hash; `look` may raise meanwhile."""
        digest = self._bundle.digest
        log.info("%s is sent to %s", self.preset.name, self._link.address)
        key = opened(self._link.call("begin", digest, self._bundle.name, self._bundle.vocoder, look=look))
        for file, path in self._bundle.files.items():
            for piece in _pieces(path):
                look()
                opened(self._link.call("put", key, file, piece, look=look))
        opened(self._link.call("finish", key, digest, look=look))


def _pieces(path: Any) -> Iterator[bytes]:
    offset = 0
    while data := read_piece(path, offset):
        yield data
        offset += len(data)


def about_cluster(address: str) -> Sequence[Answer]:
    """The workers of the cluster at an address; raises ClusterError."""
    link = link_to(address)
    try:
        workers: list[Answer] = link.call("about")["workers"]
        return workers
    finally:
        link.close()
