"""The panel's server: what it carries, what it gives out, and whom it turns away."""

from __future__ import annotations

import io
import json
import signal
import struct
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from daemons import Running, voice, write_settings
from hypothesis import given
from hypothesis import strategies as st
from panels import House, housed
from tiny import assert_sentence, make_tiny_preset
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from vocaldm_live.daemon.page import open_panel
from vocaldm_live.osc.table import OscError, entries
from vocaldm_live.osc.wire import event, read_packet
from vocaldm_live.panel import bridge
from vocaldm_live.panel.bridge import DaemonPlace
from vocaldm_live.panel.drops import LONGEST_NAME, clean_name
from vocaldm_live.panel.panel import Panel, PanelError, PanelSettings
from vocaldm_live.panel.translate import from_osc, to_osc
from vocaldm_live.panel.views import peaks, spectrogram
from vocaldm_live.settings import SettingsError, read_settings
from vocaldm_live.sound.audio import SOUND_SUFFIXES, Sound


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place = tmp_path_factory.mktemp("panel")
    make_tiny_preset(place / "presets", "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with housed(place) as made:
            assert made.daemon.warm.wait(60)
            yield made


@pytest.fixture(scope="module")
def clip(house: House) -> list[Any]:
    return house.clip(voice(house.place / "files" / "hit.wav"))


class Page:
    """What the page's script is on the other side."""

    def __init__(self, house: House, **more: Any) -> None:
        self._open = connect(
            f"ws://127.0.0.1:{house.panel.port}/events", **{"origin": house.origin, "proxy": None, **more}
        )
        self.socket: ClientConnection = self._open.__enter__()

    def send(self, name: str, *values: Any) -> None:
        self.socket.send(json.dumps({"address": f"/vocaldm/{name}", "args": values}))

    def wait(self, name: str) -> list[Any]:
        while True:
            got = json.loads(self.socket.recv(30))
            if got["address"] == f"/vocaldm/{name}":
                return list(got["args"])

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


# Bridge -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_page_learns_the_state_and_moves_a_slider(house: House) -> None:
    with Page(house) as page:
        assert page.wait("state/begin") == [0]
        assert page.wait("param/preset")[1:] == ["one"]
        last = page.wait("state/end")[0]
        page.send("param/guidance", 2.4)
        assert page.wait("param/guidance") == [last + 1, 2.4]
        assert house.peer.wait("param/guidance") == [pytest.approx(2.4)]


def test_every_parameter_of_the_table_is_told_to_a_page_with_its_range(house: House) -> None:
    told = house.ask("/table").plain["parameters"]
    assert set(told) == {entry.arguments[0].name for entry in entries("parameter")}
    assert (told["steps"]["low"], told["steps"]["high"]) == (1, 100)  # the preset's, not the table's
    assert told["sampler"]["choices"]


def test_a_page_asks_wrongly_and_is_told_so(house: House) -> None:
    with Page(house) as page:
        page.wait("state/end")
        for text, code in (
            ("no json", "json"),
            ("[" * 5000, "json"),
            ('{"address": "/vocaldm/record", "args": [2]}', "range"),
            ('{"address": "/vocaldm/record", "args": [true]}', "range"),
            ('{"address": "/vocaldm/generate", "args": [{}, null]}', "type"),
            ('{"address": "/vocaldm/ready", "args": []}', "unknown"),
            ('{"address": "/vocaldm/subscribe", "args": [0, 1]}', "unknown"),
            ('{"address": "/other", "args": []}', "unknown"),
        ):
            page.socket.send(text)
            answer = page.wait("error")
            if text.endswith("[true]}"):
                # JSON's true is Python's 1; the microphone is off, says the daemon.
                assert answer[1] == "microphone"
                continue
            assert answer[:2] == [None, code], text
            assert_sentence(answer[4])
        page.send("refine", "mine", "nothing", 0)
        assert page.wait("error")[1:4] == ["range", "/vocaldm/refine", "mine"]
        page.send("param/guidance", 19.0)
        assert page.wait("error")[1] == "range"
        page.send("ping", "still there")
        assert page.wait("pong")[1] == "still there"


def test_the_lease_ends_with_the_page(house: House) -> None:
    def settled() -> int:
        for _ in range(500):
            if len(house.daemon.server.leases) == 1:
                break
            house.peer.still_there()
            time.sleep(0.02)
        return len(house.daemon.server.leases)

    assert settled() == 1  # the peer's; pages of the tests before may still be on their way out
    with Page(house) as page:
        page.wait("state/end")
        assert len(house.daemon.server.leases) == 2
    assert settled() == 1


@pytest.mark.slow
def test_the_lease_is_renewed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "DaemonPlace", partial(DaemonPlace, lease_seconds=1.0))
    panel = Panel(PanelSettings(port=0), house.panel._behind)
    panel.start()
    try:
        with Page(House(house.place, house.daemon, panel, house.peer)) as page:
            for _ in range(5):  # each renewal tells the state: two seconds, twice the lease
                page.wait("state/begin")
            page.send("ping", "x")
            assert page.wait("pong")[0] > 50  # numbered as a subscriber's, all the way from the first
    finally:
        panel.stop()


