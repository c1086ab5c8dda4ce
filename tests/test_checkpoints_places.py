"""Preset places: which folder a name means, in what order, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.places import find_presets, resolve_preset
from vocaldm_live.errors import PresetError


def place(folder: Path, *names: str) -> Path:
    """A folder of things that look like presets from outside."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "preset.yaml").write_text("format: 1\n")
    return folder


def test_presets_are_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place(tmp_path / "first", "b", "a", ".hidden")
    second = place(tmp_path / "second", "a", "c")
    third = place(tmp_path / "third", "c", "d")
    here = place(tmp_path / "here" / "presets", "d", "e").parent
    (first / "no-preset").mkdir()
    monkeypatch.setenv("VOCALDM_PRESETS", os.pathsep.join([str(second), str(third)]))
    monkeypatch.chdir(here)
    found = find_presets([first])
    assert list(found)[:5] == ["a", "b", "c", "d", "e"]
    places = {name: folder.parent.name for name, folder in found.items() if folder.is_relative_to(tmp_path)}
    assert places == {"a": "first", "b": "first", "c": "second", "d": "third", "e": "presets"}


def test_a_place_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PresetError, match="nowhere is not a folder"):
        find_presets([tmp_path / "nowhere"])
    monkeypatch.setenv("VOCALDM_PRESETS", str(tmp_path / "gone"))
    with pytest.raises(PresetError, match="VOCALDM_PRESETS names .*gone"):
        find_presets()


def test_a_name_or_a_path_gives_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOCALDM_PRESETS", raising=False)
    monkeypatch.chdir(tmp_path)
    known = place(tmp_path / "known", "wind", "rain")
    other = place(tmp_path / "other", "wind")
    assert resolve_preset("wind", [known]) == (known / "wind").resolve()
    assert resolve_preset("other/wind", [known]) == (other / "wind").resolve()
    assert resolve_preset(other / "wind", [known]) == (other / "wind").resolve()
    assert resolve_preset("other/wind/preset.yaml") == (other / "wind").resolve()
    for unknown in ("snow", "other/snow", "other", ""):
        with pytest.raises(PresetError) as caught:
            resolve_preset(unknown, [known])
        assert_sentence(str(caught.value))
        assert "rain, wind" in str(caught.value)


@pytest.mark.slow
def test_finding_and_reading_needs_no_torch(tmp_path: Path) -> None:
    whole = make_tiny_preset(tmp_path)
    code = (
        "import sys\n"
        "from vocaldm_live.checkpoints.places import resolve_preset\n"
        "from vocaldm_live.checkpoints.preset import read_preset\n"
        f"print(read_preset(resolve_preset({str(whole)!r})).name, 'torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.split() == ["tiny", "False"], done.stderr
