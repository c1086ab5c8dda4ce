"""The adapter keeps different sounds different, and its null condition is learned where it was used."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, normalize

from vocaldm_live.model.adapter import Adapter, blend


def pooled_embeddings(rows: int, common: float, seed: int = 0) -> torch.Tensor:
    """Non-negative vectors `[rows, 960]` around a common mean, as pooled Hardswish outputs are."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, 960, generator=generator) + common).relu()


def mean_cosine(vectors: torch.Tensor) -> float:
    """Mean cosine over all pairs of different rows."""
    units = normalize(vectors, dim=1)
    products = units @ units.T
    rows = len(vectors)
    return float((products.sum() - products.trace()) / (rows * (rows - 1)))


class OriginalRecipe(nn.Module):
    """The published adapter: default biases, no centring, a second LayerNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(960, 1024), nn.LayerNorm(1024), nn.GELU(), nn.Linear(1024, 512), nn.LayerNorm(512)
        )

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return normalize(self.layers(normalize(embedding, dim=1)), dim=1)


@pytest.fixture
def adapter() -> Adapter:
    torch.manual_seed(0)
    made = Adapter()
    made.fit(pooled_embeddings(256, 0.03))
    return made


@pytest.mark.parametrize(("common", "cosine"), [(0.06, 0.34), (1.35, 0.70)])
def test_different_sounds_start_as_different_conditions(common: float, cosine: float) -> None:
    training, heard = pooled_embeddings(512, common, seed=1), pooled_embeddings(64, common, seed=2)
    assert mean_cosine(heard) == pytest.approx(cosine, abs=0.03)
    torch.manual_seed(3)
    adapter, original = Adapter(), OriginalRecipe()
    adapter.fit(training)
    with torch.no_grad():
        pair = heard[:2]
        assert float(cosine_similarity(*adapter(pair).split(1))) < 0.5
        assert float(cosine_similarity(*original(pair).split(1))) > 0.6
        assert mean_cosine(adapter(heard)) < 0.3
        assert mean_cosine(original(heard)) > 0.6


def test_similar_sounds_stay_similar(adapter: Adapter) -> None:
    sound = pooled_embeddings(1, 0.03, seed=5)
    nearby = sound + 0.1 * pooled_embeddings(1, 0.03, seed=6)
    other = pooled_embeddings(1, 0.03, seed=7)
    with torch.no_grad():
        close = float(cosine_similarity(adapter(sound), adapter(nearby)))
        far = float(cosine_similarity(adapter(sound), adapter(other)))
    assert close > 0.9 > 0.5 > far


def test_conditions_have_unit_length_whatever_the_embedding_s(adapter: Adapter) -> None:
    sounds = pooled_embeddings(4, 0.03, seed=8)
    conditions = adapter(sounds)
    assert conditions.shape == (4, 512)
    torch.testing.assert_close(conditions.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(adapter(sounds * 30.0), conditions, rtol=1e-4, atol=1e-5)
    assert bool(adapter(torch.zeros(1, 960)).isfinite().all())


def test_size_and_keys() -> None:
    adapter = Adapter()
    assert sum(parameter.numel() for parameter in adapter.parameters()) == (
        960 * 1024 + 1024 + 2 * 1024 + 1024 * 512 + 512 + 512
    )
    shapes = {key: tuple(value.shape) for key, value in adapter.state_dict().items()}
    assert shapes == {
        "null": (512,),
        "mean": (960,),
        "scale": (1,),
        "layers.0.weight": (1024, 960),
        "layers.0.bias": (1024,),
        "layers.1.weight": (1024,),
        "layers.1.bias": (1024,),
        "layers.3.weight": (512, 1024),
        "layers.3.bias": (512,),
    }
    for name in ("layers.0.bias", "layers.3.bias"):
        assert not bool(adapter.get_parameter(name).any())


def test_fit_standardises_and_travels_in_the_state_dict(adapter: Adapter) -> None:
    training = pooled_embeddings(256, 0.03)
    standard = (normalize(training, dim=1) - adapter.mean) / adapter.scale
    assert float(standard.mean(0).abs().max()) < 1e-4
    assert float(standard.square().mean()) == pytest.approx(1.0, abs=1e-3)
    other = Adapter()
    other.load_state_dict(adapter.state_dict(), strict=True)
    assert torch.equal(other(training[:3]), adapter(training[:3]))


def test_fit_names_what_it_cannot_use() -> None:
    adapter = Adapter()
    before = adapter.mean.clone()
    with pytest.raises(ValueError, match="2 or more"):
        adapter.fit(torch.rand(1, 960))
    with pytest.raises(ValueError, match="2 or more"):
        adapter.fit(torch.rand(8, 512))
    with pytest.raises(ValueError, match="not finite"):
        adapter.fit(torch.full((2, 960), math.nan))
    with pytest.raises(ValueError, match="alike"):
        adapter.fit(torch.ones(4, 960))
    assert torch.equal(adapter.mean, before)


def test_dropped_rows_are_the_null_condition(adapter: Adapter) -> None:
    sounds = pooled_embeddings(3, 0.03, seed=9)
    drop = torch.tensor([False, True, False])
    mixed, kept = adapter(sounds, drop), adapter(sounds)
    null = adapter.null_condition(3)
    assert null.shape == (3, 512)
    torch.testing.assert_close(null.norm(dim=1), torch.ones(3))
    assert torch.equal(mixed[1], null[0])
    assert torch.equal(mixed[[0, 2]], kept[[0, 2]])
    assert torch.equal(adapter(sounds, torch.zeros(3, dtype=torch.bool)), kept)


def test_gradient_reaches_the_null_only_from_dropped_rows(adapter: Adapter) -> None:
    sounds = pooled_embeddings(3, 0.03, seed=10).requires_grad_()
    target = torch.randn(512, generator=torch.Generator().manual_seed(1))
    drop = torch.tensor([False, True, False])

    def gradients(row: int) -> tuple[float, float]:
        """How much the null, and that row's embedding, would move if this row's condition had to."""
        null, heard = torch.autograd.grad((adapter(sounds, drop)[row] * target).sum(), (adapter.null, sounds))
        return float(null.abs().sum()), float(heard[row].abs().sum())

    for row in (0, 2):
        null, heard = gradients(row)
        assert null == 0.0 and heard > 0.0
    null, heard = gradients(1)
    assert null > 0.0 and heard == 0.0


def test_half_precision_keeps_the_direction(adapter: Adapter) -> None:
    sounds = pooled_embeddings(4, 1.0, seed=11)
    adapter.fit(pooled_embeddings(256, 1.0))
    with torch.no_grad():
        expected = adapter(sounds)
        halved = adapter.bfloat16()(sounds)
    assert halved.dtype == torch.bfloat16
    assert float(cosine_similarity(halved.float(), expected).min()) > 0.99


def test_wrong_arguments_are_named(adapter: Adapter) -> None:
    with pytest.raises(ValueError, match=r"\[batch, 960\]"):
        adapter(torch.zeros(2, 512))
    with pytest.raises(ValueError, match="bool tensor"):
        adapter(torch.zeros(2, 960), torch.zeros(2))
    with pytest.raises(ValueError, match="bool tensor"):
        adapter(torch.zeros(2, 960), torch.zeros(3, dtype=torch.bool))


def test_blend_walks_the_sphere_at_even_speed() -> None:
    a, b = normalize(torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(2)), dim=-1)
    torch.testing.assert_close(blend(a, b, 0.0), a)
    torch.testing.assert_close(blend(a, b, 1.0), b)
    angle = torch.acos((a * b).sum(1))
    for weight in (0.25, 0.5, 0.8):
        between = blend(a, b, weight)
        torch.testing.assert_close(between.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(torch.acos((a * between).sum(1)), angle * weight, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(blend(a, b, 0.3), blend(b, a, 0.7), rtol=1e-4, atol=1e-5)
    each = blend(a, b, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(each[[0, 2]], torch.stack([a[0], b[2]]))


def test_blend_of_equal_and_opposite_conditions_stays_on_the_sphere() -> None:
    a = normalize(torch.randn(2, 512, generator=torch.Generator().manual_seed(3)), dim=1)
    torch.testing.assert_close(blend(a, a, 0.5), a)
    halfway = blend(a, -a, 0.5)
    torch.testing.assert_close(halfway.norm(dim=1), torch.ones(2))
    assert float((halfway * a).sum(1).abs().max()) < 1e-4


def test_blend_names_what_it_cannot_use() -> None:
    a = normalize(torch.ones(2, 512), dim=1)
    for weight in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"in 0 \.\. 1"):
            blend(a, a, weight)
    with pytest.raises(ValueError, match="two conditions"):
        blend(a, a[:1], 0.5)
    with pytest.raises(ValueError, match="one a row"):
        blend(a, a, torch.tensor([0.1, 0.2, 0.3]))
