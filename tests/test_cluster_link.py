"""The laptop's side without Ray's processes: one connection for all threads, what ends it, and what is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from parts import package
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.cluster import engine as remote
from vocaldm_live.cluster import worker as there
from vocaldm_live.cluster.engine import Link, RemoteEngine
from vocaldm_live.cluster.parcel import pack, unpack
from vocaldm_live.cluster.worker import Worker
from vocaldm_live.daemon.loader import Loader
from vocaldm_live.engine.engine import Cancelled
from vocaldm_live.errors import ClusterError
from vocaldm_live.sound.audio import Sound

SOUND = Sound(np.linspace(-0.5, 0.5, 8000, dtype=np.float32), 16000)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return read_preset(make_tiny_preset(tmp_path_factory.mktemp("presets")))


class FakeRay:
    """Ray: a reference is a function that gives or raises; the gate it finds answers `ask` with `answer`."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.exceptions = package("ray").exceptions
        self.answer, self.ends = answer, 0
        self.is_connected = False
        client = SimpleNamespace(is_connected=lambda: self.is_connected)
        self.util = SimpleNamespace(client=SimpleNamespace(ray=client))

    def init(self, *values: Any, **options: Any) -> None:
        self.is_connected = True

    def get_actor(self, name: str, namespace: str) -> Any:
        about = SimpleNamespace(remote=lambda: lambda: {"format": remote.FORMAT, "version": "1"})
        return SimpleNamespace(about=about, ask=SimpleNamespace(remote=lambda: self.answer))

    def get(self, reference: Any) -> Any:
        return reference()

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return references, []

    def shutdown(self) -> None:
        self.ends += self.is_connected
        self.is_connected = False


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    found = FakeRay(lambda: "answer")
    monkeypatch.setattr(remote, "import_ray", lambda: found)
    monkeypatch.setattr(
        remote.socket, "create_connection", lambda *values: SimpleNamespace(close=lambda: None)
    )
    yield found


def raising(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def test_what_goes_wrong_in_the_gate_leaves_the_connection_to_the_other_threads(ray: FakeRay) -> None:
    link = Link("ray://here:1")
    assert link.call("ask") == "answer"
    ray.answer = raising(ray.exceptions.RayTaskError("ask", "Traceback\nKeyError: 'x'", KeyError("x")))
    with pytest.raises(ClusterError, match="'x'") as caught:
        link.call("ask")
    assert_sentence(str(caught.value))
    assert ray.ends == 0


def test_a_connection_that_breaks_is_one_sentence_however_ray_tells_it(ray: FakeRay) -> None:
    class Broken(package("grpc").RpcError):  # type: ignore[misc]
        pass

    link = Link("ray://here:1")
    for number, error in enumerate((ConnectionError("gone"), Broken(), ray.exceptions.RayActorError())):
        ray.answer = raising(error)
        with pytest.raises(ClusterError, match="is gone") as caught:
            link.call("ask")
        assert_sentence(str(caught.value))
        assert ray.ends == number + 1

    def unconnected() -> Any:
        ray.is_connected = False
        raise Exception("Ray Client is not connected. Please connect by calling `ray.init`.")

    ray.answer = unconnected
    with pytest.raises(ClusterError, match="is gone"):
        link.call("ask")
    ray.answer = lambda: "again"
    assert link.call("ask") == "again"


def test_a_thread_whose_connection_another_one_ended_ends_no_other_and_says_so(ray: FakeRay) -> None:
    link = Link("ray://here:1")

    def ended_meanwhile() -> Any:
        link.close()
        ray.answer = lambda: "another thread's"
        assert link.call("ask") == "another thread's"
        raise Exception("Ray Client is not connected. Please connect by calling `ray.init`.")

    ray.answer = ended_meanwhile
    with pytest.raises(ClusterError, match="is gone"):
        link.call("ask")
    assert (ray.ends, ray.is_connected) == (1, True)


def test_a_ray_without_a_gate_is_told_apart_from_one_that_does_not_answer(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str, namespace: str) -> Any:
        raise ValueError("Failed to look up actor with name 'vocaldm-gate'.")

    monkeypatch.setattr(ray, "get_actor", none)
    with pytest.raises(ClusterError, match="no gate") as caught:
        Link("ray://here:1").call("ask")
    assert_sentence(str(caught.value))
    assert "token" not in str(caught.value) and not ray.is_connected


@pytest.mark.parametrize("address", ["ray://host:99999", "ray://host:0", "ray://host", "host:1"])
def test_an_address_that_cannot_be_is_one_sentence(address: str) -> None:
    with pytest.raises(ClusterError) as caught:
        Link(address)
    assert_sentence(str(caught.value))


class BusyLink:
    """A cluster that knows no preset, or whose workers are all at work, for ever; `asked` is what it heard."""

    address = "ray://busy:1"

    def __init__(self, knows: bool) -> None:
        self.knows, self.asked, self.waits = knows, [""], threading.Event()

    def call(self, name: str, *values: Any, look: Callable[[], None] | None = None) -> Any:
        self.asked.append(name)
        if name == "submit":
            return self.knows
        if name == "begin":
            return {"value": "key"}
        if name == "cancel":
            return None
        assert look is not None, f"nothing looks while {name} is waited for"
        self.waits.set()
        while True:
            look()
            time.sleep(0.001)


@pytest.mark.parametrize("knows", [True, False])
def test_warming_is_given_up_while_the_cluster_is_busy_and_while_a_preset_is_sent(
    preset: Preset, knows: bool
) -> None:
    link: Any = BusyLink(knows)
    with pytest.raises(Cancelled):
        RemoteEngine(preset, link).warm(link.waits.is_set)
    assert link.asked[-2:] == ["news" if knows else "put", "cancel"]


def test_a_loader_that_waits_for_a_busy_cluster_can_be_closed(
    preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: Any = BusyLink(True)
    monkeypatch.setattr(remote, "link_to", lambda address: link)
    told: list[Any] = []
    loader = Loader(
        "cpu", None, told.append, lambda *what: told.append(what), lambda *what: None, link.address
    )
    loader.load(str(preset.folder))
    assert link.waits.wait(60)
    loader.load("another")
    loader.close()
    assert told == [] and link.asked[-1] == "cancel"


def test_a_library_is_searched_by_one_encoder_on_both_sides(
    tmp_path: Path, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, sent = Worker("cpu", 1, str(tmp_path)), []

    class Asks(RemoteEngine):
        def _ask(self, kind: str, parcel: bytes, *more: Any, **options: Any) -> bytes:
            sent.append(parcel)
            return pack({"vector": np.ones(1)}, {})

    Asks(preset, None).embedding(SOUND)  # type: ignore[arg-type]
    vector = np.zeros(960, np.float32)
    engine: Any = SimpleNamespace(preset=preset, embedding=lambda sound, is_voice: vector)
    monkeypatch.setattr(Worker, "_engine", lambda self, digest, fetch: engine)

    def answer() -> Any:
        job = {"batch": "b", "kind": "embedding", "digest": "d", "parcels": sent}
        return worker.run(job, lambda *told: None, lambda shelf, digest: preset)

    assert np.array_equal(unpack(answer()["values"][0])[0]["vector"], vector)
    another = read_preset(make_tiny_preset(tmp_path / "another", "house", seed=4))
    monkeypatch.setattr(there, "searching_preset", lambda asked: another)
    assert "another encoder" in answer()["error"]
    assert_sentence(answer()["error"])
