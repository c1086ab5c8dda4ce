"""Masks and inversion: the known part of a latent is held at every level, bins mean frequencies, noise leads back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vocaldm_live.model.inversion import inversion_path, invert, slerp
from vocaldm_live.model.masks import Projected, free_bins, known_frames, windows
from vocaldm_live.model.samplers import SAMPLERS, Cancelled, SeededNoise, ddim
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import fold, log_mel

SCHEDULE = Schedule.linear_sqrt(zero_terminal_snr=True)
SHAPE = (1, 8, 24, 16)


def gaussian(x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
    """The best x_0 for data of mean 1 and variance 1/4, with something that depends on the neighbours."""
    a, s = SCHEDULE.alpha(int(t[0])), SCHEDULE.sigma(int(t[0]))
    best = 1.0 + 0.25 * a * (x_t - a) / (0.25 * a * a + s * s)
    return best + 0.1 * torch.sin(torch.roll(x_t, 1, 2))


def draw(seed: int) -> Tensor:
    return SeededNoise([seed]).initial(*SHAPE[1:])


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_every_sampler_holds_the_known_part_at_every_level(name: str, steps: int) -> None:
    clean, noise = draw(1), draw(2)
    free = torch.zeros(1, 1, 24, 16, dtype=torch.bool)
    free[:, :, 8:16] = True
    free[:, :, :, 12:] = True
    seen: list[tuple[int, Tensor]] = []

    def watched(x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        seen.append((int(t[0]), x_t.clone()))
        return gaussian(x_t, t, condition)

    made = SAMPLERS[name](Projected(watched, clean, free), noise, SCHEDULE, steps, x_start=clean)
    held = ~free.expand(SHAPE)
    assert len(seen) == steps
    for t, x_t in seen:
        wanted = SCHEDULE.alpha(t) * clean + SCHEDULE.sigma(t) * noise
        assert torch.allclose(x_t[held], wanted[held], atol=2e-4)
    assert torch.allclose(made[held], clean[held], atol=2e-4)
    assert (made - clean)[~held].abs().mean() > 0.3


def test_fresh_noise_leaves_the_known_part_too() -> None:
    clean = draw(3)
    free = torch.zeros(1, 1, 24, 16, dtype=torch.bool)
    free[:, :, :5] = True
    made = ddim(
        Projected(gaussian, clean, free),
        draw(4),
        SCHEDULE,
        6,
        eta=1.0,
        noise_source=SeededNoise([4]),
        x_start=clean,
    )
    assert torch.allclose(made[:, :, 5:], clean[:, :, 5:], atol=1e-4)


def test_a_projected_guided_function_is_asked_by_timestep() -> None:
    class Choosy:
        def __call__(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
            raise AssertionError("asked on the device")

        def for_timestep(self, timestep: int) -> Any:
            return gaussian

    free = torch.ones(1, 1, 24, 16, dtype=torch.bool)
    made = ddim(Projected(Choosy(), draw(5), free), draw(6), SCHEDULE, 3)
    assert torch.equal(made, ddim(gaussian, draw(6), SCHEDULE, 3))


def test_frames_are_known_only_where_no_sample_of_their_window_is_new() -> None:
    known = np.ones(48000, bool)
    known[20000:25000] = False
    frames = known_frames(known, HOUSE)
    assert len(frames) == 100
    unknown = np.flatnonzero(~frames)
    samples = torch.zeros(1, 48000)
    samples[:, 20000:25000] = 1e-2 * torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    touched = np.flatnonzero((log_mel(samples, HOUSE)[0] > np.log(2e-5)).any(0).numpy())
    assert set(touched) <= set(unknown) and len(unknown) <= len(touched) + 3
    assert known_frames(np.ones(48000, bool), HOUSE).all()


@pytest.mark.parametrize("hertz", [60.0, 300.0, 1000.0, 2500.0, 7000.0, 15000.0])
def test_a_tone_lies_in_the_free_bins_of_its_band(hertz: float) -> None:
    """Folding keeps neighbours together: what a tone moves in the VAE's image lies in its own latent bins."""
    times = torch.arange(24000) / 48000.0
    image = fold(log_mel(0.01 * torch.sin(2 * np.pi * hertz * times)[None], HOUSE), HOUSE)
    # Away from the ends, where the analysis mirrors the tone with a kink.
    loudest = image[0, :, 20:30].amax((0, 1)).reshape(HOUSE.latent_bins, HOUSE.factor).amax(1)
    bins = free_bins(HOUSE, hertz - 1.0, hertz + 1.0)
    assert bins.sum() <= 3 and bool(bins[int(loudest.argmax())])
    assert bool((loudest[torch.from_numpy(~bins)] < loudest.max() - 1.0).all())


def test_a_band_frees_whole_bins_and_no_more_than_it_touches() -> None:
    assert free_bins(HOUSE, None, None).all()
    upper, lower = free_bins(HOUSE, 4000.0, None), free_bins(HOUSE, None, 4000.0)
    assert (upper | lower).all() and 1 <= (upper & lower).sum() <= 2
    assert np.array_equal(np.sort(upper), upper)


@pytest.mark.parametrize("total", [64, 256, 264, 1000, 2048])
def test_windows_fill_everything_from_what_is_known(total: int) -> None:
    total = total // 8 * 8
    for begin, end in ((0, total), (0, total // 2), (total // 2, total), (total // 4, total // 4 * 3)):
        free = np.zeros(total, bool)
        free[begin:end] = True
        some = not free.all()
        for first, last in windows(free, 256, 64):
            assert 0 <= first < last <= total and first % 8 == 0 and last % 8 == 0
            assert free[first:last].any() and (total <= 256 or last - first <= 256 + 8)
            assert not free[first:last].all() or not some
            if total > 256 and some:
                assert (~free[first:last]).sum() >= 56
            free[first:last] = False
            some = True
        assert not free.any()
    assert windows(np.zeros(64, bool), 256, 64) == []


def test_inversion_finds_the_noise_that_leads_to_a_latent() -> None:
    path = inversion_path(SCHEDULE, SCHEDULE.trailing_steps(12))
    noise = draw(7)
    clean = ddim(gaussian, noise, SCHEDULE, path)
    found = invert(gaussian, clean, draw(8), path)
    back = ddim(gaussian, found, SCHEDULE, path)
    # What the lowest level adds is all that is lost, and rounds of the solver are what keeps it at that.
    assert (back - clean).std() < 0.15 * clean.std()
    assert (found - noise).std() < 0.15
    once = invert(gaussian, clean, draw(8), path, iterations=1)
    assert (ddim(gaussian, once, SCHEDULE, path) - clean).std() > 2.0 * (back - clean).std()


def test_inversion_ends_when_asked() -> None:
    with pytest.raises(Cancelled):
        invert(
            gaussian,
            draw(7),
            draw(8),
            inversion_path(SCHEDULE, SCHEDULE.trailing_steps(4)),
            cancelled=lambda: True,
        )


def test_slerp_keeps_the_length_of_noise() -> None:
    one, other = draw(9), draw(10)
    assert torch.allclose(slerp(one, other, 0.0), one, atol=1e-6)
    assert torch.allclose(slerp(one, other, 1.0), other, atol=1e-6)
    assert abs(float(slerp(one, other, 0.5).std()) - 1.0) < 0.05
    assert float((0.5 * one + 0.5 * other).std()) < 0.8
    assert torch.allclose(slerp(one, one, 0.3), one, atol=1e-5)
