"""Preset headers: whatever is wrong in preset.yaml is told in one sentence with its key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import assert_sentence, change_header, make_tiny_preset

from vocaldm_live.checkpoints.preset import check_preset, read_preset
from vocaldm_live.errors import PresetError

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound preset that nobody may change."""
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture
def header_only(whole: Path, tmp_path: Path) -> Path:
    """A folder with its preset.yaml alone, enough where the header is what is wrong."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    shutil.copy2(whole / "preset.yaml", folder)
    return folder


def within(*keys: str | int, **values: Any) -> Change:
    """A change that updates the mapping at `keys`."""

    def change(plain: Any) -> None:
        for key in keys:
            plain = plain[key]
        plain.update(values)

    return change


def without(*keys: str) -> Change:
    """A change that removes the last of `keys`."""

    def change(plain: Any) -> None:
        for key in keys[:-1]:
            plain = plain[key]
        del plain[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (within(colour="red"), "colour"),
        (within("parts", "unet", wdith=3), "parts.unet.wdith"),
        (without("licence"), "licence"),
        (without("geometry", "hop"), "geometry.hop"),
        (without("parts", "vae", "sha256"), "parts.vae.sha256"),
        (without("parts", "vocoder", "kind"), "parts.vocoder.kind"),
        (within("parts", "vocoder", kind="wavenet"), "parts.vocoder.kind"),
        (within("parts", "vocoder", blocks=0), "parts.vocoder.blocks"),
        (within("geometry", hop="480"), "geometry.hop"),
        (within("geometry", fmax=30000.0), "geometry"),
        (within("geometry", mel_bands=127), "127 mel bands"),
        (within("parameters", "guidance", default="much"), "parameters.guidance.default"),
        (within("parameters", "steps", default=2.5), "parameters.steps.default"),
        (within("parameters", "steps", default=500), "parameters.steps"),
        (within("parameters", "steps", high=True), "parameters.steps.high"),
        (within("parameters", "follow", high=2.0), "follow"),
        (within("parameters", "sampler", default="euler"), "euler"),
        (within("parameters", guidance_interval=[0.5]), "parameters.guidance_interval"),
        (within("parts", "unet", channels=[8, 18]), "parts.unet"),
        (within("parts", "vae", channels=[4, 8]), "parts.vae.channels"),
        (within("parts", "vae", file="../vae.safetensors"), "parts.vae.file"),
        (within("parts", "vae", file="/tmp/vae.safetensors"), "parts.vae.file"),
        (within("parts", "vae", file="..\\vae.safetensors"), "parts.vae.file"),
        (within("parts", "vae", file="vae.pt"), "parts.vae.file"),
        (within("parts", "vae", file="unet.safetensors"), "same file"),
        (within("schedule", beta_start=float("nan")), "schedule.beta_start"),
        (within(format=2), "format"),
        (within(version=1.0), "version"),
        (within(credits="me"), "credits"),
        (within(name="../up"), "name"),
    ],
)
def test_a_wrong_header_is_told_with_its_key(header_only: Path, change: Change, told: str) -> None:
    change_header(header_only, change)
    text = check_preset(header_only)[0]
    with pytest.raises(PresetError) as caught:
        read_preset(header_only)
    assert str(caught.value) == text
    assert_sentence(text)
    assert told in text and str(header_only / "preset.yaml") in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "name: [",
        "name: a\nname: b\n",
        "a: &x [1]\nb: *x\n",
        "\x00",
        "a: !!python/object:os.x {}",
    ],
)
def test_a_file_that_is_no_header_is_told(header_only: Path, text: str) -> None:
    (header_only / "preset.yaml").write_text(text)
    problems = check_preset(header_only)
    assert len(problems) == 1 and str(header_only / "preset.yaml") in problems[0]
    assert_sentence(problems[0])


def test_bytes_that_are_no_text_are_told(header_only: Path) -> None:
    (header_only / "preset.yaml").write_bytes(b"\xff\xfe\x00name")
    assert_sentence(check_preset(header_only)[0])


def test_a_folder_without_a_header_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert "preset.yaml is missing" in check_preset(folder)[0]
        with pytest.raises(PresetError, match="preset.yaml is missing"):
            read_preset(folder)


def test_numbers_may_be_written_as_people_write_them(header_only: Path) -> None:
    path = header_only / "preset.yaml"
    text = path.read_text()
    assert "mel_floor: 1.0e-05" in text and "fmin: 20.0" in text
    before = read_preset(header_only)
    path.write_text(text.replace("mel_floor: 1.0e-05", "mel_floor: 1e-5").replace("fmin: 20.0", "fmin: 20"))
    after = read_preset(header_only)
    assert after.geometry == before.geometry and after.sha256 == before.sha256


def test_a_renamed_folder_is_told(header_only: Path) -> None:
    other = header_only.rename(header_only.with_name("other"))
    text = check_preset(other)[0]
    assert "tiny" in text and "other" in text
    with pytest.raises(PresetError, match="rename"):
        read_preset(other)
