"""The folder layouts of VimSketch and QVIM-DEV, made small: who belongs to whom, and what is missing is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from vocaldm_live.errors import SoundError
from vocaldm_live.library.dataset import TABLE, read_dataset


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def pairs(folder: Path, problems: list[str]) -> tuple[str, list[tuple[str, str, str]]]:
    """The set's name, and of each query its file, its item's file and that one's class."""
    found = read_dataset(folder, problems.append)
    assert found is not None
    rows = [(one.path.name, found.items[one.item].name, found.classes[one.item]) for one in found.queries]
    return found.name, rows


@pytest.mark.parametrize("inside", ["", "Vim_Sketch_Dataset"])
def test_vimsketch_pairs_by_what_follows_the_number(tmp_path: Path, inside: str) -> None:
    touch(
        tmp_path / inside,
        "references/247_246Sounds of things_Tools_Sanding.wav",
        "references/534_232-wind_whistling-everyday.wav",
        "vocal_imitations/04599_246Sounds of things_Tools_Sanding.wav",
        "vocal_imitations/04600_246Sounds of things_Tools_Sanding.wav",
        "vocal_imitations/12000_232-wind_whistling-everyday.wav",
        "vocal_imitations/12001_nobody.wav",
    )
    problems: list[str] = []
    sanding = "246Sounds of things_Tools_Sanding"
    assert pairs(tmp_path, problems) == (
        "VimSketch",
        [
            (f"04599_{sanding}.wav", f"247_{sanding}.wav", sanding),
            (f"04600_{sanding}.wav", f"247_{sanding}.wav", sanding),
            (
                "12000_232-wind_whistling-everyday.wav",
                "534_232-wind_whistling-everyday.wav",
                "232-wind_whistling-everyday",
            ),
        ],
    )
    assert len(problems) == 1 and "12001_nobody.wav" in problems[0]


def test_qvim_dev_follows_its_table(tmp_path: Path) -> None:
    place = tmp_path / "qvim-dev"
    touch(place, "Items/Rain/soft.wav", "Items/Rain/hard.wav", "Items/Birds/tit.wav")
    touch(place, "Queries/Rain/s1.wav", "Queries/Rain/s2.wav", "Queries/Birds/t1.wav")
    (place / TABLE).write_text(
        "Development set,,,,,\n"
        "Label,Class,Items,Query 1,Query 2,Query 3\n"
        "1,Rain,soft.wav,s1.wav,s2.wav,\n"
        "2,Rain,hard.wav,lost.wav,,\n"
        "3,Birds,tit,t1.wav,../../Rain/s1.wav,\n"
        "4,Birds,gone.wav,t1.wav,,\n"
        ",,,,,\n",
        encoding="utf-8-sig",
    )
    problems: list[str] = []
    assert pairs(tmp_path, problems) == (
        "QVIM-DEV",
        [("s1.wav", "soft.wav", "Rain"), ("s2.wav", "soft.wav", "Rain"), ("t1.wav", "tit.wav", "Birds")],
    )
    found = read_dataset(tmp_path, lambda sentence: None)
    assert found is not None and [path.name for path in found.items] == ["soft.wav", "hard.wav", "tit.wav"]
    assert [name in " ".join(problems) for name in ("lost.wav", "s1.wav", "gone.wav")] == [True] * 3
    assert len(problems) == 3


def test_what_is_neither_is_left_to_others_and_what_is_empty_is_told(tmp_path: Path) -> None:
    touch(tmp_path / "flat", "1_imitation.wav")
    assert read_dataset(tmp_path / "flat", print) is None
    touch(tmp_path / "empty", "references/1_a.wav")
    (tmp_path / "empty" / "vocal_imitations").mkdir()
    with pytest.raises(SoundError, match="VimSketch"):
        read_dataset(tmp_path / "empty", print)
    with pytest.raises(SoundError, match="not a folder"):
        read_dataset(tmp_path / "none", print)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(SoundError, match="Class and Items"):
        read_dataset(tmp_path / "odd", print)
