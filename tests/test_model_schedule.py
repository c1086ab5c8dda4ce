"""The noise schedule and the wrappers that bring networks to the denoise contract."""

import math
from typing import Any

import pytest
import torch

from vocaldm_live.model.denoise import denoise_from, denoise_from_eps, denoise_from_v
from vocaldm_live.model.schedule import Schedule

PLAIN = Schedule.linear_sqrt()
ZERO_SNR = Schedule.linear_sqrt(zero_terminal_snr=True)


@pytest.mark.parametrize("zero_snr", [False, True])
def test_levels_are_those_of_diffusers(zero_snr):
    from diffusers import DDIMScheduler

    scheduler: Any = DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", rescale_betas_zero_snr=zero_snr
    )
    ours = (ZERO_SNR if zero_snr else PLAIN).alphas_cumprod
    assert ours.dtype == torch.float64
    assert torch.allclose(ours.float(), scheduler.alphas_cumprod, atol=2e-6)


def test_zero_terminal_snr_ends_in_pure_noise_and_keeps_the_first_level():
    assert ZERO_SNR.alpha(999) == 0.0 and ZERO_SNR.sigma(999) == 1.0
    assert ZERO_SNR.log_snr(999) == -math.inf
    assert ZERO_SNR.alpha(0) == pytest.approx(PLAIN.alpha(0), abs=1e-12)
    assert PLAIN.alpha(999) > 0.01
    assert ZERO_SNR.zero_terminal_snr and not PLAIN.zero_terminal_snr


def test_timestep_minus_one_is_clean_data():
    assert (PLAIN.alpha(-1), PLAIN.sigma(-1), PLAIN.log_snr(-1)) == (1.0, 0.0, math.inf)


def test_ints_and_tensors_give_the_same_levels():
    t = torch.tensor([0, 17, 500, 999])
    for name in ("alpha", "sigma", "log_snr"):
        of_tensor = getattr(PLAIN, name)(t)
        of_ints = torch.tensor([getattr(PLAIN, name)(int(step)) for step in t])
        assert of_tensor.dtype == torch.float32
        assert torch.allclose(of_tensor, of_ints, rtol=1e-4)
    assert torch.allclose(PLAIN.alpha(t) ** 2 + PLAIN.sigma(t) ** 2, torch.ones(4))


def test_log_snr_falls_all_the_way():
    values = [PLAIN.log_snr(t) for t in range(-1, 1000)]
    assert all(a > b for a, b in zip(values[:-1], values[1:], strict=True))
    assert values[501] == pytest.approx(2 * math.log(PLAIN.alpha(500) / PLAIN.sigma(500)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 10, 30, 50, 300, 999, 1000])
def test_trailing_begins_with_noise_and_ends_clean(n):
    steps = PLAIN.trailing_steps(n)
    assert len(steps) == n and steps[0] == 999 and min(steps) >= 0
    assert len(set(steps)) == n and steps == sorted(steps, reverse=True)
    gaps = [a - b for a, b in zip(steps, steps[1:] + [-1], strict=True)]
    assert max(gaps) - min(gaps) <= 1
    path = PLAIN.trailing(n)
    assert path.alphas[-1] == 1.0 and path.sigmas[-1] == 0.0 and len(path) == n


@pytest.mark.parametrize("n", [1, 3, 4, 6, 7, 10, 30, 50, 100, 300, 500])
def test_leading_and_trailing_steps_are_those_of_diffusers(n):
    from diffusers import DDIMScheduler

    leading: Any = DDIMScheduler(timestep_spacing="leading", steps_offset=1)
    leading.set_timesteps(n)
    assert PLAIN.leading_steps(n) == leading.timesteps.tolist()
    trailing: Any = DDIMScheduler(timestep_spacing="trailing")
    trailing.set_timesteps(n)
    assert PLAIN.trailing_steps(n) == trailing.timesteps.tolist()


def test_leading_ends_on_the_first_level_and_keeps_its_count():
    path = PLAIN.leading(50)
    assert path.timesteps[-1] == 1 and path.alphas[-1] == PLAIN.alpha(0)
    assert len(PLAIN.leading_steps(30)) == 30
    assert len(PLAIN.leading_steps(300)) == 300
    assert PLAIN.leading_steps(1000, offset=0)[-1] == 0


@pytest.mark.parametrize("n", [0, -3, 1001])
def test_a_count_outside_the_schedule_is_refused(n):
    with pytest.raises(ValueError, match="1 to 1000"):
        PLAIN.trailing(n)
    with pytest.raises(ValueError, match="1 to 1000"):
        PLAIN.leading(n)


def test_leading_steps_beyond_the_schedule_are_refused():
    with pytest.raises(ValueError, match="offset"):
        PLAIN.leading_steps(1000, offset=1)


