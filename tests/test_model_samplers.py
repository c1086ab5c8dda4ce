"""Samplers and guidance on distributions whose denoiser and whose flow are known in closed form."""

import math
from typing import Any

import pytest
import torch

from vocaldm_live.model.denoise import denoise_from
from vocaldm_live.model.guidance import guided, join_conditions
from vocaldm_live.model.samplers import SAMPLERS, Cancelled, SeededNoise, ddim, deis, dpm_solver_pp_2m, ipndm
from vocaldm_live.model.schedule import Schedule

PLAIN = Schedule.linear_sqrt()
ZERO_SNR = Schedule.linear_sqrt(zero_terminal_snr=True)
BOTH = pytest.mark.parametrize("schedule", [PLAIN, ZERO_SNR], ids=["plain", "zero_snr"])
EVERY = pytest.mark.parametrize("name", sorted(SAMPLERS))

MEAN = torch.tensor([-2.0, -0.5, 1.0, 2.0], dtype=torch.float64)
SPREAD = torch.tensor([0.2, 0.5, 1.0, 2.0], dtype=torch.float64)


def gaussian(schedule, mean=MEAN, spread=SPREAD):
    """E[x_0 | x_t] for data drawn from N(mean, spread^2), independently in each bin."""

    def denoise(x_t, t, condition):
        level = schedule.alphas_cumprod[t].view(-1, 1, 1, 1).to(x_t)
        alpha, m, s2 = level.sqrt(), mean.to(x_t), spread.to(x_t) ** 2
        return m + alpha * s2 / (level * s2 + 1 - level) * (x_t - alpha * m)

    return denoise


def flow(x, path):
    """Where the probability flow of that Gaussian takes x, from the path's first level to its last."""
    (a, s), (a_end, s_end) = (path.alphas[0], path.sigmas[0]), (path.alphas[-1], path.sigmas[-1])
    scale = torch.sqrt((a_end * SPREAD) ** 2 + s_end**2) / torch.sqrt((a * SPREAD) ** 2 + s**2)
    return a_end * MEAN + scale * (x - a * MEAN)


def noise(batch=4, seed=0, shape=(2, 3, 4), dtype=torch.float64):
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def error(sampler, schedule, path, **options):
    x = noise()
    result = sampler(gaussian(schedule), x, schedule, path, **options)
    return float((result - flow(x, path)).square().mean().sqrt())