def test_a_daemon_that_is_not_there_is_told_in_the_closing(house: House) -> None:
    behind = replace(house.panel._behind, osc_port=1)
    other = Panel(PanelSettings(port=0), behind)
    other.start()
    try:
        with connect(
            f"ws://127.0.0.1:{other.port}/events", origin=other.address.rstrip("/"), proxy=None
        ) as socket:  # type: ignore[arg-type]
            with pytest.raises(ConnectionClosed):
                socket.recv(30)
            assert socket.close_code == 1013 and socket.close_reason
            assert_sentence(socket.close_reason)
    finally:
        other.stop()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from([entry.address for entry in entries()] + ["/x", ""]),
)
def test_whatever_a_page_says_becomes_osc_or_a_refusal(values: Any, address: str) -> None:
    for text in (json.dumps(values), json.dumps({"address": address, "args": [values, values]})):
        try:
            where, packet = to_osc(text)
        except OscError:
            continue
        (message,) = read_packet(packet, lambda error: None)
        assert message.address == where


def test_numbers_come_as_they_were_meant() -> None:
    (text,) = from_osc(event("/vocaldm/mic/level", -23.4, float("-inf"), 1).numbered(7))
    assert json.loads(text) == {"address": "/vocaldm/mic/level", "args": [7, -23.4, None, 1]}
    (text,) = from_osc(event("/vocaldm/audio/chunk", "a", 0, 1, b"\0\xff").numbered(0))
    assert json.loads(text)["args"][4] == "AP8="


