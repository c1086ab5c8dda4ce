"""Averages of weights: part of the way from one network to the other, and only between the same ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training import average


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["average", *arguments])
    average.main()


def test_a_quarter_of_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, out = (
        str(tmp_path / name) for name in ("a.safetensors", "b.safetensors", "c.safetensors")
    )
    save_file({"w": torch.tensor([0.0, 4.0]), "n": torch.tensor([1])}, first)
    save_file({"w": torch.tensor([4.0, 0.0], dtype=torch.float16), "n": torch.tensor([2])}, second)
    run(monkeypatch, first, second, "--share", "0.25", "--out", out)
    made = load_file(out)
    assert made["w"].tolist() == [1.0, 3.0] and made["w"].dtype == torch.float32 and made["n"].tolist() == [2]


@pytest.mark.parametrize("other", [{"w": torch.zeros(3)}, {"v": torch.zeros(2)}])
def test_other_networks_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: dict[str, torch.Tensor],
) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "a")
    save_file(other, tmp_path / "b")
    with pytest.raises(SystemExit):
        run(
            monkeypatch,
            str(tmp_path / "a"),
            str(tmp_path / "b"),
            "--share",
            "0.5",
            "--out",
            str(tmp_path / "c"),
        )
    assert "different networks" in capsys.readouterr().err and not (tmp_path / "c").exists()
