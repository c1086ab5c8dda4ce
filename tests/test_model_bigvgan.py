"""BigVGAN: its filters and activations beside their formulas, its size as published, decoded in segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_model_hifi_gan import lively, mels

from vocaldm_live.engine.streaming import segment_plan, stream_network
from vocaldm_live.model.alias_free import AliasFree, Snake, low_pass
from vocaldm_live.model.bigvgan import BigVGAN
from vocaldm_live.model.skeleton import skeletons

BLOCKS: dict[str, Any] = {"block_kernels": [3, 7, 11], "block_dilations": [[1, 3, 5]] * 3}
BASE: dict[str, Any] = {"rates": [8, 8, 2, 2], "kernels": [16, 16, 4, 4], **BLOCKS}
LARGE: dict[str, Any] = {"rates": [4, 4, 2, 2, 2, 2], "kernels": [8, 8, 4, 4, 4, 4], **BLOCKS}
LONG: dict[str, Any] = {"rates": [8, 4, 2, 2, 2, 2], "kernels": [16, 8, 4, 4, 4, 4], **BLOCKS}
VERSION_2: dict[str, Any] = {"tanh_at_end": False, "bias_at_end": False}


def quiet(network: torch.nn.Module) -> torch.nn.Module:
    """Lively weights, small enough that the periodic activations do not blow rounding up."""
    lively(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.mul_(0.3 if "resblocks" in name or "post" in name else 0.8)
    return network


def test_the_filter_halves_the_band() -> None:
    taps = low_pass().astype(np.float64)
    assert len(taps) == 12 and taps.sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-9)
    # Kaiser's window by its series, the sinc by its quotient; 51 dB and a transition of 0.3 of the higher rate.
    half, beta = 6, 0.1102 * (2.285 * 5 * np.pi * 1.2 + 7.95 - 8.7)
    places = np.arange(12) - 5.5
    bessel = [sum((x / 2) ** (2 * k) / float(np.prod(np.arange(1.0, k + 1))) ** 2 for k in range(30))
              for x in beta * np.sqrt(1.0 - (places / (half - 0.5)) ** 2)]  # fmt: skip
    formula = np.array(bessel) * np.sin(np.pi * places / 2) / (np.pi * places / 2)
    np.testing.assert_allclose(taps, formula / formula.sum(), atol=1e-7)
    gain = np.abs(np.fft.rfft(taps, 1024))
    assert gain[:20].min() > 0.99 and gain[256] == pytest.approx(0.5, abs=0.05) and gain[420:].max() < 0.01


@pytest.mark.parametrize("own_beta", [False, True])
@pytest.mark.parametrize("logarithmic", [False, True])
@torch.inference_mode()
def test_the_activation_is_its_formula(own_beta: bool, logarithmic: bool) -> None:
    network = AliasFree(Snake(3, own_beta, logarithmic)).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.copy_(torch.rand(3, generator=generator) + 0.5)
    x = torch.randn(2, 3, 31, generator=generator)
    state = {key: value.double().numpy() for key, value in network.state_dict().items()}
    assert set(state) == ({"act.alpha", "act.beta"} if own_beta else {"act.alpha"})
    if logarithmic:
        state = {key: np.exp(value) for key, value in state.items()}
    taps = low_pass().astype(np.float64)
    for row, made in zip(x.double().numpy().reshape(6, -1), network(x).numpy().reshape(6, -1), strict=True):
        channel = next(
            c for c in range(3) if any(np.array_equal(row, one) for one in x[:, c].double().numpy())
        )
        alpha = state["act.alpha"][channel]
        beta = state.get("act.beta", state["act.alpha"])[channel]
        held = np.concatenate([np.full(20, row[0]), row, np.full(20, row[-1])])
        stuffed = np.zeros(2 * len(held))
        stuffed[::2] = 2.0 * held
        # Sample 2 t of the doubled signal lies a quarter of a sample before t, 2 t + 1 one after it.
        doubled = np.convolve(stuffed, taps)[40 + 5 :][: 2 * len(row)]
        active = doubled + np.sin(alpha * doubled) ** 2 / beta
        held = np.concatenate([np.full(20, active[0]), active, np.full(20, active[-1])])
        expected = np.convolve(held, taps)[20 + 6 :][: len(active) : 2]
        np.testing.assert_allclose(made, expected, atol=2e-6)


@torch.inference_mode()
def test_overtones_above_the_band_hardly_fold_back() -> None:
    count, tone = 4096, 1400  # cycles: the second overtone, at 2800, is beyond 2048 and would fold to 1296
    x = 0.5 * torch.sin(2 * torch.pi * tone / count * torch.arange(count, dtype=torch.float64))[None, None]
    snake = Snake(1, False, False).double()
    folded = torch.fft.rfft(snake(x)[0, 0]).abs()[count - 2 * tone]
    network = AliasFree(snake).double()
    filtered = torch.fft.rfft(network(x)[0, 0]).abs()[count - 2 * tone]
    assert filtered < folded / 3


@pytest.mark.parametrize(
    ("bands", "channels", "shape", "version", "count"),
    [
        (80, 512, BASE, {}, 13_943_361),
        (100, 1536, LARGE, {}, 112_414_513),
        (128, 1536, LONG, VERSION_2, 122_152_752),
    ],
    ids=["base 22k", "24k", "v2 44k 512x"],
)
def test_at_full_width_it_has_the_published_number_of_parameters(
    bands: int, channels: int, shape: dict[str, Any], version: dict[str, Any], count: int
) -> None:
    with skeletons():
        network = BigVGAN(bands, channels, **shape, **version)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("frames", [1, 64, 90, 330])
@torch.inference_mode()
def test_segments_are_what_the_network_makes_at_once(frames: int, paired: bool) -> None:
    network = quiet(BigVGAN(8, 32, **BASE, paired=paired, **VERSION_2))
    mel = mels(8, frames, batch=1)
    pieces = list(stream_network(network, mel))  # type: ignore[arg-type]
    assert len(pieces) == len(segment_plan(frames))
    streamed, whole = torch.cat(pieces, dim=1), network(mel)
    assert streamed.shape == whole.shape == (1, frames * 256) and whole.std() > 1e-3
    assert (streamed - whole).abs().max() < 1e-4 * whole.abs().max()


@pytest.mark.slow
@torch.inference_mode()
def test_context_is_as_far_as_a_frame_is_heard_and_hardly_farther() -> None:
    network: Any = quiet(BigVGAN(8, 32, **BASE)).double()
    frames, at = 91, 45
    mel = mels(8, frames, batch=1).double()
    changed = mel.clone()
    changed[:, :, at] += 3.0
    moved = (network(changed) - network(mel))[0].abs().reshape(frames, network.hop).amax(dim=1).numpy()
    heard = np.flatnonzero(moved > 0.0)
    # What passes through the outermost taps of every filter is lost in rounding.
    assert network.context - 6 <= max(at - heard[0], heard[-1] - at) <= network.context


@torch.inference_mode()
def test_the_second_version_clips_where_the_first_bends() -> None:
    first = quiet(BigVGAN(8, 32, **BASE, bias_at_end=False))
    second = BigVGAN(8, 32, **BASE, **VERSION_2)
    second.load_state_dict(first.state_dict())
    mel = mels(8, 4)
    torch.testing.assert_close(torch.atanh(first(mel)), second.eval()(mel), atol=1e-5, rtol=1e-4)
    second.conv_post.weight.mul_(1e5)
    assert second(mel).abs().max() == 1.0
