"""Export of all parts: they become a preset that loads, what does not fit is told, nothing half done is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny import UNET, VAE, VOCODER, assert_sentence, tiny_networks

from training.cli import main
from training.runfolder import save_weights
from vocaldm_live.checkpoints.preset import check_preset, load_modules, read_preset
from vocaldm_live.checkpoints.weights import read_entries


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Folders as the training scripts leave them: diffusion has two weights files."""
    folder = tmp_path / "runs"
    where = {
        "unet": "diffusion",
        "adapter": "diffusion",
        "encoder": "encoder",
        "vae": "vae",
        "vocoder": "vocoder",
    }
    for part, network in tiny_networks().items():
        save_weights(network, folder / where[part] / f"{part}.safetensors")
    return folder


@pytest.fixture
def command(runs: Path, tmp_path: Path) -> list[str]:
    """The arguments that export these runs."""
    parts = {"unet": UNET, "vae": VAE, "vocoder": VOCODER}
    plain = json.loads(json.dumps(parts))
    (tmp_path / "architecture.yaml").write_text(yaml.safe_dump(plain))
    (tmp_path / "training.yaml").write_text("data: [{name: sounds, licence: CC0}]\nminutes: 3\n")
    (tmp_path / "metrics.json").write_text('{"loudness_r": 0.93}')
    (tmp_path / "credits.txt").write_text("# who\n- A bell, CC0\n\nA door, CC BY 4.0\n")
    return [
        *("export", "--runs", str(runs), "--name", "small", "--to", str(tmp_path / "presets")),
        *(
            "--architecture",
            str(tmp_path / "architecture.yaml"),
            "--training",
            str(tmp_path / "training.yaml"),
        ),
        *("--metrics", str(tmp_path / "metrics.json"), "--credits", str(tmp_path / "credits.txt")),
    ]


@pytest.mark.slow
def test_runs_become_a_preset(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    folder = tmp_path / "presets" / "small"
    assert check_preset(folder) == []
    preset = read_preset(folder)
    assert preset.header.training == {"data": [{"name": "sounds", "licence": "CC0"}], "minutes": 3}
    assert preset.header.metrics == {"loudness_r": 0.93}
    assert preset.header.credits == ("A bell, CC0", "A door, CC BY 4.0")
    assert preset.header.parts.encoder.shared_tower and not preset.header.parts.encoder.classifier
    assert preset.header.parts.unet.channels == UNET["channels"]
    loaded, saved = load_modules(preset), tiny_networks()
    wanted = saved["unet"].state_dict()["network.conv_out.weight"]
    found = loaded.unet.state_dict()["network.conv_out.weight"]
    assert torch.equal(found, wanted.half().float())
    told = capsys.readouterr().out
    total = sum(path.stat().st_size for path in folder.iterdir())
    assert f"{total / 1e6:.2f} MB  in all" in told and preset.sha256 in told
    for part in ("encoder", "adapter", "unet", "vae", "vocoder"):
        assert f"{part}.safetensors  float16" in told


@pytest.mark.slow
def test_a_part_that_overflows_float16_is_stored_as_bfloat16(
    command: list[str], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs / "vae" / "vae.safetensors"
    state = load_file(path)
    key = "network.decoder.conv_out.weight"
    state[key][0, 0, 0, 0] = 1e5
    save_file(state, path)
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "vae is stored as bfloat16" in told and key in told
    folder = tmp_path / "presets" / "small"
    assert read_entries(folder / "vae.safetensors")[key].dtype == "BF16"
    assert read_entries(folder / "unet.safetensors")["network.conv_out.weight"].dtype == "F16"
    found = float(load_modules(read_preset(folder)).vae.state_dict()[key][0, 0, 0, 0])
    assert found == pytest.approx(1e5, rel=0.01)


@pytest.mark.slow
def test_a_vector_may_be_larger_than_float16_allows(command: list[str], runs: Path, tmp_path: Path) -> None:
    path = runs / "vae" / "vae.safetensors"
    state = load_file(path)
    state["latent_mean"][0] = 123456.75
    save_file(state, path)
    assert main(command) == 0
    modules = load_modules(read_preset(tmp_path / "presets" / "small"))
    assert float(modules.vae.latent_mean[0]) == 123456.75


def refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence that a failing command leaves on stderr."""
    assert main(command) == 1
    text = capsys.readouterr().err.strip()
    assert_sentence(text)
    return text


@pytest.mark.slow
def test_what_does_not_fit_is_told_and_leaves_nothing(
    command: list[str], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({"a": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    assert "vae" in refused([*command, "--vae", str(tmp_path / "other.safetensors")], capsys)
    (tmp_path / "architecture.yaml").write_text("unet: {channels: [8, 32], groups: 4}\n")
    assert "unet" in refused(command, capsys)
    (tmp_path / "architecture.yaml").write_text("unet: {chanels: [8, 32]}\n")
    assert "parts.unet.chanels" in refused(command, capsys)
    (tmp_path / "architecture.yaml").write_text("attic: {channels: [8, 32]}\n")
    assert "attic" in refused(command, capsys)
    (tmp_path / "architecture.yaml").write_text("{}")
    (tmp_path / "credits.txt").unlink()
    assert "credits.txt" in refused(command, capsys)
    presets = tmp_path / "presets"
    assert not presets.exists() or list(presets.iterdir()) == []


@pytest.mark.slow
def test_a_part_found_twice_or_not_at_all_is_told(
    command: list[str], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = runs / "vae2" / "vae.safetensors"
    second.parent.mkdir()
    second.write_bytes((runs / "vae" / "vae.safetensors").read_bytes())
    assert "--vae" in refused(command, capsys)
    assert main([*command, "--vae", str(second)]) == 0
    second.unlink()
    (runs / "vocoder" / "vocoder.safetensors").unlink()
    assert "--vocoder" in refused(command, capsys)
    (runs / "diffusion" / "unet.safetensors").write_bytes(b"nothing")
    second.write_bytes((runs / "vae" / "vae.safetensors").read_bytes())
    assert "unet.safetensors" in refused([*command, "--vae", str(second), "--griffin-lim", "32"], capsys)
