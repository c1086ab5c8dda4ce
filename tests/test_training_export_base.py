"""Export over a base: trained parts take the place of its own, the story is told truly, what does not belong is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from training.cli import main
from training.export import export
from training.provenance import credits_of, describe_data, plain_command, without_places
from vocaldm_live.checkpoints.preset import check_preset, load_modules, load_part, read_preset
from vocaldm_live.checkpoints.weights import file_sha256

ANYWHERE = "/" + "home/somebody/My Sounds/bells"


def make_run(folder: Path, state: dict[str, dict[str, Any]], base: Path | None, **facts: Any) -> Path:
    """A finished run as the loop leaves it, with weights by part."""
    folder.mkdir(parents=True)
    for part, tensors in state.items():
        save_file(tensors, folder / f"{part}.safetensors")
    about: dict[str, Any] = {
        "data": describe_data(ANYWHERE, ["b", "a"]),
        "credits": ["Bells, CC0"],
        **facts.pop("about", {}),
    }
    if base is not None:
        preset = read_preset(base)
        about["base"] = {"name": preset.name, "sha256": preset.sha256}
    run = {
        "command": ["vocaldm-train", "vocaldm", "--out", str(folder), "--set", f"data.source={ANYWHERE}"],
        "versions": {"torch": "2"},
        "state": "done",
        "steps": 40,
        "seconds": 12.5,
        "best": {"error": 0.5},
        "frozen": {},
        "about": about,
        **facts,
    }
    (folder / "run.json").write_text(json.dumps(run))
    recipe = {"command": "vocaldm", "batch": 4, "data": {"source": ANYWHERE}, "machine": {"devices": 1}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def moved(preset: Path, part: str, by: float = 0.25) -> dict[str, torch.Tensor]:
    """A part's weights, as if they had been trained on."""
    state = load_part(read_preset(preset), part).state_dict()
    return {key: value + by if value.is_floating_point() else value for key, value in state.items()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("base"))


@pytest.fixture
def run(base: Path, tmp_path: Path) -> Path:
    parts = {part: moved(base, part) for part in ("unet", "adapter")}
    return make_run(tmp_path / "runs" / "bells", parts, base)


def command(base: Path, tmp_path: Path, *more: str) -> list[str]:
    return ["export", "--base", str(base), "--name", "bells", "--to", str(tmp_path / "presets"), *more]