def short_of_clean(schedule, n):
    """Even steps from noise to timestep 39, where the flow is still smooth, so that orders show."""
    return schedule.trajectory([999 - 960 * i // n for i in range(n)], final=39)


# Against the closed form ---------------------------------------------------------------------------------


@BOTH
def test_many_steps_follow_the_flow(schedule):
    assert error(ddim, schedule, schedule.trailing(1000)) < 0.005
    assert error(ddim, schedule, short_of_clean(schedule, 960)) < 0.002
    assert error(dpm_solver_pp_2m, schedule, short_of_clean(schedule, 48)) < 0.003
    assert error(deis, schedule, short_of_clean(schedule, 48)) < 0.0005
    assert error(ipndm, schedule, short_of_clean(schedule, 48)) < 0.001


@BOTH
def test_fifty_steps_reach_clean_data(schedule):
    assert error(dpm_solver_pp_2m, schedule, schedule.trailing(50)) < 0.04
    assert error(deis, schedule, schedule.trailing(50)) < 0.02
    assert error(ipndm, schedule, schedule.trailing(50)) < 0.025


@BOTH
@pytest.mark.parametrize(
    ("name", "low", "high"), [("ddim", 1.8, 2.2), ("dpm_solver_pp_2m", 3.2, 4.8), ("deis", 4.5, 17.0)]
)
def test_doubling_the_steps_divides_the_error_by_the_order(schedule, name, low, high):
    errors = [error(SAMPLERS[name], schedule, short_of_clean(schedule, n)) for n in (10, 20, 40)]
    for coarse, fine in zip(errors[:-1], errors[1:], strict=True):
        assert low < coarse / fine < high


@BOTH
@pytest.mark.parametrize("n", [4, 6, 8])
def test_multistep_samplers_beat_ddim_at_few_steps(schedule, n):
    reference = error(ddim, schedule, schedule.trailing(n))
    assert error(deis, schedule, schedule.trailing(n)) < reference / 2
    assert error(ipndm, schedule, schedule.trailing(n)) < reference / 2
    assert error(dpm_solver_pp_2m, schedule, schedule.trailing(n)) < reference


@BOTH
def test_a_higher_order_of_deis_is_nearer_and_order_zero_is_ddim(schedule):
    path = short_of_clean(schedule, 20)
    errors = [error(deis, schedule, path, order=order) for order in range(4)]
    assert errors == sorted(errors, reverse=True)
    x = noise()
    for sampler in (deis, ipndm):
        assert torch.allclose(
            sampler(gaussian(schedule), x, schedule, 7, order=0), ddim(gaussian(schedule), x, schedule, 7)
        )


@EVERY
@BOTH
def test_one_step_is_the_networks_own_estimate(name, schedule):
    x = noise()
    estimate = gaussian(schedule)(x, torch.full((4,), 999), None)
    assert torch.allclose(SAMPLERS[name](gaussian(schedule), x, schedule, 1), estimate, atol=1e-12)


@EVERY
def test_one_point_of_data_is_hit_exactly(name):
    point = noise(1, seed=5)
    result = SAMPLERS[name](lambda x, t, c: point.expand_as(x), noise(), ZERO_SNR, 7)
    assert torch.allclose(result, point.expand(4, -1, -1, -1), atol=1e-10)


@pytest.mark.parametrize("schedule", [PLAIN, ZERO_SNR], ids=["plain", "zero_snr"])
def test_ancestral_sampling_draws_the_distribution(schedule):
    mean, spread = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.3, 0.8, 1.5])
    clips = 1000
    seeded = SeededNoise(range(clips))
    result = ddim(
        gaussian(schedule, mean, spread),
        seeded.initial(1, 2, 3),
        schedule,
        500,
        eta=1.0,
        noise_source=lambda step, shape: noise(clips, step + 1, (1, 2, 3), torch.float32),
    ).flatten(0, 2)
    assert torch.allclose(result.mean(0), mean, atol=0.1)
    assert torch.allclose(result.std(0) / spread, torch.ones(3), atol=0.06)


# Against diffusers ---------------------------------------------------------------------------------------

BETAS = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
NAMES = {"v": "v_prediction", "eps": "epsilon", "x0": "sample"}


def network(x, t, condition):
    """Any network will do: it only must be smooth and depend on both arguments."""
    return torch.tanh(0.7 * x + 0.2 * x.roll(1, -1)) + 0.3 * torch.sin(t.view(-1, 1, 1, 1) / 150)


