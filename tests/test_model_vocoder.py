"""The vocoder: exact overlap-add, phases that follow tones, noise from its own seed; and Griffin-Lim."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vocaldm_live.measure.spectra import frame_rate_tone_db
from vocaldm_live.model.overlap import inverse_stft, stft
from vocaldm_live.model.phase import PeakPhases, nearest_peak
from vocaldm_live.model.vocoder import Vocoder, band_interpolation, draw_noise, griffin_lim
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel, mel_centres, stft_magnitude

RATE, HOP, SIZE = HOUSE.sample_rate, HOUSE.hop, HOUSE.n_fft
BIN_WIDTH = RATE / SIZE


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(hertz: float, frames: int = 120, peak: float = 0.3) -> Tensor:
    return peak * torch.sin(2 * math.pi * hertz * torch.arange(frames * HOP) / RATE)[None]


def untrained() -> Vocoder:
    torch.manual_seed(0)
    return Vocoder(HOUSE, channels=64, hidden=96, blocks=2).eval()


@torch.inference_mode()
def vocoded(samples: Tensor) -> np.ndarray:
    return untrained()(log_mel(samples, HOUSE), seeded())[0].numpy()


def strongest(samples: np.ndarray) -> float:
    """Frequency of the highest spectral peak in Hz, read off an eight times finer grid."""
    size = 8 * len(samples)
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size)).argmax()) * RATE / size


def test_overlap_add_undoes_the_stft() -> None:
    samples = torch.randn(2, 30 * HOP, generator=seeded())
    again = inverse_stft(stft(samples, HOUSE), HOUSE)
    assert again.shape == samples.shape
    torch.testing.assert_close(again, samples, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_clip_is_as_long_as_its_frames(frames: int) -> None:
    spectrum = stft(torch.randn(1, frames * HOP), HOUSE)
    assert spectrum.shape == (1, SIZE // 2 + 1, frames)
    assert inverse_stft(spectrum, HOUSE).shape == (1, frames * HOP)


def test_both_stfts_have_the_same_frames() -> None:
    samples = torch.randn(1, 40 * HOP, generator=seeded())
    inner = slice(3, -3)
    torch.testing.assert_close(
        stft(samples, HOUSE).abs()[..., inner], stft_magnitude(samples, HOUSE)[..., inner]
    )


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 5, 64])
def test_samples_are_frames_times_hop(frames: int) -> None:
    made = untrained()(torch.full((2, 128, frames), -4.0), seeded())
    assert made.shape == (2, frames * HOP) and made.isfinite().all()


def test_an_untrained_vocoder_keeps_a_tone() -> None:
    made = vocoded(tone(447.0))
    assert strongest(made[20 * HOP : -20 * HOP]) == pytest.approx(447.0, abs=1.0)
    level = np.sqrt(np.mean(made**2)) / (0.3 / math.sqrt(2))
    assert 0.5 < level < 2.0


def test_the_frame_rate_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without peak following, a network blind to the frame index makes multiples of 100 Hz."""
    noise = 0.1 * torch.randn(1, 96000, generator=seeded(1))
    assert frame_rate_tone_db(vocoded(noise), RATE, HOP) < 3.0
    heard = frame_rate_tone_db(vocoded(tone(447.0, 200)), RATE, HOP)
    monkeypatch.setattr(PeakPhases, "__call__", lambda self, level: torch.zeros_like(level))
    blind = frame_rate_tone_db(vocoded(tone(447.0, 200)), RATE, HOP)
    # A pure tone's skirt leaves the measure a scatter of some dB; buzz is far above it.
    assert heard < 8.0 and blind > heard + 10.0


def test_silence_stays_silent() -> None:
    made = vocoded(torch.zeros(1, 60 * HOP))
    assert 20 * np.log10(np.abs(made).max()) < -70.0


def test_the_prior_is_the_level_of_noise() -> None:
    noise = 0.1 * torch.randn(1, 200 * HOP, generator=seeded(2))
    prior = untrained().prior(log_mel(noise, HOUSE))[0, 100:900, 5:-5].exp()
    wanted = 0.1 * math.sqrt(0.375 * SIZE)
    assert float(prior.square().mean().sqrt()) == pytest.approx(wanted, rel=0.15)


def test_band_interpolation_reads_a_line_exactly() -> None:
    matrix = band_interpolation(HOUSE)
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix)))
    centres = torch.from_numpy(mel_centres(HOUSE).astype(np.float32))
    hertz = torch.arange(len(matrix)) * BIN_WIDTH
    inside = (hertz >= centres[0]) & (hertz <= centres[-1])
    torch.testing.assert_close((matrix @ centres)[inside], hertz[inside], rtol=1e-4, atol=0.01)


