"""Averages of weights: part of the way from one network to the other, and only between the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import assert_sentence

from training.cli import main


def test_a_quarter_of_the_way(tmp_path: Path) -> None:
    first, second, out = (
        str(tmp_path / name) for name in ("a.safetensors", "b.safetensors", "in/c.safetensors")
    )
    save_file({"w": torch.tensor([0.0, 4.0]), "n": torch.tensor([1])}, first)
    save_file({"w": torch.tensor([4.0, 0.0], dtype=torch.float16), "n": torch.tensor([2])}, second)
    assert main(["average", first, second, "--share", "0.25", "--out", out]) == 0
    made = load_file(out)
    assert made["w"].tolist() == [1.0, 3.0] and made["w"].dtype == torch.float32 and made["n"].tolist() == [2]


@pytest.mark.parametrize("other", [{"w": torch.zeros(3)}, {"v": torch.zeros(2)}])
def test_other_networks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, torch.Tensor]
) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "a")
    save_file(other, tmp_path / "b")
    command = ["average", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")]
    assert main([*command, "--share", "0.5"]) == 1
    said = capsys.readouterr().err.strip()
    assert "different networks" in said and not (tmp_path / "c").exists()
    assert_sentence(said)
    assert main([*command, "--share", "1.5"]) == 2