# Guard --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1"]
)
def test_a_foreign_page_gets_no_events(house: House, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Page(house, origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_a_foreign_page_drops_nothing(house: House, headers: dict[str, str]) -> None:
    answer = house.ask("/dropped?name=x.wav", "POST", b"RIFF", **headers)
    assert answer.status == 403
    assert_sentence(answer.body.decode().strip())


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9752", "127.0.0.1.evil.example", "", "a@127.0.0.1", "[::1"]
)
def test_another_name_for_this_machine_is_turned_away(house: House, host: str) -> None:
    for path in ("/", "/table", "/clips/0123456789/audio"):
        assert house.ask(path, Host=host).status == 403


def test_localhost_is_this_machine(house: House) -> None:
    assert house.ask("/", Host=f"localhost:{house.panel.port}").status == 200
    assert house.ask("/", Host=f"[::1]:{house.panel.port}").status == 200


def test_a_foreign_page_embeds_no_clip(house: House, clip: list[Any]) -> None:
    path = f"/clips/{clip[3]}/audio"
    foreign = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    assert house.ask(path, **foreign).status == 403
    assert house.ask(path, Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="no-cors").status == 200
    # A link on another page may lead here.
    assert house.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


def test_the_page_asks_nobody_else(house: House) -> None:
    answer = house.ask("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "http" not in policy.replace("https", "")
    folder = Path(sys.modules[Panel.__module__].__file__ or "").parent / "page"
    names = sorted(path.name for path in folder.iterdir())
    assert "main.js" in names and "index.html" in names
    for name in names:
        text = (folder / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "//cdn" not in text, name
        assert len(text.splitlines()) <= 350, name
        assert house.ask(f"/page/{name}").status == 200


def test_a_panel_beyond_this_machine_wants_its_token(house: House) -> None:
    with pytest.raises(PanelError, match="token"):
        Panel(PanelSettings("0.0.0.0", 0), house.panel._behind).start()
    with pytest.raises(SettingsError, match=r"panel.*token"):
        read_settings(None, {"panel.host": "0.0.0.0"})
    panel = Panel(PanelSettings("0.0.0.0", 0, "geheim & so"), house.panel._behind)
    panel.start()
    try:
        other = House(house.place, house.daemon, panel, house.peer)
        assert other.ask("/").status == 401 and other.ask("/table").status == 401
        assert other.ask("/?token=wrong").status == 401
        assert (
            other.ask("/table?token=geheim%20%26%20so").status == 401
        )  # the page only, so that no link carries it
        with pytest.raises(InvalidStatus):
            Page(other)
        answer = other.ask("/?token=geheim%20%26%20so")
        assert answer.status == 303 and answer.headers["location"] == "/"
        assert (
            "HttpOnly" in answer.headers["set-cookie"] and "SameSite=Strict" in answer.headers["set-cookie"]
        )
        cookie = answer.headers["set-cookie"].split(";")[0]
        assert other.ask("/", Cookie=cookie).status == 200
        assert other.ask("/", Cookie=cookie, Host="evil.example").status == 403
        with Page(other, additional_headers={"Cookie": cookie}) as page:
            page.wait("state/end")
    finally:
        panel.stop()


# Clips --------------------------------------------------------------------------------------------------------


def test_a_clip_is_given_whole_and_in_ranges(house: House, clip: list[Any]) -> None:
    data = Path(clip[2]).read_bytes()
    whole = house.ask(f"/clips/{clip[3]}/audio")
    assert whole.status == 200 and whole.body == data and whole.headers["content-type"] == "audio/wav"
    part = house.ask(f"/clips/{clip[3]}/audio", Range="bytes=10-19")
    assert part.status == 206 and part.body == data[10:20]
    assert house.ask(f"/clips/{clip[3]}/audio", Range=f"bytes={len(data)}-").status == 416
    assert Path(clip[2]).name in house.ask(f"/clips/{clip[3]}/audio?download").headers["content-disposition"]


@pytest.mark.parametrize(
    "id",
    [
        "0123456789",
        "x",
        "..",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%2Fetc%2Fpasswd",
        "a" * 10,
        "A" * 10,
        "0" * 5000,
        "%00",
    ],
)
def test_what_the_history_does_not_know_is_not_given(house: House, id: str) -> None:
    for what in ("audio", "view", "spectrogram.png"):
        assert house.ask(f"/clips/{id}/{what}").status == 404


def test_neither_a_path_nor_a_part_of_an_id_is_an_id(house: House, clip: list[Any]) -> None:
    from urllib.parse import quote

    assert house.ask(f"/clips/{clip[3][:-1]}/audio").status == 404
    assert house.ask(f"/clips/{quote(clip[2], safe='')}/audio").status == 404
    assert house.ask("/page/../panel.py").status == 404
    assert house.ask("/page/%2e%2e/panel.py").status == 404


@pytest.mark.parametrize("kind", ["outside", "link", "gone"])
def test_a_clip_outside_the_outbox_is_not_given(house: House, kind: str) -> None:
    made = Path(house.clip(voice(house.place / "files" / "hit.wav"))[2])
    id = house.daemon.session.history.get(made).id
    assert house.ask(f"/clips/{id}/audio").status == 200
    if kind == "gone":
        made.rename(made.with_suffix(".moved"))
    elif kind == "link":
        private = made.rename(house.place / "private.wav")
        made.symlink_to(private)
    else:
        outside = made.rename(house.place / made.name)
        recipe = made.with_suffix(".json").rename(outside.with_suffix(".json"))
        id = house.daemon.session.history.add(outside, recipe).id
    answer = house.ask(f"/clips/{id}/audio")
    assert answer.status == 404
    assert_sentence(answer.plain["sentence"])
    assert house.ask(f"/clips/{id}/view").status == 404


def test_a_card_shows_waveform_spectrogram_and_both_sketches(house: House, clip: list[Any]) -> None:
    view = house.ask(f"/clips/{clip[3]}/view").plain
    assert (
        view["id"] == clip[3]
        and view["name"] == "hit"
        and view["seconds"] == pytest.approx(clip[4], abs=0.01)
    )
    assert len(view["peaks"]) == 300 and max(view["peaks"]) > 0
    assert view["voice"]["seconds"] == pytest.approx(0.6, abs=0.01)
    for who in ("voice", "clip"):
        for name in ("loudness", "centroid", "pitch"):
            drawn = [value for value in view[who][name] if value is not None]
            assert all(0 <= value <= 1 for value in drawn)
    # The imitation is a noise that dies away.
    loudness = view["voice"]["loudness"]
    assert np.mean(loudness[:10]) > np.mean(loudness[-10:]) + 0.1
    answer = house.ask(f"/clips/{clip[3]}/spectrogram.png")
    assert answer.headers["content-type"] == "image/png"
    assert pixels(answer.body).shape[0] == 128


def pixels(picture: bytes) -> np.ndarray:
    """Grey values of a PNG made here, by its format's own words."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    at = picture.index(b"IDAT")
    (length,) = struct.unpack(">I", picture[at - 4 : at])
    rows = np.frombuffer(zlib.decompress(picture[at + 4 : at + 4 + length]), np.uint8)
    return rows.reshape(height, width + 1)[:, 1:]


def test_a_tone_lies_where_it_belongs_in_the_picture() -> None:
    times = np.arange(48000) / 48000
    rows = {}
    for hertz in (200.0, 1000.0, 8000.0):
        tone = np.where(times < 0.5, np.sin(2 * np.pi * hertz * times), 0).astype(np.float32)
        grey = pixels(spectrogram(Sound(tone, 48000)))
        assert grey[:, 5:40].min() < 20 and grey[:, 5:40].max() >= 200 and grey[:, 60:].max() < 20
        rows[hertz] = 1 - (int(grey[:, 20].argmax()) + 0.5) / 128
    for hertz, height in rows.items():
        assert height == pytest.approx(np.log(hertz / 50) / np.log(400), abs=0.03)


def test_a_click_is_seen_in_the_waveform() -> None:
    samples = np.zeros(30000, np.float32)
    samples[15050] = -0.5
    found = peaks(samples)
    assert found[150] == 0.5 and sum(found) == 0.5


# Drops --------------------------------------------------------------------------------------------------------


def wave(seconds: float = 0.5, level: float = 0.3) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).standard_normal(int(22050 * seconds)) * level
    soundfile.write(file, noise, 22050, format="WAV")
    return file.getvalue()


def test_a_dropped_sound_becomes_a_clip_and_an_example(house: House) -> None:
    answer = house.drop("my%20knock.wav", wave())
    assert answer.status == 201 and answer.plain["name"] == "my knock"
    path = Path(answer.plain["path"])
    assert path.is_relative_to(house.place / "state" / "imitations" / "dropped")
    with Page(house) as page:
        page.wait("state/end")
        page.send("generate", "dropped", str(path))
        assert "my knock" in page.wait("ready")[3]
        page.send("like", str(path))
        assert page.wait("liking")[1] == str(path)
        page.send("like", "")
        assert page.wait("liking")[1] == ""
    assert house.drop("my%20knock.wav", wave()).plain["path"] == str(path)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 415),
        (b"RIFF" + b"\0" * 100, 415),
        (b"<html>", 415),
        (wave(0.01), 415),
        (wave(level=0.0), 415),
        (wave(61.0), 415),
    ],
    ids=["empty", "broken", "no sound", "too short", "silent", "too long"],
)
def test_what_is_no_imitation_is_not_kept(house: House, body: bytes, status: int) -> None:
    folder = house.place / "state" / "imitations" / "dropped"
    before = sorted(folder.rglob("*"))
    answer = house.drop("bad.wav", body)
    assert answer.status == status
    assert_sentence(answer.plain["sentence"])
    assert str(house.place) not in answer.plain["sentence"]
    assert sorted(folder.rglob("*")) == before


def test_a_file_too_large_is_not_kept(house: House) -> None:
    folder = house.place / "state" / "imitations" / "dropped"
    before = sorted(folder.rglob("*"))
    answer = house.ask("/dropped?name=x.wav", "POST", b"1", Origin=house.origin, Content_Length=str(2**40))
    assert answer.status == 413
    assert_sentence(answer.plain["sentence"])
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("knock.wav", "knock.wav"),
        ("../../etc/passwd", "passwd.wav"),
        ("C:\\sounds\\Boom.FLAC", "Boom.flac"),
        ("..", "dropped.wav"),
        (".wav", "dropped.wav"),
        ("a\0b\n<c>.aif", "a b c.aif"),
        ("con.wav", "dropped.wav"),
        ("Türknall.ogg", "Türknall.ogg"),
        ("x.html", "x.html.wav"),
    ],
)
def test_dropped_names_are_cleaned(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@given(st.text())
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    clean = clean_name(name)
    assert Path(clean).name == clean and not clean.startswith(".") and "\\" not in clean
    assert len(clean) <= LONGEST_NAME + 6 and Path(clean).suffix in SOUND_SUFFIXES


# Beginning and end ----------------------------------------------------------------------------------------------


def test_a_taken_port_is_told(house: House) -> None:
    with pytest.raises(PanelError) as error:
        Panel(PanelSettings(port=house.panel.port), house.panel._behind).start()
    assert_sentence(str(error.value))


def test_without_its_packages_it_says_which(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(PanelError, match=r"starlette.*vocaldm-live\[panel\]") as error:
        open_panel(house.daemon)
    assert_sentence(str(error.value))


@pytest.mark.slow
def test_stopping_closes_pages_and_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_tiny_preset(tmp_path / "presets", "one")
    with housed(tmp_path) as house:
        page = Page(house)
        page.wait("state/end")
        house.panel.stop()
        house.panel.stop()
        with pytest.raises(ConnectionClosed):
            while True:
                page.socket.recv(30)
        with pytest.raises(OSError):
            house.ask("/")


@pytest.mark.slow
def test_the_command_says_where_the_panel_is_or_why_there_is_none(tmp_path: Path) -> None:
    make_tiny_preset(tmp_path / "presets", "one")
    write_settings(tmp_path, panel={"port": 0})
    with Running(tmp_path) as running:
        address = running.until("Panel at").split()[-1]
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert "VocalDM" in answer.read().decode()
        running.until("Warm after")
        write_settings(tmp_path, panel={"port": int(address.rsplit(":", 1)[1].strip("/"))})
        with Running(tmp_path) as second:
            assert_sentence(second.until("The panel's port").removeprefix("vocaldm: "))
            second.until("Warm after")
            assert second.end(signal.SIGTERM) == 0
        with Running(tmp_path, "--no-panel") as third:
            third.until("Warm after")
            assert third.end(signal.SIGTERM) == 0
            assert not any("anel" in line for line in third.lines)
        assert running.end(signal.SIGTERM) == 0
