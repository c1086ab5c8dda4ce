"""Edits over OSC: a clip or a file in, a clip of the history out, and nothing outside the folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from daemons import started, voice
from osc_peers import Peer
from tiny import assert_sentence

from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.osc.table import entries


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    """A daemon that may still be loading its preset when the first commands come."""
    with started(place, warm=False) as made:
        yield made


def recipe(path: str) -> dict[str, object]:
    return json.loads(Path(path).with_suffix(".json").read_text())


@pytest.mark.slow
def test_every_edit_by_osc_becomes_a_clip(place: Path, daemon: Daemon, peer: Peer) -> None:
    path, other = (str(voice(place / "files" / f"{name}.wav", 0.7)) for name in ("hit", "gust"))
    asked: dict[str, tuple[object, ...]] = {
        "inpaint": (path, 0.2, 0.4, 1.0, other, "0.5-0.6"),
        "restyle": (path, 0.5, other),
        "vary": (path, 0.3),
        "extend": (path, 0.2, 0.3),
        "band": (path, 2000, 5000, 0.9),
        "loop": (path,),
        "morph": (path, other, 0.25, 1),
    }
    assert {f"/vocaldm/edit/{kind}" for kind in asked} == {
        entry.address for entry in entries() if "/edit/" in entry.address
    }
    for kind, arguments in asked.items():
        peer.send(f"edit/{kind}", f"my-{kind}", *arguments)
        ready = peer.wait("ready")
        assert ready[0] == f"my-{kind}" and f"hit {kind}" in Path(ready[2]).name
        written = recipe(ready[2])
        assert written["edit"]["kind"] == kind and written["source"] == path  # type: ignore[index]
        names = [name for name, values in peer.heard if values[1:2] == [f"my-{kind}"]]
        assert names[0] == "accepted" and "progress" in names
        assert daemon.session.history.get(ready[3]).path == Path(ready[2])
    assert recipe(ready[2])["other"] == other


@pytest.mark.slow
def test_a_clip_is_edited_by_its_id_again_and_refined(place: Path, daemon: Daemon, peer: Peer) -> None:
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    first = peer.wait("ready")
    peer.send("edit/vary", "b", first[3], 0.5)
    second = peer.wait("ready")
    assert recipe(second[2])["source"] == first[2]
    assert daemon.session.history.get(second[3]).parent == first[3]
    peer.send("again", "c", second[3])
    third = peer.wait("ready")
    assert recipe(third[2])["edit"] == recipe(second[2])["edit"] and third[5] != second[5]
    peer.send("refine", "d", second[3], 6)
    fourth = peer.wait("ready")
    assert recipe(fourth[2])["steps"] == 6 and fourth[5] == second[5]
    assert recipe(fourth[2])["edit"] == recipe(second[2])["edit"]


@pytest.mark.slow
def test_sliders_that_nobody_moved_leave_an_edit_its_own_defaults(place: Path, peer: Peer) -> None:
    path = str(voice(place / "files" / "hit.wav"))
    peer.send("edit/inpaint", "a", path, 0.1, 0.2)
    assert recipe(peer.wait("ready")[2])["guidance"] == 1.0
    peer.send("param/guidance", 3.0)
    peer.send("edit/inpaint", "b", path, 0.1, 0.2)
    assert recipe(peer.wait("ready")[2])["guidance"] == 3.0


@pytest.mark.slow
def test_the_samples_of_a_loop_are_sent_as_they_lie_in_the_file(place: Path, daemon: Daemon) -> None:
    """Its ends are not faded, neither here nor there."""
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    peer.send("edit/loop", "a", str(voice(place / "files" / "hit.wav")), 0.2)
    chunks = peer.wait("audio/begin")[4]
    peer.wait("audio/end")
    if not any(name == "ready" for name, _ in peer.heard):
        peer.wait("ready")
    path = Path([values[3] for name, values in peer.heard if name == "ready"][0])
    parts = {values[3]: values[4] for name, values in peer.heard if name == "audio/chunk"}
    sent = np.frombuffer(b"".join(parts[number] for number in range(chunks)), dtype="<i2") / 32767
    written = soundfile.read(path)[0]
    assert len(sent) == len(written) and np.abs(sent - written).max() < 1e-4
    peer.close()


@pytest.mark.slow
def test_what_cannot_be_edited_is_said(place: Path, daemon: Daemon, peer: Peer) -> None:
    path = str(voice(place / "files" / "hit.wav"))
    outside = str(voice(place / "elsewhere" / "secret.wav"))
    wrong: list[tuple[str, str, tuple[object, ...]]] = [
        ("path", "inpaint", (outside, 0.1, 0.2)),
        ("path", "inpaint", (path, 0.1, 0.2, 1.0, outside)),
        ("path", "morph", (path, outside)),
        ("range", "inpaint", (path, 0.2, 0.1)),
        ("range", "inpaint", (path, 0.1, 0.2, 1.0, "", "later")),
        ("range", "extend", (path, 0.0, 0.0)),
        ("request", "inpaint", (path, 5.0, 6.0)),
        ("request", "loop", (path, 3.0)),
        ("request", "vary", ("nosuchclip",)),
    ]
    for number, (code, kind, arguments) in enumerate(wrong):
        peer.send(f"edit/{kind}", f"w{number}", *arguments)
        told = peer.wait("error")
        assert told[:3] == [code, f"/vocaldm/edit/{kind}", f"w{number}"], told
        assert_sentence(told[3])
    assert not [name for name, _ in peer.heard if name == "ready"]


@pytest.mark.slow
def test_a_recipe_in_the_outbox_opens_no_other_sound(place: Path, daemon: Daemon, peer: Peer) -> None:
    peer.send("edit/vary", "a", str(voice(place / "files" / "hit.wav")))
    ready = peer.wait("ready")
    beside = Path(ready[2]).with_suffix(".json")
    plain = json.loads(beside.read_text())
    plain["source"] = str(voice(place / "elsewhere" / "hit.wav"))
    beside.write_text(json.dumps(plain))
    peer.send("again", "b", ready[3])
    assert peer.wait("error")[0] == "path"
