"""The UNet: a dropped sketch is exactly nothing, any length fits, vector and sketch steer once trained."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from vocaldm_live.model.attention import SelfAttention
from vocaldm_live.model.sketch_image import draw_sketch, image_channels
from vocaldm_live.model.unet import Condition, SketchedInput, SketchUNet
from vocaldm_live.sound.geometry import HOUSE

CHANNELS = (8, 16, 16, 32)


def tiny() -> SketchUNet:
    torch.manual_seed(0)
    return SketchUNet(HOUSE, channels=CHANNELS, head_width=16, groups=4).eval()


def stirred() -> SketchUNet:
    """Weights as training might leave them: none of them zero."""
    unet = tiny()
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return unet


def given(frames: int = 16, batch: int = 2, seed: int = 1) -> tuple[Tensor, Tensor, Condition]:
    """Noisy latent, timesteps, and a condition with a sketch."""
    draw = torch.Generator().manual_seed(seed)
    latent = torch.randn(batch, 8, frames, 16, generator=draw)
    vector = torch.nn.functional.normalize(torch.randn(batch, 512, generator=draw), dim=1)
    sketch = torch.stack(
        [
            torch.empty(batch, frames * 4).uniform_(low, high, generator=draw)
            for low, high in ((-60.0, -10.0), (60.0, 110.0), (50.0, 70.0), (0.5, 1.0))
        ],
        dim=1,
    )
    return latent, torch.tensor([900] * batch), Condition(vector, draw_sketch(sketch, HOUSE))


def free(condition: Condition) -> Condition:
    """The same without its sketch."""
    return Condition(condition.vector, torch.zeros_like(condition.image))


@torch.inference_mode()
def test_a_dropped_sketch_adds_exactly_nothing() -> None:
    unet = stirred()
    latent, t, condition = given()
    bare = deepcopy(unet)
    network = bare.get_submodule("network")
    network.conv_in = FirstOnly(bare.get_submodule("network.conv_in.first"))
    assert unet.get_parameter("network.conv_in.sketch.weight").abs().min() > 0
    assert torch.equal(unet(latent, t, free(condition)), bare(latent, t, condition))


class FirstOnly(nn.Module):
    """A first convolution that never heard of sketches."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.first = first

    def forward(self, stacked: Tensor) -> Tensor:
        return self.first(stacked[:, : HOUSE.latent_channels])


@torch.inference_mode()
def test_a_fresh_model_is_untouched_by_any_sketch() -> None:
    unet = tiny()
    latent, t, condition = given()
    assert torch.equal(unet(latent, t, condition), unet(latent, t, free(condition)))


@torch.inference_mode()
def test_a_trained_model_hears_the_sketch_where_it_changes() -> None:
    unet = stirred()
    latent, t, condition = given(32)
    moved = condition.image.clone()
    moved[:, :, 20:24] += 1.0
    change = (
        (unet(latent, t, condition) - unet(latent, t, Condition(condition.vector, moved)))
        .abs()
        .mean(dim=(0, 1, 3))
    )
    assert change.max() > 1e-3 and 17 <= int(change.argmax()) <= 26


def test_the_sketch_enters_without_bias_and_begins_at_zero() -> None:
    entry = tiny().get_submodule("network.conv_in")
    assert isinstance(entry, SketchedInput)
    assert entry.sketch.bias is None and not entry.sketch.weight.any()
    assert entry.sketch.in_channels == image_channels(HOUSE)


def test_the_sketch_begins_to_learn_from_zero() -> None:
    unet = tiny().train()
    latent, t, condition = given()
    unet(latent, t, condition).square().mean().backward()
    gradient = unet.get_parameter("network.conv_in.sketch.weight").grad
    assert gradient is not None and (gradient.abs().amax(dim=(0, 2, 3)) > 0).all()


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 3, 8, 13, 25, 50])
def test_v_has_the_latents_shape_at_any_length(frames: int) -> None:
    unet = tiny()
    latent, t, condition = given(frames)
    v = unet(latent, t, condition)
    assert v.shape == latent.shape and v.isfinite().all()


@torch.inference_mode()
def test_the_vector_matters() -> None:
    unet = stirred()
    latent, t, condition = given()
    other = Condition(condition.vector.flip(0), condition.image)
    difference = (unet(latent, t, condition) - unet(latent, t, other)).square().mean().sqrt()
    assert difference > 0.01 * unet(latent, t, condition).square().mean().sqrt()


@torch.inference_mode()
def test_time_matters() -> None:
    unet = stirred()
    latent, t, condition = given()
    assert not torch.allclose(unet(latent, t, condition), unet(latent, t // 2, condition), atol=1e-3)


@torch.inference_mode()
def test_rows_of_a_batch_do_not_hear_one_another() -> None:
    unet = stirred()
    one, other = given(seed=1), given(seed=2)
    both = one[2].join(other[2])
    assert both.vector.shape == (4, 512) and both.image.shape == (4, image_channels(HOUSE), 16, 16)
    together = unet(torch.cat([one[0], other[0]]), torch.cat([one[1], other[1]]), both)
    torch.testing.assert_close(together[:2], unet(*one), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together[2:], unet(*other), atol=1e-4, rtol=1e-4)


def heads(unet: SketchUNet) -> list[tuple[int, int]]:
    """(width, heads) of every attention."""
    return [(m.to_q.out_features, m.heads) for m in unet.modules() if isinstance(m, SelfAttention)]


def test_attention_has_one_head_for_each_head_width() -> None:
    found = heads(SketchUNet(HOUSE, channels=(16, 16, 32, 64), head_width=16, groups=4))
    assert set(found) == {(32, 2), (64, 4)}
    assert set(heads(tiny())) == {(16, 1), (32, 2)}


def test_attention_begins_at_its_level() -> None:
    shallow = SketchUNet(HOUSE, channels=CHANNELS, attention_from=1, head_width=16, groups=4)
    late = SketchUNet(HOUSE, channels=CHANNELS, attention_from=3, head_width=16, groups=4)
    assert len(heads(shallow)) > len(heads(tiny())) > len(heads(late)) > 0
    assert {width for width, _ in heads(late)} == {32}
