"""The inbox: files are taken when they are complete, once, and never harmed."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from waiting import until

from vocaldm_live.listen.finished import shortfall
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.listen.inbox import Inbox, InboxError, InboxSettings
from vocaldm_live.listen.ledger import Ledger
from vocaldm_live.listen.mounts import filesystem_of, on_network

RATE = 16000
WATCHED = InboxSettings(settle=0.15, patience=0.8, rescan=30, poll=0.05, polling="never")
POLLED = InboxSettings(settle=0.15, patience=0.8, rescan=30, poll=0.05, polling="always")


def sound(seconds: float = 0.3, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def wav(path: Path, seconds: float = 0.3) -> Path:
    soundfile.write(path, sound(seconds), RATE)
    return path


class Desk:
    """An inbox in a folder of its own, and what it said."""

    def __init__(self, top: Path) -> None:
        self.top, self.folder = top, top / "inbox"
        self.taken: list[Imitation] = []
        self.refused: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.inbox: Inbox | None = None

    def open(self, settings: InboxSettings = WATCHED, **given: Any) -> Inbox:
        self.inbox = Inbox(
            self.folder,
            self.taken.append,
            lambda path, sentence: self.refused.append((path.name, sentence)),
            lambda sentence: self.said.append(sentence),
            lambda folder: self.said.append("ok"),
            settings=settings,
            **given,
        )
        self.inbox.start()
        until(lambda: self.inbox is not None and self.inbox._watched is not None)
        return self.inbox

    def names(self) -> list[str]:
        return [imitation.name for imitation in self.taken]

    def marked(self) -> list[str]:
        """Wait until a file that is dropped now was taken, so that everything before it was looked at."""
        count = len(self.taken)
        wav(self.top / "marker.wav")
        (self.top / "marker.wav").rename(self.folder / f"marker{count}.wav")
        until(lambda: f"marker{count}" in self.names())
        return [name for name in self.names() if not name.startswith("marker")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    if desk.inbox is not None:
        desk.inbox.close()


@pytest.mark.parametrize("settings", [WATCHED, POLLED], ids=["watched", "polled"])
def test_files_written_moved_and_already_there_are_each_taken_once(
    desk: Desk, tmp_path: Path, settings: InboxSettings
) -> None:
    desk.folder.mkdir()
    wav(desk.folder / "before.wav")
    desk.open(settings)
    wav(desk.folder / "written.wav")
    wav(tmp_path / "moved.flac").rename(desk.folder / "moved.flac")
    wav(desk.folder / ".hidden.wav").rename(desk.folder / "renamed.wav")
    deep = desk.folder / "session" / "take 1"
    deep.mkdir(parents=True)
    wav(deep / "deep.wav")
    until(lambda: len(desk.taken) == 5)
    assert sorted(desk.marked()) == ["before", "deep", "moved", "renamed", "written"]
    one = desk.taken[0]
    assert one.source == "inbox" and one.path is not None and one.path.exists()
    assert one.sound.seconds == pytest.approx(0.3, abs=0.01)
    assert one.started == one.path.stat().st_mtime and one.ended <= time.monotonic()
    assert desk.refused == []


@pytest.mark.parametrize("settings", [WATCHED, POLLED], ids=["watched", "polled"])
def test_a_file_that_is_still_being_written_is_left_alone(desk: Desk, settings: InboxSettings) -> None:
    desk.open(settings)
    data = wav(desk.top / "whole.wav", 1.0).read_bytes()
    with (desk.folder / "slow.wav").open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        assert desk.marked() == []
        assert (desk.folder / "slow.wav").exists() and desk.refused == []
        file.write(data[len(data) // 2 :])
    until(lambda: "slow" in desk.names())
    assert next(one for one in desk.taken if one.name == "slow").sound.seconds == pytest.approx(1.0)


def test_a_header_written_last_is_waited_for(desk: Desk) -> None:
    desk.open()
    data = wav(desk.top / "whole.wav", 0.5).read_bytes()
    path = desk.folder / "daw.wav"
    path.write_bytes(data[:4] + b"\0\0\0\0" + data[8:])
    assert desk.marked() == []
    path.write_bytes(data)
    until(lambda: "daw" in desk.names())
    assert desk.refused == []


def test_what_is_no_imitation_is_not_touched(desk: Desk) -> None:
    desk.open(outbox=desk.folder / "clips")
    (desk.folder / "clips").mkdir()
    data = wav(desk.top / "whole.wav").read_bytes()
    names = [
        ".hidden.wav",
        "half.wav.part",
        "half.part.wav",
        "song.tmp",
        "live.wav.asd",
        "take.wav.reapeaks",
        "wave.pkf",
        "backup.wav~",
        "notes.txt",
        "clips/ours.wav",
    ]
    for name in names:
        (desk.folder / name).write_bytes(data)
    assert desk.marked() == [] and desk.refused == []
    assert all((desk.folder / name).read_bytes() == data for name in names)


def test_what_cannot_be_read_goes_to_quarantine_with_its_reason(desk: Desk) -> None:
    desk.open()
    for number in (1, 2):
        (desk.folder / "noise.wav").write_bytes(b"this is no sound at all %d" % number)
        until(lambda number=number: len(desk.refused) == number)  # type: ignore[misc]
    soundfile.write(desk.folder / "silent.wav", np.zeros(RATE), RATE)
    wav(desk.folder / "long.wav", 61)
    until(lambda: len(desk.refused) == 4)
    away = desk.folder / "quarantine"
    assert sorted(path.name for path in away.iterdir()) == [
        "long.wav",
        "long.wav.reason.txt",
        "noise-2.wav",
        "noise-2.wav.reason.txt",
        "noise.wav",
        "noise.wav.reason.txt",
        "silent.wav",
        "silent.wav.reason.txt",
    ]
    assert (away / "noise.wav").read_bytes().endswith(b"1")
    assert (away / "noise-2.wav").read_bytes().endswith(b"2")
    assert "silent" in (away / "silent.wav.reason.txt").read_text()
    assert {name for name, _ in desk.refused} == {"noise.wav", "silent.wav", "long.wav"}
    assert desk.marked() == []


def test_a_file_that_is_never_finished_is_refused_in_the_end(desk: Desk) -> None:
    desk.open()
    data = wav(desk.top / "whole.wav", 1.0).read_bytes()
    (desk.folder / "cut.wav").write_bytes(data[:5000])
    until(lambda: desk.refused)
    ((name, sentence),) = desk.refused
    assert name == "cut.wav" and "promises" in sentence
    assert (desk.folder / "quarantine" / "cut.wav").read_bytes() == data[:5000]


def test_where_nothing_can_be_put_aside_it_is_said_once(desk: Desk) -> None:
    desk.folder.mkdir()
    # A file in the quarantine's place stands for a mount that takes no files; root may write everywhere else.
    (desk.folder / "quarantine").write_text("in the way")
    state = desk.top / "state.json"
    desk.open(state_file=state)
    (desk.folder / "bad.wav").write_bytes(b"nonsense and more nonsense")
    until(lambda: desk.refused)
    desk.marked()
    assert desk.inbox is not None
    desk.inbox.close()
    desk.open(state_file=state)
    desk.marked()
    assert [name for name, _ in desk.refused] == ["bad.wav"]
    assert (desk.folder / "bad.wav").exists()


def test_a_folder_that_cannot_be_written_is_reported_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, writable = os.access, False
    monkeypatch.setattr(
        os, "access", lambda path, mode: writable if path == desk.folder else real(path, mode)
    )
    desk.open()
    until(lambda: desk.said)
    desk.marked()
    assert len(desk.said) == 1 and "cannot be written" in desk.said[0]
    writable = True
    until(lambda: len(desk.said) == 2)
    assert desk.said[1] == "ok"


def test_links_that_lead_out_are_refused(desk: Desk) -> None:
    secret = wav(desk.top / "secret.wav")
    desk.open()
    (desk.folder / "out.wav").symlink_to(secret)
    (desk.folder / "up.wav").symlink_to("../secret.wav")
    (desk.folder / "album").symlink_to(desk.top)
    wav(desk.folder / "good.wav")
    (desk.folder / "same.wav").symlink_to("good.wav")
    until(lambda: len(desk.refused) == 2)
    assert sorted(desk.marked()) == ["good", "same"]
    assert sorted(desk.refused)[0][0] == "out.wav" and "leads out" in desk.refused[0][1]
    assert (desk.folder / "out.wav").is_symlink() and secret.exists()


def test_a_pipe_does_not_hang_it(desk: Desk) -> None:
    desk.open()
    os.mkfifo(desk.folder / "pipe.wav")
    assert desk.marked() == []


def test_a_restart_does_not_take_everything_again(desk: Desk) -> None:
    state = desk.top / "state" / "inbox.json"
    desk.open(state_file=state)
    wav(desk.folder / "one.wav")
    until(lambda: desk.names() == ["one"])
    assert desk.inbox is not None
    desk.inbox.close()
    assert list(json.loads(state.read_text())["files"]) == ["one.wav"]

    wav(desk.folder / "two.wav")
    (desk.folder / "one.wav").rename(desk.folder / "first.wav")
    desk.open(state_file=state)
    assert desk.marked() == ["one", "two"]

    wav(desk.folder / "two.wav", 0.5)  # a new recording under an old name
    until(lambda: desk.names().count("two") == 2)
    assert desk.taken[-1].sound.seconds == pytest.approx(0.5)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9, "files": {}}', '{"version": 1, "files": {"a": [1]}}']
)
def test_a_damaged_state_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    from vocaldm_live.listen.ledger import Signature

    ledger = Ledger(file)
    assert not ledger.knows("a", Signature(1, 2, 3))
    ledger.note("a", Signature(1, 2, 3))
    ledger.save()
    assert Ledger(file).knows("a", Signature(1, 2, 3))
    assert not Ledger(file).knows("a", Signature(1, 3, 3))


def test_a_folder_that_vanishes_is_reported_once_and_watched_again(desk: Desk) -> None:
    desk.open()
    shutil.rmtree(desk.folder)
    until(lambda: desk.said)
    time.sleep(0.3)
    assert len(desk.said) == 1 and "bring the folder back" in desk.said[0]
    desk.folder.mkdir()
    until(lambda: len(desk.said) == 2)
    assert desk.said[1] == "ok"
    wav(desk.folder / "back.wav")
    until(lambda: desk.names() == ["back"])


def test_many_files_at_once(desk: Desk) -> None:
    desk.open()
    for number in range(60):
        wav(desk.folder / f"{number}.wav", 0.1)
    until(lambda: len(desk.taken) == 60)
    assert sorted(desk.marked(), key=int) == [str(number) for number in range(60)]


@pytest.mark.parametrize("inside", [".", "in", "deep/in"])
def test_an_inbox_in_the_outbox_is_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(InboxError, match="outbox"):
        Inbox(tmp_path / inside, lambda imitation: None, outbox=tmp_path)


def test_sizes_in_headers(tmp_path: Path) -> None:
    for name, kind in (("a.wav", "WAV"), ("b.aiff", "AIFF"), ("c.wav", "RF64"), ("d.flac", "FLAC")):
        path = tmp_path / name
        soundfile.write(path, sound(), RATE, format=kind)
        assert shortfall(path) is None, name
        if kind != "FLAC":
            path.write_bytes(path.read_bytes()[:-10])
            assert shortfall(path), name
    path = wav(tmp_path / "e.wav")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    for size in (0, 0xFFFFFFFF):
        data[place : place + 4] = struct.pack("<I", size)
        path.write_bytes(data)
        assert shortfall(path) == "its header has no length yet"


def test_network_mounts_are_told_from_disks(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    share = tmp_path / "net share"
    (share / "inbox").mkdir(parents=True)
    place = str(share).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {place} nfs4 rw 0 0\nbroken\n")
    assert filesystem_of(share / "inbox", mounts) == "nfs4" and on_network(share / "inbox", mounts)
    assert filesystem_of(tmp_path, mounts) == "ext4" and not on_network(tmp_path, mounts)
    assert not on_network(tmp_path, tmp_path / "nothing")
