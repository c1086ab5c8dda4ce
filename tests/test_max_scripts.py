"""The scripts of the Max package: lease, reconnection, lost events, history, double buffering, clips into Live."""

from __future__ import annotations

from typing import Any

import pytest
from max_script import Script

import vocaldm_live


@pytest.fixture
def client() -> Script:
    made = Script("vocaldm.client.js", "127.0.0.1", 9750)
    made.send("loadbang")
    return made


def from_outlet(got: list[list[Any]], number: int) -> list[list[Any]]:
    return [one[1:] for one in got if one[0] == number]


def event(client: Script, name: str, seq: int, *values: Any) -> list[list[Any]]:
    return client.send(f"/vocaldm/{name}", seq, *values)


def test_a_client_subscribes_and_renews(client: Script) -> None:
    got = client.tick()
    (subscribed,) = [one for one in from_outlet(got, 2) if one[0] == "/vocaldm/subscribe"]
    assert 20000 <= subscribed[1] < 40000 and subscribed[2:] == [30, 0]
    assert event(client, "state/begin", 0) == [[1, "connected", 1], [0, "/vocaldm/state/begin"]]
    sent = []
    for second in range(40):
        sent += [one[0] for one in from_outlet(client.tick(), 2)]
        event(client, "pong", second + 1, "vocaldm.client")
    assert sent.count("/vocaldm/ping") == 40
    assert 3 <= sent.count("/vocaldm/subscribe") <= 5  # every ten seconds, a third of the lease


def test_a_lost_event_asks_for_the_state_once(client: Script) -> None:
    event(client, "state/begin", 0)
    assert event(client, "mic/level", 1, -20.0, -30.0, 0) == [[0, "/vocaldm/mic/level", -20, -30, 0]]
    assert event(client, "done", 3, "x") == [[1, "missed"], [2, "/vocaldm/state"], [0, "/vocaldm/done", "x"]]
    assert event(client, "state/begin", 4) == [[0, "/vocaldm/state/begin"]]
    client.value("expected = 2147483647; null;")
    assert event(client, "done", 2147483647, "x") == event(client, "done", 0, "x")


def test_a_client_finds_a_daemon_that_was_started_again(client: Script) -> None:
    event(client, "state/begin", 0)
    event(client, "pong", 1, "")
    # Started again at once: it answers, but knows no lease.
    got = event(client, "pong", 0, "")
    assert [one[0] for one in from_outlet(got, 2)] == ["/vocaldm/subscribe"]
    assert from_outlet(event(client, "state/begin", 0), 2) == []
    assert from_outlet(event(client, "param/steps", 1, 20), 2) == []
    # Gone for a while: said once, asked for again each second, on another port after a while.
    got = client.tick(10)
    said = from_outlet(got, 1)
    assert said[0] == ["connected", 0] and len(said) == 2 and "start the daemon" in said[1][1]
    asked = [one for one in from_outlet(got, 2) if one[0] == "/vocaldm/subscribe"]
    assert len(asked) >= 6 and len({one[1] for one in asked}) > 1
    assert from_outlet(event(client, "state/begin", 0), 1) == [["connected", 1]]


def test_a_client_says_when_the_daemon_is_another(client: Script) -> None:
    assert from_outlet(event(client, "version/is", 0, "VocalDM Live", vocaldm_live.__version__), 1)[1:] == [
        ["fits", 1]
    ]
    fits, sentence = from_outlet(event(client, "version/is", 1, "VocalDM Live", "9.0.0"), 1)
    assert fits == ["fits", 0] and "9.0.0" in sentence[1]
    fits, sentence = from_outlet(event(client, "version/is", 2, "Other", "0.1.0"), 1)
    assert fits == ["fits", 0] and "Another program" in sentence[1]


def test_a_client_without_arguments_takes_the_usual_daemon() -> None:
    made = Script("vocaldm.client.js", "#1", "#2")
    got = made.send("loadbang")
    assert [2, "host", "127.0.0.1"] in got and [2, "port", 9750] in got
    got = made.send("token", "secret")
    assert got[0][1] == "/vocaldm/subscribe" and got[0][-1] == "secret"
    assert [2, "port", 9800] in made.send("port", 9800)


@pytest.fixture
def session() -> Script:
    return Script("vocaldm.session.js")


READY = ("/vocaldm/ready", "max-1", 0, "/out/a.wav", "12345e6789", 1.25, "4000000000")


