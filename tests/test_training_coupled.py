"""Losses whose rows see one another: the same in micro batches, right about who is whose."""

from __future__ import annotations

import math

import parts
import pytest
import torch
from torch import Tensor, nn

fabric_module = parts.package("lightning_fabric")  # of the extra [training]

from training.draws import Draws  # noqa: E402
from training.losses.anchoring import distance, moments  # noqa: E402
from training.losses.contrastive import choice, contrast, kin, semi_hard  # noqa: E402
from training.losses.coupled import coupled, statistics_kept  # noqa: E402
from training.step import Step  # noqa: E402

CPU = torch.device("cpu")
NOBODY = torch.zeros(6, 6, dtype=torch.bool)


def step_of(size: int | None, batch: int = 6) -> Step:
    fabric = fabric_module.Fabric(accelerator="cpu", devices=1)
    draws = Draws(1, 0, tuple(range(batch)), batch, CPU)
    return Step(0, 0.0, batch, draws, CPU, fabric, size)


class Pair(nn.Module):
    """Two towers and a temperature."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = (nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 4)) for _ in range(2))
        self.tau = nn.Parameter(torch.tensor(0.3))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_micro_batches_give_the_whole_batchs_gradient(size: int) -> None:
    """Every row is every other's negative, so losses of parts would be another loss: GradCache has to be exact."""
    found = []
    for parts_of in (None, size):
        pair = Pair()

        def embed(part: Draws, pair: Pair = pair) -> tuple[Tensor, Tensor]:
            return pair.one(part.normal((5,), "one")), pair.other(part.normal((5,), "other"))

        def couple(one: Tensor, other: Tensor, pair: Pair = pair) -> dict[str, Tensor]:
            assert len(one) == 6
            return {"loss": contrast(one, other, NOBODY, pair.tau) + moments(one, other)}

        values = coupled(embed, couple, step_of(parts_of))
        found.append((values["loss"], {name: weight.grad for name, weight in pair.named_parameters()}))
    (one, slopes), (other, others) = found
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    for name, slope in slopes.items():
        assert slope is not None and float(slope.abs().max()) > 1e-6, name
        torch.testing.assert_close(slope, others[name], rtol=1e-5, atol=1e-6)


def test_the_first_round_leaves_statistics_alone() -> None:
    norm = nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5) + 2.0
    wanted = nn.BatchNorm2d(3)(x)
    with statistics_kept([norm]):
        torch.testing.assert_close(norm(x), wanted)
    assert not norm.running_mean.any() and norm.track_running_stats  # type: ignore[union-attr]
    norm(x)
    assert norm.running_mean.any()  # type: ignore[union-attr]


def test_two_takes_of_one_sound_are_not_each_others_negatives() -> None:
    """The first QVIM masked by the imitation's name: 12,453 imitations of 542 sounds were pushed apart from their own."""
    one = torch.eye(3)[[0, 1, 2]]
    other = torch.eye(3)[[0, 1, 2]].clone()
    one[1], other[1] = one[0], other[0]  # rows 0 and 1 mean the same sound
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    nobody = torch.zeros(3, 3, dtype=torch.bool)
    assert contrast(one, other, same, 0.07) < 1e-4
    assert contrast(one, other, nobody, 0.07) > 0.4, "as if they were strangers: log 2 for two rows of three"


def test_the_loss_is_symmetric_and_chance_is_log_n() -> None:
    one, other = torch.randn(6, 8), torch.randn(6, 8)
    torch.testing.assert_close(
        contrast(one, other, NOBODY, 0.1), contrast(other, one, NOBODY, 0.1), rtol=1e-5, atol=1e-6
    )
    alike = torch.ones(6, 8)
    assert contrast(alike, alike, NOBODY, 0.07).item() == pytest.approx(math.log(6), abs=1e-4)


def test_kin_share_a_part_of_what_is_right() -> None:
    families = torch.tensor([0, 0, 0, 1, -1, -1])
    same = NOBODY.clone()
    same[0, 1] = same[1, 0] = True
    soft = kin(families, same, 0.35)
    assert soft[0].tolist() == pytest.approx([0, 0, 0.35, 0, 0, 0])
    assert soft[2].tolist() == pytest.approx([0.175, 0.175, 0, 0, 0, 0])
    assert not soft[3:].any(), "alone in its family, and without one"
    vectors = torch.randn(6, 8)
    assert contrast(vectors, vectors, same, 0.07, soft) > contrast(vectors, vectors, same, 0.07)


def test_choice_is_among_unique_candidates() -> None:
    candidates = torch.eye(4)
    wanted = torch.tensor([2, 2, 0])
    near = candidates[wanted] + 0.01
    assert float(choice(near, candidates, wanted, 0.07).max()) < 1e-3
    lost = choice(torch.ones(3, 4), candidates, wanted, 0.07)
    assert lost.tolist() == pytest.approx([math.log(4)] * 3)


def test_semi_hard_negatives_are_farther_than_the_own_by_less_than_the_margin() -> None:
    angles = torch.tensor([0.0, 0.5, 3.0])
    one = torch.stack([angles.cos(), angles.sin()], 1)
    nobody = torch.zeros(3, 3, dtype=torch.bool)
    gap = 1.0 - math.cos(0.5)
    # Rows 0 and 1 have each other as semi-hard negative, row 2 has none within the margin.
    assert semi_hard(one, one, nobody, 0.6).item() == pytest.approx(2 / 3 * (0.6 - gap), abs=1e-5)
    same = nobody.clone()
    same[0, 1] = same[1, 0] = True
    assert semi_hard(one, one, same, 0.6).item() == 0.0


def test_moments_tell_a_heap_from_a_cloud() -> None:
    draw = torch.Generator().manual_seed(0)
    targets = nn.functional.normalize(torch.randn(64, 16, generator=draw) + 0.3, dim=1)
    heap = nn.functional.normalize(targets.mean(0, keepdim=True), dim=1).expand(64, -1)
    shuffled = targets[torch.randperm(64, generator=draw)]
    assert moments(targets, targets).item() == pytest.approx(0.0, abs=1e-6)
    assert moments(shuffled, targets).item() == pytest.approx(0.0, abs=1e-5), "whichever row is which"
    assert moments(heap, targets) > 0.5
    assert distance(targets, targets).abs().max() < 1e-6