def refused(command: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(command) == code
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert_sentence(said)
    return said


@pytest.mark.slow
def test_trained_parts_take_their_places_and_the_rest_stays(base: Path, run: Path, tmp_path: Path) -> None:
    given = ["--unet", str(run), "--adapter", str(run), "--steps", "3", "--guidance", "0:1.5:4"]
    assert main(command(base, tmp_path, *given)) == 0
    folder = tmp_path / "presets" / "bells"
    assert check_preset(folder) == []
    preset, old = read_preset(folder), read_preset(base)
    for part in ("encoder", "vae", "vocoder"):
        assert (folder / f"{part}.safetensors").read_bytes() == (base / f"{part}.safetensors").read_bytes()
    for part in ("unet", "adapter"):
        wanted = load_file(run / f"{part}.safetensors")
        found = load_part(preset, part).state_dict()
        for key, value in wanted.items():
            stored = value.half().float() if value.ndim > 1 else value
            assert torch.equal(found[key], stored), key
    told = preset.header.parameters
    assert (told.steps.low, told.steps.default, told.steps.high) == (1, 3, 100)
    assert (told.guidance.low, told.guidance.default, told.guidance.high) == (0.0, 1.5, 4.0)
    assert told.sampler == old.header.parameters.sampler and preset.header.licence == old.header.licence
    load_modules(preset)


@pytest.mark.slow
def test_the_preset_tells_what_was_run_and_not_where(base: Path, run: Path, tmp_path: Path) -> None:
    extra = tmp_path / "more.yaml"
    extra.write_text("hardware: two cores\n")
    given = ["--unet", str(run), "--adapter", str(run), "--training", str(extra)]
    assert main(command(base, tmp_path, *given)) == 0
    header = read_preset(tmp_path / "presets" / "bells").header
    story = header.training
    assert story["hardware"] == "two cores" and story["base"]["sha256"] == read_preset(base).sha256
    assert story["base"]["training"] == {"steps": 0} and list(story["runs"]) == ["vocaldm"]
    entry = story["runs"]["vocaldm"]
    assert entry["parts"] == ["adapter", "unet"] and entry["steps"] == 40 and entry["seconds"] == 12.5
    assert entry["command"] == "vocaldm-train vocaldm --out bells --set data.source=bells"
    assert entry["recipe"] == {"command": "vocaldm", "batch": 4, "data": {"source": "bells"}}
    assert entry["data"]["name"] == "bells" and entry["data"]["items"] == 2
    assert entry["base"]["sha256"] == read_preset(base).sha256
    assert header.credits == ("Nobody: the weights are random numbers", "Bells, CC0")
    text = (tmp_path / "presets" / "bells" / "preset.yaml").read_text()
    assert "somebody" not in text and str(tmp_path) not in text


@pytest.mark.slow
def test_an_audioldm_keeps_its_towers_and_words(tmp_path: Path) -> None:
    base = make_tiny_audioldm(tmp_path / "bases")
    run = make_run(tmp_path / "run", {"unet": moved(base, "unet", 0.01)}, base)
    done = export(str(base), {"unet": run}, "bells", tmp_path / "presets")
    assert check_preset(done.preset.folder) == []
    for name in ("clap_text.safetensors", "clap_audio.safetensors", "vocab.json", "merges.txt"):
        assert (done.preset.folder / name).read_bytes() == (base / name).read_bytes()
    assert done.preset.header.schedule.spacing == "leading"
    assert done.dtypes["unet"] == torch.float32 and "clap_text" in done.dtypes


@pytest.mark.slow
def test_what_does_not_belong_is_refused(
    base: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_tiny_preset(tmp_path / "others", "tiny", seed=1)
    assert "was trained from the preset tiny" in refused(command(other, tmp_path, "--unet", str(run)), capsys)
    broken = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(broken | {"state": "paused"}))
    assert "is not finished (paused)" in refused(command(base, tmp_path, "--unet", str(run)), capsys)
    (run / "run.json").write_text("{")
    assert "tells no whole story" in refused(command(base, tmp_path, "--unet", str(run)), capsys)
    (run / "run.json").unlink()
    state = load_file(run / "unet.safetensors")
    key = "network.conv_out.weight"
    save_file({**state, key: torch.zeros(8, 9, 3, 3)}, run / "unet.safetensors")
    said = refused(command(base, tmp_path, "--unet", str(run)), capsys)
    assert key in said and "does not fit tiny" in said
    assert "holds no vae.safetensors" in refused(command(base, tmp_path, "--vae", str(run)), capsys)
    assert "Nothing is given" in refused(command(base, tmp_path), capsys)
    assert "dtype is 'int8'" in refused(command(base, tmp_path, "--dtype", "int8"), capsys, 2)
    assert "steps is '1:2'" in refused(
        command(base, tmp_path, "--unet", str(run), "--steps", "1:2"), capsys, 2
    )
    assert "parameters.steps" in refused(
        command(base, tmp_path, "--adapter", str(run), "--steps", "500"), capsys
    )
    presets = tmp_path / "presets"
    assert not presets.exists() or list(presets.iterdir()) == []
    own = ["export", "--base", str(base), "--adapter", str(run), "--name", "tiny", "--to", str(base.parent)]
    assert "replace its own base" in refused(own, capsys)


@pytest.mark.slow
def test_a_vae_has_to_mean_the_same_latents(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_part(read_preset(base), "vae").state_dict()
    decoder = {key: value + 0.1 if ".decoder." in key else value for key, value in state.items()}
    run = make_run(tmp_path / "decoder", {"vae": decoder}, None)
    assert main(command(base, tmp_path, "--vae", str(run))) == 0
    run = make_run(tmp_path / "whole", {"vae": moved(base, "vae", 0.1)}, None)
    assert "makes other latents than the VAE of tiny" in refused(
        command(base, tmp_path, "--vae", str(run)), capsys
    )
    # A UNet that was trained beside it, by a run that knows of no base, is taken at its word.
    unet = make_run(tmp_path / "unet", {"unet": moved(base, "unet")}, None)
    assert main(command(base, tmp_path, "--vae", str(run), "--unet", str(unet))) == 0


@pytest.mark.slow
def test_a_run_may_describe_the_part_it_made(base: Path, tmp_path: Path) -> None:
    """A vocoder of another size takes the old one's place as its run describes it, and says which range it is for."""
    from vocaldm_live.model.vocoder import Vocoder
    from vocaldm_live.sound.geometry import HOUSE

    torch.manual_seed(0)
    sizes = {"channels": 24, "hidden": 40, "blocks": 1}
    told = {"parts": {"vocoder": {"kind": "istft", **sizes}}, "parameters": {"tail_seconds": 0.5}}
    run = make_run(tmp_path / "run", {"vocoder": Vocoder(HOUSE, **sizes).state_dict()}, None, about=told)
    assert main(command(base, tmp_path, "--vocoder", str(run))) == 0
    header = read_preset(tmp_path / "presets" / "bells").header
    assert header.parts.vocoder.channels == 24 and header.parameters.tail_seconds == 0.5  # type: ignore[union-attr]


@pytest.mark.slow
def test_what_a_run_stood_on_has_to_come_along(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that was given another encoder says so by its identity; the preset has to have that one."""
    encoder = tmp_path / "encoder.safetensors"
    save_file(moved(base, "encoder", 0.01), encoder)
    preset = read_preset(base)
    identity = {"base": f"{preset.sha256} encoder {file_sha256(encoder)}", "data": "0" * 64}
    run = make_run(
        tmp_path / "run", {"adapter": moved(base, "adapter")}, None, identity=identity, about={"data": {}}
    )
    given = ["--adapter", str(run)]
    assert "another encoder than that of tiny" in refused(command(base, tmp_path, *given), capsys)
    other = ["--encoder", str(base / "encoder.safetensors")]
    assert "another encoder than that of tiny" in refused(command(base, tmp_path, *given, *other), capsys)
    assert main(command(base, tmp_path, *given, "--encoder", str(encoder))) == 0
    entry = read_preset(tmp_path / "presets" / "bells").header.training["runs"]["vocaldm"]
    assert entry["base"]["sha256"] == preset.sha256 and entry["base"]["replaced"]["encoder"]
    assert entry["data"] == {"name": "bells", "sha256": "0" * 64}
    (run / "run.json").write_text((run / "run.json").read_text().replace(preset.sha256, "f" * 64))
    assert "ffffffffffff" in refused(command(base, tmp_path, *given, "--encoder", str(encoder)), capsys)


@pytest.mark.slow
def test_griffin_lim_and_a_note_on_the_adapter(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", {"encoder": moved(base, "encoder", 0.01)}, None)
    assert main(command(base, tmp_path, "--encoder", str(run), "--griffin-lim", "8")) == 0
    assert "align it with this one" in capsys.readouterr().err
    header = read_preset(tmp_path / "presets" / "bells").header
    assert header.parts.vocoder.kind == "griffin-lim"
    # And back again: a vocoder's weights take its place.
    vocoder = tmp_path / "vocoder.safetensors"
    vocoder.write_bytes((base / "vocoder.safetensors").read_bytes())
    sizes = tmp_path / "sizes.yaml"
    sizes.write_text("vocoder: {channels: 16, hidden: 32, blocks: 2}\n")
    again = [
        "export",
        "--base",
        str(tmp_path / "presets" / "bells"),
        "--vocoder",
        str(vocoder),
        "--name",
        "again",
    ]
    assert main([*again, "--architecture", str(sizes), "--to", str(tmp_path / "presets")]) == 0


def test_places_become_names() -> None:
    line = ["/usr/bin/vocaldm-train", "vae", "--out", "~/runs/x", "--set", "data.source=C:\\Users\\me\\bells"]
    assert plain_command(line) == "vocaldm-train vae --out x --set data.source=bells"
    assert without_places("hub:owner/name") == "hub:owner/name" and without_places("0.5") == "0.5"
    assert without_places({"a": [f"{{source: {ANYWHERE.replace(' ', '')}, limit: 3}}"], "b": 2}) == {
        "a": ["{source: bells, limit: 3}"],
        "b": 2,
    }
    for folder in ("[drums] kit/x", "{a} b/x", "a [b]/x", "[b]/[c] d/x", "new\nline/x"):
        for said in (
            f"/home/anna/{folder}",
            f"data.source=/home/anna/{folder}",
            f'["/home/anna/{folder}", 2]',
        ):
            assert "anna" not in plain_command([said]) and "x" in plain_command([said]), said
    assert without_places("/home/anna/[drums] kit/x") == "x"
    assert without_places("[adapter,film]") == "[adapter,film]", (
        "what names no place is left as it was written"
    )


def test_credits_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "CREDITS.txt").write_text("# names\n- A bell, CC0\n\nA door, CC BY 4.0\n")
    (tmp_path / "LICENSE").write_text("\nCreative Commons Zero\n\nNo rights reserved\n")
    assert credits_of(tmp_path) == (
        "A bell, CC0",
        "A door, CC BY 4.0",
        f"{tmp_path.name}: LICENSE, Creative Commons Zero",
    )
    assert credits_of(tmp_path / "nowhere") == ()
