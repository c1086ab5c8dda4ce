"""The panel as a person meets it: Chromium in front of a real daemon that hears a microphone made of software."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import parts
import pytest
from daemons import voice
from panels import House, housed
from tiny import make_tiny_preset
from virtual_microphone import VirtualMicrophone
from websockets.sync.client import connect

from vocaldm_live import __version__

try:
    import axe_core_python
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sync_playwright = None  # type: ignore[assignment]

pytestmark = pytest.mark.slow
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
SIZES = {"wide": (1280, 900), "narrow": (400, 860)}
PATIENCE = 30_000  # ms


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if sync_playwright is None:
        parts.missing("not installed in this environment: playwright and axe-core-python")
    if CHROMIUM is None:
        parts.missing("not installed on this system: chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield made
        made.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, VirtualMicrophone]]:
    place = tmp_path_factory.mktemp("page")
    make_tiny_preset(place / "presets", "one")
    make_tiny_preset(place / "presets", "two", seed=3)
    microphone = {"microphone.enabled": True, "microphone.device": "pulse"}
    with pytest.MonkeyPatch.context() as patch, VirtualMicrophone() as cable:
        patch.chdir(place)
        for name, value in cable.environment.items():
            patch.setenv(name, value)
        with housed(place, **microphone) as made:
            assert made.daemon.warm.wait(60)
            yield made, cable


@pytest.fixture
def shots(tmp_path: Path) -> Callable[[Any, str], None]:
    folder = Path(os.environ.get("VOCALDM_ARTIFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        page.wait_for_timeout(700)  # until what moves has come to rest
        page.screenshot(path=folder / f"panel-{name}.png", full_page=True)

    return take


class Visit:
    """A page that is open, and everything that its console said."""

    def __init__(self, browser: Any, house: House, scheme: str = "dark", size: str = "wide") -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="no-preference"
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda one: self.said.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda one: self.asked.append(one.url))
        self.page.goto(house.panel.address)

    def __enter__(self) -> Visit:
        expect(self.page.locator("#state")).to_have_text("Ready.", timeout=PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def violations(page: Any) -> list[str]:
    script = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(script)
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def record(page: Any, cable: VirtualMicrophone, sound: Path, press: Callable[[bool], None]) -> None:
    press(True)
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    assert cable.play(sound).wait() == 0
    press(False)
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")


def test_a_session_from_the_first_noise_to_the_reload(
    browser: Any, house: tuple[House, VirtualMicrophone], shots: Callable[[Any, str], None]
) -> None:
    home, cable = house
    sound = voice(home.place / "noise.wav", 1.2)
    with Visit(browser, home) as visit:
        page = visit.page
        cards = page.locator("#cards article")
        expect(page.locator("#empty")).to_be_visible()
        expect(page.locator("#microphone")).to_contain_text("pulse")
        shots(page, "empty-wide-dark")

        # Record with the button held, then with the space bar.
        button = page.locator("#record").bounding_box()
        page.mouse.move(button["x"] + 40, button["y"] + 40)
        record(page, cable, sound, lambda on: page.mouse.down() if on else page.mouse.up())
        expect(cards).to_have_count(1, timeout=PATIENCE)
        record(
            page, cable, sound, lambda on: page.keyboard.down("Space") if on else page.keyboard.up("Space")
        )
        expect(cards).to_have_count(2, timeout=PATIENCE)
        newest = cards.first
        expect(newest.locator("canvas")).to_have_attribute("aria-label", re.compile("voice and clip"))
        assert home.daemon.session.history.entries()[0].source == "microphone"

        # Audition: the page plays, the daemon's gate is told for how long.
        muted: list[float] = []
        real = home.daemon.microphone.mute  # type: ignore[union-attr]
        home.daemon.microphone.mute = lambda seconds: (muted.append(seconds), real(seconds))[1]  # type: ignore
        newest.get_by_role("button", name="Play").click()
        expect(newest.get_by_role("button", name="Stop")).to_be_visible()
        expect(newest.get_by_role("button", name="Play")).to_be_visible(timeout=PATIENCE)
        length = home.daemon.session.history.entries()[0].seconds
        _until(lambda: muted and muted[-1] == 0)
        assert muted[0] == pytest.approx(length + 0.3, abs=0.05)
        home.daemon.microphone.mute = real  # type: ignore

        # Refine: the same seed with the steps that stand beside.
        page.locator("#refine-steps").fill("6")
        newest.get_by_role("button", name="Refine").click()
        expect(cards).to_have_count(3, timeout=PATIENCE)
        refined, source = home.daemon.session.history.entries(limit=2)
        assert (refined.steps, refined.seed, refined.parent) == (6, source.seed, source.id)
        expect(cards.first.locator(".facts")).to_contain_text("6 steps")

        # Cancel what would take long.
        page.locator("#p-variations").fill("16")
        page.locator("#p-steps").fill("100")
        home.peer.wait("param/steps")
        _until(lambda: home.daemon.server.parameters["steps"] == 100)
        cards.first.get_by_role("button", name="Again").click()
        waiting = page.locator("#requests li")
        expect(waiting).to_have_count(1)
        expect(waiting.locator("progress")).to_be_visible()
        page.screenshot(path=Path(os.environ.get("VOCALDM_ARTIFACTS") or home.place) / "panel-busy.png")
        waiting.get_by_role("button", name="Cancel").click()
        expect(waiting).to_have_count(0)
        page.locator("#p-variations").fill("1")
        page.locator("#p-steps").fill("4")
        _until(lambda: home.daemon.server.parameters["steps"] == 4)

        # Star, like, remove from view; a reload keeps the history.
        cards.first.get_by_role("button", name="Star").click()
        _until(lambda: home.daemon.session.history.entries()[0].starred)
        cards.nth(1).get_by_role("button", name="Like").click()
        expect(cards.nth(1).get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#unlike")).to_be_visible()
        ids = cards.locator("xpath=..").evaluate_all("all => all.map(one => one.dataset.clip)")
        cards.last.get_by_role("button", name="Remove from view").click()
        expect(cards).to_have_count(2)
        page.reload()
        expect(cards).to_have_count(2)
        kept = cards.locator("xpath=..").evaluate_all("all => all.map(one => one.dataset.clip)")
        assert kept == ids[:2]
        expect(cards.first.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Show the removed clip").click()
        expect(cards).to_have_count(3)
        page.locator("#unlike").click()
        expect(page.locator("#unlike")).to_be_hidden()
        assert visit.said == []
        assert all(url.startswith((home.panel.address, "blob:", "data:")) for url in visit.asked)


def test_a_sound_that_is_chosen_or_dropped(browser: Any, house: tuple[House, VirtualMicrophone]) -> None:
    home, _ = house
    with Visit(browser, home) as visit:
        page = visit.page
        before = page.locator("#cards article").count()
        page.locator("#file-imitation").set_input_files(voice(home.place / "door slam.wav", seed=4))
        expect(page.locator("#cards article").first.locator("h3")).to_have_text("door slam", timeout=PATIENCE)
        page.evaluate(
            DROP, ["zone-example", "gong.wav", list(voice(home.place / "x.wav", seed=5).read_bytes())]
        )
        expect(page.locator("#liking")).to_have_text("gong.wav")
        page.locator("#unlike").click()
        expect(page.locator("#liking")).to_contain_text("Drop a sound")
        page.evaluate(DROP, ["zone-imitation", "notes.wav", [1, 2, 3]])
        expect(page.locator("#messages p")).to_contain_text("notes.wav")
        page.locator("#messages").get_by_role("button", name="Dismiss").click()
        expect(page.locator("#messages p")).to_have_count(0)
        assert page.locator("#cards article").count() >= max(1, before)
        # The refusal of the broken file is an answer of 415, and Chromium says so on the console.
        assert [text for text in visit.said if "415" not in text] == []


DROP = """([zone, name, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/wav" }));
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
    document.getElementById(zone).dispatchEvent(event);
  }
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_shuts_anybody_out(
    browser: Any,
    house: tuple[House, VirtualMicrophone],
    shots: Callable[[Any, str], None],
    scheme: str,
    size: str,
) -> None:
    home, _ = house
    if not home.daemon.session.history.entries():
        home.clip(voice(home.place / "files" / "hit.wav"))
    with Visit(browser, home, scheme, size) as visit:
        page = visit.page
        expect(page.locator("#cards article").first.locator(".facts")).to_contain_text(
            "steps", timeout=PATIENCE
        )
        shots(page, f"{size}-{scheme}-begin")
        if not page.get_by_text("More", exact=True).is_visible():
            page.get_by_text("Shape", exact=True).click()
        page.get_by_text("More", exact=True).click()
        page.evaluate("document.querySelector('#p-guidance').focus()")
        shots(page, f"{size}-{scheme}")
        assert violations(page) == []
        # Nothing sticks out sideways.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert visit.said == []


def test_everything_is_reached_by_keyboard(browser: Any, house: tuple[House, VirtualMicrophone]) -> None:
    home, _ = house
    if not home.daemon.session.history.entries():
        home.clip(voice(home.place / "files" / "hit.wav"))
    with Visit(browser, home) as visit:
        page = visit.page
        expect(page.locator("#cards article").first).to_be_visible()
        reached: set[str] = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    "() => { const at = document.activeElement; return at.id || at.className.split(' ').pop(); }"
                )
            )
        wanted = {"preset", "record", "listen", "capture", "file-imitation", "file-example", "seed-lock"}
        wanted |= {"p-steps", "p-guidance", "p-follow", "p-strength", "p-variations", "p-duration", "p-seed"}
        wanted |= {"play", "again", "refine", "like", "star", "save", "copy", "remove"}
        assert wanted - reached == set()
        # Space in a field is the field's, space on a button that has the focus is the button's.
        page.locator("#capture-seconds").focus()
        page.keyboard.press("Space")
        expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
        page.locator("#p-steps").focus()
        page.keyboard.press("ArrowRight")
        assert home.peer.wait("param/steps")


