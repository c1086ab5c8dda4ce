"""The shelf: presets by the hash of all that they say, whole or not at all, and nothing half made for ever."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.checkpoints.vocoders import resolve_vocoder
from vocaldm_live.cluster.gate import Gate
from vocaldm_live.cluster.shelf import PIECE, STALE_SECONDS, Shelf, bundle_of, read_piece
from vocaldm_live.cluster.worker import Worker
from vocaldm_live.errors import ClusterError


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return read_preset(make_tiny_preset(tmp_path_factory.mktemp("presets")))


def send(
    shelf: Shelf, preset: Preset, change: Callable[[str, bytes], bytes] = lambda file, data: data
) -> Preset:
    bundle = bundle_of(preset)

    def piece(file: str, offset: int) -> bytes:
        return change(file, read_piece(bundle.files[file], offset))

    return shelf.fetch(bundle.digest, (bundle.name, bundle.vocoder, list(bundle.files)), piece)


def test_a_preset_that_was_sent_is_found_by_its_hash_and_whole(tmp_path: Path, preset: Preset) -> None:
    shelf = Shelf(tmp_path)
    digest = bundle_of(preset).digest
    assert shelf.find(digest) is None
    sent = send(shelf, preset)
    assert bundle_of(sent).digest == digest and sent.folder != preset.folder
    assert sorted(path.name for path in sent.folder.iterdir()) == sorted(bundle_of(preset).files)
    for file, path in bundle_of(preset).files.items():
        assert (sent.folder / file).read_bytes() == path.read_bytes()
    # Another shelf on the same folder knows it too, and nothing half made lies about.
    assert Shelf(tmp_path).find(digest) is not None
    assert [entry.name for entry in tmp_path.iterdir()] == [digest]
    assert PIECE < 2**26


def test_a_preset_that_arrives_as_another_is_refused(tmp_path: Path, preset: Preset) -> None:
    def changed(file: str, data: bytes) -> bytes:
        return data.replace(b"guidance_rescale: 0", b"guidance_rescale: 1") if file == "preset.yaml" else data

    with pytest.raises(ClusterError) as caught:
        send(Shelf(tmp_path), preset, changed)
    assert_sentence(str(caught.value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["../a", "/etc/a", "a/../../b", ".hidden", "a/b/c", "", "c:\\a"])
def test_no_file_leads_out_of_the_shelf(tmp_path: Path, preset: Preset, file: str) -> None:
    shelf = Shelf(tmp_path / "shelf")
    key = shelf.begin("0" * 64, "tiny", "")
    with pytest.raises(ClusterError) as caught:
        shelf.put(key, file, b"x")
    assert_sentence(str(caught.value))
    for digest, name in (("../x", "tiny"), ("0" * 64, "../x"), ("0" * 64, "")):
        with pytest.raises(ClusterError):
            shelf.begin(digest, name, "")


def test_weights_that_were_damaged_on_the_way_are_refused_by_the_worker(
    tmp_path: Path, preset: Preset
) -> None:
    def damaged(file: str, data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if file == "unet.safetensors" and data else data

    job = {"batch": "b", "kind": "warm", "digest": bundle_of(preset).digest, "parcels": [b""]}
    worker = Worker("cpu", 0, str(tmp_path))
    answer = worker.run(job, lambda *told: None, lambda shelf, digest: send(shelf, preset, damaged))
    assert_sentence(answer["error"])
    assert "unet.safetensors" in answer["error"]


@pytest.mark.parametrize("what", ["preset", "vocoder"])
def test_weights_that_arrive_cut_off_are_not_kept_and_can_be_sent_again(
    tmp_path: Path, preset: Preset, what: str
) -> None:
    file = "unet.safetensors"
    if what == "vocoder":
        preset = preset.with_vocoder(
            resolve_vocoder(str(make_tiny_preset(tmp_path / "other", "other", seed=3)))
        )
        file = "vocoder/vocoder.safetensors"
    shelf = Shelf(tmp_path / "shelf")
    with pytest.raises(ClusterError, match=file) as caught:
        send(shelf, preset, lambda name, data: data[:-1] if name == file else data)
    assert_sentence(str(caught.value))
    assert list(shelf.folder.iterdir()) == [] and shelf.find(bundle_of(preset).digest) is None
    assert bundle_of(send(shelf, preset)).digest == bundle_of(preset).digest


@pytest.mark.slow
def test_a_preset_that_was_exported_anew_in_its_place_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOCALDM_PRESETS", str(tmp_path))
    first = read_preset(make_tiny_preset(tmp_path, "one", seed=1))
    shelf = Shelf(tmp_path / "shelf")
    assert shelf.find(bundle_of(first).digest) is not None
    second = read_preset(make_tiny_preset(tmp_path, "one", seed=2))
    assert shelf.find(bundle_of(first).digest) is None
    found = shelf.find(bundle_of(second).digest)
    assert found is not None and found.sha256 == second.sha256


def test_a_place_of_presets_that_is_gone_hides_no_preset_that_was_sent(
    tmp_path: Path, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path)
    send(shelf, preset)
    monkeypatch.setenv("VOCALDM_PRESETS", str(tmp_path / "gone"))
    assert Shelf(tmp_path).find(bundle_of(preset).digest) is not None
    assert Shelf(tmp_path).find("0" * 64) is None


def test_what_breaks_off_leaves_nothing(tmp_path: Path, preset: Preset) -> None:
    def breaks(file: str, data: bytes) -> bytes:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        send(Shelf(tmp_path), preset, breaks)
    assert list(tmp_path.iterdir()) == []

    shelf = Shelf(tmp_path)
    key = shelf.begin("0" * 64, "tiny", "")
    (tmp_path / f".{key}.part" / "tiny" / "unet.safetensors").mkdir()  # as a disk that says no
    with pytest.raises(ClusterError) as caught:
        shelf.put(key, "unet.safetensors", b"x")
    assert_sentence(str(caught.value))
    assert list(tmp_path.iterdir()) == []
    for late in (lambda: shelf.put(key, "unet.safetensors", b"x"), lambda: shelf.finish(key, "0" * 64)):
        with pytest.raises(ClusterError, match="come to nowhere"):
            late()
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_goes_on_sending_is_removed_when_a_gate_starts_or_another_is_sent(
    tmp_path: Path, preset: Preset
) -> None:
    def old(key: str) -> Path:
        place = tmp_path / f".{key}.part"
        for path in (place / "tiny" / "unet.safetensors", place / "tiny", place):
            os.utime(path, (time.time() - 2 * STALE_SECONDS,) * 2)
        return place

    shelf = Shelf(tmp_path)
    keys = [shelf.begin("0" * 64, "tiny", "") for _ in range(3)]
    for key in keys:
        shelf.put(key, "unet.safetensors", b"x")
    first, second = (old(key) for key in keys[:2])
    Gate([], str(tmp_path))
    assert not first.exists() and not second.exists() and (tmp_path / f".{keys[2]}.part").exists()
    third = old(keys[2])
    send(shelf, preset)
    assert not third.exists()
    with pytest.raises(ClusterError, match="come to nowhere"):
        shelf.put(keys[2], "unet.safetensors", b"x")
