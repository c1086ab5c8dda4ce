"""What the daemon's events make of the tray: clips in their order, work, and a sentence that is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import assert_sentence

from vocaldm_live import __version__
from vocaldm_live.tray.shelf import Shelf

AT = "127.0.0.1:9750"


def item(number: int, starred: int = 0) -> tuple[object, ...]:
    return (
        f"c{number}",
        f"/clips/{number}.wav",
        f"clip {number}",
        "2026-11-21T10:00:00+00:00",
        1.5,
        "7",
        starred,
    )


def told(shelf: Shelf, *numbers: int) -> None:
    shelf.take("history/begin", (len(numbers),))
    for number in numbers:
        shelf.take("history/item", item(number))
    shelf.take("history/end", ())


def up() -> Shelf:
    shelf = Shelf()
    shelf.take("link/up", ())
    shelf.take("version/is", ("VocalDM Live", __version__))
    shelf.take("preset/is", ("house", "0" * 64))
    shelf.take("engine", ("warm", ""))
    return shelf


def test_a_history_and_what_gets_ready_meanwhile() -> None:
    shelf = up()
    shelf.asked()
    shelf.take("heard", ("r", "inbox", "knock", 1.0))
    shelf.take("ready", ("r", 0, "/clips/3.wav", "c3", 1.25, "9"))
    told(shelf, 2, 1)
    assert [one.id for one in shelf.clips] == ["c3", "c2", "c1"]
    assert (shelf.clips[0].name, shelf.clips[0].seconds, shelf.clips[0].seed) == ("knock", 1.25, "9")
    told(shelf, 3, 2, 1)
    assert [one.id for one in shelf.clips] == ["c3", "c2", "c1"]
    shelf.asked()
    told(shelf, 2)
    assert [one.id for one in shelf.clips] == ["c2"]


def test_only_the_last_answer_counts() -> None:
    shelf = up()
    shelf.asked()
    shelf.asked()
    told(shelf, 1)
    assert shelf.clips == []
    told(shelf, 2, 1)
    assert len(shelf.clips) == 2
    shelf.asked()
    shelf.take("error", ("internal", "/vocaldm/history", "", "That failed."))
    shelf.asked()
    told(shelf, 1)
    assert len(shelf.clips) == 1


def test_a_clip_without_a_name_is_called_as_in_its_file() -> None:
    shelf = up()
    shelf.take("ready", ("x", 0, "/clips/DSGNSynth_laser up_VDM_VocalDM_0003.wav", "", 1.0, "1"))
    assert shelf.clips[0].name == "laser up"


def test_work_is_counted_and_ends_in_every_way() -> None:
    shelf = up()
    for id in "abcd":
        shelf.take("accepted", (id, 1))
        shelf.take("heard", (id, "osc", f"voice {id}", 1.0))
    shelf.take("progress", ("a", 0, "sample", 1, 4))
    before = shelf.work["a"].share
    shelf.take("progress", ("a", 0, "sample", 3, 4))
    assert 0 < before < shelf.work["a"].share < 1
    assert shelf.sentence(AT) == ("busy", "voice a: sampling, 3 more wait")
    shelf.take("done", ("a",))
    shelf.take("cancelled", ("b",))
    assert "trouble" in shelf.take("failed", ("c", "The disk is full."))
    assert shelf.trouble == "The disk is full."
    shelf.take("dropped", ("d", "It gave way."))
    assert not shelf.work and shelf.sentence(AT)[0] == "good"


def test_a_daemon_that_goes_takes_its_work_along_and_leaves_the_clips() -> None:
    shelf = up()
    told(shelf, 1)
    shelf.take("mic/ok", ("Scarlett",))
    shelf.take("mic/level", (-6.0, -12.0, 1))
    shelf.take("accepted", ("a", 1))
    shelf.take("link/down", ("it does not answer any more",))
    state, sentence = shelf.sentence(AT)
    assert state == "bad" and "gone (it does not answer any more)" in sentence
    assert_sentence(sentence)
    assert not shelf.work and shelf.peak < -60 and len(shelf.clips) == 1
    assert "ask" in shelf.take("link/up", ())
    assert shelf.sentence(AT)[0] == "good"


@pytest.mark.parametrize("version", ["0.0.9", "7.1.0"])
def test_another_version_is_told(version: str) -> None:
    shelf = up()
    shelf.take("version/is", ("VocalDM Live", version))
    state, sentence = shelf.sentence(AT)
    assert state == "bad" and version in sentence and __version__ in sentence
    assert_sentence(sentence)


def test_every_state_has_its_sentence() -> None:
    shelf = Shelf()
    assert shelf.sentence(AT)[0] == "waiting" and AT in shelf.sentence(AT)[1]
    shelf = up()
    shelf.take("mic/lost", ("The microphone is off.",))
    assert shelf.sentence(AT) == ("good", "Ready, preset house; no microphone")
    shelf.take("mic/ok", ("Scarlett",))
    shelf.take("listening", (1,))
    assert shelf.sentence(AT) == ("good", "Listening, preset house")
    shelf.take("recording", (1,))
    assert shelf.sentence(AT)[1].startswith("Recording")
    shelf.take("engine", ("failed", "No preset house."))
    assert shelf.sentence(AT) == ("bad", "No preset house.")
    shelf.take("engine", ("loading", ""))
    assert shelf.sentence(AT)[0] == "busy"


def test_a_wrong_token_is_told_before_the_line_is_up() -> None:
    shelf = Shelf()
    shelf.take("error", ("token", "/vocaldm/subscribe", "", "That is not the token."))
    assert shelf.sentence(AT) == ("bad", "That is not the token.")


def test_events_of_no_interest_change_nothing() -> None:
    shelf = up()
    assert shelf.take("pong", ("tray",)) == set() and shelf.take("audio/end", ("a", 0, "x")) == set()


def test_a_clip_knows_whether_its_file_is_here(tmp_path: Path) -> None:
    shelf = up()
    path = tmp_path / "a_b_c.wav"
    shelf.take("ready", ("x", 0, str(path), "", 1.0, "1"))
    assert not shelf.clips[0].is_here
    path.touch()
    assert shelf.clips[0].is_here
