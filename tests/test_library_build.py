"""A library's index: built, brought up to date, killed and resumed, damaged, locked; found by what is in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from libraries import RATE, Bands, built, nearest, note_of, pointing, tone
from tiny import assert_sentence

from vocaldm_live.errors import LibraryError, RequestError, SoundError
from vocaldm_live.library import writer
from vocaldm_live.library.places import index_of, known_indexes, locate, only_index
from vocaldm_live.library.scan import Found, walk
from vocaldm_live.library.search import Search, check_vectors, mean_vector
from vocaldm_live.library.store import read_facts, read_problems
from vocaldm_live.library.windows import read_windows, window_starts
from vocaldm_live.library.writer import Writer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    for band in range(1, 9):
        tone(folder / f"deep {band % 2}" / f"{band}.wav", note_of(band))
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


def test_every_sound_below_the_folder_is_found_by_what_it_is(sounds: Path, index: Path) -> None:
    before = sorted(sounds.rglob("*"))
    done, said = built(sounds, index)
    assert (done.files, done.read, done.refused, done.dropped, said) == (8, 8, 0, 0, [])
    assert [nearest(index, band, 1) for band in range(1, 9)] == [[f"{band}.wav"] for band in range(1, 9)]
    assert sorted(sounds.rglob("*")) == before, "nothing is written among the user's sounds"


def test_only_what_changed_is_read_again(sounds: Path, index: Path) -> None:
    built(sounds, index)
    ears = Bands()
    assert built(sounds, index, ears)[0].read == 0 and ears.heard == 0
    tone(sounds / "new.wav", note_of(12))
    changed = tone(sounds / "deep 1" / "1.wav", note_of(14))
    os.utime(changed, ns=(1, 1))
    (sounds / "deep 0" / "2.wav").unlink()
    done, _ = built(sounds, index, ears)
    assert (done.files, done.read, done.dropped, ears.heard) == (8, 2, 1, 2)
    assert nearest(index, 12, 1) == ["new.wav"] and nearest(index, 14, 1) == ["1.wav"]
    assert "2.wav" not in nearest(index, 2, 20) and len(nearest(index, 2, 20)) == 8


def test_what_cannot_be_read_is_named_once_and_skipped(sounds: Path, index: Path) -> None:
    (sounds / "broken.wav").write_text("no sound")
    import soundfile

    soundfile.write(sounds / "silent.wav", np.zeros(RATE), RATE)
    done, said = built(sounds, index)
    assert (done.files, done.refused) == (10, 2) and len(nearest(index, 1, 20)) == 8
    assert ["broken.wav" in said[0], "silent" in said[1], len(said)] == [True, True, 2]
    for sentence in said:
        assert_sentence(sentence)
    assert built(sounds, index)[1] == [] and sorted(read_problems(index)) == sorted(said)
    tone(sounds / "broken.wav", note_of(13))
    assert built(sounds, index)[0].read == 1 and len(read_problems(index)) == 1
    assert nearest(index, 13, 1) == ["broken.wav"]


def test_what_cannot_be_listed_is_not_taken_for_gone(
    sounds: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(sounds, index)
    real = os.scandir

    def refused(path: object) -> object:
        if str(path).endswith("deep 1"):
            raise PermissionError(13, "Permission denied")
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refused)
    done, said = built(sounds, index)
    assert done.dropped == 0 and len(said) == 1 and "deep 1" in said[0]
    assert len(nearest(index, 1, 20)) == 8


def test_an_empty_folder_leaves_its_index_alone(sounds: Path, index: Path, tmp_path: Path) -> None:
    built(sounds, index)
    sounds.rename(tmp_path / "away")
    with pytest.raises(LibraryError, match="not a folder"):
        built(sounds, index)
    sounds.mkdir()
    with pytest.raises(LibraryError, match="stays as it is"):
        built(sounds, index)
    assert len(nearest(index, 1, 20)) == 8


def test_a_killed_build_goes_on_where_it_was(sounds: Path, index: Path, tmp_path: Path) -> None:
    for number in range(60):
        tone(sounds / f"more {number:02}.wav", note_of(9 + number % 7))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "from vocaldm_live.library import writer; writer.COMMIT_FILES = 5; import runpy, sys; "
    code += f"sys.argv[1:] = {[str(sounds), str(index)]!r}; "
    code += f"runpy.run_path({str(ROOT / 'tests' / 'libraries.py')!r}, run_name='__main__')"
    for lines in (8, 21):
        with subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        ) as killed:
            assert killed.stdout is not None
            for _ in range(lines):
                assert killed.stdout.readline() == ".\n"
            killed.kill()
    facts = read_facts(index)
    assert 20 <= facts.spaces[0].rows < 60, "both runs left what they had committed"
    ears = Bands()
    done, _ = built(sounds, index, ears)
    assert done.read == ears.heard == 68 - facts.spaces[0].rows
    whole = tmp_path / "whole"
    built(sounds, whole)
    assert check_vectors(index, "bands") == []
    for band in range(1, 16):
        assert nearest(index, band, 68) == nearest(whole, band, 68)


def test_rows_that_were_never_committed_do_not_count(sounds: Path, index: Path) -> None:
    built(sounds, index)
    with open(index / "bands-1.f32", "ab") as array:
        array.write(b"\xff" * 100)
    tone(sounds / "new.wav", note_of(12))
    built(sounds, index)
    assert nearest(index, 12, 1) == ["new.wav"] and check_vectors(index, "bands") == []


def test_dead_rows_are_left_behind_and_readers_go_on(
    sounds: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(sounds, index)
    search = Search(index, "bands", "a" * 64)
    for band in (1, 3, 5):
        (sounds / "deep 1" / f"{band}.wav").unlink()
    built(sounds, index)
    assert read_facts(index).spaces[0].rows == 5
    assert sorted(path.name for path in index.glob("*.f32")) == ["bands-2.f32"]
    assert [hit.path.name for hit in search.find(pointing(6), 1)] == ["6.wav"] and len(search) == 5
    tone(sounds / "late.wav", note_of(15))
    built(sounds, index)
    assert [hit.path.name for hit in search.find(pointing(15), 1)] == ["late.wav"]
    search.close()


def test_another_encoder_begins_anew_and_says_so(sounds: Path, index: Path) -> None:
    built(sounds, index)
    with pytest.raises(LibraryError, match="another encoder") as caught:
        Search(index, "bands", "b" * 64)
    assert_sentence(str(caught.value))
    done, _ = built(sounds, index, Bands("b" * 64))
    assert done.read == 8 and len(done.notes) == 1
    assert_sentence(done.notes[0])
    search = Search(index, "bands", "b" * 64)
    assert len(search) == 8 and [path.name for path in index.glob("*.f32")] == ["bands-2.f32"]
    search.close()


def test_a_second_embedding_lies_beside_the_first(sounds: Path, index: Path) -> None:
    built(sounds, index)
    other = Bands("c" * 64)
    other.name, other.width = "finer", 32  # type: ignore[misc]
    assert built(sounds, index, other)[0].read == 8
    assert [(one.name, one.width, one.rows) for one in read_facts(index).spaces] == [
        ("bands", 16, 8),
        ("finer", 32, 8),
    ]
    assert nearest(index, 4, 1) == ["4.wav"] and built(sounds, index)[0].read == 0
    (sounds / "deep 1" / "1.wav").unlink()
    built(sounds, index, other)
    assert "1.wav" not in nearest(index, 1, 20)


def test_two_builds_at_once_are_refused(sounds: Path, index: Path) -> None:
    with Writer(index, sounds, "bands", "a" * 64, 16):
        with pytest.raises(LibraryError, match="being built by another") as caught:
            built(sounds, index)
        assert_sentence(str(caught.value))
    assert built(sounds, index)[0].read == 8


def test_damage_is_told_and_mended_by_a_fresh_build(sounds: Path, index: Path) -> None:
    built(sounds, index)
    array = index / "bands-1.f32"
    whole = array.read_bytes()
    for damaged in (whole[:100], None):
        array.unlink() if damaged is None else array.write_bytes(damaged)
        for attempt in (lambda: nearest(index, 1), lambda: built(sounds, index)):
            with pytest.raises(LibraryError, match="--fresh") as caught:
                attempt()
            assert_sentence(str(caught.value))
    (index / "library.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(LibraryError, match="--fresh"):
        nearest(index, 1)
    assert built(sounds, index, fresh=True)[0].read == 8 and nearest(index, 1, 1) == ["1.wav"]
    array = next(index.glob("*.f32"))
    array.write_bytes(bytes(len(whole)))
    assert "8 vectors" in check_vectors(index, "bands")[0]


def test_a_folder_of_something_else_never_becomes_an_index(sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("dear")
    with pytest.raises(LibraryError, match="not empty"):
        built(sounds, tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["mine.txt"]


@pytest.mark.skipif(os.name == "nt", reason="names there are always Unicode")
def test_names_that_are_no_text_are_found(sounds: Path, index: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(sounds) + b"/caf\xe9.wav"))
    tone(sounds / "plain.wav", note_of(11)).rename(odd)
    Path(os.fsdecode(os.fsencode(sounds) + b"/brok\xe9n.wav")).write_text("no sound")
    assert built(sounds, index)[0].refused == 1 and "n.wav" in read_problems(index)[0]
    search = Search(index, "bands", "a" * 64)
    assert search.find(pointing(11), 1)[0].path == odd and odd.is_file()
    search.close()


def test_links_that_lead_back_end(sounds: Path) -> None:
    (sounds / "deep 0" / "up").symlink_to(sounds, target_is_directory=True)
    tone(sounds / ".hidden" / "x.wav", 500)
    tone(sounds / "._mac.wav", 500)
    assert len([found for found in walk(sounds, lambda *_: None)]) == 8


def test_long_sounds_are_heard_in_windows(sounds: Path, index: Path) -> None:
    assert window_starts(0.1) == window_starts(12.4) == [0.0]
    assert window_starts(12.6) == [0.0, pytest.approx(2.6)] and window_starts(30.0) == [0.0, 10.0, 20.0]
    assert window_starts(3600.0) == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    import soundfile

    times = np.arange(35 * RATE) / RATE
    notes = np.select([times < 15, times < 25], [note_of(10), 0.0], note_of(13))
    soundfile.write(sounds / "long.wav", 0.3 * np.sin(2 * np.pi * notes * times), RATE)
    assert [window.start for window in read_windows(sounds / "long.wav")] == [
        0.0,
        pytest.approx(25 / 3),
        pytest.approx(50 / 3),
        25.0,
    ]
    built(sounds, index)
    search = Search(index, "bands", "a" * 64)
    late = search.find(pointing(13), 20)
    assert (late[0].path.name, late[0].start) == ("long.wav", 25.0)
    assert [hit.path.name for hit in late].count("long.wav") == 1 and len(late) == 9
    search.close()
    with pytest.raises(SoundError, match="exist"):
        read_windows(sounds / "none.wav")


def test_pages_go_on_where_the_last_one_ended(sounds: Path, index: Path) -> None:
    built(sounds, index)
    search = Search(index, "bands", "a" * 64)
    whole = search.find(pointing(4), 8)
    assert [hit.rank for hit in whole] == list(range(1, 9))
    assert [*search.find(pointing(4), 3), *search.find(pointing(4), 5, first=3)] == whole
    assert search.find(pointing(4), 5, first=8) == []
    scores = [hit.score for hit in whole]
    assert scores == sorted(scores, reverse=True) and scores[0] == pytest.approx(1.0, abs=0.01)
    with pytest.raises(RequestError, match="1 or more"):
        search.find(pointing(4), 0)
    mean = mean_vector([whole[0].vector])
    assert mean @ pointing(4) == pytest.approx(scores[0]) and np.linalg.norm(mean) == pytest.approx(1.0)
    both = mean_vector([search.find(pointing(band), 1)[0].vector for band in (4, 7)])
    assert both @ pointing(4) == pytest.approx(both @ pointing(7), abs=0.02) == pytest.approx(0.707, abs=0.02)
    search.close()


def test_search_agrees_with_sorting_everything(tmp_path: Path, index: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3000, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with Writer(index, tmp_path, "bands", "a" * 64, 16) as library:
        for number in range(1000):
            library.add(
                Found(b"%04d.wav" % number, 1, 1), rows[3 * number : 3 * number + 3], (0.0, 5.0, 10.0)
            )
    search = Search(index, "bands", "a" * 64)
    query = rows[77]
    best = (rows @ query).reshape(1000, 3).max(axis=1)
    hits = search.find(query, 40)
    assert [hit.path.name for hit in hits] == [f"{at:04}.wav" for at in np.argsort(-best)[:40]]
    assert (hits[0].path.name, hits[0].start) == ("0025.wav", 10.0)
    assert np.array_equal(hits[0].vector, rows[77])
    search.close()


def test_commits_come_while_a_build_goes_on(
    sounds: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMMIT_FILES", 3)
    seen: list[int] = []

    def look(done: int, total: int, name: str) -> None:
        seen.append(read_facts(index).spaces[0].rows)

    built(sounds, index, progress=look)
    assert seen == [0, 0, 3, 3, 3, 6, 6, 6]


def test_places_tell_folders_of_one_name_apart(sounds: Path, tmp_path: Path) -> None:
    base = tmp_path / "libraries"
    with pytest.raises(LibraryError, match="no library yet"):
        only_index(base)
    with pytest.raises(LibraryError, match="no index yet"):
        locate(sounds, base)
    with pytest.raises(LibraryError, match="does not exist"):
        locate(tmp_path / "nowhere", base)
    other = tmp_path / "other" / "sounds"
    tone(other / "x.wav", 500)
    assert index_of(sounds, base) != index_of(other, base) and index_of(sounds / ".." / "sounds", base) == (
        index_of(sounds, base)
    )
    built(sounds, index_of(sounds, base))
    assert only_index(base) == locate(sounds, base) == locate(index_of(sounds, base), base)
    built(other, index_of(other, base))
    assert len(known_indexes(base)) == 2
    with pytest.raises(LibraryError, match="2 libraries"):
        only_index(base)