@pytest.mark.parametrize(
    ("times", "final"), [([], -1), ([5, 5], -1), ([5, 9], -1), ([1000], -1), ([9, -1], -1), ([9, 4], 5)]
)
def test_crooked_trajectories_are_refused(times, final):
    with pytest.raises(ValueError, match="fall strictly"):
        PLAIN.trajectory(times, final)


@pytest.mark.parametrize(
    "levels",
    [
        torch.tensor([0.9, 0.5]),
        torch.tensor([0.5, 0.9], dtype=torch.float64),
        torch.tensor([0.9, 0.0, 0.0], dtype=torch.float64),
        torch.tensor([1.0, 0.5], dtype=torch.float64),
        torch.tensor([0.9], dtype=torch.float64),
    ],
)
def test_levels_that_are_no_schedule_are_refused(levels):
    with pytest.raises(ValueError, match="alphas_cumprod must"):
        Schedule(levels)


@pytest.fixture
def noised():
    generator = torch.Generator().manual_seed(1)
    x_0 = torch.randn(3, 2, 5, 4, generator=generator, dtype=torch.float64)
    eps = torch.randn(3, 2, 5, 4, generator=generator, dtype=torch.float64)
    t = torch.tensor([3, 400, 950])
    return x_0, eps, t


def test_every_conversion_leads_back(noised):
    x_0, eps, t = noised
    x_t, v = PLAIN.add_noise(x_0, eps, t), PLAIN.v_from_data(x_0, eps, t)
    for got, wanted in [
        (PLAIN.x_0_from_v(x_t, v, t), x_0),
        (PLAIN.eps_from_v(x_t, v, t), eps),
        (PLAIN.x_0_from_eps(x_t, eps, t), x_0),
        (PLAIN.v_from_eps(x_t, eps, t), v),
        (PLAIN.eps_from_x_0(x_t, x_0, t), eps),
        (PLAIN.v_from_x_0(x_t, x_0, t), v),
    ]:
        assert torch.allclose(got, wanted, atol=1e-10)
    one = torch.full((3,), 400)
    assert torch.allclose(PLAIN.add_noise(x_0, eps, 400), PLAIN.add_noise(x_0, eps, one), atol=1e-12)


def test_conversions_without_signal_stay_finite(noised):
    x_0, eps, _ = noised
    t = torch.tensor([999, 999, 999])
    x_t, v = ZERO_SNR.add_noise(x_0, eps, t), ZERO_SNR.v_from_data(x_0, eps, t)
    assert torch.equal(x_t, eps) and torch.equal(v, -x_0)
    assert torch.equal(ZERO_SNR.x_0_from_v(x_t, v, t), x_0)
    assert torch.equal(ZERO_SNR.eps_from_x_0(x_t, x_0, t), eps)
    with pytest.raises(ValueError, match="zero terminal SNR"):
        ZERO_SNR.x_0_from_eps(x_t, eps, t)
    with pytest.raises(ValueError, match="zero terminal SNR"):
        ZERO_SNR.v_from_eps(x_t, eps, t)


@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
def test_wrapped_networks_return_the_clean_data_and_hand_the_condition_on(noised, prediction):
    x_0, eps, t = noised
    x_t = PLAIN.add_noise(x_0, eps, t)
    answers = {"v": PLAIN.v_from_data(x_0, eps, t), "eps": eps, "x0": x_0}
    seen = []

    def network(x, steps, condition):
        seen.append((x is x_t, steps is t, condition))
        return answers[prediction]

    condition = object()
    result = denoise_from(network, PLAIN, prediction)(x_t, t, condition)
    assert torch.allclose(result, x_0, atol=1e-10)
    assert seen == [(True, True, condition)]


def test_eps_networks_are_refused_without_terminal_signal():
    with pytest.raises(ValueError, match="eps network"):
        denoise_from_eps(lambda x, t, c: x, ZERO_SNR)
    with pytest.raises(ValueError, match="v, eps or x0"):
        denoise_from(lambda x, t, c: x, PLAIN, "flow")  # type: ignore[arg-type]


def test_a_network_in_bfloat16_leaves_the_state_in_float32():
    def network(x, t, c):
        assert x.dtype == torch.bfloat16
        return x

    x_t = torch.randn(2, 8, 4, 16)
    x_0 = denoise_from_v(network, ZERO_SNR, torch.bfloat16)(x_t, torch.tensor([999, 10]), None)
    assert x_0.dtype == torch.float32 and x_0.shape == x_t.shape
    assert torch.allclose(x_0[0], -x_t[0].bfloat16().float())


def test_training_may_follow_sampling_on_the_same_schedule():
    schedule, t = Schedule.linear_sqrt(), torch.tensor([5])
    weight = torch.ones(1, 1, 1, 1, requires_grad=True)
    with torch.inference_mode():
        schedule.add_noise(weight, weight, t)
    schedule.x_0_from_v(weight, weight, t).sum().backward()
    assert weight.grad is not None and float(weight.grad) == pytest.approx(PLAIN.alpha(5) - PLAIN.sigma(5))
