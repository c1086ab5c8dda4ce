"""UNet and VAE against diffusers: the same names, the same seeded weights, the same numbers and gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL as TheirAutoencoder
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.model.attention import SelfAttention
from vocaldm_live.model.autoencoder import AutoencoderKL
from vocaldm_live.model.conditional_unet import ConditionalUNet
from vocaldm_live.model.unet import SketchedInput
from vocaldm_live.sound.mel import fold

# Row by row the arithmetic is the same in the same order. Channels last, attention's way back stays in that order
# where diffusers copies into rows: the rounding of other kernels, which is as far as either is from float64.
EXACT, ROUNDED = 1e-6, 4e-6
HOUSE_FOLDER = Path(__file__).resolve().parents[1] / "presets" / "house"

# channels, layers, attention from the first level on, heads of each level, groups
UNETS: dict[str, tuple[tuple[int, ...], int, tuple[bool, ...], tuple[int, ...], int]] = {
    "house": ((8, 16, 24, 40), 1, (False, False, True, True), (1, 1, 3, 5), 8),
    "two layers": ((16, 32, 48, 80), 2, (False, True, True, True), (2, 4, 6, 10), 16),
    "attention everywhere": ((8, 16, 16), 2, (True, True, True), (1, 2, 4), 8),
    "attention above only": ((8, 16), 1, (True, False), (2, 2), 4),
    "five levels": ((8, 8, 16, 16, 24), 1, (False, True, False, True, False), (1, 2, 1, 2, 3), 8),
    "one level": ((8,), 1, (True,), (2,), 4),
}
# channels, layers, attention, quant, groups
VAES: dict[str, tuple[tuple[int, ...], int, bool, bool, int]] = {
    "house": ((8, 16, 16), 1, False, True, 8),
    "middle attention, two layers": ((16, 32, 64), 2, True, True, 16),
    "no quant": ((8, 8), 1, True, False, 4),
    "one level": ((8,), 2, False, True, 8),
    "five levels": ((8, 8, 16, 16, 24), 1, True, True, 4),
}


def their_unet(
    latent: int, channels: tuple[int, ...], layers: int, attention: Any, heads: tuple[int, ...], groups: int
) -> nn.Module:
    """What `ConditionalUNet` of the same arguments should be."""
    down = ["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in attention]
    up = ["CrossAttnUpBlock2D" if has else "UpBlock2D" for has in reversed(attention)]
    config: dict[str, Any] = {
        "in_channels": latent,
        "out_channels": latent,
        "down_block_types": tuple(down),
        "up_block_types": tuple(up),
        "block_out_channels": channels,
        "layers_per_block": layers,
        "cross_attention_dim": channels,
        "class_embed_type": "simple_projection",
        "projection_class_embeddings_input_dim": 512,
        "class_embeddings_concat": True,
        "attention_head_dim": heads,  # diffusers' name notwithstanding, how many
        "norm_num_groups": groups,
    }
    return UNet2DConditionModel(**config)


def both_unets(name: str) -> tuple[ConditionalUNet, nn.Module]:
    """Each made with the same seed."""
    channels, layers, attention, heads, groups = UNETS[name]
    torch.manual_seed(0)
    ours = ConditionalUNet(4, channels, layers, attention, heads, groups, 512)
    torch.manual_seed(0)
    return ours, their_unet(4, channels, layers, attention, heads, groups)


def both_vaes(name: str) -> tuple[AutoencoderKL, nn.Module]:
    channels, layers, attention, quant, groups = VAES[name]
    config: dict[str, Any] = {
        "in_channels": 2,
        "out_channels": 2,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
        "block_out_channels": channels,
        "layers_per_block": layers,
        "latent_channels": 4,
        "norm_num_groups": groups,
        "mid_block_add_attention": attention,
        "use_quant_conv": quant,
        "use_post_quant_conv": quant,
    }
    torch.manual_seed(0)
    ours = AutoencoderKL(2, 4, channels, layers, groups, attention, quant)
    torch.manual_seed(0)
    return ours, TheirAutoencoder(**config)


def stir(ours: nn.Module, theirs: nn.Module) -> None:
    """Norms that do something: the same noise on every weight of both."""
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            noise = 0.05 * torch.randn(one.shape, generator=draw)
            one.add_(noise)
            other.add_(noise)


def channels_last(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def assert_near(ours: Tensor, theirs: Tensor, tolerance: float = EXACT) -> None:
    """Equal but for a small part of the largest value."""
    assert ours.shape == theirs.shape
    peak = max(1e-3, float(theirs.abs().max()))
    assert float((ours - theirs).abs().max()) <= tolerance * peak


def assert_same_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Names, order, shapes and values."""
    one, other = ours.state_dict(), theirs.state_dict()
    assert list(one) == list(other)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert all(torch.equal(one[key], other[key]) for key in one)


def assert_same_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert_near(one.grad, other.grad, 1e-5)


