"""Encoding and rendering by many workers: the same bytes wherever, and nothing twice, whoever is killed."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster_tasks import ends_at_three, wrong
from clusters import ROOT, environment, free_port
from data_sets import burst, put
from parts import package
from tiny import assert_sentence, make_tiny_preset

from training.cli import main
from training.cluster.pool import spread
from training.data.store import DATABASE, ENDING, records
from training.errors import DataError, RunError
from vocaldm_live.cluster.pool import Plan, begin_ray
from vocaldm_live.errors import ClusterError

SERVER = """
import sys, threading
from vocaldm_live.cluster.pool import Plan, begin_ray
from vocaldm_live.errors import ClusterError
for left in (3, 2, 1, 0):
    try:
        begin_ray(Plan(workers=2, memory=100))
        break
    except ClusterError as error:  # Ray gives a busy machine half a minute
        print(error, file=sys.stderr)
        if not left:
            raise
from ray.util.client.server.server import serve
server = serve("127.0.0.1", int(sys.argv[1]))
with server.data_servicer.clients_lock:
    server.data_servicer.num_clients += 1  # Ray would end with its last client
print("open", flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: Ray opens sockets below it."""
    return tmp_path_factory.mktemp("r")


@pytest.fixture(scope="module")
def ray_server(place: Path) -> Iterator[str]:
    package("ray")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)],
        env={**os.environ, **environment(place)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "open"
        yield f"ray://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


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


def count(cache: Path) -> int:
    """Arrays in a store that somebody else may be writing to."""
    try:
        with closing(sqlite3.connect(f"file:{cache / DATABASE}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM arrays").fetchone()[0])
    except sqlite3.Error:
        return 0


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


@pytest.mark.slow
def test_ray_makes_the_same_and_nothing_twice(
    ray_server: str, place: Path, preset: Path, sounds: Path, cache: Path, tmp_path: Path
) -> None:
    other = tmp_path / "by ray"
    command = ("encode", sounds, "--preset", preset, "--cache", other, "--cluster", ray_server)
    process = begin(place, *command)
    until(lambda: count(other) >= 12)
    process.kill()
    done(process)
    code, out, err = done(begin(place, *command))
    assert code == 0 and out.startswith("8 sounds and 8 voices"), err
    assert len(arrays(other)) == ARRAYS
    assert_same(cache, other)


def clips(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


@pytest.mark.slow
def test_clips_are_rendered_once_and_the_same_over_ray(
    ray_server: str, place: Path, preset: Path, sounds: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    command = ("render", sounds, "--preset", preset, "--takes", "2", "--steps", "2")
    process = begin(place, *command, "--out", out, "--workers", "2")
    until(lambda: len(list(out.glob("*.wav"))) >= 2)
    process.kill()
    done(process)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    code, told, err = done(begin(place, *command, "--out", out, "--workers", "2"))
    assert code == 0 and told.startswith(f"{16 - len(before)} clips made in"), err
    assert all((out / name).stat().st_mtime_ns == time for name, time in before.items())
    assert len(clips(out)) == 16 and len(set(clips(out).values())) == 16
    assert not list(out.glob(".*"))

    code, told, err = done(begin(place, *command, "--out", other, "--cluster", ray_server))
    assert code == 0 and told.startswith("16 clips made in"), err
    assert clips(other) == clips(out)


@pytest.mark.slow
def test_ray_is_started_where_there_is_none(place: Path, preset: Path, sounds: Path, tmp_path: Path) -> None:
    package("ray")
    (tmp_path / "one").mkdir()
    shutil.copy(sounds / "0.wav", tmp_path / "one")
    out = tmp_path / "out"
    where = ("--out", out, "--cluster", "local", "--workers", 1)
    code, told, err = done(begin(place, "render", tmp_path / "one", "--preset", preset, *where))
    assert (code, told.split(",")[0]) == (0, f"1 clips made in {out}"), err


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
