"""The gate without Ray: who waits, who shares a batch, and what is told when workers end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.cluster.gate import Gate, WorkerLost
from vocaldm_live.cluster.parcel import pack_clip, pack_request, unpack, unpack_clip, unpack_request
from vocaldm_live.cluster.shelf import PIECE, Shelf, bundle_of, read_piece
from vocaldm_live.cluster.worker import Worker
from vocaldm_live.engine.request import Anchor, Clip, Request, resolve
from vocaldm_live.errors import ClusterError, RequestError
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit

SOUND = Sound(np.linspace(-0.5, 0.5, 8000, dtype=np.float32), 16000)


class Hand:
    """A worker that answers as `answer` says, when `go` is set."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]], lives: bool = True) -> None:
        self.answer, self.lives = answer, lives
        self.jobs: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.go = asyncio.Event()

    async def run(self, job: dict[str, Any]) -> dict[str, Any]:
        self.jobs.append(job)
        await self.go.wait()
        return self.answer(job)

    async def stop(self, batch: str) -> None:
        self.stopped.append(batch)
        self.go.set()

    async def ready(self) -> dict[str, Any]:
        if not self.lives:
            raise WorkerLost("gone")
        return {"pid": 1, "device": "cpu"}


def echo(job: dict[str, Any]) -> dict[str, Any]:
    return {"values": job["parcels"], "device": "cpu"}


def dies(job: dict[str, Any]) -> dict[str, Any]:
    raise WorkerLost("killed")


def play(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20.0))  # type: ignore[arg-type]


async def end_of(gate: Gate, ticket: str) -> dict[str, Any]:
    told: list[Any] = []
    while True:
        news = await gate.news(ticket, told, 0.05)
        told = news["told"]
        if news["end"] is not None:
            return news["end"]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_has_one_key_shares_a_batch_and_the_rest_waits_its_turn(tmp_path: Path) -> None:
    async def scene() -> None:
        hand = Hand(echo)
        gate = Gate([hand], str(tmp_path))
        for name, digest, key in (
            ("a", "p", "k"),
            ("b", "p", "k"),
            ("c", "p", "other"),
            ("d", "q", "k"),
            ("e", "p", "k"),
            ("f", "p", ""),
            ("g", "p", ""),
        ):
            await gate.submit(name, "clip", digest, name.encode(), key)
        await settled()
        hand.go.set()
        ends = [await end_of(gate, name) for name in "abcdefg"]
        assert [one["value"] for one in ends] == [name.encode() for name in "abcdefg"]
        assert [b"".join(job["parcels"]) for job in hand.jobs] == [b"abe", b"c", b"d", b"f", b"g"]
        assert (await gate.about())["kept"] == 0

    play(scene)


def test_a_request_that_ends_two_workers_is_given_up_in_a_sentence(tmp_path: Path) -> None:
    async def scene() -> None:
        hands = [Hand(dies), Hand(dies)]
        for hand in hands:
            hand.go.set()
        gate = Gate(hands, str(tmp_path))
        await gate.submit("a", "clip", "p", b"a", "k")
        assert_sentence((await end_of(gate, "a"))["error"])
        assert sum(len(hand.jobs) for hand in hands) == 2

    play(scene)


def test_without_a_living_worker_all_that_waits_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        gate = Gate([Hand(echo, lives=False)], str(tmp_path))
        await gate.submit("a", "clip", "p", b"a", "")
        assert_sentence((await end_of(gate, "a"))["error"])
        await gate.submit("b", "clip", "p", b"b", "")
        assert_sentence((await end_of(gate, "b"))["error"])

    play(scene)


def test_one_rows_trouble_is_not_the_others(tmp_path: Path) -> None:
    def choosy(job: dict[str, Any]) -> dict[str, Any]:
        return {"error": "No b here."} if b"b" in job["parcels"] else echo(job)

    async def scene() -> None:
        hand = Hand(choosy)
        hand.go.set()
        gate = Gate([hand], str(tmp_path))
        for name in "abc":
            await gate.submit(name, "clip", "p", name.encode(), "k")
        ends = {name: await end_of(gate, name) for name in "abc"}
        assert ends["b"] == {"error": "No b here."}
        assert ends["a"]["value"] == b"a" and ends["c"]["value"] == b"c"

    play(scene)


def test_cancel_stops_a_worker_only_when_nobody_else_waits_for_its_batch(tmp_path: Path) -> None:
    async def scene() -> None:
        hand = Hand(lambda job: {"cancelled": True})
        gate = Gate([hand], str(tmp_path))
        for name in "abc":
            await gate.submit(name, "clip", "p", name.encode(), "k" if name < "c" else "")
        await settled()
        await gate.cancel("c")
        await gate.cancel("a")
        assert hand.stopped == [] and len(hand.jobs) == 1
        await gate.cancel("b")
        assert len(hand.stopped) == 1
        await settled()
        assert len(hand.jobs) == 1
        about = await gate.about()
        assert (about["kept"], about["waiting"], about["workers"][0]["state"]) == (0, 0, "free")
        assert_sentence((await end_of(gate, "a"))["error"])

    play(scene)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return read_preset(make_tiny_preset(tmp_path_factory.mktemp("presets")))