def given(height: int, breadth: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latent, timesteps, vectors."""
    draw = torch.Generator().manual_seed(1)
    latent = torch.randn(batch, 4, height, breadth, generator=draw)
    return latent, torch.tensor([900, 3])[:batch], torch.randn(batch, 512, generator=draw)


# UNet ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNETS)
def test_a_seeded_unet_has_the_weights_of_diffusers(name: str) -> None:
    assert_same_weights(*both_unets(name))


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("order", ["rows", "channels last"])
@pytest.mark.parametrize("size", [(32, 16), (25, 16), (13, 7), (1, 1)])
@pytest.mark.parametrize("name", UNETS)
def test_the_unet_computes_what_diffusers_does(name: str, size: tuple[int, int], order: str) -> None:
    ours, theirs = both_unets(name)
    stir(ours, theirs)
    if order == "channels last":
        channels_last(ours), channels_last(theirs)
    latent, t, vector = given(*size)
    ours.eval(), theirs.eval()
    wanted = theirs(latent, t, None, class_labels=vector, return_dict=False)[0]
    assert_near(ours(latent, t, vector), wanted, EXACT if order == "rows" else ROUNDED)


@pytest.mark.parametrize("size", [(16, 16), (13, 6)])
@pytest.mark.parametrize("name", ["house", "two layers", "attention everywhere"])
def test_the_unet_learns_what_diffusers_does(name: str, size: tuple[int, int]) -> None:
    ours, theirs = both_unets(name)
    stir(ours, theirs)
    latent, t, vector = given(*size)
    ours(latent, t, vector).square().mean().backward()
    theirs.train()(latent, t, None, class_labels=vector, return_dict=False)[0].square().mean().backward()
    assert_same_gradients(ours, theirs)


@torch.inference_mode()
def test_one_timestep_serves_a_whole_batch() -> None:
    ours, _ = both_unets("house")
    latent, _, vector = given(16, 16)
    wanted = ours(latent, torch.tensor([500, 500]), vector)
    for t in (torch.tensor(500), torch.tensor([500])):
        assert torch.equal(ours(latent, t, vector), wanted)


def test_heads_share_a_width_without_a_rest() -> None:
    with pytest.raises(ValueError, match="3 heads do not share a width of 8"):
        ConditionalUNet(4, (8,), 1, (True,), (3,), 4, 512)


# VAE -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VAES)
def test_a_seeded_vae_has_the_weights_of_diffusers(name: str) -> None:
    assert_same_weights(*both_vaes(name))


@torch.inference_mode()
@pytest.mark.parametrize("order", ["rows", "channels last"])
@pytest.mark.parametrize("size", [(32, 16), (48, 64), (19, 21)])
@pytest.mark.parametrize("name", VAES)
def test_the_vae_computes_what_diffusers_does(name: str, size: tuple[int, int], order: str) -> None:
    if min(size) < 2 ** len(VAES[name][0]):
        size = (64, 32)
    ours, theirs = both_vaes(name)
    stir(ours, theirs)
    if order == "channels last":
        channels_last(ours), channels_last(theirs)
    ours.eval(), theirs.eval()
    image = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(1))
    mean, log_variance = ours.encode(image)
    found: Any = theirs.encode(image).latent_dist  # type: ignore[operator]
    assert_near(mean, found.mean)
    assert_near(log_variance, found.logvar)
    assert_near(ours.decode(mean), theirs.decode(mean).sample)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["house", "middle attention, two layers"])
def test_the_vae_learns_what_diffusers_does(name: str) -> None:
    ours, theirs = both_vaes(name)
    stir(ours, theirs)
    image = torch.randn(2, 2, 32, 16, generator=torch.Generator().manual_seed(1))
    mean, log_variance = ours.encode(image)
    (ours.decode(mean).square().mean() + log_variance.square().mean()).backward()
    found: Any = theirs.train().encode(image).latent_dist  # type: ignore[operator]
    again = theirs.decode(found.mean).sample  # type: ignore[operator]
    (again.square().mean() + found.logvar.square().mean()).backward()
    assert_same_gradients(ours, theirs)


def test_a_log_variance_stays_within_its_bounds() -> None:
    ours, _ = both_vaes("house")
    with torch.no_grad():
        ours.get_parameter("quant_conv.bias")[4:] = torch.tensor([100.0, -100.0, 0.0, 50.0])
    log_variance = ours.encode(torch.zeros(1, 2, 16, 16))[1]
    assert log_variance[:, 0].eq(20.0).all() and log_variance[:, 1].eq(-30.0).all()


# The preset that ships -----------------------------------------------------------------------------------


@pytest.mark.slow
@torch.inference_mode()
def test_the_house_preset_plays_as_on_diffusers() -> None:
    modules = load_modules(read_preset(HOUSE_FOLDER))
    network = modules.unet.network
    channels = tuple(block.resnets[0].norm2.num_channels for block in network.down_blocks)
    attention = tuple(block.attentions is not None for block in network.down_blocks)
    heads = tuple(max(1, width // 32) for width in channels)
    assert {m.heads for m in network.modules() if isinstance(m, SelfAttention)} <= set(heads)
    theirs: Any = their_unet(8, channels, 1, attention, heads, 8)
    entry = network.conv_in
    assert isinstance(entry, SketchedInput)
    theirs.conv_in = SketchedInput(theirs.conv_in, 8, entry.sketch.in_channels, channels[0])
    theirs.load_state_dict(network.state_dict(), strict=True)
    draw = torch.Generator().manual_seed(1)
    latent = torch.randn(2, 8 + entry.sketch.in_channels, 56, 16, generator=draw)
    t, vector = torch.tensor([999, 10]), torch.randn(2, 512, generator=draw)
    theirs.eval()
    wanted = theirs(latent, t, None, class_labels=vector, return_dict=False)[0]
    assert_near(network(latent, t, vector), wanted)
    assert_near(channels_last(network)(latent, t, vector), wanted, ROUNDED)

    vae = modules.vae
    autoencoder: Any = TheirAutoencoder(
        in_channels=2,
        out_channels=2,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        latent_channels=8,
        norm_num_groups=8,
        mid_block_add_attention=False,
    ).eval()
    autoencoder.load_state_dict(vae.network.state_dict(), strict=True)
    mel = -6.0 + 3.0 * torch.randn(1, 128, 40, generator=draw)
    mean, _ = vae.posterior(mel)
    assert_near(mean, autoencoder.encode(fold(mel, modules.geometry)).latent_dist.mean)
    assert_near(vae.network.decode(mean), autoencoder.decode(mean).sample)
