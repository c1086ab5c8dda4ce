"""The history: what is in the outbox is in it, stars outlive everything, and a killed process leaves no mess."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from disks import small_disk
from recipes import FRAMES, RECIPE, publish
from tiny import assert_sentence

from vocaldm_live.deliver.gestures import Gestures
from vocaldm_live.deliver.history import Entry, History
from vocaldm_live.deliver.leftovers import sweep
from vocaldm_live.deliver.outbox import Outbox
from vocaldm_live.errors import DeliveryError, RequestError
from vocaldm_live.sound.audio import Sound

KILLS = int(os.environ.get("VOCALDM_KILLS", "19"))  # 100 take some minutes


def fill(history: History, folder: Path) -> list[Entry]:
    minutes = [f"2026-01-31T12:0{n}:00+00:00" for n in range(3)]
    return [history.add(*publish(folder, n, created=made)) for n, made in enumerate(minutes)]


def test_a_clip_is_found_by_id_beginning_and_path(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")
    first, *_ = fill(history, tmp_path / "out")
    assert history.get(first.id) == history.get(first.id[:6]) == history.get(first.path) == first
    assert (len(first.id), first.seconds, first.seed, first.starred) == (10, 0.5, 0, False)
    for unknown in ("", "nothing", "0" * 10):
        with pytest.raises(RequestError) as caught:
            history.get(unknown)
        assert_sentence(str(caught.value))


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")
    paths = publish(tmp_path / "out")
    first = history.add(*paths, parent="0123456789", request="r1", source="inbox")
    assert history.add(*paths) == first == history.entries()[0] and len(history.entries()) == 1
    assert (first.parent, first.request, first.source) == ("0123456789", "r1", "inbox")


def test_the_list_is_newest_first_and_filtered(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")
    first, second, third = fill(history, tmp_path / "out")
    other = history.add(
        *publish(tmp_path / "out", title="Bark", preset="dog", created="2026-01-31T13:30:00+02:00")
    )
    assert history.entries() == [third, second, first, other]
    assert history.entries("bark") == history.entries(preset="dog") == [other]
    assert history.entries(limit=2) == [third, second]
    assert history.entries(since="2026-01-31T12:01:00Z") == [third, second]
    history.star(second.id)
    assert [one.id for one in history.entries(starred=True)] == [second.id]
    with pytest.raises(RequestError) as caught:
        history.entries(since="yesterday")
    assert_sentence(str(caught.value))


def test_a_rebuild_gives_the_same_ids_and_keeps_stars_and_kinship(tmp_path: Path) -> None:
    out, history = tmp_path / "out", History(tmp_path / "h.sqlite")
    entries = fill(history, out)
    child = history.add(*publish(out, 9), parent=entries[0].id, request="r2")
    history.star(entries[1].id)
    before = history.entries()
    history.rebuild(out)
    assert history.entries() == before
    anew = History(tmp_path / "new.sqlite")
    assert anew.rebuild(out).added == 4
    assert {one.id for one in anew.entries()} == {one.id for one in before} and child in before


def test_reconcile_marks_what_is_gone_and_finds_what_came(tmp_path: Path) -> None:
    out, history = tmp_path / "out", History(tmp_path / "h.sqlite")
    first, second, _ = fill(history, out)
    publish(out, 99)
    away = tmp_path / "away.wav"
    shutil.move(first.path, away)
    done = history.reconcile(out)
    assert (done.added, done.missing, done.returned) == (1, 1, 0)
    assert history.get(first.id).missing and not history.get(second.id).missing
    assert first.id not in {one.id for one in history.entries(missing=False)}
    shutil.move(away, first.path)
    assert history.reconcile(out).returned == 1 and history.get(first.id) == first
    assert history.reconcile(out) == type(done)()


def test_a_lost_recipe_is_written_again_from_the_clip(tmp_path: Path) -> None:
    out, history = tmp_path / "out", History(tmp_path / "h.sqlite")
    _, recipe_path = publish(out)
    text = recipe_path.read_bytes()
    recipe_path.unlink()
    (out / "foreign.wav").write_bytes(b"RIFF")
    soundfile.write(out / "mine.wav", np.zeros(100), 48000)
    done = history.reconcile(out)
    assert done.added == 1 and recipe_path.read_bytes() == text
    assert [note for note in done.notes if "foreign" in note]


@pytest.mark.parametrize("damage", [b"this is no database at all" * 100, None])
def test_a_damaged_index_is_moved_aside_and_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    out, path = tmp_path / "out", tmp_path / "h.sqlite"
    history = History(path)
    entries = fill(history, out)
    history.star(entries[2].id)
    history.close()
    if damage is None:
        whole = bytearray(path.read_bytes())
        whole[4096:] = random.Random(1).randbytes(len(whole) - 4096)
        damage = bytes(whole)
    path.write_bytes(damage)
    anew = History(path)
    assert len(anew.notes) == 1
    assert_sentence(anew.notes[0].replace(str(path), "x").replace(".damaged-1", ""))
    assert (tmp_path / "h.sqlite.damaged-1").read_bytes() == damage
    anew.reconcile(out)
    assert [one.id for one in anew.entries()] == [one.id for one in reversed(entries)]
    assert anew.get(entries[2].id).starred


def test_many_threads_and_two_indexes_share_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    clips = [publish(out, seed) for seed in range(24)]
    indexes = [History(tmp_path / "h.sqlite") for _ in range(2)]
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for clip in clips[number::4] + clips:
                indexes[number % 2].add(*clip)
                indexes[number % 2].star(clip[0], number % 2 == 0)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert indexes[0].entries() == indexes[1].entries() and len(indexes[0].entries()) == 24


def test_an_index_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeliveryError) as caught:
        History(tmp_path / "file" / "h.sqlite")
    assert_sentence(str(caught.value).replace("h.sqlite", "h"))


# Gestures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [44100, 48000, 16000])
def test_a_gesture_comes_back_bit_for_bit(tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(rate).standard_normal(5001).astype(np.float32)
    sound, gestures = Sound(samples, rate), Gestures(tmp_path / "imitations")
    path = gestures.save(sound)
    assert gestures.save(Sound(samples.copy(), rate)) == path
    assert [one.name for one in path.parent.iterdir()] == [f"{sound.digest()}.wav"]
    back = gestures.load(sound.digest())
    assert back.digest() == sound.digest() and np.array_equal(back.samples, samples)


def test_a_gesture_that_was_not_kept_is_looked_for_in_its_file(tmp_path: Path) -> None:
    sound = Sound(np.linspace(-0.5, 0.5, 4000, dtype=np.float32), 48000)
    soundfile.write(tmp_path / "voice.wav", sound.samples, 48000, subtype="FLOAT")
    gestures = Gestures(tmp_path / "imitations")
    assert np.array_equal(gestures.load(sound.digest(), tmp_path / "voice.wav").samples, sound.samples)
    for sha256, path in (("0" * 64, tmp_path / "voice.wav"), (sound.digest(), None), ("../x", None)):
        with pytest.raises(RequestError):
            gestures.load(sha256, path)


# Killed, full, gone ------------------------------------------------------------------------------------------

CHILD = """
import sys, numpy as np
from dataclasses import replace
from pathlib import Path
from vocaldm_live.deliver.history import History
from vocaldm_live.deliver.outbox import Outbox
from vocaldm_live.deliver.recipe import Recipe
outbox, history = Outbox(sys.argv[1]), History(sys.argv[2])
RECIPE, FRAMES = Recipe.from_json(sys.argv[4]), int(sys.argv[5])
samples = (0.3 * np.sin(np.arange(FRAMES) / 20)).astype(np.float32)
print("ready", flush=True)
seed = int(sys.argv[3]) * 100000
while True:
    seed += 1
    clip = outbox.publish(samples, 48000, replace(RECIPE, seed=seed), "Whoosh")
    entry = history.add(clip.path, clip.recipe_path)
    print(entry.id, flush=True)