def by_diffusers(scheduler, x, **options):
    for index, t in enumerate(scheduler.timesteps):
        if "noise_source" in options:
            options["variance_noise"] = options["noise_source"](index, x.shape)
        passed = {key: value for key, value in options.items() if key != "noise_source"}
        x = scheduler.step(network(x, t.expand(len(x)), None), t, x, **passed).prev_sample
    return x


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize(
    ("spacing", "prediction"),
    [("leading", "eps"), ("leading", "v"), ("leading", "x0"), ("trailing", "v"), ("trailing_zero_snr", "v")],
)
@pytest.mark.parametrize("n", [10, 25])
def test_ddim_is_that_of_diffusers(spacing, prediction, eta, n):
    from diffusers import DDIMScheduler

    zero_snr, leading = spacing.endswith("zero_snr"), spacing == "leading"
    scheduler: Any = DDIMScheduler(
        **BETAS,
        clip_sample=False,
        set_alpha_to_one=not leading,
        steps_offset=1 if leading else 0,
        prediction_type=NAMES[prediction],
        timestep_spacing=spacing.split("_")[0],
        rescale_betas_zero_snr=zero_snr,
    )
    scheduler.set_timesteps(n)
    schedule = ZERO_SNR if zero_snr else PLAIN
    source = SeededNoise([3, 4])
    x = source.initial(2, 6, 4)
    wanted = by_diffusers(scheduler, x, eta=eta, noise_source=source)
    result = ddim(
        denoise_from(network, schedule, prediction),
        x,
        schedule,
        schedule.leading(n) if leading else n,
        eta=eta,
        noise_source=source,
    )
    assert torch.allclose(result, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
@pytest.mark.parametrize("n", [5, 10, 20])
def test_dpm_solver_is_that_of_diffusers(prediction, n):
    from diffusers import DPMSolverMultistepScheduler

    scheduler: Any = DPMSolverMultistepScheduler(
        **BETAS,
        algorithm_type="dpmsolver++",
        solver_order=2,
        prediction_type=NAMES[prediction],
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(n)
    x = noise(2, dtype=torch.float32)
    result = dpm_solver_pp_2m(denoise_from(network, PLAIN, prediction), x, PLAIN, n)
    assert torch.allclose(result, by_diffusers(scheduler, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prediction", ["v", "eps"])
def test_dpm_solver_on_official_steps_is_that_of_diffusers(prediction):
    from diffusers import DPMSolverMultistepScheduler

    scheduler: Any = DPMSolverMultistepScheduler(
        **BETAS,
        algorithm_type="dpmsolver++",
        prediction_type=NAMES[prediction],
        final_sigmas_type="sigma_min",
    )
    scheduler.set_timesteps(timesteps=PLAIN.leading_steps(10))
    x = noise(2, dtype=torch.float32)
    result = dpm_solver_pp_2m(denoise_from(network, PLAIN, prediction), x, PLAIN, PLAIN.leading(10))
    assert torch.allclose(result, by_diffusers(scheduler, x), atol=1e-5, rtol=1e-5)


# Guidance ------------------------------------------------------------------------------------------------

CENTRE, WIDTH = 2.0, 0.5


def mixture(x_t, t, condition):
    """Two hills at +-CENTRE; condition [batch, 1]: 1 the right hill alone, 0 (null) both alike."""
    level = ZERO_SNR.alphas_cumprod[t].view(-1, 1, 1, 1).to(x_t)
    alpha, variance = level.sqrt(), level * WIDTH**2 + 1 - level
    hills = [c + alpha * WIDTH**2 / variance * (x_t - alpha * c) for c in (CENTRE, -CENTRE)]
    right = torch.sigmoid(2 * alpha * CENTRE * x_t / variance)
    right = torch.where(condition.view(-1, 1, 1, 1) > 0.5, torch.ones_like(right), right)
    return right * hills[0] + (1 - right) * hills[1]


def test_guidance_moves_toward_the_condition_as_the_scale_grows():
    x = noise(300, shape=(1, 1, 1))
    condition, null = torch.ones(300, 1), torch.zeros(1, 1)
    clips = {
        scale: deis(guided(mixture, condition, null, scale), x, ZERO_SNR, 25) for scale in (0, 0.5, 1, 2, 4)
    }
    right = {scale: float((clip > 0).double().mean()) for scale, clip in clips.items()}
    assert abs(right[0] - 0.5) < 0.1 and right[1] == 1.0
    assert float(clips[1].mean()) == pytest.approx(CENTRE, abs=0.1)
    means = [float(clip.mean()) for clip in clips.values()]
    assert means == sorted(means) and means[-1] > CENTRE + 0.1


@pytest.mark.parametrize("scale", [0.0, 2.5, 7.0])
def test_guiding_x0_is_guiding_v_and_eps(scale):
    x_t, t = noise(3), torch.tensor([40, 500, 960])

    def two_faced(x, steps, condition):
        return network(x, steps, None) * condition.view(-1, 1, 1, 1)

    strong, null = torch.full((3, 1), 1.5), torch.full((1, 1), 0.4)
    for prediction in ("v", "eps"):

        def guided_outside(x, steps, condition):
            a, b = two_faced(x, steps, strong), two_faced(x, steps, null)
            return b + scale * (a - b)

        wanted = denoise_from(guided_outside, PLAIN, prediction)(x_t, t, None)
        result = guided(denoise_from(two_faced, PLAIN, prediction), strong, null, scale)(x_t, t)
        assert torch.allclose(result, wanted, atol=1e-9)


def counting(rows, seen=None):
    def denoise(x_t, t, condition):
        rows.append(len(x_t))
        assert len(t) == len(x_t) == len(condition)
        if seen is not None:
            seen.append(int(t[0]))
        return 0.5 * x_t * condition.view(-1, 1, 1, 1)

    return denoise


@EVERY
def test_the_null_runs_only_inside_the_interval(name):
    rows: list[int] = []
    condition, null = torch.ones(3, 1), torch.zeros(1, 1)
    SAMPLERS[name](guided(counting(rows), condition, null, 3.0, interval=(0.25, 0.75)), noise(3), ZERO_SNR, 8)
    # Trailing steps lie at 8/8, 7/8, ... 1/8 of the diffusion time; 6/8 to 2/8 are inside.
    assert rows == [3, 3, 6, 6, 6, 6, 6, 3]
    rows.clear()
    SAMPLERS[name](guided(counting(rows), condition, null, 3.0), noise(3), ZERO_SNR, 5)
    assert rows == [6] * 5
    rows.clear()
    SAMPLERS[name](guided(counting(rows), condition, null, 1.0), noise(3), ZERO_SNR, 5)
    assert rows == [3] * 5


def test_called_directly_guidance_keeps_to_the_interval_row_by_row():
    rows: list[int] = []
    condition, null = torch.ones(2, 1), torch.zeros(1, 1)
    denoise = guided(counting(rows), condition, null, 3.0, interval=(0.25, 0.75))
    x = noise(2)
    assert torch.equal(denoise(x, torch.tensor([900, 950])), 0.5 * x) and rows == [2]
    mixed = denoise(x, torch.tensor([900, 500]))
    assert torch.equal(mixed[0], 0.5 * x[0]) and torch.equal(mixed[1], 1.5 * x[1])


def test_rescale_brings_the_spread_back_to_the_conditional_one():
    x, t = noise(3), torch.tensor([700, 500, 20])
    condition, null = torch.ones(3, 1), torch.zeros(1, 1)
    plain, half, full = (
        guided(counting([]), condition, null, 4.0, rescale=phi)(x, t).std((1, 2, 3))
        for phi in (0.0, 0.5, 1.0)
    )
    conditional = (0.5 * x).std((1, 2, 3))
    assert torch.allclose(plain, 4 * conditional)
    assert torch.allclose(half, 2.5 * conditional)
    assert torch.allclose(full, conditional)


def test_conditions_are_joined_by_structure():
    class Joinable:
        def __init__(self, rows):
            self.rows = rows

        def join(self, other):
            return Joinable(self.rows + other.rows)

    wanted = {"c": torch.ones(2, 4), "sketch": (torch.ones(2, 3, 5), None), "own": Joinable(["a"])}
    null = {"c": torch.zeros(1, 4), "sketch": (torch.zeros(2, 3, 5), None), "own": Joinable(["b"])}
    both = join_conditions(wanted, null)
    assert both["c"][:, 0].tolist() == [1, 1, 0, 0]
    assert both["sketch"][0].shape == (4, 3, 5) and both["sketch"][1] is None
    assert both["own"].rows == ["a", "b"]
    for a, b in [(wanted, None), (torch.ones(1), "null"), ("a", "b"), ((1,), (1, 2))]:
        with pytest.raises(ValueError, match="cannot be joined"):
            join_conditions(a, b)
    rows: list[int] = []
    custom = guided(counting(rows), 1, 0, 2.0, join=lambda a, b: torch.tensor([[float(a)], [float(b)]]))
    custom(noise(1), torch.tensor([500]))
    assert rows == [2]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"scale": -3.0}, "Guidance"),
        ({"scale": math.nan}, "Guidance"),
        ({"scale": 2.0, "interval": (0.8, 0.2)}, "interval"),
        ({"scale": 2.0, "interval": (0.0, 1.5)}, "interval"),
        ({"scale": 2.0, "rescale": 1.2}, "rescale"),
    ],
)
def test_guidance_out_of_range_is_refused(options, word):
    with pytest.raises(ValueError, match=word):
        guided(mixture, torch.ones(1, 1), torch.zeros(1, 1), **options)


