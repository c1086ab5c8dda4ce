"""Edits on a tiny preset: what is kept is kept, what is asked wrongly is said, and everything can be repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.brightness import brightened
from vocaldm_live.engine.curves import between, bridged, extended, performed
from vocaldm_live.engine.engine import Cancelled, Engine
from vocaldm_live.engine.request import Clip, Progress, Request
from vocaldm_live.errors import RequestError, SoundError
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.sketch import Sketch
from vocaldm_live.sound.splice import band_filter, convolved

RATE = 48000
FADE = round(0.03 * RATE)


def sound(seconds: float = 1.2, seed: int = 0, rate: int = RATE) -> Sound:
    count = int(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal(count)
    return Sound((0.05 * noise * np.linspace(1.0, 0.5, count)).astype(np.float32), rate)


def tone(seconds: float = 0.8, pitch: float = 300.0) -> Sound:
    times = np.arange(int(seconds * RATE)) / RATE
    return Sound((0.2 * np.sin(2 * np.pi * pitch * times)).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(read_preset(Path(make_tiny_preset(tmp_path_factory.mktemp("presets")))), "cpu")


def edited(engine: Engine, source: Sound, edit: Edit, **more: object) -> Clip:
    values: dict[str, object] = {"imitation": source} | more
    return engine.generate(Request(edit=edit, source=source, **values))  # type: ignore[arg-type]


def test_outside_the_spans_the_samples_are_the_sounds_own(engine: Engine) -> None:
    source = sound()
    made = edited(engine, source, Edit("inpaint", ((0.2, 0.4), (0.8, 0.9)))).samples
    changed = np.flatnonzero(made != source.samples)
    for index in (changed.min(), changed[changed < 0.6 * RATE].max(), changed[changed > 0.6 * RATE].min()):
        assert 0 <= index < len(made)
    inside = np.zeros(len(made), bool)
    for begin, end in ((0.2, 0.4), (0.8, 0.9)):
        inside[round(begin * RATE) - FADE : round(end * RATE) + FADE] = True
    assert np.array_equal(made[~inside], source.samples[~inside])
    middle = slice(round(0.25 * RATE), round(0.35 * RATE))
    assert np.abs(made[middle] - source.samples[middle]).max() > 0.01


def test_what_is_replaced_has_no_say_in_what_replaces_it(engine: Engine) -> None:
    """A click that is painted over leaves no trace, neither in the latent nor in the curves."""
    clean = sound()
    spoilt = clean.samples.copy()
    spoilt[round(0.55 * RATE) : round(0.56 * RATE)] += 0.1
    edit = Edit("inpaint", ((0.5, 0.6),))
    like = sound(0.5, 7)
    one, two = (edited(engine, Sound(one, RATE), edit, like=like).samples for one in (clean.samples, spoilt))
    inside = slice(round(0.5 * RATE), round(0.6 * RATE))
    assert np.allclose(one[inside], two[inside], atol=1e-4)


def test_a_sound_of_another_rate_is_edited_at_the_presets(engine: Engine) -> None:
    source = sound(1.0, rate=44100)
    made = edited(engine, source, Edit("inpaint", ((0.4, 0.5),)))
    kept = source.at(RATE).samples
    assert made.sample_rate == RATE and len(made.samples) == len(kept)
    assert np.array_equal(made.samples[: round(0.3 * RATE)], kept[: round(0.3 * RATE)])


@pytest.mark.parametrize(
    "edit",
    [
        Edit("inpaint", ((0.0, 0.3), (0.7, 5.0))),
        Edit("inpaint", ((0.3, 0.5),), gesture="free", keep="resynthesis", strength=0.5),
        Edit("restyle", strength=0.5),
        Edit("vary", strength=0.05),
        Edit("extend", before=0.3, after=0.7),
        Edit("extend", after=0.2, gesture="free", fade=0.0),
        Edit("band", low=3000.0),
        Edit("band", ((0.3, 0.8),), 500.0, 2000.0, strength=0.7),
        Edit("loop", seam=0.3),
        Edit("loop", ((0.1, 0.9),), seam=0.2, keep="resynthesis"),
    ],
    ids=lambda edit: f"{edit.kind}-{edit.gesture}",
)
def test_every_edit_has_its_length_repeats_and_follows_its_seed(engine: Engine, edit: Edit) -> None:
    source = sound()
    one = edited(engine, source, edit, seed=3)
    assert len(one.samples) == round(edit.seconds(source.seconds) * RATE)
    assert (
        one.samples.dtype == np.float32 and np.isfinite(one.samples).all() and np.abs(one.samples).max() > 0
    )
    assert np.array_equal(one.samples, edited(engine, source, edit, seed=3).samples)
    assert not np.array_equal(one.samples, edited(engine, source, edit, seed=4).samples)


def test_extending_keeps_the_sound_in_its_place(engine: Engine) -> None:
    source = sound()
    made = edited(engine, source, Edit("extend", before=0.5, after=0.25)).samples
    body = made[RATE // 2 : RATE // 2 + len(source.samples)]
    assert np.array_equal(body[FADE:-FADE], source.samples[FADE:-FADE])


def test_a_band_leaves_what_lies_below_it(engine: Engine) -> None:
    source = sound()
    made = edited(engine, source, Edit("band", low=6000.0)).samples
    change = np.abs(np.fft.rfft((made - source.samples) * np.hanning(len(made))))
    own = np.abs(np.fft.rfft(source.samples * np.hanning(len(made))))
    hertz = np.fft.rfftfreq(len(made), 1 / RATE)
    assert change[hertz < 5990].max() < 1e-4 * own.max()
    assert change[hertz > 8000].mean() > 0.1 * own.mean()


def test_a_loop_is_its_sound_except_around_the_seam(engine: Engine) -> None:
    source = sound()
    made = edited(engine, source, Edit("loop", seam=0.4)).samples
    half = round(0.2 * RATE) + FADE
    assert np.array_equal(made[half:-half], source.samples[half:-half])
    assert not np.array_equal(made[: half - FADE], source.samples[: half - FADE])


@pytest.mark.slow
def test_long_sounds_are_made_window_by_window(engine: Engine) -> None:
    source, told = sound(2.0), []

    def tell(now: Progress) -> None:
        if now.stage == "sample":
            told.append((now.step, now.steps))

    request = Request(source, edit=Edit("extend", before=4.0, after=16.0), source=source)
    made = engine.generate(request, progress=tell).samples
    assert len(made) == 22 * RATE and told[0][1] == told[-1][0] == told[-1][1] > 4
    assert np.array_equal(made[5 * RATE : 5 * RATE + 1000], source.samples[RATE : RATE + 1000])
    assert all(np.abs(made[second * RATE : (second + 1) * RATE]).max() > 0 for second in range(22))


@pytest.mark.slow
def test_only_the_surroundings_of_a_span_in_a_long_sound_are_looked_at(engine: Engine) -> None:
    source = sound(30.0)
    made = edited(engine, source, Edit("inpaint", ((20.0, 20.5),))).samples
    changed = np.flatnonzero(made != source.samples)
    assert 19.9 < changed.min() / RATE and changed.max() / RATE < 20.6


def test_two_voices_meet_at_their_own_clips(engine: Engine) -> None:
    one, other = tone(0.8, 300.0), tone(1.0, 500.0)
    for weight, voice in ((0.0, one), (1.0, other)):
        edit = Edit("morph", weight=weight, voice=True)
        made = engine.generate(Request(one, seed=5, edit=edit, source=one, other=other)).samples
        alone = engine.generate(Request(voice, seed=5, tail=0.0)).samples
        assert len(made) == len(alone) and np.abs(made - alone).max() < 1e-3 * np.abs(alone).max()
    half = engine.generate(Request(one, edit=Edit("morph", voice=True), source=one, other=other))
    assert half.seconds == pytest.approx(0.9)


def test_two_sounds_are_morphed(engine: Engine) -> None:
    one, other = sound(0.8), tone(1.0)
    made = engine.generate(Request(one, steps=3, edit=Edit("morph"), source=one, other=other))
    assert made.seconds == pytest.approx(0.9) and np.abs(made.samples).max() > 0
    assert made.request.guidance == 1.0


def test_a_voice_drives_what_is_new(engine: Engine) -> None:
    source, edit = sound(), Edit("inpaint", ((0.3, 0.9),), voice=True)
    one, other = (edited(engine, source, edit, imitation=voice).samples for voice in (tone(), sound(0.7, 9)))
    assert not np.array_equal(one, other)
    assert np.array_equal(one[: round(0.2 * RATE)], source.samples[: round(0.2 * RATE)])


def test_an_edit_is_cancelled_within_a_step_and_heard_in_one_piece(engine: Engine) -> None:
    source, heard = sound(), []
    request = Request(source, edit=Edit("restyle"), source=source, steps=8)
    with pytest.raises(Cancelled):
        engine.generate(request, cancelled=lambda: True)
    stages: list[Progress] = []
    with pytest.raises(Cancelled):
        engine.generate(request, stages.append, lambda: any(one.stage == "decode" for one in stages))
    stages.clear()
    engine.generate(request, stages.append)
    assert stages[-1].stage == "decode" and stages[-1].step == stages[-1].steps
    assert len({one.steps for one in stages if one.stage == "decode"}) == 1
    clip = engine.generate(request, audio=lambda first, samples, total: heard.append((first, samples, total)))
    assert len(heard) == 1 and heard[0][::2] == (0, len(clip.samples))
    assert np.array_equal(heard[0][1], clip.samples)


def test_what_cannot_be_edited_is_said_in_one_sentence(engine: Engine) -> None:
    source = sound()
    silent = Sound(np.zeros(RATE, np.float32), RATE)
    wrong = (
        Request(source, edit=Edit("restyle")),
        Request(source, edit=Edit("morph"), source=source),
        Request(source, edit=Edit("vary"), source=source, other=source),
        Request(source, edit=Edit("morph"), source=source, other=source, sampler="deis"),
        Request(source, edit=Edit("inpaint", ((3.0, 4.0),)), source=source),
        Request(silent, edit=Edit("vary"), source=silent),
        Request(silent, edit=Edit("vary", voice=True), source=source),
    )
    for request in wrong:
        with pytest.raises((RequestError, SoundError)) as caught:
            engine.generate(request)
        assert_sentence(str(caught.value))


# Curves -------------------------------------------------------------------------------------------------


def sketch(frames: int = 100) -> Sketch:
    ramp = np.linspace(0.0, 1.0, frames, dtype=np.float32)
    return Sketch(-40 + 20 * ramp, 60 + 40 * ramp, 50 + 10 * ramp, np.full(frames, 0.9, np.float32))


def test_a_bridge_is_straight_and_forgets_what_was_there() -> None:
    holes = np.zeros(100, bool)
    holes[40:60] = True
    plain = sketch()
    spoilt = Sketch.of(np.where(holes, 0.0, plain.array()))
    spoilt.loudness[holes] = -5.0
    for one in (bridged(plain, holes), bridged(spoilt, holes)):
        assert np.abs(one.loudness - plain.loudness).max() < 1.5
        assert np.abs(one.pitch - plain.pitch).max() < 0.2
        assert np.array_equal(one.loudness[~holes], plain.loudness[~holes])
    plain.salience[60:70] = 0.0
    assert (bridged(plain, holes).salience[40:60] == 0.0).all()


def test_curves_are_mirrored_held_performed_and_blended() -> None:
    plain = sketch()
    mirrored = extended(plain, 0, 250, True)
    assert np.array_equal(mirrored.loudness[100:200], plain.loudness[::-1])
    assert (extended(plain, 10, 0, False).loudness[:10] == plain.loudness[0]).all()
    holes = np.zeros(100, bool)
    holes[20:70] = True
    voice = Sketch.of(sketch(30).array()[:, ::-1])
    driven = performed(plain, holes, voice)
    assert np.array_equal(driven.array()[:, 20:70], voice.stretched(50).array())
    assert np.array_equal(driven.array()[:, ~holes], plain.array()[:, ~holes])
    mute = Sketch(plain.loudness - 10, plain.centroid, 0 * plain.pitch, 0 * plain.salience)
    half = between(plain, mute, 0.25)
    assert np.allclose(half.loudness, plain.loudness - 2.5)
    assert np.allclose(half.pitch, plain.pitch) and np.allclose(half.salience, 0.75 * 0.9)


def test_the_centroid_of_a_cut_spectrum_is_raised_and_that_of_a_whole_one_stays() -> None:
    from vocaldm_live.engine.canvas import measured

    whole = sound(1.0)
    cut = Sound(
        (whole.samples - convolved(whole.samples, band_filter(RATE, 4000.0, None))).astype(np.float32), RATE
    )
    own, dull = measured(whole)[0], measured(cut)[0]
    raised = brightened(dull, cut.samples, RATE, 4000.0, None)
    assert np.median(raised.centroid - dull.centroid) > 6.0
    assert np.median(raised.centroid) < np.median(own.centroid) + 6.0
    assert brightened(own, whole.samples, RATE, 4000.0, None) is own