"""


@pytest.mark.parametrize("kills", [6, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_killed_at_any_moment_nothing_is_torn_and_nothing_finished_is_lost(
    tmp_path: Path, kills: int
) -> None:
    out, base = tmp_path / "out", tmp_path / "h.sqlite"
    out.mkdir()
    ways = os.pathsep.join((str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")))
    moments, swept = random.Random(kills), 0
    promised: set[str] = set()
    for turn in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(out), str(base), str(turn), RECIPE.to_json(), str(FRAMES)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": ways},
        )
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.2))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read()
        child.stdout.close()
        child.wait()
        promised |= {line for line in said.splitlines(keepends=False) if len(line) == 10}
        for path in out.glob("*.wav"):
            if not path.name.startswith("."):
                assert soundfile.info(path).frames == FRAMES
                assert len(soundfile.read(path)[0]) == FRAMES
        swept += len(Outbox(out).sweep())
        assert not [entry.name for entry in out.iterdir() if entry.name.endswith(".part")]
        history = History(base)
        assert history.notes == ()
        history.reconcile(out)
        found = {entry.path for entry in history.entries()}
        assert found == set(out.glob("[!.]*.wav"))
        assert all(entry.recipe_path.is_file() and not entry.missing for entry in history.entries())
        history.close()
    assert promised <= {entry.id for entry in History(base).entries()} and promised
    print(f"{kills} kills, {len(promised)} clips told, {swept} parts swept")


def test_parts_of_living_processes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep before every rename of a clip that is being published takes nothing away."""
    real, swept = os.replace, []

    def watched(source: Any, target: Any) -> None:
        code = "import sys; from pathlib import Path; from vocaldm_live.deliver.leftovers import sweep; "
        code += f"print(len(sweep(Path({str(tmp_path)!r}))))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        swept.append(int(done.stdout))
        real(source, target)

    monkeypatch.setattr(os, "replace", watched)
    path, recipe_path = publish(tmp_path)
    assert swept == [0, 0, 0] and path.is_file() and recipe_path.is_file()