def test_a_second_condition_is_refused_not_ignored():
    denoise = guided(mixture, torch.ones(4, 1), torch.zeros(1, 1), 2.0)
    with pytest.raises(ValueError, match="carries its condition"):
        ddim(denoise, noise(), ZERO_SNR, 3, condition=torch.ones(4, 1))


# The loop ------------------------------------------------------------------------------------------------


@EVERY
def test_dtype_and_shape_stay_and_the_condition_arrives(name):
    x, condition = noise(2, dtype=torch.float32), object()

    def denoise(x_t, t, c):
        assert c is condition and t.dtype == torch.long and t.shape == (2,)
        return 0.5 * x_t

    before = x.clone()
    for n in (1, 4):
        result = SAMPLERS[name](denoise, x, ZERO_SNR, n, condition=condition)
        assert result.dtype == torch.float32 and result.shape == x.shape
    assert torch.equal(x, before)


@EVERY
def test_nothing_is_read_back_from_the_device(name):
    """A meta tensor has no numbers: whoever reads one on the host, as a synchronisation would, fails."""
    denoise = guided(
        denoise_from(lambda x, t, c: x * c.view(-1, 1, 1, 1) + t.view(-1, 1, 1, 1), ZERO_SNR, "v"),
        torch.ones(2, 1, device="meta"),
        torch.ones(1, 1, device="meta"),
        2.0,
        interval=(0.2, 0.9),
        rescale=0.5,
    )
    source = SeededNoise([1, 2], device="meta")
    eta = 1.0 if name == "ddim" else 0.0
    result = SAMPLERS[name](denoise, source.initial(8, 5, 16), ZERO_SNR, 6, eta=eta, noise_source=source)
    assert result.device.type == "meta" and result.shape == (2, 8, 5, 16)


