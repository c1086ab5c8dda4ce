"""Index, variations, time plan and the stages' journal of a preset made from a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_sets import burst, put
from tiny import assert_sentence

from training.data.formats import read_collection
from training.data.split import split_by_group
from training.errors import DataError, RunError
from training.preset.index import Index, index
from training.preset.journal import Stages
from training.preset.plan import SHARES, STAGES, Plan
from training.preset.variations import OCTAVES, vary_all


def folder(place: Path, count: int = 6) -> Path:
    for number in range(count):
        put(place / f"{number}.wav", number)
    return place


def test_a_folder_is_indexed_once_and_split_by_what_sounds(tmp_path: Path) -> None:
    place = folder(tmp_path / "sounds")
    put(place / "0 louder.wav", 0.5 * burst(0))
    put(place / "silence.wav", np.zeros(8000, np.float32))
    put(place / "blip.wav", burst(9)[:160])
    (place / "broken.wav").write_bytes(b"RIFFnothing")
    told: list[str] = []
    found = index(read_collection(str(place)), 0.3, told.append)
    assert found.sounds == 7 and 0 < found.held_out < 7
    assert found.splits["0.wav"] == found.splits["0 louder.wav"], "copies at another level stay together"
    assert len(told) == 3 and tuple(told) == found.problems
    for sentence in told:
        assert_sentence(sentence)
    assert any("silent" in one for one in told) and any("10.0 ms" in one for one in told)
    assert Index.of(found.plain()) == found


def test_what_chooses_does_not_judge(tmp_path: Path) -> None:
    place = folder(tmp_path / "sounds", 24)
    put(place / "3 louder.wav", 0.5 * burst(3))
    found = index(read_collection(str(place)), 0.2, print)
    sides = list(found.splits.values())
    assert [sides.count(name) for name in ("test", "validation")] == [found.held_out, found.choosing]
    assert found.held_out >= 2 and found.choosing >= 1 and sides.count("train") > 12
    assert found.splits["3.wav"] == found.splits["3 louder.wav"]
    alone = index(read_collection(str(folder(tmp_path / "few", 6))), 0.2, print)
    assert alone.held_out >= 1 and alone.choosing == 0, "few are all needed to learn from"
    # Whoever judges stays the same, whether or not others choose.
    wanted = {name for name, side in found.splits.items() if side == "test"}
    whole = split_by_group(read_collection(str(place)), 0.2, [("3.wav", "3 louder.wav")])
    assert wanted == {item.key for item in whole.part("validation").items}


def test_the_split_is_taken_up_again_and_a_changed_folder_refused(tmp_path: Path) -> None:
    place = folder(tmp_path / "sounds")
    found = index(read_collection(str(place)), 0.3, print)
    put(place / "later.wav", 50)
    taken = found.taken(read_collection(str(place)))
    assert {item.key: item.split for item in taken.items} == found.splits, "what came later is not in it"
    put(place / "0.wav", 60)
    with pytest.raises(RunError, match="a sound has changed") as caught:
        found.taken(read_collection(str(place)))
    assert_sentence(str(caught.value))
    (place / "0.wav").unlink()
    with pytest.raises(RunError, match="0.wav has gone"):
        found.taken(read_collection(str(place)))


def test_a_folder_of_silence_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.wav", np.zeros(8000, np.float32))
    with pytest.raises(DataError, match="no sound that can be learned from") as caught:
        index(read_collection(str(tmp_path)), 0.1, lambda sentence: None)
    assert_sentence(str(caught.value))


def test_every_piece_comes_as_it_is_before_any_is_varied(tmp_path: Path) -> None:
    pieces = read_collection(str(folder(tmp_path)))
    made = vary_all(pieces, 14, 1)
    assert len({item.key for item in made.items}) == 14
    own = [made.content_key(item) for item in made.items]
    assert len(set(own)) == 14
    whole = {item.key: pieces.read(item).samples for item in pieces.items}
    assert {item.key for item in made.items[:6]} == set(whole)
    for item in made.items[:6]:
        assert np.array_equal(made.read(item).samples, whole[item.key])
    for item in made.items[6:]:
        samples = made.read(item).samples
        assert np.isfinite(samples).all() and np.abs(samples).max() > 0.05
        seconds = len(samples) / made.read(item).sample_rate
        assert abs(np.log2(seconds / 0.2)) < 1.01 * OCTAVES
        assert np.array_equal(samples, made.read(item).samples), "the same every time"


def test_variations_do_not_go_by_names(tmp_path: Path) -> None:
    """A renamed folder finds its encoded examples again."""
    folder(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for path in sorted((tmp_path / "two").iterdir()):
        path.rename(path.with_name(f"z{9 - int(path.stem)}.wav"))
    contents = []
    for name in ("one", "two"):
        made = vary_all(read_collection(str(tmp_path / name)), 9, 1)
        contents.append([made.content_key(item) for item in made.items])
    assert contents[0] == contents[1]


def test_a_plan_gives_later_stages_what_earlier_ones_left() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    plan = Plan(30.0, {})
    assert plan.box("train") == pytest.approx(1800 * SHARES["train"] / sum(SHARES[s] for s in STAGES[2:]))
    plan.took("index", 600.0)
    late = plan.box("train")
    plan.took("examples", 10.0)
    assert late * 0.9 < plan.box("train") < late + 1
    plan.took("train", plan.box("train"))
    assert plan.box("train") == pytest.approx(0.0)
    assert 0.9 * plan.left() < plan.box("judge") < plan.left()
    plan.took("judge", 5000.0)
    assert plan.box("export") == 0.0 == plan.left()


def test_stages_are_kept_and_another_run_is_refused(tmp_path: Path) -> None:
    Stages(tmp_path, {"sounds": "b" * 8, "base": "house"}, 30.0, False)  # nothing came of it
    stages = Stages(tmp_path, {"sounds": "a" * 8, "base": "house"}, 30.0, False)
    with stages.working("index"):
        pass
    stages.finish("index", {"sounds": 3})
    stages.finish("examples", {"count": 9})
    again = Stages(tmp_path, {"sounds": "a" * 8, "base": "house"}, 20.0, False)
    assert again.facts("index") == {"sounds": 3} and again.facts("train") is None
    assert not again.noted("train") and again.note("train", lambda: 3) == 3 and again.noted("train")
    again.finish("index", {"sounds": 4})
    assert again.facts("examples") is None, "what rests on it is done again"
    with pytest.raises(RunError, match="a preset of other base") as caught:
        Stages(tmp_path, {"sounds": "a" * 8, "base": "other"}, 30.0, False)
    assert_sentence(str(caught.value))
    fresh = Stages(tmp_path, {"sounds": "a" * 8, "base": "other"}, 30.0, True)
    assert fresh.facts("index") is None and not fresh.noted("train")


def test_a_stage_that_fails_has_its_time_counted(tmp_path: Path) -> None:
    stages = Stages(tmp_path, {}, 30.0, False)
    stages.plan.took("train", 100.0)
    with pytest.raises(ZeroDivisionError), stages.working("train"):
        raise ZeroDivisionError
    assert Stages(tmp_path, {}, 30.0, False).plan.spent["train"] >= 100.0


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "preset.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read") as caught:
        Stages(tmp_path, {}, 30.0, False)
    assert_sentence(str(caught.value))


def test_a_recorded_imitation_stays_with_its_sound(tmp_path: Path) -> None:
    put(tmp_path / "saw_reference.wav", 1)
    put(tmp_path / "saw_imitation.wav", 2)
    made = vary_all(read_collection(str(tmp_path)), 3, 1)
    assert [item.role for item in made.items] == ["sound", "sound", "sound", "imitation"]
    ((imitation, sound),) = made.pairs()
    assert np.array_equal(made.read(imitation).samples, burst(2))
    assert np.array_equal(made.read(sound).samples, burst(1)), "it is of the sound as it is"
