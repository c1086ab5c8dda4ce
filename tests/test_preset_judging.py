"""A new preset held against its base: differences with intervals, gestures that are always the same, plain sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_sets import burst, put
from tiny import assert_sentence

from training.data.formats import read_collection
from training.errors import DataError
from training.listeners.fingerprint import FingerprintListener
from training.metrics.kernel import kernel_distance
from training.metrics.paired import kernel_difference
from training.preset.gestures import bank, of_folder, spread
from training.preset.judge import Performance, judge, sentence
from training.report.preset_page import preset_page
from vocaldm_live.measure.following import measure_following
from vocaldm_live.sound.audio import Sound

RATE = 48000
CUT = 36000


def vectors(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 12))


def test_a_difference_is_that_of_two_distances() -> None:
    reference, one, other = vectors(40, 1), vectors(24, 2, 1.0), vectors(24, 3, 0.4)
    found = kernel_difference(reference, one, other, [row // 2 for row in range(24)])
    apart = kernel_distance(reference, other).value - kernel_distance(reference, one).value
    assert found.value == pytest.approx(apart, rel=1e-9)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high < 0, "the other one is closer, and told so"
    back = kernel_difference(reference, other, one, list(range(24)))
    assert back.low is not None and back.low > 0


def test_no_difference_is_told_between_sets_of_one_kind() -> None:
    sure = 0
    for seed in range(20):
        found = kernel_difference(
            vectors(40, 1), vectors(24, 100 + seed, 0.5), vectors(24, 200 + seed, 0.5), list(range(24))
        )
        assert found.low is not None and found.high is not None
        sure += found.high < 0 or found.low > 0
    assert sure <= 4, "about one in twenty is chance"


def test_too_few_sounds_are_told() -> None:
    with pytest.raises(DataError, match="2 sounds and 3 are needed") as caught:
        kernel_difference(vectors(9, 1), vectors(8, 2), vectors(8, 3), [row % 2 for row in range(8)])
    assert_sentence(str(caught.value))
    with pytest.raises(DataError, match="give the same"):
        kernel_difference(vectors(9, 1), vectors(8, 2), vectors(7, 3), [1, 2, 3])


def test_gestures_are_the_same_every_time(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.wav", burst(number, 0.3, 16000))
    pieces = read_collection(str(tmp_path))
    first, again = list(of_folder(pieces, 5, 1)), list(of_folder(pieces, 5, 1))
    assert [one.group for one in first] == ["0.wav", "1.wav", "2.wav", "0.wav", "1.wav"]
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.voice, other.voice) and np.abs(one.voice).max() > 0.01
        assert len(one.sound) == RATE // 2, "half a second at least"
    assert not np.array_equal(first[0].voice, first[3].voice), "another voice imitates it again"
    assert np.array_equal(next(bank(1)).voice, next(bank(2)).voice)


def test_a_recorded_imitation_goes_first(tmp_path: Path) -> None:
    put(tmp_path / "saw_reference.wav", burst(1, 0.6, RATE), RATE)
    put(tmp_path / "saw_imitation.wav", burst(2, 0.7, RATE), RATE)
    first, second = of_folder(read_collection(str(tmp_path)), 2, 1)
    assert first.recorded and not second.recorded
    assert np.allclose(first.voice, burst(2, 0.7, RATE), atol=1e-6)


def test_long_sounds_do_not_crowd_out_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / f"{name}.wav", 1)
    items = read_collection(str(tmp_path)).items
    long, short = items[0], items[1]
    assert spread([long, long, long, short]) == [long, short, long, long]


@pytest.fixture(scope="module")
def performances() -> tuple[list, Performance, Performance]:
    """Six voices; the base hisses along with all of them, the new one gives the imitated sounds back."""
    gestures = [replace(one, voice=one.voice[:CUT], sound=one.sound[:CUT]) for one in bank(6)]
    rng = np.random.default_rng(5)
    made = []
    for name in ("base", "new"):
        clips = []
        for gesture in gestures:
            size = len(gesture.voice)
            envelope = np.convolve(np.abs(gesture.voice), np.ones(960) / 960, "same")
            hiss = 0.5 * rng.normal(size=size) * envelope
            clips.append((hiss if name == "base" else gesture.sound[:size]).astype(np.float32))
        followed = [
            measure_following(one.voice, clip, RATE) for one, clip in zip(gestures, clips, strict=True)
        ]
        made.append(Performance(name, RATE, tuple(clips), tuple(followed)))
    return gestures, made[0], made[1]


@pytest.mark.slow
def test_what_is_closer_is_told_with_its_anchors(performances: tuple) -> None:
    gestures, base, new = performances
    reference = [one.imitated for one in gestures] + [one.imitated for one in bank(4)]
    found = judge([FingerprintListener()], reference, gestures, base, new, new.clips)
    assert found.closer == {"fingerprint": True}
    assert set(found.rows) == {
        "new", "base", "the imitated sounds", "the same, resynthesised", "the voices", "clips of other gestures"
    }  # fmt: skip
    own, far = (found.rows[name]["fingerprint"]["value"] for name in ("the imitated sounds", "base"))
    assert own < far
    assert found.drop == found.loudness["folder"]["drop"]
    said = sentence(found.plain())
    assert said.startswith("new is measurably closer to the folder's sounds than base.")
    backwards = judge([FingerprintListener()], reference, gestures, new, base, new.clips)
    assert backwards.closer == {"fingerprint": False}
    assert "not measurably closer" in sentence(backwards.plain())


@pytest.mark.parametrize("apart", [True, False])
def test_the_page_says_what_chose(performances: tuple, tmp_path: Path, apart: bool) -> None:
    """It said that other sounds had chosen where there were none."""
    gestures, base, new = performances
    found = judge([FingerprintListener()], [one.imitated for one in gestures], gestures, base, new, new.clips)
    found.chosen_apart = apart
    page = tmp_path / "report" / "index.html"
    preset_page(page, "mine", "Said.", found.plain(), gestures, base, new, tmp_path, 0, [])
    text = page.read_text()
    assert ("sounds neither learned from nor judged by" in text) is apart
    assert ("sounds that it learned from" in text) is not apart


def test_too_few_sounds_give_no_answer_but_a_sentence(performances: tuple) -> None:
    gestures, base, new = performances
    few = [Performance(one.name, RATE, one.clips[:2], one.followings[:2]) for one in (base, new)]
    found = judge(
        [FingerprintListener()], [one.imitated for one in gestures], gestures[:2], *few, new.clips[:2]
    )
    assert found.closer == {} and "too few sounds" in sentence(found.plain())


def test_sounds_at_other_rates_are_heard(performances: tuple) -> None:
    gestures, base, new = performances
    slow = Performance(
        "new", 16000, tuple(Sound(c, RATE).at(16000).samples for c in new.clips), new.followings
    )
    found = judge(
        [FingerprintListener()], [one.imitated for one in gestures], gestures, base, slow, slow.clips
    )
    assert found.rows["new"]["fingerprint"]["count"] == 6
