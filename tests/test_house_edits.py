"""Edits with the trained house preset, measured: what is kept stays, what is new fits, loops have no seam."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import vocaldm_live
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request
from vocaldm_live.engine.scale import scale_of
from vocaldm_live.measure.spectra import stft_magnitude
from vocaldm_live.sound.audio import Sound, read_sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.splice import band_filter, convolved

pytestmark = pytest.mark.slow
RATE = 48000
FADE = round(0.03 * RATE)
DEMO = Path(vocaldm_live.__file__).parent / "demo"


@dataclass(frozen=True)
class House:
    engine: Engine
    clips: dict[str, Sound]

    def edit(self, name: str | Sound, edit: Edit, **more: object) -> np.ndarray:
        source = self.clips[name] if isinstance(name, str) else name
        values: dict[str, object] = {"imitation": source, "seed": 2} | more
        return self.engine.generate(Request(edit=edit, source=source, **values)).samples  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def house() -> House:
    engine = Engine(read_preset(resolve_preset("house")), "cpu")
    clips = {
        name: Sound(engine.generate(Request(read_sound(DEMO / f"{name}.wav"), seed=1)).samples, RATE)
        for name in ("engine", "whoosh", "rain", "laser")
    }
    return House(engine, clips)


def level(samples: np.ndarray) -> float:
    """Mean level in dBFS."""
    return float(10.0 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12))


def flux(samples: np.ndarray) -> np.ndarray:
    """How far the spectrum moves from one 21 ms frame to the next, 10.7 ms on, in dB, mean over 100 bands."""
    magnitude = stft_magnitude(samples.astype(np.float64), 1024, 512)[:, 4:404]
    bands = np.log10((magnitude**2).reshape(len(magnitude), 100, 4).mean(2) + 1e-9)
    return np.abs(10.0 * np.diff(bands, axis=0)).mean(1)


def test_the_kept_part_is_the_resynthesised_original(house: House) -> None:
    """VAE and vocoder alone, computed here without any edit, equal the result outside span and fades."""
    source, networks = house.clips["engine"], house.engine.modules
    gain = scale_of(source.samples, house.engine.preset.header.parts.unet).gain
    with torch.inference_mode():
        mel = log_mel(torch.from_numpy(source.samples * np.float32(gain))[None], networks.geometry)
        frames = mel.shape[2]
        padded = torch.nn.functional.pad(mel, (0, -frames % 32), mode="replicate")
        latent = networks.vae.encode(padded)[:, :, : -(-frames // 4)]
        pieces = list(house.engine._vocode(networks.vae.decode(latent), [2]))
        plain = torch.cat(pieces, 1)[0, : len(source.samples)].numpy() / np.float32(gain)
    # The gain is that of the kept part, which here holds the peak.
    span = (0.3, 0.5) if np.abs(source.samples).argmax() > 0.6 * RATE else (1.6, 1.8)
    made = house.edit("engine", Edit("inpaint", (span,), keep="resynthesis"))
    outside = np.ones(len(made), bool)
    outside[round(span[0] * RATE) - FADE : round(span[1] * RATE) + FADE] = False
    assert np.abs(made - plain)[outside].max() < 1e-4 * np.abs(plain).max()
    assert np.abs(made - plain)[~outside].max() > 0.1 * np.abs(plain).max()


@pytest.mark.parametrize("name", ["engine", "whoosh", "rain"])
def test_a_filled_span_is_exact_outside_and_level_inside(house: House, name: str) -> None:
    source = house.clips[name]
    spans = ((0.6, 0.8), (1.1, 1.5))
    made = house.edit(name, Edit("inpaint", spans))
    outside = np.ones(len(made), bool)
    for begin, end in spans:
        outside[round(begin * RATE) - FADE : round(end * RATE) + FADE] = False
    assert np.array_equal(made[outside], source.samples[outside])
    for begin, end in spans:
        inside = slice(round(begin * RATE), round(end * RATE))
        around = np.concatenate(
            [made[inside.start - RATE // 10 : inside.start], made[inside.stop : inside.stop + RATE // 10]]
        )
        assert not np.array_equal(made[inside], source.samples[inside])
        assert abs(level(made[inside]) - level(around)) < 8.0
    # No click where the parts meet: the spectrum moves there as it does elsewhere.
    moves = flux(made)
    edges = [round(edge * RATE / 512) for span in spans for edge in span]
    assert np.median([moves[edge - 4 : edge + 4].max() for edge in edges]) < 1.5 * np.percentile(moves, 95)


def test_a_muted_hole_is_filled(house: House) -> None:
    source = house.clips["engine"]
    holed = source.samples.copy()
    holed[round(0.8 * RATE) : round(1.2 * RATE)] = 0.0
    made = house.edit(Sound(holed, RATE), Edit("inpaint", ((0.8, 1.2),)))
    inside = slice(round(0.8 * RATE), round(1.2 * RATE))
    assert abs(level(made[inside]) - level(source.samples[inside])) < 6.0


def test_an_imitation_places_its_onset_in_the_span(house: House) -> None:
    def power(start: float) -> np.ndarray:
        times = np.arange(round(0.8 * RATE)) / RATE
        burst = np.random.default_rng(0).standard_normal(len(times)) * np.where(
            times >= start, np.exp(-12.0 * (times - start)), 0.0
        )
        voice = Sound((0.2 * burst).astype(np.float32), RATE)
        made = house.edit("engine", Edit("inpaint", ((0.8, 1.6),), voice=True), imitation=voice)
        return np.convolve(made[round(0.8 * RATE) : round(1.6 * RATE)] ** 2, np.ones(480), "same")

    early, late = power(0.2), power(0.5)
    loud = [float(np.argmax(one > 0.2 * one[4800:-4800].max())) / RATE for one in (early[4800:], late[4800:])]
    assert loud[1] - loud[0] == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("name", ["engine", "whoosh"])
def test_a_loop_has_no_step_at_its_seam(house: House, name: str) -> None:
    """Against the clip's own inner differences, in the sample and in the spectrum; the cut clip has a step."""
    begin, end = {"engine": (0.3, 2.1), "whoosh": (0.5, 1.5)}[name]
    made = house.edit(name, Edit("loop", ((begin, end),), seam=0.4))
    raw = house.clips[name].samples[round(begin * RATE) : round(end * RATE)]

    def seam(loop: np.ndarray) -> tuple[float, float]:
        inner = np.abs(np.diff(loop))
        around = np.abs(np.diff(np.concatenate((loop[-8:], loop[:8])))).max()
        twice = flux(np.concatenate((loop, loop))[: 2 * len(loop) // 512 * 512])
        at = len(loop) // 512
        return float(around / np.percentile(inner, 99.9)), float(
            twice[at - 3 : at + 3].max() / np.percentile(twice[8 : at - 8], 99)
        )

    step, move = seam(made)
    assert step < 1.0 and move < 1.1
    assert seam(raw)[1] > move or seam(raw)[0] > step
    assert len(made) == len(raw)


def test_a_band_is_untouched_below_the_cut_off_and_new_above(house: House) -> None:
    source = house.clips["whoosh"]
    made = house.edit("whoosh", Edit("band", low=5000.0))
    window = np.blackman(len(made))
    change, own = (np.abs(np.fft.rfft(one * window)) ** 2 for one in (made - source.samples, source.samples))
    hertz = np.fft.rfftfreq(len(made), 1.0 / RATE)
    below, above = hertz < 4990.0, (hertz > 6000.0) & (hertz < 14000.0)
    assert 10.0 * np.log10(change[below].max() / own[below].max()) < -80.0
    new = np.abs(np.fft.rfft(made * window)) ** 2
    assert abs(10.0 * np.log10(new[above].sum() / own[above].sum())) < 5.0
    assert change[above].sum() > 0.3 * own[above].sum()
    # No hole where the two meet.
    meeting = (hertz > 4800.0) & (hertz < 5800.0)
    assert abs(10.0 * np.log10(new[meeting].sum() / own[meeting].sum())) < 4.0


@pytest.mark.parametrize("name", ["whoosh", "rain"])
def test_a_dull_sound_gets_its_top_back(house: House, name: str) -> None:
    """Blind: its level is a guess from the slope below, its envelope follows what is kept."""
    source = house.clips[name]
    top = convolved(source.samples, band_filter(RATE, 4000.0, None))
    dull = Sound((source.samples - top).astype(np.float32), RATE)
    made = house.edit(dull, Edit("band", low=4000.0))
    new, old, rest = (
        convolved(one, band_filter(RATE, 5000.0, None)) for one in (made, source.samples, dull.samples)
    )
    assert abs(level(new) - level(old)) < 10.0 and level(new) > level(rest) + 20.0
    curves = [
        np.log(np.convolve(one**2, np.ones(2400), "same")[::480] + 1e-12) for one in (new, dull.samples)
    ]
    assert np.corrcoef(*curves)[0, 1] > 0.8


def test_a_sound_goes_on_and_keeps_its_own_part(house: House) -> None:
    source = Sound(house.clips["engine"].samples[round(0.4 * RATE) : round(2.0 * RATE)], RATE)
    made = house.edit(source, Edit("extend", before=1.0, after=14.0))
    count = len(source.samples)
    assert np.array_equal(made[RATE + FADE : RATE + count - FADE], source.samples[FADE:-FADE])
    assert abs(level(made[: RATE // 2]) - level(source.samples)) < 6.0
    seconds = [level(made[at : at + RATE]) for at in range(RATE + count, len(made) - RATE, RATE)]
    assert np.abs(np.array(seconds) - level(source.samples)).max() < 8.0


def test_strength_says_how_far_a_variation_goes(house: House) -> None:
    source = house.clips["laser"]
    own = log_mel(torch.from_numpy(source.samples)[None], house.engine.modules.geometry)

    def distance(strength: float, seed: int) -> float:
        made = house.edit("laser", Edit("vary", strength=strength), seed=seed)
        mel = log_mel(torch.from_numpy(made)[None], house.engine.modules.geometry)
        return float((mel - own).abs().mean())

    weak, middle, strong = (np.mean([distance(one, seed) for seed in (3, 4)]) for one in (0.1, 0.5, 1.0))
    assert weak < middle < strong and strong > 1.2 * weak


def test_a_morph_leads_from_one_sound_to_the_other(house: House) -> None:
    one, other = (Sound(house.clips[name].samples[24000:60000], RATE) for name in ("whoosh", "laser"))
    geometry = house.engine.modules.geometry

    def shape(samples: np.ndarray) -> torch.Tensor:
        mel = log_mel(torch.from_numpy(samples)[None], geometry)
        mel = torch.nn.functional.interpolate(mel, size=75, mode="linear")
        return (mel - mel.mean()).clamp_min(-5.0)

    def distances(weight: float) -> tuple[float, float]:
        made = shape(house.edit(one, Edit("morph", weight=weight), other=other, steps=6))
        return tuple(float((made - shape(end.samples)).abs().mean()) for end in (one, other))  # type: ignore[return-value]

    # As near as VAE and vocoder alone come: the noises that were found lead back to the sounds.
    plain = [
        float((shape(house.engine.resynthesise(end)) - shape(end.samples)).abs().mean())
        for end in (one, other)
    ]
    first, half, last = distances(0.0), distances(0.5), distances(1.0)
    assert first[0] < 1.3 * plain[0] and last[1] < 1.3 * plain[1]
    assert first[0] < half[0] < last[0] and last[1] < half[1] < first[1]
