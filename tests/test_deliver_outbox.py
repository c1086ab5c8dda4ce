"""The outbox: a clip appears complete or not at all, and nothing published is ever touched."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest
import recipes
import soundfile

from vocaldm_live.deliver.outbox import Outbox, PublishedClip
from vocaldm_live.deliver.recipe import Recipe, read_recipe
from vocaldm_live.deliver.ucs import parse_name
from vocaldm_live.deliver.wave import fade_ends
from vocaldm_live.errors import DeliveryError, RequestError

wavinfo = parts.package("wavinfo")
RECIPE = replace(recipes.RECIPE, notes=("A first note.",))


def sound(peak: float = 0.5, frames: int = 4800) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * 1000 * np.arange(frames) / 48000)).astype(np.float32)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def publish(
    folder: Path, samples: np.ndarray | None = None, title: str = "Whoosh", **settings: Any
) -> PublishedClip:
    return Outbox(folder, **settings).publish(
        sound() if samples is None else samples, 48000, RECIPE, title, "Credits."
    )


def test_a_clip_appears_with_recipe_and_pointer_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    clip = publish(folder)
    stem = "DSGNSynth_Whoosh_VDM_VocalDM_0001"
    assert names(folder) == [f"{stem}.json", f"{stem}.wav", "latest.json"]
    assert clip.path == folder / f"{stem}.wav" and clip.recipe_path == folder / f"{stem}.json"
    assert clip.path.is_absolute() and clip.gain_db == 0.0 and clip.peak == pytest.approx(0.5)
    assert json.loads((folder / "latest.json").read_text()) == {
        "clip": str(clip.path),
        "recipe": str(clip.recipe_path),
    }
    assert read_recipe(clip.recipe_path) == RECIPE


@pytest.mark.parametrize("shape", ["mono", "stereo"])
def test_samples_are_the_given_ones_but_for_the_fades(tmp_path: Path, shape: str) -> None:
    samples = sound(0.9) if shape == "mono" else np.stack([sound(0.9), sound(0.2)], axis=1)
    before = samples.copy()
    clip = publish(tmp_path, samples)
    read, rate = soundfile.read(clip.path, dtype="float64")
    assert rate == 48000 and soundfile.info(clip.path).subtype == "PCM_24"
    assert np.abs(read - fade_ends(samples, 48000)).max() <= 0.5 / 2**23
    assert np.abs(read - samples)[240:-240].max() <= 0.5 / 2**23
    assert not read[0].any() and not read[-1].any()
    np.testing.assert_array_equal(samples, before)


def test_the_file_tells_what_it_is(tmp_path: Path) -> None:
    clip = publish(tmp_path, title="Größer", cat_id="DSGNWhsh", creator_id="AB", source_id="Show")
    name = parse_name(clip.path.name)
    assert (name.cat_id, name.fx_name, name.creator_id, name.source_id) == (
        "DSGNWhsh",
        "Grosser",
        "AB",
        "Show",
    )
    read = wavinfo.WavInfoReader(str(clip.path), info_encoding="utf-8")
    assert read.info.title == "Größer" and "Credits." in read.info.comment
    assert "seed 7" in read.bext.description and "generative" in read.bext.description
    assert read.bext.originator_date == "2026-01-31" and len(read.bext.originator_ref) == 32
    assert Recipe.from_json(read.ixml.raw_xml.findtext("USER/Recipe")) == RECIPE
    assert read.ixml.raw_xml.findtext("ASWG/subCategory") == "WHOOSH"


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_a_clip_over_full_scale_is_turned_down_and_says_so(tmp_path: Path, bits: int) -> None:
    samples = sound(2.0)
    clip = publish(tmp_path, samples, bits=bits)
    assert clip.peak == pytest.approx(2.0, rel=1e-3)
    assert clip.gain_db == pytest.approx(-6.12, abs=0.01)
    read, _ = soundfile.read(clip.path, dtype="float64")
    assert np.abs(read).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-4)
    middle = slice(240, -240)
    np.testing.assert_allclose(read[middle], samples[middle] * 10 ** (clip.gain_db / 20), atol=2 / 2**15)
    notes = read_recipe(clip.recipe_path).notes
    assert notes[0] == "A first note." and "6.12 dB" in notes[1]
    again = Outbox(tmp_path, bits).publish(samples, 48000, read_recipe(clip.recipe_path), "Again")
    assert read_recipe(again.recipe_path).notes == notes
    assert "6.12 dB" in wavinfo.WavInfoReader(str(clip.path), info_encoding="utf-8").info.comment


def test_a_quiet_clip_stays_quiet(tmp_path: Path) -> None:
    clip = publish(tmp_path, sound(0.001))
    read, _ = soundfile.read(clip.path)
    assert np.abs(read).max() == pytest.approx(0.001, rel=0.01)
    assert read_recipe(clip.recipe_path).notes == RECIPE.notes


def test_the_same_clip_gives_the_same_samples_in_16_bit_too(tmp_path: Path) -> None:
    first, second = publish(tmp_path, bits=16), publish(tmp_path, bits=16)
    np.testing.assert_array_equal(soundfile.read(first.path)[0], soundfile.read(second.path)[0])


def test_names_never_collide_and_earlier_clips_stay(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    first = outbox.publish(sound(0.1), 48000, RECIPE, "Whoosh")
    first_bytes = first.path.read_bytes()
    second = outbox.publish(sound(0.2), 48000, RECIPE, "Whoosh")
    third = Outbox(tmp_path).publish(sound(0.3), 48000, RECIPE, "Whoosh")
    assert (
        len({first.path, second.path, third.path, first.recipe_path, second.recipe_path, third.recipe_path})
        == 6
    )
    assert first.path.read_bytes() == first_bytes
    assert json.loads((tmp_path / "latest.json").read_text())["clip"] == str(third.path)


@pytest.mark.parametrize("taken", ["{}.wav", "{}.json", ".{}.wav.part"])
def test_a_name_that_somebody_else_took_is_passed_over(tmp_path: Path, taken: str) -> None:
    outbox = Outbox(tmp_path)
    outbox.publish(sound(), 48000, RECIPE, "Whoosh")
    stranger = tmp_path / taken.format("DSGNSynth_Whoosh_VDM_VocalDM_0002")
    stranger.write_bytes(b"not ours")
    clip = outbox.publish(sound(), 48000, RECIPE, "Whoosh")
    assert clip.path.name.endswith("_0003.wav")
    assert stranger.read_bytes() == b"not ours"


def _publish_many(folder: Path, start: Any, results: Any) -> None:
    start.wait()
    outbox = Outbox(folder)
    results.put([str(outbox.publish(sound(0.1, 480), 48000, RECIPE, "Whoosh").path) for _ in range(10)])


@pytest.mark.slow
def test_two_processes_publish_at_once_into_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Event(), context.Queue()
    workers = [context.Process(target=_publish_many, args=(tmp_path, start, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    paths = [path for _ in workers for path in results.get(timeout=60)]
    for worker in workers:
        worker.join(timeout=60)
    assert len(set(paths)) == len(paths) == 20
    assert all(soundfile.info(path).frames == 480 for path in paths)
    assert len(names(tmp_path)) == 41 and not any(name.endswith(".part") for name in names(tmp_path))
    assert json.loads((tmp_path / "latest.json").read_text())["clip"] in paths


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = sound()
    samples[100] = bad
    with pytest.raises(DeliveryError, match="NaN or infinite"):
        publish(tmp_path, samples)
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
@pytest.mark.parametrize("passes", [0, 1, 2])
def test_a_full_disk_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, passes: int
) -> None:
    publish(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real, calls = getattr(os, call), iter(range(10**6))

    def fail(*arguments: Any, **settings: Any) -> Any:
        if next(calls) >= passes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **settings)

    outbox = Outbox(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(DeliveryError, match="full") as caught:
            outbox.publish(sound(), 48000, RECIPE, "Whoosh")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert outbox.publish(sound(), 48000, RECIPE, "Whoosh").path.exists()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:1000])))
    clip = publish(tmp_path)
    assert soundfile.info(clip.path).frames == 4800


def test_a_clip_is_nowhere_visible_before_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_replace, real_fsync, appeared = os.replace, os.fsync, []

    def watch_fsync(descriptor: int) -> None:
        assert all(name.startswith(".") and name.endswith(".part") for name in names(tmp_path))
        real_fsync(descriptor)

    def watch_replace(source: Path, target: Path) -> None:
        appeared.append(Path(target).name)
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(os, "replace", watch_replace)
    clip = publish(tmp_path)
    assert appeared == [clip.path.name, clip.recipe_path.name, "latest.json"]


def test_a_stopped_publish_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path)
    assert names(tmp_path) == []


def test_a_recipe_that_cannot_take_its_name_is_reported_with_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def refuse_json(source: Path, target: Path) -> None:
        if Path(target).suffix == ".json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse_json)
    with pytest.raises(DeliveryError, match="_0001.wav was written but"):
        publish(tmp_path)
    assert names(tmp_path) == ["DSGNSynth_Whoosh_VDM_VocalDM_0001.wav"]


def test_a_file_in_the_folders_place_is_refused_and_kept(tmp_path: Path) -> None:
    blocker = tmp_path / "out"
    blocker.write_text("mine")
    for folder in (blocker, blocker / "deeper"):
        with pytest.raises(DeliveryError, match="is not a folder"):
            publish(folder)
        with pytest.raises(DeliveryError, match="is not a folder"):
            Outbox(folder).check()
    assert blocker.read_text() == "mine" and names(tmp_path) == ["out"]


def test_check_makes_the_folder_and_leaves_it_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    Outbox(folder).check()
    assert names(folder) == []

    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeliveryError, match="permissions"):
        Outbox(folder).check()
    assert names(folder) == []


def test_settings_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="20"):
        Outbox(tmp_path, bits=20)
    with pytest.raises(RequestError, match="CatID"):
        Outbox(tmp_path, cat_id="whoosh")