def test_parts_of_dead_processes_go_and_strangers_stay(tmp_path: Path) -> None:
    stem = "DSGNSynth_Whoosh_VDM_VocalDM_0001"
    ours = [f".{stem}.wav.part", f".{stem}.json.part", f".{stem}.latest.json.part", ".check.99999999.part"]
    strangers = [".download.part", "song.wav.part", f".{stem}.flac.part", f".check.{os.getpid()}.part"]
    for name in ours + strangers:
        (tmp_path / name).write_bytes(b"half")
    assert {path.name for path in sweep(tmp_path)} == set(ours)
    assert {path.name for path in tmp_path.iterdir()} == set(strangers)
    assert sweep(tmp_path / "nowhere") == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_told_and_what_was_finished_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        made: list[Path] = []
        with pytest.raises(DeliveryError, match="full") as caught:
            for seed in range(20):
                made.append(publish(disk, seed)[0])
        assert_sentence(str(caught.value))
        assert made and all(soundfile.info(path).frames == FRAMES for path in made)
        assert not list(disk.glob(".*"))
        history = History(tmp_path / "h.sqlite")
        assert history.reconcile(disk).added == len(made)
        (disk / "latest.json").unlink()
        shutil.move(made[0], tmp_path / "moved.wav")
        assert publish(disk, 50)[0].is_file()


def test_an_outbox_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    out, history = tmp_path / "out", History(tmp_path / "h.sqlite")
    outbox = Outbox(out)
    samples = (0.3 * np.sin(np.arange(FRAMES) / 20)).astype(np.float32)
    first = outbox.publish(samples, 48000, RECIPE, "Whoosh")
    entry = history.add(first.path, first.recipe_path)
    shutil.rmtree(out)
    second = outbox.publish(samples, 48000, RECIPE, "Whoosh")
    assert json.loads((out / "latest.json").read_text())["clip"] == str(second.path)
    assert history.add(second.path, second.recipe_path).path == second.path
    assert history.reconcile(out).missing == (0 if first.path == second.path else 1)
    assert history.get(entry.id).missing == (first.path != second.path)
