"""The pool without Ray's processes: which Ray is begun, how many threads, who may come, and what is told when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clusters import free_port
from parts import package
from tiny import assert_sentence

from vocaldm_live.cli import main
from vocaldm_live.cluster import pool
from vocaldm_live.cluster.gate import WorkerLost
from vocaldm_live.cluster.pool import Opened, Plan, RayHand, RayWorker, begin_ray, open_pool
from vocaldm_live.errors import ClusterError, RequestError


class Gate:
    """A gate's actor, of which `about` gives what it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.about = SimpleNamespace(remote=lambda: self.answers.pop(0))


class FakeRay:
    """Ray with its own errors: a reference is its value, or the error that asking for it raises."""

    def __init__(self, named: Any = None) -> None:
        self.exceptions = package("ray").exceptions
        self.named = named
        self.kinds: dict[str, dict[str, Any]] = {}
        self.is_shut = False

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        if isinstance(reference, Exception):
            raise reference
        return reference

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True}, {"Alive": False}]

    def remote(self, kind: type) -> Any:
        def options(**given: Any) -> Any:
            self.kinds[kind.__name__] = given
            return SimpleNamespace(remote=lambda *values: self._made(kind))

        return SimpleNamespace(options=options)

    def _made(self, kind: type) -> Any:
        if kind.__name__ == "RayGate" and isinstance(self.named, Exception):
            raise self.named
        return self.named

    def shutdown(self) -> None:
        self.is_shut = True


def failed_to_begin(sentence: str) -> Exception:
    errors = package("ray").exceptions
    trace = f'ray::RayWorker.__init__() (pid=1)\n  File "pool.py", line 1\nvocaldm_live.errors.RequestError: {sentence}'
    return errors.ActorDiedError(errors.RayTaskError("__init__", trace, ValueError(sentence)))


def test_a_ray_of_its_own_is_begun_whatever_runs_on_this_machine_and_keeps_its_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray, asked = package("ray"), []
    monkeypatch.setattr(ray, "init", lambda **options: asked.append(options))
    monkeypatch.setattr(pool, "cores", lambda: 6)
    begin_ray(Plan(workers=2))
    begin_ray(Plan(workers=9))
    begin_ray(Plan(address="auto"))
    assert [one["address"] for one in asked] == ["local", "local", "auto"]
    assert [one.get("num_cpus") for one in asked] == [6, 9, None]


def test_workers_share_the_cores_where_no_threads_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(pool, "cores", lambda: 6)
    try:
        for threads, workers, found in ((0, 2, 3), (0, 9, 1), (2, 2, 2)):
            RayWorker("cpu", threads, str(tmp_path), workers)
            assert torch.get_num_threads() == found
    finally:
        torch.set_num_threads(before)


def test_workers_keep_no_processor_of_ray_for_training_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = package("ray").exceptions.ActorDiedError()
    ray = FakeRay(Gate(died))
    monkeypatch.setattr(pool, "begin_ray", lambda plan: ray)
    with pytest.raises(ClusterError, match="gate has ended") as caught:
        with open_pool(Plan(port=free_port(), folder=tmp_path)):
            raise AssertionError("it never opened")
    assert_sentence(str(caught.value))
    assert {kind: given["num_cpus"] for kind, given in ray.kinds.items()} == {"RayWorker": 0, "RayGate": 0}
    assert ray.is_shut


def test_a_ray_that_serves_already_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(
        ValueError("The name vocaldm-gate (namespace=vocaldm) is already taken. Please use another.")
    )
    monkeypatch.setattr(pool, "begin_ray", lambda plan: ray)
    with pytest.raises(ClusterError, match="already taken") as caught:
        with open_pool(Plan(port=free_port(), folder=tmp_path, address="auto")):
            raise AssertionError("it never opened")
    assert_sentence(str(caught.value))
    assert ray.is_shut


def test_nothing_opens_on_a_network_without_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def begun(plan: Plan) -> Any:
        raise AssertionError("no Ray is to be joined")

    monkeypatch.setattr(pool, "begin_ray", begun)
    monkeypatch.setattr(pool, "TOKEN_FILE", tmp_path / "none")
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    plan = Plan(host="192.0.2.1", address="auto")
    with pytest.raises(ClusterError, match="ray get-auth-token --generate") as caught:
        with open_pool(plan):
            raise AssertionError("it never opened")
    assert_sentence(str(caught.value))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(ClusterError, match="cannot be opened"):  # for nobody has that address
        with open_pool(plan):
            raise AssertionError("it never opened")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ClusterError, match="RAY_AUTH_MODE") as caught:
        with open_pool(plan):
            raise AssertionError("it never opened")
    assert_sentence(str(caught.value))


def test_a_device_that_is_not_there_is_told_before_ray_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "begin_ray", None)
    with pytest.raises(RequestError, match="choose auto"):
        with open_pool(Plan(port=free_port(), device="tpu")):
            raise AssertionError("it never opened")


def test_a_worker_that_cannot_begin_is_lost_at_once_with_its_cause() -> None:
    sentence = "device cuda is not available here: choose auto or cpu."
    lost = {"state": "lost", "rows": 0}

    async def about() -> Any:
        raise failed_to_begin(sentence)

    hand = RayHand(SimpleNamespace(about=SimpleNamespace(remote=about)))
    with pytest.raises(WorkerLost, match="device cuda is not available here: choose auto or cpu") as found:
        asyncio.run(asyncio.wait_for(hand.ready(), 20.0))
    gate = Gate({"workers": [lost, {**lost, "trouble": str(found.value)}]})
    with pytest.raises(ClusterError, match="device cuda") as caught:
        pool._wait_for_one(FakeRay(), gate)
    assert_sentence(str(caught.value))


def test_serving_ends_with_its_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = package("ray").exceptions
    gate = Gate({"workers": []}, errors.GetTimeoutError(), errors.ActorDiedError())

    @contextmanager
    def opened(plan: Plan) -> Iterator[Opened]:
        yield Opened("ray://127.0.0.1:10001", FakeRay(), gate)

    monkeypatch.setattr(pool, "open_pool", opened)
    monkeypatch.setattr("vocaldm_live.commands.cluster.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    assert main(["cluster", "serve"]) == 1
    assert gate.answers == []
    last = capsys.readouterr().err.splitlines()[-1]
    assert "gate has ended" in last
    assert_sentence(last)
