"""All seven edits on small AudioLDM presets: 16 kHz, eps, leading steps, no gesture, a level of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import assert_sentence
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Clip, Request
from vocaldm_live.engine.words import Words
from vocaldm_live.errors import RequestError
from vocaldm_live.model.denoise import denoise_from
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.mel import log_mel

FADE = 0.03


@pytest.fixture(scope="module", params=["16 kHz", "48 kHz"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("presets")
    made = Engine(read_preset(make_tiny_audioldm(folder, at_48k=request.param == "48 kHz")), "cpu")
    for remembered in (made._hearing._texts, made._hearing._sounds):  # type: ignore[attr-defined]
        remembered._folder = folder / "remembered"
    return made


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The one of 16 kHz."""
    return Engine(read_preset(make_tiny_audioldm(tmp_path_factory.mktemp("presets"))), "cpu")


def noise(engine: Engine, seconds: float = 1.2, seed: int = 0, level: float = 0.05) -> Sound:
    """Noise that falls to a half, at the model's own rate."""
    rate = engine.modules.geometry.sample_rate
    count = int(seconds * rate)
    drawn = np.random.default_rng(seed).standard_normal(count)
    return Sound((level * drawn * np.linspace(1.0, 0.5, count)).astype(np.float32), rate)


def tone(engine: Engine, seconds: float = 0.8, pitch: float = 300.0) -> Sound:
    rate = engine.modules.geometry.sample_rate
    times = np.arange(int(seconds * rate)) / rate
    return Sound((0.2 * np.sin(2 * np.pi * pitch * times)).astype(np.float32), rate)


def edited(engine: Engine, source: Sound, edit: Edit, **more: Any) -> Clip:
    return engine.generate(Request(**{"imitation": source, "edit": edit, "source": source, **more}))


def resynthesised(engine: Engine, sound: Sound, kept: Any = slice(None)) -> np.ndarray:
    """Through VAE and vocoder alone, at the level that AudioLDM was trained with: no mean, a peak of a half."""
    mean, gain = level_of(sound, kept)
    with torch.inference_mode():
        made = torch.cat(list(engine._vocode(plain_mel(engine, sound, kept), [0])), 1)
    return made[0, : len(sound.samples)].numpy() / gain + mean


def level_of(sound: Sound, kept: Any = slice(None)) -> tuple[float, float]:
    mean = sound.samples[kept].mean()
    return mean, 0.5 / np.abs(sound.samples[kept] - mean).max()


