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
from vocaldm_live.cluster.shelf import bundle_of
from vocaldm_live.engine.request import Anchor, Clip, Request, resolve
from vocaldm_live.errors import RequestError
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


class Knowing(Gate):
    """A gate with every preset on its shelf."""

    async def knows(self, digest: str) -> bool:
        return True


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
        gate = Knowing([hand], str(tmp_path))
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


def test_a_preset_that_is_not_there_is_asked_for_and_nothing_waits(tmp_path: Path, preset: Preset) -> None:
    async def scene() -> None:
        hand, bundle = Hand(echo), bundle_of(preset)
        hand.go.set()
        gate = Gate([hand], str(tmp_path))
        assert not await gate.submit("a", "clip", bundle.digest, b"a", "k")
        about = await gate.about()
        assert (about["kept"], about["waiting"], hand.jobs) == (0, 0, [])
        key = (await gate.begin(bundle.digest, bundle.name, bundle.vocoder))["value"]
        for file, path in bundle.files.items():
            await gate.put(key, file, path.read_bytes())
        assert "error" not in await gate.finish(key, bundle.digest)
        assert await gate.submit("a", "clip", bundle.digest, b"a", "k")
        assert (await end_of(gate, "a"))["value"] == b"a"

    play(scene)


def test_a_request_that_ends_two_workers_is_given_up_in_a_sentence(tmp_path: Path) -> None:
    async def scene() -> None:
        hands = [Hand(dies), Hand(dies)]
        for hand in hands:
            hand.go.set()
        gate = Knowing(hands, str(tmp_path))
        await gate.submit("a", "clip", "p", b"a", "k")
        assert_sentence((await end_of(gate, "a"))["error"])
        assert sum(job["kind"] == "clip" for hand in hands for job in hand.jobs) == 2

    play(scene)


def test_without_a_living_worker_all_that_waits_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        gate = Knowing([Hand(echo, lives=False)], str(tmp_path))
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
        gate = Knowing([hand], str(tmp_path))
        for name in "abc":
            await gate.submit(name, "clip", "p", name.encode(), "k")
        ends = {name: await end_of(gate, name) for name in "abc"}
        assert ends["b"] == {"error": "No b here."}
        assert ends["a"]["value"] == b"a" and ends["c"]["value"] == b"c"

    play(scene)


def test_cancel_stops_a_worker_only_when_nobody_else_waits_for_its_batch(tmp_path: Path) -> None:
    async def scene() -> None:
        hand = Hand(lambda job: {"cancelled": True})
        gate = Knowing([hand], str(tmp_path))
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


def test_a_worker_without_work_loads_the_preset_that_was_chosen_and_comes_after_those_that_hold_it(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        hands = [Hand(echo), Hand(echo)]
        for hand in hands:
            hand.go.set()
        gate = Knowing(hands, str(tmp_path))
        await gate.submit("a", "warm", "p", b"", "")
        await end_of(gate, "a")
        await settled()
        assert [
            [(job["kind"], job["digest"], len(job["parcels"])) for job in hand.jobs] for hand in hands
        ] == [
            [("warm", "p", 1)],
            [("warm", "p", 0)],
        ]
        # A second preset is loaded everywhere too, a third one beside the second, and no more than two are kept.
        for name in "qr":
            await gate.submit(name, "warm", name, b"", "")
            await end_of(gate, name)
            await settled()
        assert [[job["digest"] for job in hand.jobs] for hand in hands] == [["p", "q", "r"]] * 2
        hands[0].go.clear()
        await gate.submit("s", "clip", "p", b"s", "")  # on the first one, which then holds r and p
        await settled()
        await gate.submit("t", "clip", "q", b"t", "")
        hands[0].go.set()
        assert [(await end_of(gate, name))["value"] for name in "st"] == [b"s", b"t"]
        await settled()
        assert hands[1].jobs[-1]["parcels"] == [b"t"] and len(hands[1].jobs) == 4

    play(scene)


def test_a_worker_that_was_started_again_loads_what_it_held(tmp_path: Path) -> None:
    async def scene() -> None:
        deaths = iter([True])

        def answer(job: dict[str, Any]) -> dict[str, Any]:
            return dies(job) if job["kind"] == "clip" and next(deaths, False) else echo(job)

        hands = [Hand(answer), Hand(answer)]
        for hand in hands:
            hand.go.set()
        gate = Knowing(hands, str(tmp_path))
        await gate.submit("a", "warm", "p", b"", "")
        await end_of(gate, "a")
        await gate.submit("b", "clip", "p", b"b", "")
        assert (await end_of(gate, "b"))["value"] == b"b"
        await settled()
        assert [[job["kind"] for job in hand.jobs] for hand in hands] == [
            ["warm", "clip", "warm"],
            ["warm", "clip"],
        ]

    play(scene)


def test_a_preset_that_ends_every_worker_is_not_loaded_for_ever(tmp_path: Path) -> None:
    async def scene() -> None:
        hands = [Hand(dies), Hand(dies)]
        for hand in hands:
            hand.go.set()
        gate = Knowing(hands, str(tmp_path))
        await gate.submit("a", "warm", "p", b"", "")
        assert_sentence((await end_of(gate, "a"))["error"])
        for _ in range(20):
            await settled()
        assert sum(len(hand.jobs) for hand in hands) <= 4

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