def test_a_session_asks_with_ids_of_its_own(session: Script) -> None:
    first = session.send("generate", "/a b.wav")
    assert first[0][:2] == [0, "/vocaldm/generate"] and first[0][3] == "/a b.wav"
    assert first[0][2].startswith("max-") and session.send("again")[0][2] != first[0][2]


def test_a_session_needs_a_clip_for_refining(session: Script) -> None:
    (said,) = session.send("refine", 20)
    assert said[:2] == [2, "set"] and "Choose a clip" in said[2]
    session.send(*READY)
    (sent,) = session.send("refine", 20)
    assert sent[0] == 0 and sent[1] == "/vocaldm/refine" and sent[3:] == ["12345e6789", 20]
    assert session.send("like", "clip") == [[0, "/vocaldm/like", "12345e6789"]]
    assert session.send("like", "/x.wav") == [[0, "/vocaldm/like", "/x.wav"]]
    assert session.send("like", "none") == [[0, "/vocaldm/like", ""]]


def test_the_seed_of_a_clip_is_locked_where_it_fits(session: Script) -> None:
    session.send(*READY)
    drawn = session.send("lock", 1)[0]
    assert drawn[1] == "/vocaldm/param/seed" and 0 <= drawn[2] <= 2147483647
    session.send(*READY[:-1], "77")
    assert session.send("lock", 1) == [[0, "/vocaldm/param/seed", 77]]
    assert session.send("lock", 0) == [[0, "/vocaldm/param/seed", -1]]
    assert session.send("/vocaldm/param/seed", -1) == [[8, "set", 0]]


def test_the_history_is_a_list_and_a_row_is_read(session: Script) -> None:
    session.send("/vocaldm/history/begin", 2)
    session.send("/vocaldm/history/item", "c1", "/out/c1.wav", "hit", "2026", 0.5, "7", 1)
    session.send("/vocaldm/history/item", "c2", "/out/c2.wav", "growl", "2026", 2.0, "8", 0)
    assert session.send("/vocaldm/history/end") == [
        [5, "clear"],
        [5, "append", "* hit   0.50 s"],
        [5, "append", "growl   2.00 s"],
    ]
    got = session.send("pick", 1)
    assert [7, "read", 1, "/out/c2.wav"] in got
    assert session.send("play") == [[0, "/vocaldm/audition", 2], [7, "play", 1]]
    assert session.send("star") == [[0, "/vocaldm/star", "c2", 1]]
    assert session.send("/vocaldm/starred", "c2", 1) == [[0, "/vocaldm/history", 8]]
    assert session.send("pick", 5) == []


def test_a_new_clip_is_played_when_it_was_read_and_only_once(session: Script) -> None:
    session.send("playnew", 1)
    assert not from_outlet(session.send(*READY), 0)
    assert [7, "play", 1] in session.send("loaded", 1)
    assert session.send("loaded", 1) == []


def test_presets_fill_a_menu_and_are_chosen_by_name(session: Script) -> None:
    for name, *values in (("state/begin",), ("preset/is", "two", "hash"), ("preset/known", "one"),
                          ("preset/known", "two")):  # fmt: skip
        session.send(f"/vocaldm/{name}", *values)
    got = session.send("/vocaldm/state/end")
    assert got == [[6, "clear"], [6, "append", "one"], [6, "append", "two"], [6, "setsymbol", "two"]]
    assert session.send("preset", 0) == [[0, "/vocaldm/param/preset", "one"]]


def test_the_state_line_keeps_what_is_wrong(session: Script) -> None:
    assert session.send("/vocaldm/engine", "warm", "one plays.") == [[1, "set", "one plays."]]
    session.send("fits", 0)
    session.send("sentence", "Another version.")
    assert session.send("/vocaldm/engine", "warm", "one plays.") == []
    for name, values in (("failed", ("x", "No.")), ("dropped", ("x", "No.")), ("refused", ("/p", "No.")),
                         ("preset/refused", ("p", "No.")), ("error", ("c", "/a", "x", "No."))):  # fmt: skip
        assert [2, "set", "No."] in session.send(f"/vocaldm/{name}", *values)


def test_progress_is_a_part_of_one(session: Script) -> None:
    assert session.send("/vocaldm/progress", "x", 0, "sample", 3, 12) == [[4, "set", "sample"], [3, 0.25]]


