"""Checkpoints: whole or not at all, strict by name and shape, never a pickle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from disks import remount, small_disk
from tiny import assert_sentence
from torch import nn

from training import checkpoint
from training.checkpoint import load, newest, previous_of, save, taken, trained_weights
from training.errors import RunError
from training.partial import load_partly, told

TENSORS = {"network.a.weight": torch.arange(6.0).reshape(2, 3), "optimiser.main.a.step": torch.tensor(3.0)}


def test_tensors_and_facts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    assert newest(tmp_path) is None
    transposed = {"x": torch.arange(6.0).reshape(2, 3).T, "half": torch.ones(2, dtype=torch.bfloat16)}
    save(path, TENSORS | transposed, {"step": 7, "planned": None})
    tensors, facts = load(path)
    assert facts == {"step": 7, "planned": None}
    assert all(torch.equal(tensors[name], value) for name, value in (TENSORS | transposed).items())
    assert newest(tmp_path) == path and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("when", [1, 2])
def test_an_end_between_the_renames_loses_one_save_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save(path, TENSORS, {"step": 1})
    calls = 0

    def ended(one: Path, other: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == when:
            raise KeyboardInterrupt
        os.rename(one, other)

    monkeypatch.setattr(checkpoint.os, "replace", ended)
    with pytest.raises(KeyboardInterrupt):
        save(path, TENSORS, {"step": 2})
    monkeypatch.undo()
    assert newest(tmp_path) == path and load(path)[1] == {"step": 1}
    assert ("goes on from" in capsys.readouterr().err) == (when == 2)
    save(path, TENSORS, {"step": 3})
    assert load(path)[1] == {"step": 3} and os.listdir(tmp_path) == [path.name]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save(previous_of(path), TENSORS, {"step": 1})
    path.write_bytes(b"the power went out here")
    assert load(path)[1] == {"step": 1}
    assert_sentence(capsys.readouterr().err.strip())
    previous_of(path).unlink()
    with pytest.raises(RunError, match="damaged") as caught:
        load(path)
    assert_sentence(str(caught.value))


def test_a_full_disk_is_one_sentence_and_the_old_one_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        path = disk / "checkpoint.safetensors"
        save(path, TENSORS, {"step": 1})
        with pytest.raises(RunError, match="free space") as caught:
            save(path, {"large": torch.zeros(100_000)}, {"step": 2})
        assert_sentence(str(caught.value))
        assert load(path)[1] == {"step": 1} and os.listdir(disk) == [path.name]
        remount(disk, "size=2m")
        save(path, {"large": torch.zeros(100_000)}, {"step": 3})
        assert load(path)[1] == {"step": 3}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda state: state.pop("network.a.weight"), "lacks network.a.weight"),
        (lambda state: state.update({"network.b": torch.ones(1)}), "holds network.b"),
        (lambda state: state.update({"network.a.weight": torch.ones(3, 2)}), "[3, 2] there and [2, 3]"),
    ],
)
def test_loading_is_strict_by_name_and_shape(change, part: str) -> None:  # type: ignore[no-untyped-def]
    state = {"network.a.weight": torch.ones(2, 3), "network.a.bias": torch.ones(2)}
    change(state)
    into = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}
    with pytest.raises(RunError) as caught:
        taken(state, "network.", into, Path("checkpoint.safetensors"))
    assert part in str(caught.value)
    assert_sentence(str(caught.value))
    assert not into["a.bias"].any()


def test_trained_weights_are_the_averaged_ones_by_name(tmp_path: Path) -> None:
    state = {
        "network.unet.w": torch.zeros(1),
        "average.unet.w": torch.ones(1),
        "average.other.w": torch.zeros(1),
    }
    save(tmp_path / checkpoint.CHECKPOINT_FILE, state, {})
    assert trained_weights(tmp_path, "unet") == {"w": torch.ones(1)}
    save(tmp_path / checkpoint.BEST_FILE, {"average.unet.w": torch.full((1,), 2.0)}, {})
    assert trained_weights(tmp_path, "unet") == {"w": torch.full((1,), 2.0)}
    with pytest.raises(RunError, match="no trained network vae"):
        trained_weights(tmp_path, "vae")


def test_a_partial_load_reports_every_tensor() -> None:
    network = nn.ModuleDict({"body": nn.Linear(3, 3), "film": nn.Linear(2, 4), "new": nn.Linear(1, 1)})
    body, film = torch.ones(3, 3), network["film"].weight.detach().clone()
    state = {
        "body.weight": body,
        "body.bias": torch.ones(3),
        "film.weight": torch.ones(4, 1),
        "film.bias": torch.ones(4),
        "old.weight": torch.ones(1),
    }
    for allow, part in (
        ((), "lack new.weight"),
        (("new.", "film."), "hold old.weight"),
        (("new.", "old."), "size"),
    ):
        with pytest.raises(RunError, match=part) as caught:
            load_partly(network, state, allow)
        assert_sentence(str(caught.value))
        assert not torch.equal(network["body"].weight, body), "nothing is copied where anything does not fit"
    loaded = load_partly(network, state, ("new.", "old.", "film."))
    assert loaded.taken == ("body.weight", "body.bias", "film.bias")
    assert torch.equal(network["body"].weight, body) and torch.equal(network["film"].weight, film)
    assert told(loaded).splitlines() == [
        "3 tensors taken",
        "missing, left as it was: new.weight",
        "missing, left as it was: new.bias",
        "unexpected, left out: old.weight",
        "reshaped, left as it was: film.weight [4, 1] -> [4, 2]",
    ]