def plain_mel(engine: Engine, sound: Sound, kept: Any = slice(None)) -> torch.Tensor:
    """Through the VAE alone."""
    networks, (mean, gain) = engine.modules, level_of(sound, kept)
    with torch.inference_mode():
        mel = log_mel(torch.from_numpy((sound.samples - mean) * gain)[None], networks.geometry)
        frames, factor = mel.shape[2], networks.geometry.factor
        padded = torch.nn.functional.pad(mel, (0, -frames % (8 * factor)), mode="replicate")
        return networks.vae.decode(networks.vae.encode(padded)[:, :, : -(-frames // factor)])


@contextmanager
def changed(engine: Engine, **parts: Any) -> Iterator[None]:
    """The engine's editor with other parts for a while."""
    before = {name: getattr(engine._editor, name) for name in parts}
    engine._editor.__dict__.update(parts)
    try:
        yield
    finally:
        engine._editor.__dict__.update(before)


def drawn_mel(engine: Engine, source: Sound, edit: Edit, **more: Any) -> torch.Tensor:
    """The mel that an edit hands to the vocoder, which random weights would turn into anything."""
    seen: list[torch.Tensor] = []
    vocode = engine._editor.vocode

    def noted(mel: torch.Tensor, seeds: Any) -> Any:
        seen.append(mel.clone())
        return vocode(mel, seeds)

    with changed(engine, vocode=noted):
        edited(engine, source, edit, **more)
    return seen[-1]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """How far two mels lie apart, 1: as far as the second from its mean."""
    return float((one - other).abs().mean() / (other - other.mean()).abs().mean())


def learnt(engine: Engine) -> Any:
    """What a network knows that was trained on Gaussian latents, a little bent by its condition."""
    schedule = engine.modules.schedule

    def eps(x: torch.Tensor, t: torch.Tensor, condition: Any) -> torch.Tensor:
        alpha, sigma = (level(t).view(-1, 1, 1, 1) for level in (schedule.alpha, schedule.sigma))
        bend = 10.0 * condition.vector[:, : x.shape[1], None, None]
        return sigma * x + 0.05 * alpha * torch.tanh(x + bend)

    return denoise_from(eps, schedule, "eps")


def outside(length: int, rate: int, *spans: tuple[float, float], fade: float = FADE) -> np.ndarray:
    """True where neither a span nor its fades lie."""
    mask = np.ones(length, bool)
    for begin, end in spans:
        mask[max(0, round((begin - fade) * rate)) : round((end + fade) * rate)] = False
    return mask


@pytest.mark.slow
def test_the_kept_part_is_the_resynthesised_original(engine: Engine) -> None:
    source, rate = noise(engine), engine.modules.geometry.sample_rate
    source.samples[100] = 0.4  # the peak lies in what is kept
    spans = ((0.4, 0.6), (0.9, 1.0))
    made = edited(engine, source, Edit("inpaint", spans, keep="resynthesis"))
    plain = resynthesised(engine, source, outside(len(source.samples), rate, *spans, fade=0.0))
    kept = outside(len(plain), rate, *spans)
    assert made.sample_rate == rate
    assert np.abs(made.samples - plain)[kept].max() < 1e-4 * np.abs(plain).max()
    assert np.abs(made.samples - plain)[~kept].max() > 0.02 * np.abs(plain).max()


def test_the_kept_part_is_the_original_and_a_hole_has_no_say(engine: Engine) -> None:
    source, rate = noise(engine), engine.modules.geometry.sample_rate
    spoilt = Sound(source.samples.copy(), rate)
    spoilt.samples[round(0.52 * rate) : round(0.55 * rate)] += 0.1
    edit = Edit("inpaint", ((0.5, 0.6),))
    like = noise(engine, 0.5, 7)
    one, two = (edited(engine, sound, edit, like=like).samples for sound in (source, spoilt))
    kept = outside(len(one), rate, (0.5, 0.6))
    assert np.array_equal(one[kept], source.samples[kept])
    inside = slice(round(0.5 * rate), round(0.6 * rate))
    assert np.allclose(one[inside], two[inside], atol=1e-4)
    assert np.abs(one[inside] - source.samples[inside]).max() > 1e-3


def test_a_band_is_kept_below_its_cut_off(engine: Engine) -> None:
    source, rate = noise(engine), engine.modules.geometry.sample_rate
    made = edited(engine, source, Edit("band", low=4000.0)).samples
    window = np.blackman(len(made))
    change, own = (np.abs(np.fft.rfft(one * window)) for one in (made - source.samples, source.samples))
    hertz = np.fft.rfftfreq(len(made), 1 / rate)
    assert change[hertz < 3990].max() < 1e-4 * own.max()
    assert change[(hertz > 4600) & (hertz < 7500)].mean() > 0.1 * own.mean()


def test_a_loop_is_new_around_its_seam_alone_and_joins_there(engine: Engine) -> None:
    source, rate = tone(engine, 1.03, 211.0), engine.modules.geometry.sample_rate
    made = edited(engine, source, Edit("loop", seam=0.4)).samples
    half = round((0.2 + FADE) * rate)
    assert len(made) == len(source.samples)
    assert np.array_equal(made[half:-half], source.samples[half:-half])

    def step(loop: np.ndarray, inside: np.ndarray) -> float:
        around = np.concatenate((loop[-4:], loop[:4]))
        return float(np.abs(np.diff(around)).max() / np.percentile(np.abs(np.diff(inside)), 99.9))

    new = np.concatenate((made[-half:], made[:half]))
    assert step(made, new) < 1.2


def test_extending_keeps_the_sound_in_its_place(engine: Engine) -> None:
    source, rate = noise(engine), engine.modules.geometry.sample_rate
    made = edited(engine, source, Edit("extend", before=0.5, after=0.25)).samples
    fade, count = round(FADE * rate), len(source.samples)
    body = made[rate // 2 : rate // 2 + count]
    assert len(made) == count + rate // 2 + rate // 4
    assert np.array_equal(body[fade:-fade], source.samples[fade:-fade])
    assert np.abs(made[: rate // 2 - fade]).max() > 0.0


@pytest.mark.slow
def test_long_sounds_grow_in_windows_as_long_as_those_of_training(engine: Engine) -> None:
    source, rate = noise(engine, 2.0), engine.modules.geometry.sample_rate
    asked: list[int] = []
    denoise = engine._editor.denoise

    def counted(x: torch.Tensor, t: torch.Tensor, condition: Any) -> torch.Tensor:
        asked.append(x.shape[2])
        return denoise(x, t, condition)

    with changed(engine, denoise=counted):
        made = edited(engine, source, Edit("extend", before=1.0, after=10.0), steps=1).samples
    assert len(made) == 13 * rate and np.isfinite(made).all()
    assert len(asked) > 1 and max(asked) * engine.modules.geometry.factor <= 1024


@pytest.mark.slow
def test_strength_says_how_far_a_variation_goes(engine: Engine) -> None:
    source = noise(engine)
    with changed(engine, denoise=learnt(engine)):
        weak, middle, strong = (
            np.mean(
                [
                    apart(
                        drawn_mel(engine, source, Edit("vary", strength=one), seed=seed),
                        plain_mel(engine, source),
                    )
                    for seed in (1, 2)
                ]
            )
            for one in (0.02, 0.3, 1.0)
        )
    assert 2.5 * weak < strong and weak < middle < strong


def test_a_restyle_listens_to_words(engine: Engine) -> None:
    source = tone(engine)
    plain, dog, rain = (
        edited(engine, source, Edit("restyle", strength=0.9), words=words, guidance=6.0)
        for words in (None, Words("a dog"), Words("rain", 0.7, "a dog"))
    )
    for one, other in ((plain, dog), (plain, rain), (dog, rain)):
        assert np.abs(one.samples - other.samples).max() > 1e-4 * np.abs(one.samples).max()
    assert rain.request.words == Words("rain", 0.7, "a dog") and plain.seconds == source.seconds


@pytest.mark.slow
def test_a_morph_leads_from_one_sound_to_the_other(engine: Engine) -> None:
    """By deterministic DDIM inversion of an eps network, at the steps that the model was sampled with."""
    one, other = noise(engine, 0.8, 1, 0.1), tone(engine, 1.0)
    with changed(engine, denoise=learnt(engine)):
        for weight, end in ((0.0, one), (1.0, other)):
            made = drawn_mel(engine, one, Edit("morph", weight=weight), other=other, steps=8)
            assert apart(made, plain_mel(engine, end)) < 0.2
    half = edited(engine, one, Edit("morph"), other=other, steps=4)
    assert half.seconds == pytest.approx(0.9) and half.request.guidance == 1.0


def test_two_voices_meet_at_their_own_clips(engine: Engine) -> None:
    one, other = tone(engine, 0.8, 300.0), tone(engine, 1.0, 500.0)
    for weight, voice in ((0.0, one), (1.0, other)):
        made = edited(engine, one, Edit("morph", weight=weight, voice=True), other=other, seed=5)
        alone = engine.generate(Request(voice, seed=5)).samples
        assert np.abs(made.samples - alone).max() < 1e-3 * np.abs(alone).max()


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [
        Edit("inpaint", ((0.0, 0.3), (0.7, 5.0))),
        Edit("inpaint", ((0.3, 0.5),), gesture="free", keep="resynthesis", strength=0.5),
        Edit("restyle", strength=0.5),
        Edit("vary", strength=0.05),
        Edit("extend", before=0.3, after=0.7),
        Edit("band", low=3000.0),
        Edit("band", ((0.3, 0.8),), 500.0, 2000.0, strength=0.7),
        Edit("loop", ((0.1, 0.9),), seam=0.2, keep="resynthesis"),
    ],
    ids=lambda edit: f"{edit.kind}-{edit.gesture}",
)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_every_edit_has_its_length_repeats_and_follows_its_seed(
    small: Engine, edit: Edit, eta: float
) -> None:
    source = noise(small)
    request = Request(source, edit=edit, source=source, seed=3, steps=2, eta=eta)
    one = small.generate(request)
    assert len(one.samples) == round(edit.seconds(source.seconds) * 16000)
    assert one.samples.dtype == np.float32 and np.isfinite(one.samples).all()
    assert np.array_equal(one.samples, small.generate(request).samples)
    assert not np.array_equal(one.samples, small.generate(replace(request, seed=4)).samples)


@pytest.mark.slow
def test_a_loud_and_a_soft_sound_are_edited_alike(small: Engine) -> None:
    """The model hears both at its own level, and what it makes comes back at theirs."""
    source = noise(small)
    soft = Sound(source.samples * np.float32(0.1), source.sample_rate)
    for edit in (Edit("vary", strength=0.5), Edit("inpaint", ((0.4, 0.6),)), Edit("extend", after=0.3)):
        loud, low = (edited(small, sound, edit, like=source).samples for sound in (source, soft))
        assert np.allclose(0.1 * loud, low, atol=1e-4 * np.abs(loud).max())


def test_a_sound_off_its_middle_stays_there(small: Engine) -> None:
    """A standing offset is no news to the model and no step at a join."""
    source = noise(small)
    lifted = Sound(source.samples + np.float32(0.05), source.sample_rate)
    for edit in (Edit("inpaint", ((0.4, 0.6),)), Edit("vary", strength=0.5)):
        plain, high = (edited(small, sound, edit, like=source).samples for sound in (source, lifted))
        fades = ~outside(len(plain), 16000, (0.4, 0.6)) & outside(len(plain), 16000, (0.4, 0.6), fade=0.0)
        assert np.allclose((plain + 0.05)[~fades], high[~fades], atol=2e-4)


# A sound of 48 kHz and a model of 16 -------------------------------------------------------------------


def fine(seconds: float = 1.2, seed: int = 0) -> Sound:
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * 48000))
    return Sound((0.05 * drawn).astype(np.float32), 48000)


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.abs(np.fft.rfft(samples * np.blackman(len(samples)))), np.fft.rfftfreq(len(samples), 1 / 48000)


@pytest.mark.parametrize(
    ("edit", "span"),
    [
        (Edit("inpaint", ((0.4003, 0.6001),)), (0.4003, 0.6001)),
        (Edit("band", ((0.4, 0.6),), 2000.0, 4000.0), (0.4, 0.6)),
    ],
    ids=["inpaint", "band"],
)
def test_what_is_kept_keeps_its_own_rate(small: Engine, edit: Edit, span: tuple[float, float]) -> None:
    source = fine()
    clip = edited(small, source, edit)
    # Edges lie on the model's samples, three of the file's.
    kept = outside(len(source.samples), 48000, span, fade=FADE + 2 / 48000)
    assert clip.sample_rate == 48000 and len(clip.samples) == len(source.samples)
    assert np.array_equal(clip.samples[kept], source.samples[kept])
    assert not np.array_equal(clip.samples[~kept], source.samples[~kept])
    (note,) = clip.notes
    assert "8000 Hz" in note
    assert_sentence(note)


def test_what_is_new_has_no_more_than_the_model_and_stands_in_its_place(small: Engine) -> None:
    """The new span is what the same edit makes at the model's own rate, a sample here or there."""
    source = fine()
    edit = Edit("inpaint", ((0.3, 0.9),))
    clip, coarse = edited(small, source, edit), edited(small, source.at(16000), edit)
    inside = slice(round(0.35 * 48000), round(0.85 * 48000))
    made, hertz = spectrum(clip.samples[inside])
    assert made[hertz > 8500].max() < 1e-3 * made.max()
    same = Sound(coarse.samples, 16000).at(48000).samples
    assert np.abs(clip.samples - same)[inside].max() < 0.02 * np.abs(same[inside]).max()


def test_loops_and_growth_at_the_sounds_own_rate(small: Engine) -> None:
    source = fine(1.1003)
    loop = edited(small, source, Edit("loop", seam=0.4)).samples
    half = round((0.2 + FADE) * 48000) + 3
    assert len(loop) == len(source.samples)
    assert np.array_equal(loop[half:-half], source.samples[half:-half])
    cut = edited(small, source, Edit("loop", ((0.1, 0.9),), seam=0.2)).samples
    assert len(cut) == round(0.8 * 48000)
    middle = slice(round(0.2 * 48000), round(0.6 * 48000))
    assert np.array_equal(cut[middle], source.samples[round(0.3 * 48000) : round(0.7 * 48000)])
    longer = edited(small, source, Edit("extend", before=0.25, after=0.5)).samples
    fade, begin = round(FADE * 48000), 48000 // 4
    assert len(longer) == len(source.samples) + 36000
    body = longer[begin : begin + len(source.samples)]
    assert np.array_equal(body[fade:-fade], source.samples[fade:-fade])


def test_a_band_of_a_fine_sound_is_new_up_to_what_the_model_can_make(small: Engine) -> None:
    source = fine()
    made = edited(small, source, Edit("band", low=4000.0)).samples
    change, hertz = spectrum(made - source.samples)
    own, _ = spectrum(source.samples)
    assert change[hertz < 3990].max() < 1e-4 * own.max()
    assert change[hertz > 8010].max() < 1e-4 * own.max()
    assert change[(hertz > 4600) & (hertz < 7000)].mean() > 0.1 * own.mean()


def test_all_of_a_sound_made_anew_has_the_models_rate(small: Engine) -> None:
    for edit in (Edit("vary"), Edit("restyle"), Edit("inpaint", ((0.4, 0.6),), keep="resynthesis")):
        clip = edited(small, fine(), edit)
        assert clip.sample_rate == 16000 == small.rate_of(Request(None, edit=edit, source=fine()))
        assert clip.notes == ()
    assert edited(small, noise(small), Edit("inpaint", ((0.4, 0.6),))).sample_rate == 16000


def test_what_no_model_of_16_khz_can_make_is_said(small: Engine) -> None:
    with pytest.raises(RequestError) as caught:
        edited(small, fine(), Edit("band", low=9000.0))
    assert_sentence(str(caught.value))
    assert "8000 Hz" in str(caught.value)
