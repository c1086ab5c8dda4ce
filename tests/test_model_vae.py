"""The VAE: shapes at any length, standardised latents, and an encoding that undoes the decoding's scale."""

from __future__ import annotations

import math

import pytest
import torch

from vocaldm_live.model.attention import SelfAttention
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import HOUSE


def tiny() -> MelVAE:
    torch.manual_seed(0)
    return MelVAE(HOUSE, channels=(8, 8, 16), groups=4).eval()


def mels(clips: int = 3, frames: int = 24, seed: int = 1) -> torch.Tensor:
    """Log-mels `[clips, 128, frames]` of no sound in particular."""
    return HOUSE.mel_mean + 2.0 * torch.randn(
        clips, 128, frames, generator=torch.Generator().manual_seed(seed)
    )


def fitted() -> MelVAE:
    vae = tiny()
    with torch.inference_mode():
        vae.fit(vae.posterior(mels(8))[0])
    return vae


@torch.inference_mode()
@pytest.mark.parametrize("frames", [4, 8, 20, 52, 100])
def test_any_multiple_of_four_frames_fits(frames: int) -> None:
    vae = tiny()
    mel = mels(2, frames)
    mean, spread = vae.posterior(mel)
    latent = vae.encode(mel)
    assert mean.shape == spread.shape == latent.shape == (2, 8, frames // 4, 16)
    again = vae.decode(latent)
    assert again.shape == mel.shape and again.isfinite().all()


@torch.inference_mode()
def test_fitting_makes_zero_mean_and_unit_variance() -> None:
    vae = fitted()
    latent = vae.encode(mels(8))
    torch.testing.assert_close(latent.mean(dim=(0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(latent.std(dim=(0, 2, 3)), torch.ones(8), atol=1e-4, rtol=0)
    assert vae.latent_scale.std() > 0, "channels with the same scale would hide a mix-up"


@torch.inference_mode()
def test_a_channel_that_never_moves_does_not_divide_by_zero() -> None:
    vae = tiny()
    raw = torch.randn(4, 8, 6, 16)
    raw[:, 3] = 0.25
    vae.fit(raw)
    assert vae.encode(mels()).isfinite().all()


@torch.inference_mode()
def test_decoding_undoes_the_scale_of_encoding() -> None:
    vae = fitted()
    mel = mels()
    floor = math.log(HOUSE.mel_floor)
    wanted = vae.reconstruct(vae.posterior(mel)[0]).clamp_min(floor)
    torch.testing.assert_close(vae.decode(vae.encode(mel)), wanted, atol=1e-3, rtol=1e-4)


@torch.inference_mode()
def test_no_mel_lies_below_the_floor() -> None:
    vae = fitted()
    vae.get_parameter("network.decoder.conv_out.bias").sub_(2.0)
    latent = torch.randn(2, 8, 6, 16, generator=torch.Generator().manual_seed(2))
    assert vae.reconstruct(latent).min() < math.log(HOUSE.mel_floor)
    assert vae.decode(latent).min() >= math.log(HOUSE.mel_floor) - 1e-5


@torch.inference_mode()
def test_the_statistics_travel_with_the_weights() -> None:
    vae, other = fitted(), tiny()
    other.load_state_dict(vae.state_dict())
    assert torch.equal(other.encode(mels()), vae.encode(mels()))
    assert not torch.equal(other.encode(mels()), tiny().encode(mels()))


def test_it_has_no_attention() -> None:
    """Attention in the middle would make cost grow with the square of the length."""
    assert not [module for module in tiny().modules() if isinstance(module, SelfAttention)]
