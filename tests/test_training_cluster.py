"""Encoding and rendering by many workers: the same bytes wherever, and nothing twice, whoever is killed."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster_tasks import ends_at_three, wrong
from clusters import ROOT, Served, environment, free_port
from data_sets import burst, put
from parts import package
from tiny import assert_sentence, make_tiny_preset

from training.cli import main
from training.cluster.pool import spread
from training.cluster.ray_pool import Hand
from training.data.store import ENDING, records
from training.errors import DataError, RunError
from vocaldm_live.cluster.pool import Plan, begin_ray
from vocaldm_live.errors import ClusterError


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: Ray opens sockets below it."""
    return tmp_path_factory.mktemp("r")


@pytest.fixture(scope="module")
def ray_server(place: Path) -> Iterator[str]:
    """A cluster that serves clips: beside its workers there are processors for training."""
    package("ray")
    served = Served(place, workers=1)
    try:
        served.wait()
        yield served.address
        assert served.end() == 0
    finally:
        served.end()


def begin(place: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def until(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + 200
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def arrays(cache: Path) -> dict[tuple[str, str, str], np.ndarray]:
    """Everything in a store by kind, maker and key, from its records; fails where a key was written twice."""
    found: dict[tuple[str, str, str], np.ndarray] = {}
    for path in sorted(cache.glob(f"*{ENDING}")):
        data = path.read_bytes()
        for kind, maker, key, _, offset, dtype, shape, _ in records(path):
            assert (kind, maker, key) not in found, "made twice"
            size = math.prod(json.loads(shape))
            found[kind, maker, key] = np.frombuffer(data, np.dtype(dtype), size, offset)
    return found


def assert_same(one: Path, other: Path) -> None:
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(8):
        put(folder / f"{number}.wav", burst(number, 0.3 + 0.05 * number, 48000), 48000)
    return folder


ARRAYS = (
    7 * 8
)  # of each sound where it is loud, its voice, latent, vector, sketch; of the voice vector and sketch


@pytest.fixture(scope="module")
def cache(preset: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this process alone makes of the sounds."""
    cache = tmp_path_factory.mktemp("cache") / "here"
    command = ["encode", str(sounds), "--preset", str(preset), "--cache", str(cache), "--workers", "1"]
    assert main(command) == 0 and len(arrays(cache)) == ARRAYS
    assert main(command) == 0 and len(arrays(cache)) == ARRAYS
    return cache


def test_ray_makes_the_same_and_nothing_twice(
    place: Path, preset: Path, sounds: Path, cache: Path, tmp_path: Path
) -> None:
    """Of some of the sounds by this process, of all by Ray's workers, which are started where there are none."""
    package("ray")
    other, some = tmp_path / "by ray", tmp_path / "some"
    some.mkdir()
    for name in ("0.wav", "1.wav"):
        shutil.copy(sounds / name, some / name)
    command = ("--preset", preset, "--cache", other)
    assert main(["encode", *map(str, (some, *command, "--workers", 1))]) == 0
    assert 0 < len(arrays(other)) < ARRAYS
    code, out, err = done(begin(place, "encode", sounds, *command, "--cluster", "local", "--workers", 2))
    assert code == 0 and out.startswith("8 sounds and 8 voices"), err
    assert len(arrays(other)) == ARRAYS
    assert_same(cache, other)


def clips(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


def test_clips_are_rendered_once_and_the_same_over_ray(
    ray_server: str, place: Path, preset: Path, sounds: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    command = ("render", sounds, "--preset", preset, "--takes", "2", "--steps", "2")
    process = begin(place, *command, "--out", out, "--workers", "2")
    until(lambda: len(list(out.glob("*.wav"))) >= 2)
    process.kill()
    assert done(process)[0] == -signal.SIGKILL
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    assert len(before) < 16
    code, told, err = done(begin(place, *command, "--out", out, "--workers", "2"))
    assert code == 0 and told.startswith(f"{16 - len(before)} clips made in"), err
    assert all((out / name).stat().st_mtime_ns == time for name, time in before.items())
    assert len(clips(out)) == 16 and len(set(clips(out).values())) == 16
    assert not list(out.glob(".*"))

    code, told, err = done(begin(place, *command, "--out", other, "--cluster", ray_server))
    assert code == 0 and told.startswith("16 clips made in"), err
    assert clips(other) == clips(out)


def test_a_worker_takes_a_function_once_for_all_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)  # of this process
    monkeypatch.setattr(package("ray"), "get", lambda reference: taken.append(reference) or reference)
    hand = Hand(on_gpu=False)
    functions = [[pickle.dumps(one)] for one in (abs, hex)]
    assert [hand.work(1, functions[0], -2), hand.work(1, functions[0], -3)] == [2, 3]
    assert hand.work(2, functions[1], 255) == "0xff"
    assert taken == [functions[0][0], functions[1][0]]


def test_ray_that_cannot_be_started_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = package("ray")

    def slow(**options: object) -> None:
        raise Exception("The current node timed out during startup. This could happen because. Of anything.")

    monkeypatch.setattr(ray, "init", slow)
    with pytest.raises(ClusterError, match="node timed out") as caught:
        begin_ray(Plan())
    assert_sentence(str(caught.value))


def test_a_cluster_that_is_not_there_is_one_sentence(
    preset: Path, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package("ray")
    for where in (f"ray://127.0.0.1:{free_port()}", "nonsense", "ray://host"):
        command = ["render", str(sounds), "--preset", str(preset), "--out", str(tmp_path), "--cluster", where]
        assert main(command) == 1
        assert_sentence(capsys.readouterr().err.strip())


def test_a_process_that_is_killed_is_one_sentence() -> None:
    with spread(2) as pool:
        with pytest.raises(RunError, match="ended from outside") as caught:
            list(pool.run(ends_at_three, range(9)))
        assert_sentence(str(caught.value))
        with pytest.raises(DataError, match="is wrong"):
            list(pool.run(wrong, [1, 2]))
        assert sorted(pool.run(abs, [-1, -2, 3])) == [1, 2, 3]
        assert list(pool.run(abs, [])) == []
