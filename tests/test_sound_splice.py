"""Splicing: what is kept stays exactly, over time and over frequency; settings of edits are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import assert_sentence

from vocaldm_live.errors import RequestError
from vocaldm_live.sound.edit import KINDS, Edit, read_spans
from vocaldm_live.sound.splice import band_replaced, convolved, runs, spliced

RATE = 48000


def noise(count: int, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def masked(count: int, *spans: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(count, bool)
    for begin, end in spans:
        mask[begin:end] = True
    return mask


def test_all_but_the_fades_is_one_sound_or_the_other() -> None:
    base, new = noise(RATE, 0), noise(RATE, 1)
    free = masked(RATE, (0, 3000), (20000, 22000), (22500, 25000))
    joined = spliced(base, new, free, 960)
    assert np.array_equal(joined[free], new[free])
    far = np.ones(RATE, bool)
    for begin, end in runs(free):
        far[max(0, begin - 960) : end + 960] = False
    assert far.sum() > RATE // 2 and np.array_equal(joined[far], base[far])
    assert not np.array_equal(joined[19040:20000], base[19040:20000])


@pytest.mark.parametrize("alike", [True, False])
def test_a_fade_keeps_the_level_whether_the_sounds_agree_or_not(alike: bool) -> None:
    base = noise(RATE, 2)
    new = base.copy() if alike else noise(RATE, 3)
    joined = spliced(base, new, masked(RATE, (24000, 30000)), 9600)
    fade = joined[14400:24000].reshape(8, -1)
    assert np.abs(20 * np.log10(np.sqrt((fade**2).mean(1)) / 0.1)).max() < 0.5


def test_a_fade_of_nothing_is_a_cut() -> None:
    base, new, free = noise(1000, 4), noise(1000, 5), masked(1000, (300, 600))
    assert np.array_equal(spliced(base, new, free, 0), np.where(free, new, base))


@pytest.mark.parametrize(
    ("low", "high"), [(4000.0, None), (None, 500.0), (1000.0, 3000.0), (100.0, 160.0), (12000.0, 20000.0)]
)
def test_a_band_is_replaced_and_nothing_else(low: float | None, high: float | None) -> None:
    base, new = noise(2 * RATE, 6), noise(2 * RATE, 7)
    changed = band_replaced(base, new, RATE, low, high)
    window = np.blackman(2 * RATE)
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    power = [np.abs(np.fft.rfft((one - base) * window)) ** 2 for one in (changed, new)]
    outside = (hertz < (low or 0.0) - 5) | (hertz > (high or RATE) + 5)
    if outside.any():
        assert 10 * np.log10(power[0][outside].max() / power[1].mean()) < -80.0
    edge = 0.5 * ((high or RATE / 2) - (low or 0.0))
    middle = np.abs(hertz - ((low or 0.0) + edge)) < 0.1 * edge
    assert abs(10 * np.log10(power[0][middle].mean() / power[1][middle].mean())) < 0.1


def test_filtering_by_blocks_is_filtering() -> None:
    samples, kernel = noise(300_000, 8).astype(np.float64), noise(4001, 9).astype(np.float64)
    size = len(samples) + len(kernel) - 1
    whole = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(kernel, size), size)
    assert np.allclose(convolved(samples, kernel), whole[2000 : 2000 + len(samples)], atol=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "erase"},
        {"kind": "inpaint"},
        {"kind": "inpaint", "spans": ((0.5, 0.5),)},
        {"kind": "inpaint", "spans": ((1.0, 0.5),)},
        {"kind": "inpaint", "spans": (0.5, 1.0)},
        {"kind": "inpaint", "spans": ((0.1, float("nan")),)},
        {"kind": "restyle", "strength": 0.0},
        {"kind": "restyle", "strength": "much"},
        {"kind": "extend"},
        {"kind": "extend", "after": -1.0},
        {"kind": "extend", "after": 1.0, "gesture": "own"},
        {"kind": "inpaint", "spans": ((0.0, 1.0),), "gesture": "mirror"},
        {"kind": "band"},
        {"kind": "band", "low": 3000.0, "high": 2000.0},
        {"kind": "loop", "seam": 0.0},
        {"kind": "morph", "weight": 1.5},
        {"kind": "vary", "keep": "everything"},
        {"kind": "vary", "voice": 1},
    ],
)
def test_what_is_not_legal_is_said_in_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        Edit(**wrong)
    assert_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("edit", "seconds"),
    [
        (Edit("inpaint", ((2.0, 3.0),)), 1.5),
        (Edit("extend", after=500.0), 200.0),
        (Edit("loop", seam=1.0), 1.5),
        (Edit("band", low=24000.0), 1.5),
        (Edit("vary"), 0.01),
    ],
)
def test_what_does_not_fit_the_sound_is_said_in_one_sentence(edit: Edit, seconds: float) -> None:
    with pytest.raises(RequestError) as caught:
        edit.check_sound(seconds, RATE)
    assert_sentence(str(caught.value))


@given(
    kind=st.sampled_from(KINDS),
    spans=st.lists(st.tuples(st.floats(0, 100), st.floats(0.02, 5))).map(
        lambda rows: tuple((begin, begin + length + 1e-6) for begin, length in rows)
    ),
    strength=st.floats(0.02, 1),
    weight=st.floats(0, 1),
    voice=st.booleans(),
)
def test_an_edit_reads_back_the_same_and_its_spans_are_in_order(kind: str, spans: Any, **rest: Any) -> None:
    spans = spans or ((0.0, 1.0),)
    written = Edit(kind, spans, low=200.0, after=1.0, **rest)
    assert Edit.from_plain(written.as_plain()) == written
    edges = [edge for span in written.spans for edge in span]
    assert edges == sorted(edges) and len(set(edges)) == len(edges)


def test_spans_are_read_and_joined() -> None:
    assert Edit("inpaint", read_spans(["1-2", "0.25-.5", "1.5-3"])).spans == ((0.25, 0.5), (1.0, 3.0))
    for text in ("1", "a-b", "1-2-3", ""):
        with pytest.raises(RequestError) as caught:
            read_spans([text])
        assert_sentence(str(caught.value))
