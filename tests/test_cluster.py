"""Two workers of Ray behind a gate, for laptops: the clip that this machine would make, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import Served, environment, free_port
from daemons import make, voice
from parts import package
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.checkpoints.vocoders import resolve_vocoder
from vocaldm_live.cluster.engine import Link, RemoteEngine, link_to, open_engine
from vocaldm_live.engine.candidates import best_of
from vocaldm_live.engine.engine import Cancelled, Engine
from vocaldm_live.engine.request import Anchor, Progress, Request
from vocaldm_live.errors import ClusterError, RequestError, SoundError
from vocaldm_live.sound.audio import Sound

RATE = 16000
LONG: dict[str, Any] = {"steps": 60, "duration": 4.0}
LONGER: dict[str, Any] = {"steps": 100, "duration": 30.0}  # for requests that nobody waits for to their end


def gesture(seconds: float = 0.5, pitch: float = 220.0) -> Sound:
    times = np.arange(int(seconds * RATE)) / RATE
    return Sound((0.4 * np.exp(-3.0 * times) * np.sin(2 * np.pi * pitch * times)).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("r")
    package("ray")
    served = Served(place)
    try:
        served.wait()
        yield served
    finally:
        served.end()


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return read_preset(make_tiny_preset(tmp_path_factory.mktemp("presets")))


@pytest.fixture(scope="module")
def link(cluster: Served) -> Iterator[Link]:
    link = link_to(cluster.address)
    yield link
    link.close()


@pytest.fixture(scope="module")
def remote(link: Link, preset: Preset) -> RemoteEngine:
    engine = RemoteEngine(preset, link)
    engine.warm()
    return engine


def workers(link: Link) -> list[dict[str, Any]]:
    return link.call("about")["workers"]


def until(seen: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return found


def all_free(link: Link) -> bool:
    return all(worker["state"] == "free" for worker in workers(link))


class Asked:
    """A request in a thread of its own; `told` grows with its progress."""

    def __init__(self, engine: Any, request: Request) -> None:
        self.told: list[Progress] = []
        self.end: Any = None
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(engine, request))
        self._thread.start()

    def _run(self, engine: Any, request: Request) -> None:
        try:
            self.end = engine.generate(request, self.told.append, self.stop.is_set)
        except Exception as error:
            self.end = error

    @property
    def samples(self) -> bool:
        return any(one.stage == "sample" and one.step > 0 for one in self.told)

    def wait(self) -> Any:
        self._thread.join(90)
        return self.end


def test_a_clip_of_the_cluster_is_the_clip_of_this_machine(
    remote: RemoteEngine, preset: Preset, cluster: Served
) -> None:
    request = Request(gesture(), "voice", seed=5, follow=0.7, tail=0.1, id="one")
    told: list[Progress] = []
    heard: list[tuple[int, int, int]] = []
    clip = remote.generate(
        request,
        told.append,
        audio=lambda first, samples, total: heard.append((first, len(samples), total)),
    )
    own = Engine(preset, "cpu").generate(request)
    assert np.abs(clip.samples - own.samples).max() < 1e-4
    assert (clip.sample_rate, clip.request.seed, clip.level_db) == (own.sample_rate, 5, own.level_db)
    assert heard == [(0, len(clip.samples), len(clip.samples))]
    assert told and {one.id for one in told} == {"one"}
    assert all(clip.timings_ms[stage] > 0.0 for stage in ("encode", "sample", "decode"))
    assert remote.device.type == "cpu"
    # The preset lies in no place that the workers know: it was sent, once, and is known by its hash.
    assert len(list(cluster.shelf.glob("[0-9a-f]*/tiny/preset.yaml"))) == 1


def test_example_words_and_library_come_along(remote: RemoteEngine, preset: Preset) -> None:
    own = Engine(preset, "cpu")
    embedding = remote.embedding(gesture())
    assert np.allclose(embedding, own.embedding(gesture()), atol=1e-5)

    class Find:
        encoder = tower = preset.header.parts.encoder.sha256 if preset.header.parts.encoder else ""

        def __call__(self, embedding: np.ndarray) -> Anchor:
            return Anchor(embedding[::-1].copy(), "library", ("a.wav",))

    for request in (
        Request(gesture(), like=gesture(0.4, 900.0), like_weight=0.5),
        Request(gesture(), anchor=Find()),
    ):
        clip = remote.generate(request)
        assert np.abs(clip.samples - own.generate(request).samples).max() < 1e-3
    assert isinstance(clip.request.anchor, Anchor) and clip.request.anchor.nearest == ("a.wav",)


def test_the_most_alike_of_some_candidates_is_the_one_this_machine_would_choose(
    remote: RemoteEngine, preset: Preset
) -> None:
    request = Request(gesture(), seed=3, steps=4)
    chosen, own = (best_of(engine, request, 3) for engine in (remote, Engine(preset, "cpu")))
    assert chosen.request.seed == own.request.seed
    assert chosen.notes == own.notes and "likeness" in chosen.notes[-1]
    assert remote.rate_of(request) == chosen.sample_rate


def test_a_library_that_was_indexed_by_another_encoder_is_refused(remote: RemoteEngine) -> None:
    class Other:
        encoder, tower = "0" * 64, remote.preset.header.parts.encoder.sha256  # type: ignore[union-attr]

        def __call__(self, embedding: np.ndarray) -> Anchor:
            raise AssertionError("nothing is to be looked for")

    with pytest.raises(RequestError) as caught:
        remote.generate(Request(gesture(), anchor=Other()))
    assert_sentence(str(caught.value))
    clip = remote.generate(Request(gesture(), anchor=Other(), like_weight=0.0))
    assert clip.request.anchor is None


def test_what_cannot_be_made_is_refused_in_a_sentence(remote: RemoteEngine) -> None:
    for request, kind in (
        (Request(gesture(), steps=0), RequestError),
        (Request(Sound(np.zeros(RATE, np.float32), RATE), "hush"), SoundError),
    ):
        with pytest.raises(kind) as caught:
            remote.generate(request)
        assert_sentence(str(caught.value))


def test_a_vocoder_of_another_folder_is_sent_along(link: Link, preset: Preset, tmp_path: Path) -> None:
    other = make_tiny_preset(tmp_path, "other", seed=3)
    chosen = preset.with_vocoder(resolve_vocoder(str(other)))
    clip = RemoteEngine(chosen, link).generate(Request(gesture(), seed=2))
    own = Engine(chosen, "cpu").generate(Request(gesture(), seed=2))
    assert np.abs(clip.samples - own.samples).max() < 1e-4


def test_the_daemon_keeps_folders_here_and_generates_there(
    cluster: Served, remote: RemoteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        make_tiny_preset(tmp_path / "presets", name, seed=len(name))
    monkeypatch.chdir(tmp_path)
    daemon = make(tmp_path, engine=cluster.address)
    daemon.start()
    try:
        assert daemon.warm.wait(60) and daemon.failed is None
        voice(tmp_path / "inbox" / "wind.wav")
        until(lambda: len(daemon.session.latencies) == 1)
        # Another preset comes over the same connection.
        daemon.loader.load("two")
        until(lambda: daemon.loader.playing is not None and daemon.loader.playing.name == "two")
        daemon.session.again("more")
        until(lambda: len(daemon.session.latencies) == 2)
        assert len(list((tmp_path / "outbox").rglob("*.wav"))) == 2
    finally:
        daemon.close()
    assert len(remote.generate(Request(gesture())).samples)


@pytest.mark.parametrize("token", ["0" * 64, "1" * 64, None])
def test_the_command_shows_the_workers_to_who_has_the_token_in_the_usual_file(
    cluster: Served, tmp_path: Path, token: str | None
) -> None:
    surroundings = {**environment(tmp_path), "HOME": str(tmp_path)}
    del surroundings["RAY_AUTH_TOKEN"]
    if token != "0" * 64:
        surroundings["RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S"] = "1"
        surroundings["RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S"] = "1"
    if token is not None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(token)
    done = subprocess.run(
        [sys.executable, "-m", "vocaldm_live", "cluster", "show", cluster.address, "--json"],
        env=surroundings,
        capture_output=True,
        text=True,
    )
    if token == "0" * 64:
        assert (done.returncode, done.stderr) == (0, "")
        assert [json.loads(line)["device"] for line in done.stdout.splitlines()] == ["cpu", "cpu"]
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert_sentence(done.stderr.strip())
    assert ("copy ~/.ray/auth_token" in done.stderr) == (token is None)


def test_designers_who_ask_at_once_share_a_batch(remote: RemoteEngine, link: Link, preset: Preset) -> None:
    until(lambda: all_free(link))
    busy = [Asked(remote, Request(gesture(), seed=1, **LONG)) for _ in range(2)]
    until(lambda: all(worker["state"] == "works" for worker in workers(link)))
    requests = [Request(gesture(0.4 + 0.02 * n, 200.0 + 90 * n), seed=n, steps=40) for n in range(3)]
    asked = [Asked(remote, request) for request in requests]
    until(lambda: link.call("about")["waiting"] == 3)
    until(lambda: max(worker["rows"] for worker in workers(link)) == 3)
    own = Engine(preset, "cpu")
    for one, request in zip(asked, requests, strict=True):
        assert np.abs(one.wait().samples - own.generate(request).samples).max() < 1e-3
    for one in busy:
        assert len(one.wait().samples) == 4 * 48000


def test_cancel_reaches_the_worker(remote: RemoteEngine, link: Link) -> None:
    until(lambda: all_free(link))
    asked = Asked(remote, Request(gesture(), **LONGER))
    until(lambda: asked.samples)
    asked.stop.set()
    assert isinstance(asked.wait(), Cancelled)
    last = asked.told[-1]
    assert last.stage == "sample" and last.step < last.steps
    until(lambda: all_free(link))
    assert link.call("about")["kept"] == 0
    assert len(remote.generate(Request(gesture())).samples)


def test_a_worker_that_is_killed_while_it_makes_a_clip_costs_no_clip(
    remote: RemoteEngine, link: Link, preset: Preset
) -> None:
    until(lambda: all_free(link))
    request = Request(gesture(), seed=9, **LONG)
    asked = Asked(remote, request)
    until(lambda: asked.samples)
    (working,) = [worker for worker in workers(link) if worker["state"] == "works"]
    os.kill(working["pid"], signal.SIGKILL)
    clip = asked.wait()
    assert not isinstance(clip, Exception), clip
    assert np.abs(clip.samples - Engine(preset, "cpu").generate(request).samples).max() < 1e-3
    # And the one that ended is there again, as another process.
    until(lambda: all_free(link))
    assert working["pid"] not in {worker["pid"] for worker in workers(link)}


def test_nothing_of_it_listens_beyond_loopback(cluster: Served) -> None:
    if not Path("/proc/net/tcp").is_file():
        pytest.skip("who listens is told in /proc")
    group = {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _session_of(entry) == cluster.process.pid
    }
    assert len(group) > 3
    inodes = {inode for pid in group for inode in _sockets(pid)}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1].split(":")[0])
    assert listening
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert set(listening) <= loopback


def _session_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):
        return -1


def _sockets(pid: int) -> Iterator[str]:
    try:
        links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return
    for link in links:
        if link.startswith("socket:["):
            yield link[8:-1]


def test_a_cluster_that_is_not_there_is_one_sentence(preset: Preset) -> None:
    package("ray")
    engine = open_engine(preset, "auto", f"ray://127.0.0.1:{free_port()}")
    with pytest.raises(ClusterError) as caught:
        engine.warm()
    assert_sentence(str(caught.value))
    for address in ("ray://here", "http://here:1", "ray://a b:1"):
        with pytest.raises(ClusterError) as caught:
            open_engine(preset, "auto", address)
        assert_sentence(str(caught.value))


def test_a_cluster_that_goes_is_one_sentence_and_the_laptop_goes_on(
    cluster: Served, remote: RemoteEngine, link: Link
) -> None:
    """The last test here, for it ends the cluster."""
    until(lambda: all_free(link))
    asked = Asked(remote, Request(gesture(), **LONGER))
    until(lambda: asked.samples)
    assert cluster.end() == 0
    error = asked.wait()
    assert isinstance(error, ClusterError)
    assert_sentence(str(error))
    with pytest.raises(ClusterError) as caught:
        remote.generate(Request(gesture()))
    assert_sentence(str(caught.value))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", cluster.port)) != 0