def test_sliders_and_presets_go_both_ways(browser: Any, house: tuple[House, VirtualMicrophone]) -> None:
    home, _ = house
    with Visit(browser, home) as visit:
        page = visit.page
        home.peer.send("param/follow", 0.25)
        expect(page.locator("#p-follow")).to_have_value("0.25")
        expect(page.locator("output[for=p-follow]")).to_have_text("25 %")
        page.locator("#seed-lock").click()
        _until(lambda: int(home.daemon.server.parameters["seed"]) >= 0)
        expect(page.locator("#seed-lock")).to_have_attribute("aria-pressed", "true")
        page.locator("#seed-lock").click()
        _until(lambda: home.daemon.server.parameters["seed"] == -1)
        page.locator("#preset").select_option("two")
        _until(lambda: home.daemon.loader.playing is not None and home.daemon.loader.playing.name == "two")
        expect(page.locator("#preset")).to_have_value("two")
        # A gap in the events' numbers: what was missed is asked for.
        home.daemon.server.parameters.set("guidance", 3.5)
        lease = next(one for one in home.daemon.server.leases if hasattr(one.target, "client"))
        lease.seq += 5
        expect(page.locator("#p-guidance")).to_have_value("3.5")
        assert visit.said == []


def test_a_page_that_dies_with_the_button_down_lets_go(house: tuple[House, VirtualMicrophone]) -> None:
    home, _ = house
    with connect(f"ws://127.0.0.1:{home.panel.port}/events", origin=home.origin, proxy=None) as socket_:  # type: ignore[arg-type]
        socket_.send('{"address": "/vocaldm/record", "args": [1]}')
        _until(lambda: home.daemon.is_recording)
    _until(lambda: not home.daemon.is_recording)


