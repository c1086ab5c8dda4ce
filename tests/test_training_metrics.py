"""Metrics held against scipy's and torchmetrics' on the same embeddings, and against what is known on paper.

What torchmetrics 1.9.0 said in float64 of these very embeddings stands here as a number: where it is installed, all that
imports Fabric imports it too, and takes twice as long.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, special
from scipy.spatial.distance import cdist, pdist

from training.errors import DataError
from training.metrics import divergence
from training.metrics.frechet import frechet, frechet_infinity
from training.metrics.interval import mean_of, median_of
from training.metrics.kernel import SCALE, kernel_distance, median_bandwidth
from training.metrics.pairs import cosine_score, log_spectral_distance
from training.metrics.study import sample_size_study, sizes_up_to
from vocaldm_live.sound.audio import resample

RATE = 48000


def embeddings(count: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Correlated rows, not centred."""
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((width, width)) / np.sqrt(width)
    return draw.standard_normal((count, width)) @ mixing * (1 + 0.3 * shift) + 0.5 + shift


@pytest.mark.parametrize(("n", "m", "width"), [(300, 200, 16), (40, 60, 16), (20, 50, 32), (12, 9, 64)])
def test_frechet_is_scipys(n: int, m: int, width: int) -> None:
    """Also where sets are smaller than their width, in one or both."""
    a, b = embeddings(n, width, 1), embeddings(m, width, 2, 0.2)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # scipy's root of a singular product is nearly real at best: a hair on the diagonals keeps it away from that.
    hair = 1e-9 * np.eye(width)
    root = linalg.sqrtm((first + hair) @ (second + hair))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(first + second - 2 * np.real(root))
    assert frechet(a, b) == pytest.approx(expected, rel=1e-3 if min(n, m) <= width else 1e-8, abs=1e-6)


def test_frechet_is_the_published_tools() -> None:
    a, b = embeddings(200, 12, 3), embeddings(150, 12, 4, 0.4)
    assert frechet(a, b) == pytest.approx(2.4289833361745288, rel=1e-8), "FrechetInceptionDistance"


def test_frechet_of_known_gaussians() -> None:
    """Of one number: (difference of means)^2 + (difference of deviations)^2; of a set with itself 0."""
    a, b = np.array([[1.0], [3.0]]), np.array([[10.0], [16.0]])
    assert frechet(a, b) == pytest.approx((13 - 2) ** 2 + (np.sqrt(18) - np.sqrt(2)) ** 2)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-12)
    c = embeddings(100, 20, 5)
    assert frechet(c, c + 2.0) == pytest.approx(20 * 4.0)


def test_frechet_infinity_takes_the_bias_of_small_sets_away() -> None:
    """Of two sets from one distribution the distance is above 0 by what their sizes add; the limits lie about 0."""
    a = embeddings(4000, 6, 6)
    pairs = []
    for seed in range(10):
        b = embeddings(64, 6, 300 + seed)
        limit = frechet_infinity(a, b)
        assert limit.low is not None and limit.high is not None and limit.low <= limit.value <= limit.high
        pairs.append((limit.value, frechet(a, b)))
    limits, plain = np.array(pairs).T
    assert abs(limits.mean()) < 0.35 * plain.mean()
    assert limit == frechet_infinity(a, b) and limit != frechet_infinity(a, b, seed=1)
    far = frechet_infinity(a, b + 1.0)
    assert far.low is not None and far.low > limits.max()


def test_kernel_distance_is_scipys_and_the_published_tools() -> None:
    a, b = embeddings(90, 24, 8), embeddings(70, 24, 9, 0.3)
    width = median_bandwidth(a)
    assert width == pytest.approx(np.median(pdist(a)))

    def kernel(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return np.exp(-cdist(one, two, "sqeuclidean") / (2 * width**2))

    n, m = len(a), len(b)
    expected = (kernel(a, a).sum() - n) / (n * (n - 1)) + (kernel(b, b).sum() - m) / (m * (m - 1))
    expected -= 2 * kernel(a, b).mean()
    assert kernel_distance(a, b).value == pytest.approx(SCALE * expected, rel=1e-9)
    published = 0.018964807120775085
    assert kernel_distance(a[:70], b, width).value == pytest.approx(SCALE * published, rel=1e-9), "of its KID"


def test_kernel_distances_interval_is_that_of_leaving_one_out() -> None:
    a, b = embeddings(12, 4, 10), embeddings(9, 4, 11, 0.5)
    width = median_bandwidth(a)
    found = kernel_distance(a, b, width)
    variance = 0.0
    for side, count in ((0, 12), (1, 9)):
        sets = [a, b]
        left = []
        for row in range(count):
            sets[side] = np.delete((a, b)[side], row, axis=0)
            left.append(kernel_distance(*sets, width).value)
        variance += (count - 1) / count * np.square(np.array(left) - np.mean(left)).sum()
    assert found.low is not None
    assert found.value - found.low == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-9)


def test_kernel_distance_does_not_depend_on_the_number_of_clips() -> None:
    """Of one distribution it lies about 0 at any size, and its intervals hold 0 about as often as they promise."""
    values, held = [], 0
    for seed in range(40):
        one = kernel_distance(embeddings(60, 6, 100 + seed), embeddings(20, 6, 200 + seed))
        assert one.low is not None and one.high is not None
        values.append(one.value)
        held += one.low <= 0 <= one.high
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert held >= 32