@EVERY
def test_the_callback_hears_of_every_step_and_its_estimate(name):
    heard = []
    SAMPLERS[name](
        lambda x, t, c: torch.full_like(x, float(t[0])),
        noise(),
        ZERO_SNR,
        5,
        callback=lambda index, total, x_0: heard.append((index, total, float(x_0[0, 0, 0, 0]))),
    )
    assert heard == [(0, 5, 999.0), (1, 5, 799.0), (2, 5, 599.0), (3, 5, 399.0), (4, 5, 199.0)]


@EVERY
def test_cancelling_stops_before_the_next_network_call(name):
    calls: list[int] = []

    def denoise(x, t, c):
        calls.append(int(t[0]))
        return x

    with pytest.raises(Cancelled):
        SAMPLERS[name](denoise, noise(), ZERO_SNR, 10, cancelled=lambda: len(calls) == 3)
    assert len(calls) == 3
    with pytest.raises(Cancelled):
        SAMPLERS[name](denoise, noise(), ZERO_SNR, 10, cancelled=lambda: True)
    assert len(calls) == 3


@EVERY
@BOTH
def test_a_run_may_start_in_the_middle(name, schedule):
    """From the exact state at step 30 of 60 the flow goes on to where it would have come anyway."""
    path = short_of_clean(schedule, 60)
    half = schedule.trajectory(path.timesteps[30:], final=39)
    x = flow(noise(), schedule.trajectory(path.timesteps[:30], final=path.timesteps[30]))
    rows: list[int] = []

    def denoise(x_t, t, c):
        rows.append(int(t[0]))
        return gaussian(schedule)(x_t, t, c)

    result = SAMPLERS[name](denoise, x, schedule, path, start_step=30)
    assert rows == list(path.timesteps[30:])
    assert float((result - flow(x, half)).square().mean().sqrt()) < 0.02
    assert torch.allclose(result, SAMPLERS[name](gaussian(schedule), x, schedule, half))