@pytest.fixture
def voice() -> Script:
    made = Script("vocaldm.voice.js", "7-a", "7-b")
    made.send("voice", 3)
    return made


def test_a_voice_swaps_when_the_file_was_read(voice: Script) -> None:
    assert voice.send("read", "/1.wav") == [[0, "replace", "/1.wav"]]
    assert voice.send("loaded", "b") == []  # not the one that was asked
    assert voice.send("loaded", "a") == [[2, "7-a"], [3, "loaded", 3, "7-a"]]
    assert voice.send("read", "/2.wav") == [[1, "replace", "/2.wav"]]
    # Two more while one is read: the newest is taken.
    assert voice.send("read", "/3.wav") == voice.send("read", "/4.wav") == []
    assert voice.send("loaded", "b") == [[2, "7-b"], [3, "loaded", 3, "7-b"], [0, "replace", "/4.wav"]]


def test_a_voice_never_reads_into_what_sounds(voice: Script) -> None:
    voice.send("read", "/1.wav")
    voice.send("loaded", "a")
    voice.send("playing")
    assert voice.send("read", "/2.wav") == [[1, "replace", "/2.wav"]]
    voice.send("loaded", "b")
    assert voice.send("read", "/3.wav") == []  # a still sounds
    assert voice.send("ended") == [[0, "replace", "/3.wav"]]


def test_a_file_that_is_never_read_is_given_up(voice: Script) -> None:
    voice.send("read", "/gone.wav")
    voice.send("read", "/there.wav")
    assert voice.tick() == [[3, "failed", 3, "/gone.wav"], [0, "replace", "/there.wav"]]


# A Live set: a version, a slot, two tracks. What is called is kept in LIVE.
LIVE = """
var SET = {
    "live_app": {id: 1, version: [%s]},
    "live_set": {id: 2, current_song_time: 16.0},
    "live_set view highlighted_clip_slot": {id: 3, has_clip: %d, unquotedpath: "live_set tracks 2 clip_slots 4"},
    "live_set tracks 2": {id: 4, has_audio_input: %d},
    "live_set view selected_track": {id: 4, has_audio_input: %d, is_frozen: 0, clips: 1}
};
function LiveAPI(path) {
    var one = SET[path] || {id: 0};
    this.id = String(one.id);
    this.unquotedpath = one.unquotedpath;
    this.get = function (name) { return [one[name]]; };
    this.getcount = function () { return one.clips; };
    this.call = function (name) {
        var parts = {get_major_version: 0, get_minor_version: 1, get_bugfix_version: 2};
        if (parts[name] !== undefined) return one.version[parts[name]];
        LIVE.push([path].concat(Array.prototype.slice.call(arguments)));
        one.has_clip = 1;
        one.clips += 1;
    };
}
"""


def live(version: str = "12, 1, 0", full: int = 0, audio: int = 1) -> Script:
    return Script("vocaldm.live.js", before=LIVE % (version, full, audio, audio))


def test_a_clip_lands_in_the_selected_slot() -> None:
    script = live()
    (said,) = script.send("clip", "/out/a b.wav", "a b.wav")
    assert script.value("LIVE") == [
        ["live_set view highlighted_clip_slot", "create_audio_clip", "/out/a b.wav"]
    ]
    assert said == [0, "set", "In the selected slot: a b.wav"]


def test_a_clip_lands_in_the_arrangement() -> None:
    script = live("12, 0, 5")
    script.send("place", 1)
    (said,) = script.send("clip", "/out/a.wav", "a.wav")
    assert script.value("LIVE") == [["live_set view selected_track", "create_audio_clip", "/out/a.wav", 16]]
    assert "beat 17" in said[2]


@pytest.mark.parametrize(
    ("version", "full", "audio", "words"),
    [
        ("12, 0, 4", 0, 1, "/out/a.wav"),
        ("11, 3, 25", 0, 1, "12.0.5"),
        ("12, 1, 0", 1, 1, "holds a clip"),
        ("12, 1, 0", 0, 0, "MIDI track"),
    ],
)
def test_what_live_cannot_take_is_said(version: str, full: int, audio: int, words: str) -> None:
    script = live(version, full, audio)
    (said,) = script.send("clip", "/out/a.wav", "a.wav")
    assert words in said[2]
    assert script.value("LIVE") == []
