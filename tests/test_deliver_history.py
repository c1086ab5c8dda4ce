"""The history: every clip found again, stars that outlive a rebuild, files never touched."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from tiny import assert_sentence

from vocaldm_live.deliver.gestures import Gestures
from vocaldm_live.deliver.history import Entry, History, HistoryError
from vocaldm_live.deliver.outbox import Outbox
from vocaldm_live.deliver.recipe import Recipe
from vocaldm_live.sound.audio import Sound, read_sound

NOISE = (0.1 * np.random.default_rng(0).standard_normal(4800)).astype(np.float32)


def recipe(seed: int, created: str = "2026-11-21T10:00:00+00:00", preset: str = "one") -> Recipe:
    return Recipe(
        "0.1.0",
        preset,
        "a" * 64,
        "/voices/hit.wav",
        "b" * 64,
        seed,
        4,
        2.0,
        1.0,
        "ddim",
        0.0,
        0.2,
        "cpu",
        created,
    )


def publish(folder: Path, seed: int, title: str = "hit", **more: str) -> tuple[Path, Path]:
    done = Outbox(folder).publish(NOISE, 48000, recipe(seed, **more), title)
    return done.path, done.recipe_path


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite")


def test_a_clip_is_found_by_id_beginning_and_path(history: History, tmp_path: Path) -> None:
    path, recipe_path = publish(tmp_path / "out", 5)
    entry = history.add(path, recipe_path, 0.1, request="r", source="osc")
    assert entry.seed == 5 and entry.name == "hit" and entry.request == "r"
    assert history.get(entry.id) == history.get(entry.id[:4]) == history.get(str(path)) == entry
    assert history.add(path, recipe_path, 0.1) == entry
    for wrong in ("nothing", entry.id[:3], ""):
        with pytest.raises(HistoryError) as caught:
            history.get(wrong)
        assert_sentence(str(caught.value))


def test_the_newest_come_first_and_filters_hold(history: History, tmp_path: Path) -> None:
    made = [
        history.add(*publish(tmp_path / "out", seed, title, created=created, preset=preset), 0.1)
        for seed, title, created, preset in (
            (1, "hit", "2026-11-21T10:00:00+00:00", "one"),
            (2, "whoosh", "2026-11-21T12:00:00+00:00", "two"),
            (3, "hit", "2026-11-21T11:00:00+00:00", "two"),
        )
    ]
    history.star(made[0].id, True)

    def seeds(entries: list[Entry]) -> list[int]:
        return [entry.seed for entry in entries]

    assert seeds(history.entries()) == [2, 3, 1]
    assert seeds(history.entries(limit=1)) == [2]
    assert seeds(history.entries(text="whoosh")) == [2]
    assert seeds(history.entries(preset="two")) == [2, 3]
    assert seeds(history.entries(starred=True)) == [1]
    assert seeds(history.entries(since="2026-11-21T11")) == [2, 3]


def test_a_rebuilt_history_is_the_same(history: History, tmp_path: Path) -> None:
    for seed in range(4):
        history.add(*publish(tmp_path / "out", seed), 0.1, request=f"r{seed}", parent="p")
    history.star(history.entries()[1].id, True)
    before = sorted(history.entries(), key=lambda entry: entry.id)
    assert history.rebuild(tmp_path / "out") == 4
    assert sorted(history.entries(), key=lambda entry: entry.id) == before


def test_outbox_and_history_agree_again(history: History, tmp_path: Path) -> None:
    out = tmp_path / "out"
    known = history.add(*publish(out, 1), 0.1)
    publish(out, 2)
    broken = publish(out, 3)[1]
    broken.write_text("{")
    hidden = known.path.rename(out / ".away")
    assert history.reconcile(out) == (1, 1)
    assert history.get(known.id).missing and broken.read_text() == "{"
    hidden.rename(known.path)
    assert history.reconcile(out) == (0, 0)
    assert not history.get(known.id).missing


def test_a_damaged_history_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database at all" * 100)
    history = History(path)
    assert history.reconcile(tmp_path) == (0, 0)
    history.add(*publish(tmp_path / "out", 1), 0.1)
    assert [one.read_bytes()[:18] for one in tmp_path.glob("*.broken-*")] == [b"no database at all"]
    assert_sentence(caplog.messages[-1])


def test_many_threads_may_write(history: History, tmp_path: Path) -> None:
    clips = [publish(tmp_path / "out", seed) for seed in range(24)]

    def add(part: list[tuple[Path, Path]]) -> None:
        for path, recipe_path in part:
            history.add(path, recipe_path, 0.1)

    threads = [threading.Thread(target=add, args=(clips[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.entries()) == 24


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("count", [401, 44100])
def test_a_gesture_reads_back_with_its_digest(tmp_path: Path, rate: int, count: int) -> None:
    sound = Sound(np.random.default_rng(1).standard_normal(count).astype(np.float32) * 2, rate)
    gestures = Gestures(tmp_path / "imitations")
    assert gestures.find(sound.digest()) is None
    path = gestures.keep(sound)
    assert path == gestures.keep(sound) == gestures.find(sound.digest())
    assert read_sound(path).digest() == sound.digest()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