@EVERY
def test_a_late_start_keeps_the_clip_it_sets_out_from(name):
    clip, x = MEAN + SPREAD * noise(4, seed=8), noise()
    kept = []
    for start_step in (2, 5, 8, 9):
        result = SAMPLERS[name](gaussian(ZERO_SNR), x, ZERO_SNR, 10, x_start=clip, start_step=start_step)
        kept.append(float((result - clip).square().mean()))
    assert kept == sorted(kept, reverse=True) and kept[-1] < kept[0] / 4
    noised = ZERO_SNR.add_noise(clip, x, 499)
    assert torch.allclose(
        SAMPLERS[name](gaussian(ZERO_SNR), x, ZERO_SNR, 10, x_start=clip, start_step=5),
        SAMPLERS[name](gaussian(ZERO_SNR), noised, ZERO_SNR, 10, start_step=5),
    )


@pytest.mark.parametrize(
    ("name", "steps", "options", "word"),
    [
        ("ddim", 0, {}, "1 to 1000"),
        ("deis", 1001, {}, "1 to 1000"),
        ("ddim", 5, {"eta": 1.5}, "eta"),
        ("ddim", 5, {"eta": -0.1}, "eta"),
        ("ddim", 5, {"eta": 0.5}, "noise_source"),
        ("deis", 5, {"eta": 0.5}, "eta 0 only"),
        ("dpm_solver_pp_2m", 5, {"order": 2}, "no order"),
        ("ipndm", 5, {"order": 4}, "order 0..3"),
        ("ipndm", 5, {"start_step": 5}, "start_step"),
        ("ddim", 5, {"x_start": torch.zeros(1)}, "x_start"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name, steps, options, word):
    with pytest.raises(ValueError, match=word):
        SAMPLERS[name](lambda x, t, c: x, noise(), ZERO_SNR, steps, **options)


# Noise ---------------------------------------------------------------------------------------------------


def test_a_clip_gets_its_noise_whatever_it_is_batched_with():
    batch, alone = SeededNoise([11, 2**32 - 1, 7]), SeededNoise([7])
    assert torch.equal(batch.initial(8, 9, 16)[2:], alone.initial(8, 9, 16))
    assert torch.equal(batch(3, (3, 8, 9, 16))[2:], alone(3, (1, 8, 9, 16)))
    result = ddim(gaussian(ZERO_SNR), batch.initial(2, 5, 4), ZERO_SNR, 6, eta=1.0, noise_source=batch)
    single = ddim(gaussian(ZERO_SNR), alone.initial(2, 5, 4), ZERO_SNR, 6, eta=1.0, noise_source=alone)
    assert torch.allclose(result[2:], single, atol=1e-6)


@pytest.mark.parametrize(("channels", "bins"), [(8, 16), (3, 5), (1, 1)])
def test_a_longer_clip_begins_with_the_shorter_ones_noise(channels, bins):
    source = SeededNoise([5, 6])
    assert torch.equal(source.initial(channels, 40, bins)[:, :, :13], source.initial(channels, 13, bins))
    assert torch.equal(source(2, (2, channels, 40, bins))[:, :, :13], source(2, (2, channels, 13, bins)))


def test_noise_is_normal_and_no_two_streams_agree():
    source = SeededNoise([0, 1, 2, 3])
    shape = (4, 8, 128, 16)
    streams = [source.initial(*shape[1:]), *(source(step, shape) for step in range(4))]
    clips = torch.cat(streams).flatten(1)
    assert clips.mean(1).abs().max() < 0.05 and (clips.std(1) - 1).abs().max() < 0.05
    between = torch.corrcoef(clips) - torch.eye(len(clips))
    assert between.abs().max() < 0.05


@pytest.mark.parametrize("seeds", [[], [-1], [2**32], ["7"], [1.5], [True]])
def test_seeds_that_torch_would_confuse_are_refused(seeds):
    with pytest.raises(ValueError, match="seed"):
        SeededNoise(seeds)


def test_one_seed_for_each_clip():
    with pytest.raises(ValueError, match="batch of 3"):
        SeededNoise([1, 2])(0, (3, 8, 4, 16))
