"""AudioLDM's lists of clips to make: both forms of a line, and names that every file system takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import assert_sentence
from tiny_audioldm import make_tiny_audioldm

from training.cli import main
from training.data.prompt_list import LONGEST_NAME, Prompt, read_prompts
from training.errors import DataError


def prompts(path: Path, text: str) -> tuple[tuple[Prompt, ...], list[str]]:
    path.write_text(text, encoding="utf-8")
    said: list[str] = []
    return read_prompts(path, said.append), said


def test_both_forms_of_a_line(tmp_path: Path) -> None:
    text = 'A dog barks\n\nYk2.wav|rain on a roof\r\ndir/deep.flac|a "door"|slams\nC:\\x\\y.wav | wind\n'
    found, said = prompts(tmp_path / "list.lst", text)
    assert said == []
    assert found == (
        Prompt("A_dog_barks", "A dog barks"),
        Prompt("Yk2", "rain on a roof"),
        Prompt("deep", 'a "door"|slams'),
        Prompt("y", "wind"),
    )


def test_names_are_short_and_without_folders(tmp_path: Path) -> None:
    long = "w\u00e4lder rauschen " * 40
    found, _ = prompts(tmp_path / "list.txt", f"{long}\na/b 'c'\n...|dots\n")
    assert len(found[0].name.encode()) <= LONGEST_NAME and found[0].text == " ".join(long.split())
    assert [prompt.name for prompt in found[1:]] == ["a_b__c", "line-0003"]


def test_what_says_nothing_is_told(tmp_path: Path) -> None:
    found, said = prompts(tmp_path / "list.lst", "one.wav|  \ntwo.wav|rain\n")
    assert [prompt.name for prompt in found] == ["two"]
    assert len(said) == 1 and said[0].startswith("Line 1 of") and "says nothing" in said[0]
    assert_sentence(said[0])
    for text in ("", "\n \n"):
        with pytest.raises(DataError, match="asks for no clip"):
            prompts(tmp_path / "empty.lst", text)


@pytest.mark.slow
def test_a_list_is_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = make_tiny_audioldm(tmp_path / "presets", "words", audio=False)
    (tmp_path / "list.lst").write_text("a dog barks\nname.wav|rain\nother.wav|\nname.wav|wind\n")
    asked = ["render", str(tmp_path / "list.lst"), "--preset", str(preset), "--out", str(tmp_path / "clips")]
    assert main([*asked, "--steps", "1", "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert "3 clips made" in said.out and "says nothing of it" in said.err
    made = sorted(path.name for path in (tmp_path / "clips").glob("*.wav"))
    assert made == ["a_dog_barks.wav", "name-2.wav", "name.wav"]
