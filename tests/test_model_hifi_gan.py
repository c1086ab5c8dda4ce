"""HiFi-GAN beside transformers' class of the same tensors, and decoded in segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from parts import package
from torch import nn

from vocaldm_live.engine.streaming import segment_plan, stream_network
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.model.skeleton import skeletons

THREE = [[1, 3, 5]] * 3
SIXTEEN: dict[str, Any] = {
    "rates": [5, 4, 2, 2, 2],
    "kernels": [16, 16, 8, 4, 4],
    "block_kernels": [3, 7, 11],
    "block_dilations": THREE,
}
FORTY_EIGHT: dict[str, Any] = {
    "rates": [6, 5, 4, 2, 2],
    "kernels": [12, 10, 8, 4, 4],
    "block_kernels": [3, 7, 11, 15],
    "block_dilations": [[1, 3, 5]] * 4,
}


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights that let a signal through all layers, statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            width = parameter[0].numel() if parameter.ndim > 1 else 400.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * width**-0.5)
        for name, buffer in network.named_buffers():
            if name in ("mean", "scale"):
                buffer.copy_(
                    torch.rand(buffer.shape, generator=generator) + (0.5 if name == "scale" else -3.0)
                )
    return network.eval()


def mels(bands: int, frames: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(batch, bands, frames, generator=generator) - 3.0


def reference(ours: HiFiGAN, bands: int, channels: int, shape: dict[str, Any], normalised: bool) -> Any:
    transformers = package("transformers")
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=bands,
        upsample_initial_channel=channels,
        upsample_rates=shape["rates"],
        upsample_kernel_sizes=shape["kernels"],
        resblock_kernel_sizes=shape["block_kernels"],
        resblock_dilation_sizes=shape["block_dilations"],
        leaky_relu_slope=0.1,
        normalize_before=normalised,
    )
    theirs = transformers.SpeechT5HifiGan(config)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return theirs.eval()


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("shape", [SIXTEEN, FORTY_EIGHT], ids=["16k", "48k"])
@torch.inference_mode()
def test_it_is_what_transformers_computes(shape: dict[str, Any], normalised: bool) -> None:
    ours = HiFiGAN(8, 64, **shape, normalised=normalised)
    lively(ours)
    theirs = reference(ours, 8, 64, shape, normalised)
    mel = mels(8, 20)
    made, expected = ours(mel), theirs(mel.transpose(1, 2))
    assert made.shape == (2, 20 * ours.hop) and expected.shape[1] >= made.shape[1]
    assert made.std() > 0.02
    assert (made - expected[:, : made.shape[1]]).abs().max() <= 1e-6


@torch.inference_mode()
def test_exact_padding_is_that_of_the_training_code_at_48_khz() -> None:
    ours = HiFiGAN(8, 64, **FORTY_EIGHT, padding="exact")
    lively(ours)
    theirs = reference(ours, 8, 64, FORTY_EIGHT, False)
    mel = mels(8, 20)
    assert theirs(mel.transpose(1, 2)).shape[1] == 20 * 480 + 16
    for layer, rate in zip(theirs.upsampler, FORTY_EIGHT["rates"], strict=True):
        layer.padding, layer.output_padding = (rate // 2 + rate % 2,), (rate % 2,)
    expected = theirs(mel.transpose(1, 2))
    assert expected.shape[1] == 20 * 480
    assert (ours(mel) - expected).abs().max() <= 1e-6
    plain = HiFiGAN(8, 64, **FORTY_EIGHT)
    plain.load_state_dict(ours.state_dict())
    assert (plain(mel) - expected).abs().max() > 0.01


@pytest.mark.parametrize(
    ("shape", "bands", "channels", "padding", "count"),
    [(SIXTEEN, 64, 1024, "half", 55_264_897), (FORTY_EIGHT, 256, 1536, "exact", 190_281_889)],
    ids=["16k", "48k"],
)
def test_at_full_width_it_has_the_published_number_of_parameters(
    shape: dict[str, Any], bands: int, channels: int, padding: Any, count: int
) -> None:
    with skeletons():
        network = HiFiGAN(bands, channels, **shape, padding=padding)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["half", "exact"])
@pytest.mark.parametrize("frames", [1, 3, 64, 70, 330])
@torch.inference_mode()
def test_segments_are_what_the_network_makes_at_once(frames: int, padding: Any) -> None:
    network = HiFiGAN(8, 32, **(SIXTEEN if padding == "half" else FORTY_EIGHT), padding=padding)
    lively(network)
    mel = mels(8, frames)
    pieces = list(stream_network(network, mel))
    assert len(pieces) == len(segment_plan(frames))
    streamed, whole = torch.cat(pieces, dim=1), network(mel)
    assert streamed.shape == whole.shape == (2, frames * network.hop)
    assert (streamed - whole).abs().max() < 2e-6


@torch.inference_mode()
def test_context_is_as_far_as_a_frame_is_heard_and_hardly_farther() -> None:
    network = HiFiGAN(8, 32, **SIXTEEN).double()
    lively(network)
    frames, at = 121, 60
    mel = mels(8, frames, batch=1).double()
    changed = mel.clone()
    changed[:, :, at] += 3.0
    moved = (network(changed) - network(mel))[0].abs().reshape(frames, network.hop).amax(dim=1).numpy()
    heard = np.flatnonzero(moved > 0.0)
    assert network.context - 3 <= max(at - heard[0], heard[-1] - at) <= network.context