def test_divergences_are_scipys() -> None:
    a, b = 3 * embeddings(30, 10, 12), 3 * embeddings(30, 10, 13)
    p, q = special.softmax(a, axis=1), special.softmax(b, axis=1)
    assert divergence.kl(a, b).value == pytest.approx(special.rel_entr(p, q + 1e-6).sum(1).mean(), rel=1e-9)
    p, q = special.expit(a), special.expit(b)
    assert divergence.kl_sigmoid(a, b).value == pytest.approx(
        special.rel_entr(p, q + 1e-6).sum(1).mean(), rel=1e-9
    )
    assert divergence.kl(a, a).value == pytest.approx(0.0, abs=1e-4)
    assert divergence.kl(a, b).value != pytest.approx(divergence.kl(b, a).value, rel=1e-3)


def test_inception_score_is_the_published_tools() -> None:
    logits = 4 * embeddings(100, 8, 14)
    assert divergence.inception_score(logits, 1).value == pytest.approx(3.5308161508926577, rel=1e-9)
    sure = np.kron(np.eye(8), np.ones((10, 1))) * 60
    assert divergence.inception_score(sure, 1).value == pytest.approx(8.0)
    assert divergence.inception_score(np.ones((40, 8))).value == pytest.approx(1.0)


def test_too_few_or_unlike_sets_are_one_sentence() -> None:
    good = embeddings(40, 4, 15)
    for wrong in (
        lambda: frechet(good[:1], good),
        lambda: frechet(good, good[:, :3]),
        lambda: frechet_infinity(good, good[:31]),
        lambda: kernel_distance(good, good[:2]),
        lambda: median_bandwidth(np.ones((5, 3))),
        lambda: kernel_distance(good, np.where(good > 0, np.nan, good)),
        lambda: divergence.kl(good, good[:9]),
        lambda: divergence.inception_score(good[:19]),
        lambda: cosine_score(good, good[:9]),
        lambda: sizes_up_to(15),
    ):
        with pytest.raises(DataError) as caught:
            wrong()
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_means_and_medians_carry_what_they_rest_on() -> None:
    found = mean_of([1.0, 2.0, 3.0, 6.0])
    assert found is not None and (found.value, found.count) == (3.0, 4)
    assert found.low == pytest.approx(3 - 1.959964 * np.std([1, 2, 3, 6], ddof=1) / 2)
    assert mean_of([]) is None and median_of([]) is None
    alone = mean_of([5.0])
    assert alone is not None and alone.low is None
    assert cosine_score([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [0.0, -1.0]]).value == 0.0


def sweep(seconds: float = 1.0) -> np.ndarray:
    """A rising tone with a beat, some noise in it: no two moments are alike."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (200 * time + 900 * time**2)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return 0.3 * tone + 0.003 * np.random.default_rng(0).standard_normal(time.size)


@pytest.mark.parametrize("lag", [0, 480, 3200, -1500, 4700])
def test_log_spectral_distance_finds_how_late_a_sound_is(lag: int) -> None:
    """70 ms late, as HiFi-GAN gives sounds back: the distance is that of sounds in step, and the lag is told."""
    sound = sweep()
    late = np.concatenate([np.zeros(lag), sound]) if lag >= 0 else sound[-lag:]
    distance, found = log_spectral_distance(sound, late, RATE)
    assert found == pytest.approx(lag / RATE, abs=0.0008)
    unmoved, none = log_spectral_distance(sound, late, RATE, farthest=0.0)
    assert none == 0.0
    if lag:
        assert distance < 0.35 * unmoved
    else:
        assert distance == unmoved == 0.0


def test_log_spectral_distance_is_decibels_and_grows_with_what_is_wrong() -> None:
    sound = sweep()
    noise = 0.1 * np.random.default_rng(1).standard_normal(sound.size)
    halved, _ = log_spectral_distance(noise, 0.5 * noise, RATE)
    assert halved == pytest.approx(20 * np.log10(2), abs=0.05)
    low = resample(resample(sound.astype(np.float32), RATE, 16000), 16000, RATE)
    slightly = log_spectral_distance(sound, low, RATE)[0]
    assert 0 < slightly < log_spectral_distance(sound, noise, RATE)[0]
    short = log_spectral_distance(sound[:100], sound[:100], RATE)
    assert short == (0.0, 0.0)


def test_a_study_shows_that_fad_depends_on_the_number_and_kad_does_not() -> None:
    a, b = embeddings(300, 16, 16), embeddings(128, 16, 17, 0.3)
    study = sample_size_study(a, b)
    assert set(study) == {"fad", "kad"}
    sizes = [point.size for point in study["fad"]]
    assert sizes[0] == 8 and sizes[-1] == 128 and sizes == sorted(set(sizes))
    assert study["fad"][-1].mean == pytest.approx(frechet(a, b))
    assert study["kad"][-1].mean == pytest.approx(kernel_distance(a, b).value)
    assert study["fad"][0].mean > 1.5 * study["fad"][-1].mean
    first, last = study["kad"][0], study["kad"][-1]
    assert first.low <= last.mean <= first.high
    assert study["kad"][0].high - study["kad"][0].low > study["kad"][-3].high - study["kad"][-3].low