def test_phases_of_a_steady_tone_advance_by_its_frequency() -> None:
    position = 24.3
    lobe = -0.5 * (torch.arange(SIZE // 2 + 1) - position) ** 2
    phases = PeakPhases(SIZE, HOP)(lobe.clamp_min(-30.0).repeat(1, 50, 1))[0, :, 24].double()
    advance = torch.remainder(phases.diff(), 2 * math.pi)
    wanted = (2 * math.pi * HOP / SIZE * position) % (2 * math.pi)
    torch.testing.assert_close(advance, torch.full_like(advance, wanted), atol=1e-3, rtol=0)


def test_phases_of_a_sound_in_pieces_go_on_where_they_stopped() -> None:
    level = torch.randn(2, 41, SIZE // 2 + 1, generator=seeded(3))
    pieces = PeakPhases(SIZE, HOP)
    joined = torch.cat([pieces(part) for part in level.split([5, 1, 35], dim=1)], dim=1)
    torch.testing.assert_close(joined, PeakPhases(SIZE, HOP)(level), atol=1e-5, rtol=0)


def test_a_tones_lobe_is_locked_with_alternating_signs() -> None:
    lobe = -0.5 * (torch.arange(SIZE // 2 + 1) - 100.0) ** 2
    phases = PeakPhases(SIZE, HOP)(lobe.repeat(1, 3, 1))[0, 2, 98:103]
    turns = torch.remainder(phases.diff(), 2 * math.pi)
    torch.testing.assert_close(turns, torch.full_like(turns, math.pi), atol=1e-3, rtol=0)


def test_true_magnitudes_and_peak_phases_make_the_tone_again() -> None:
    samples = tone(1234.0, 60)
    magnitude = stft_magnitude(samples, HOUSE)
    phases = PeakPhases(SIZE, HOP)(magnitude.clamp_min(1e-6).log().transpose(1, 2)).transpose(1, 2)
    made = inverse_stft(torch.polar(magnitude, phases), HOUSE)[0, 10 * HOP : -10 * HOP].numpy()
    assert strongest(made) == pytest.approx(1234.0, abs=1.0)
    assert np.sqrt(np.mean(made**2)) == pytest.approx(0.3 / math.sqrt(2), rel=0.1)


def test_nearest_peak_is_the_nearest() -> None:
    peak = torch.rand(5, 7, 40, generator=seeded()) < 0.15
    peak[..., 11] |= ~peak.any(-1)
    found = nearest_peak(peak)
    for row, places in zip(peak.reshape(-1, 40), found.reshape(-1, 40), strict=True):
        true = row.nonzero()[:, 0]
        assert row[places].all()
        for index, place in enumerate(places.tolist()):
            assert abs(place - index) == int((true - index).abs().min())


def test_noise_comes_from_its_seed() -> None:
    one, same, other = (draw_noise(2, 20, HOUSE, seeded(seed)) for seed in (5, 5, 6))
    assert one.shape == (2, SIZE // 2 + 1, 20) and one.is_complex()
    assert torch.equal(one, same) and not torch.allclose(one, other)
    assert not torch.allclose(one[0], one[1])


def test_noise_has_unit_power() -> None:
    power = draw_noise(4, 200, HOUSE, seeded()).abs().square()[..., 3:-3]
    assert float(power.mean()) == pytest.approx(1.0, abs=0.01)
    assert (
        power.mean(dim=(0, 1)).sub(1.0).abs().max() < 0.15
        and power.mean(dim=(0, 2)).sub(1.0).abs().max() < 0.4
    )


@torch.inference_mode()
def test_the_same_seed_gives_the_same_samples() -> None:
    vocoder = untrained()
    mel = log_mel(0.1 * torch.randn(1, 20 * HOP, generator=seeded(1)), HOUSE)
    one, same, other = (vocoder(mel, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.allclose(one, other, atol=1e-3)
    given = vocoder(mel, noise=draw_noise(1, 20, HOUSE, seeded(3)))
    assert torch.equal(given, one)


def test_griffin_lim_gets_more_consistent() -> None:
    samples = tone(700.0, 40) + 0.02 * torch.randn(1, 40 * HOP, generator=seeded())
    mel = log_mel(samples, HOUSE)
    distances = []
    for iterations in (0, 4, 32):
        made = griffin_lim(mel, HOUSE, iterations, generator=seeded(1))
        assert made.shape == samples.shape
        distances.append(float((log_mel(made, HOUSE) - mel)[..., 4:-4].abs().mean()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.5 * distances[0]
    assert strongest(made[0].numpy()) == pytest.approx(700.0, abs=BIN_WIDTH)


def test_griffin_lim_comes_from_its_seed() -> None:
    mel = log_mel(tone(700.0, 12), HOUSE)
    one, same, other = (griffin_lim(mel, HOUSE, 2, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.allclose(one, other, atol=1e-3)
