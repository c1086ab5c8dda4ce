"""UNets that hear token by token, or nothing, against diffusers with the same random weights; pixels there and back."""

from __future__ import annotations

import pytest
import torch
from audioldm_files import GEOMETRY
from diffusers import UNet2DConditionModel
from tiny_ldm import PIXELS
from torch import Tensor, nn

from vocaldm_live.model.audioldm import AudioLDMUNet
from vocaldm_live.model.cross_attention import Context, CrossAttention
from vocaldm_live.model.pixels import Pixels
from vocaldm_live.model.unet import Condition

CHANNELS, HEADS, WIDTH, PLACES = (32, 64, 96), (1, 4, 6), 40, 5
IMAGE = torch.zeros(2, 0, 8, 16)


def stirred(network: nn.Module) -> nn.Module:
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.03 * torch.randn(value.shape, generator=draw))
    return network.eval()


def theirs(crossed: bool) -> nn.Module:
    torch.manual_seed(1)
    return stirred(
        UNet2DConditionModel(
            in_channels=8,
            out_channels=8,
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
            up_block_types=(*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
            block_out_channels=CHANNELS,
            layers_per_block=2,
            cross_attention_dim=WIDTH if crossed else CHANNELS,
            attention_head_dim=HEADS,
        )
    )


def ours(other: nn.Module, crossed: bool) -> AudioLDMUNet:
    sizes = {"context_width": WIDTH, "places": PLACES} if crossed else {}
    unet = AudioLDMUNet(GEOMETRY, CHANNELS, 2, HEADS, 1, 0, **sizes)
    unet.network.load_state_dict(other.state_dict(), strict=True)
    return unet.eval()


def packed(there: Tensor) -> Tensor:
    said = torch.randn(2, PLACES, WIDTH, generator=torch.Generator().manual_seed(3))
    return torch.cat((said, there.float()[..., None]), dim=2)


@torch.inference_mode()
def test_cross_attention_is_diffusers() -> None:
    reference = theirs(True)
    unet = ours(reference, True)
    x, t = torch.randn(2, 8, 8, 16, generator=torch.Generator().manual_seed(4)), torch.tensor([7, 801])
    there = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]) > 0
    told = packed(there)
    wanted = reference(x, t, encoder_hidden_states=told[..., :-1], encoder_attention_mask=there).sample
    made = unet(x, t, Condition(told, IMAGE))
    assert float(wanted.std()) > 1e-3 and float((made - wanted).abs().max()) < 1e-4
    other = told.clone()
    other[1, 2:, :-1] = 7.0
    torch.testing.assert_close(unet(x, t, Condition(other, IMAGE)), made)
    other[1, 1, 0] += 3.0
    assert float((unet(x, t, Condition(other, IMAGE)) - made)[1].abs().max()) > 1e-3


@torch.inference_mode()
def test_without_a_condition_it_is_diffusers() -> None:
    reference = theirs(False)
    unet = ours(reference, False)
    x, t = torch.randn(2, 8, 8, 16, generator=torch.Generator().manual_seed(4)), torch.tensor([7, 801])
    wanted = reference(x, t, encoder_hidden_states=None).sample
    assert float((unet(x, t, Condition(torch.zeros(2, 0), IMAGE)) - wanted).abs().max()) < 1e-4


def test_a_null_has_the_form_of_a_condition() -> None:
    unet = AudioLDMUNet(GEOMETRY, (32, 64), 1, (1, 2), 1, 0, 12, 4)
    assert unet.null_condition(3).shape == (3, 4, 13)
    joined = Condition(unet.null_condition(1), IMAGE[:1]).join(Condition(unet.null_condition(1), IMAGE[:1]))
    assert joined.vector.shape == (2, 4, 13)


def test_a_context_that_is_missing_is_told() -> None:
    with pytest.raises(ValueError, match="give a context"):
        CrossAttention(8, 2, 4)(torch.zeros(1, 3, 8))
    assert Context.unpacked(torch.ones(1, 3, 5)).tokens.shape == (1, 3, 4)


def test_pixels_are_the_mel_and_nothing_is_lost() -> None:
    mel = torch.randn(2, 64, 12) * 2.0 - 6.0
    pixels = Pixels(PIXELS)
    image = pixels.encode(mel)
    assert image.shape == (2, 1, 12, 64)
    torch.testing.assert_close(pixels.decode(image), mel.clamp_min(torch.tensor(1e-5).log()))
    with pytest.raises(ValueError, match="factor 1"):
        Pixels(GEOMETRY)