def test_it_comes_back_by_itself(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_tiny_preset(tmp_path / "presets", "one")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with housed(tmp_path, **{"panel.port": port}) as home:
        visit = Visit(browser, home)
        expect(visit.page.locator("#state")).to_have_text("Ready.", timeout=PATIENCE)
    expect(visit.page.locator("#state")).to_contain_text("Not connected")
    expect(visit.page.locator("#record")).to_be_disabled()
    with housed(tmp_path, **{"panel.port": port, "parameters.guidance": 4.0}) as home:
        began = time.monotonic()
        expect(visit.page.locator("#state")).to_have_text("Ready.", timeout=PATIENCE)
        print(f"heard again after {time.monotonic() - began:.1f} s, the preset's loading included")
        expect(visit.page.locator("#p-guidance")).to_have_value("4")
        visit.context.close()


def test_a_page_of_another_version_says_so(
    browser: Any, house: tuple[House, VirtualMicrophone], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = house
    with Visit(browser, home) as visit:
        assert "version" not in visit.page.locator("#messages").inner_text()
    monkeypatch.setattr(
        "vocaldm_live.panel.app.__version__", "0.0.9"
    )  # as if it had been open since an update
    with Visit(browser, home) as visit:
        sentence = f"This page is of version 0.0.9 and the daemon of {__version__}: reload the page."
        expect(visit.page.locator("#messages")).to_contain_text(sentence)


def test_the_time_from_press_to_recording(browser: Any, house: tuple[House, VirtualMicrophone]) -> None:
    home, _ = house
    with Visit(browser, home) as visit:
        page = visit.page
        page.wait_for_timeout(2000)  # the page has drawn its cards
        for _ in range(20):
            page.keyboard.down("Space")
            expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
            page.keyboard.up("Space")
            expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
        took = page.evaluate("performance.getEntriesByName('press to recording').map(one => one.duration)")
        assert len(took) == 20
        print("press to recording, ms:", sorted(round(one, 1) for one in took))


def _until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