def test_requests_and_clips_survive_the_way(preset: Preset) -> None:
    anchor = Anchor(np.arange(1, 961, dtype=np.float32), "sounds", ("a.wav",))
    request = resolve(Request(SOUND, "ä", seed=2**32 - 1, anchor=anchor, tail=0.125, id="x"), preset.header)
    back = resolve(unpack_request(pack_request(request)), preset.header)
    assert np.array_equal(back.imitation.samples, SOUND.samples) and back.imitation.sample_rate == 16000
    assert isinstance(back.anchor, Anchor) and np.array_equal(back.anchor.vector, anchor.vector)
    assert (back.name, back.seed, back.tail, back.id) == ("ä", 2**32 - 1, 0.125, "x")
    edited = resolve(Request(SOUND, edit=Edit("inpaint", ((0.1, 0.2),)), source=SOUND), preset.header)
    assert resolve(unpack_request(pack_request(edited)), preset.header).edit == edited.edit
    clip = Clip(SOUND.samples, 48000, request, {"encode": 1.5}, -3.25, ("told",))
    same = unpack_clip(pack_clip(clip), request)
    assert np.array_equal(same.samples, clip.samples)
    assert (same.timings_ms, same.level_db, same.notes) == ({"encode": 1.5}, -3.25, ("told",))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 64])
def test_other_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    for read in (unpack, unpack_request):
        with pytest.raises(RequestError) as caught:
            read(data)
        assert_sentence(str(caught.value))


def send(
    shelf: Shelf, preset: Preset, change: Callable[[str, bytes], bytes] = lambda file, data: data
) -> Preset:
    bundle = bundle_of(preset)

    def piece(file: str, offset: int) -> bytes:
        return change(file, read_piece(bundle.files[file], offset))

    return shelf.fetch(bundle.digest, (bundle.name, bundle.vocoder, list(bundle.files)), piece)


def test_a_preset_that_was_sent_is_found_by_its_hash_and_whole(tmp_path: Path, preset: Preset) -> None:
    shelf = Shelf(tmp_path)
    digest = bundle_of(preset).digest
    assert shelf.find(digest) is None
    sent = send(shelf, preset)
    assert bundle_of(sent).digest == digest and sent.folder != preset.folder
    assert sorted(path.name for path in sent.folder.iterdir()) == sorted(bundle_of(preset).files)
    for file, path in bundle_of(preset).files.items():
        assert (sent.folder / file).read_bytes() == path.read_bytes()
    # Another shelf on the same folder knows it too, and nothing half made lies about.
    assert Shelf(tmp_path).find(digest) is not None
    assert [entry.name for entry in tmp_path.iterdir()] == [digest]
    assert PIECE < 2**26


def test_a_preset_that_arrives_as_another_is_refused(tmp_path: Path, preset: Preset) -> None:
    def changed(file: str, data: bytes) -> bytes:
        return data.replace(b"guidance_rescale: 0", b"guidance_rescale: 1") if file == "preset.yaml" else data

    with pytest.raises(ClusterError) as caught:
        send(Shelf(tmp_path), preset, changed)
    assert_sentence(str(caught.value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["../a", "/etc/a", "a/../../b", ".hidden", "a/b/c", "", "c:\\a"])
def test_no_file_leads_out_of_the_shelf(tmp_path: Path, preset: Preset, file: str) -> None:
    shelf = Shelf(tmp_path / "shelf")
    key = shelf.begin("0" * 64, "tiny", "")
    with pytest.raises(ClusterError) as caught:
        shelf.put(key, file, b"x")
    assert_sentence(str(caught.value))
    for digest, name in (("../x", "tiny"), ("0" * 64, "../x"), ("0" * 64, "")):
        with pytest.raises(ClusterError):
            shelf.begin(digest, name, "")


def test_weights_that_were_damaged_on_the_way_are_refused_by_the_worker(
    tmp_path: Path, preset: Preset
) -> None:
    def damaged(file: str, data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if file == "unet.safetensors" and data else data

    job = {"batch": "b", "kind": "warm", "digest": bundle_of(preset).digest, "parcels": [b""]}
    worker = Worker("cpu", 0, str(tmp_path))
    answer = worker.run(job, lambda *told: None, lambda shelf, digest: send(shelf, preset, damaged))
    assert_sentence(answer["error"])
    assert "unet.safetensors" in answer["error"]
