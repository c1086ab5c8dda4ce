"""Fast convolutions beside torch's own, in float64 and inside the networks that use them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from vocaldm_live.model.autoencoder import AutoencoderKL
from vocaldm_live.model.fast import LEAST_CHANNELS, quicken
from vocaldm_live.model.fast_conv1d import TILES, FastConv1d
from vocaldm_live.model.fast_conv2d import FastConv2d
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.model.toom_cook import transforms


@pytest.fixture(autouse=True)
def _inference() -> Any:
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("outputs", "taps"), [(1, 1), (2, 3), (4, 3), (6, 3), (4, 5), (4, 7), (5, 5), (6, 6)]
)
def test_toom_cook_is_the_sliding_sum(outputs: int, taps: int) -> None:
    after, kernel, before = transforms(outputs, taps)
    x, g = torch.randn(outputs + taps - 1).double(), torch.randn(taps).double()
    wanted = torch.stack([x[shift : shift + taps] @ g for shift in range(outputs)])
    torch.testing.assert_close(after @ ((kernel @ g) * (before @ x)), wanted, rtol=1e-11, atol=1e-11)


def test_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="13 points are too many for float32"):
        transforms(7, 7)


@pytest.mark.parametrize(
    ("batch", "height", "breadth"),
    [
        (1, 1, 1), (2, 16, 2), (1, 3, 2), (2, 32, 4), (1, 7, 3), (2, 64, 8), (2, 48, 16), (1, 128, 16),
        (3, 50, 17), (2, 100, 64), (1, 9, 33), (1, 5, 32),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_images_are_as_torch_makes_them(batch: int, height: int, breadth: int, bias: bool) -> None:
    conv = nn.Conv2d(6, 5, 3, padding=1, bias=bias).double()
    image = torch.randn(batch, 6, height, breadth)
    wanted = conv(image.double()).float()
    fast = FastConv2d(conv.float())
    for form in (torch.contiguous_format, torch.channels_last):
        torch.testing.assert_close(fast(image.to(memory_format=form)), wanted, rtol=0, atol=2e-5)
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(FastConv2d(conv)(image), wanted, rtol=0, atol=2e-5)


def test_tall_images_are_done_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, image = nn.Conv2d(4, 6, 3, padding=1), torch.randn(2, 4, 75, 40)
    at_once = FastConv2d(conv)(image)
    monkeypatch.setattr("vocaldm_live.model.fast_conv2d.SCRATCH", 1)
    torch.testing.assert_close(FastConv2d(conv)(image), at_once, rtol=0, atol=2e-5)


def test_a_convolution_of_one_by_one() -> None:
    conv, image = nn.Conv2d(6, 5, 1), torch.randn(2, 6, 7, 4)
    torch.testing.assert_close(FastConv2d(conv)(image), conv(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kernel", sorted(TILES))
@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize("samples", [1, 7, 100, 501])
def test_signals_are_as_torch_makes_them(kernel: int, dilation: int, samples: int) -> None:
    padding = dilation * (kernel - 1) // 2
    conv = nn.Conv1d(6, 5, kernel, dilation=dilation, padding=padding, bias=samples > 7).double()
    signal = torch.randn(2, 6, samples)
    wanted = conv(signal.double()).float()
    fast = FastConv1d(conv.float())
    torch.testing.assert_close(fast(signal), wanted, rtol=0, atol=3e-5)
    rows = signal.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(fast(rows), wanted, rtol=0, atol=3e-5)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 5, padding=2),
        nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.Conv2d(8, 8, 3, padding=2, dilation=2),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), nn.Conv1d(8, 8, 3), nn.Conv1d(8, 8, 4, padding=2),
        nn.Conv1d(8, 8, 3, padding=1, groups=2), nn.Conv1d(8, 8, 13, padding=6), nn.ConvTranspose1d(8, 8, 3),
        nn.Linear(8, 8),
    ],
)  # fmt: skip
def test_other_layers_stay_as_they_are(conv: nn.Module) -> None:
    assert not FastConv2d.suits(conv)
    assert not FastConv1d.suits(conv)
    for kind in (FastConv2d, FastConv1d):
        with pytest.raises(ValueError, match="is not a plain convolution"):
            kind(conv)  # type: ignore[arg-type]


THREE = [[1, 3, 5]] * 2
NETWORKS = {
    "vae": (lambda: AutoencoderKL(1, 8, (LEAST_CHANNELS, LEAST_CHANNELS), 1, 32), (1, 1, 40, 64)),
    "hifi-gan": (lambda: HiFiGAN(64, 512, [5, 4], [16, 16], [3, 11], THREE), (2, 64, 30)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_stays_what_it_was(name: str) -> None:
    build, shape = NETWORKS[name]
    plain: Any = build().eval()
    quick = copy.deepcopy(plain)
    changed = quicken(quick)
    assert changed == sum(isinstance(module, FastConv2d | FastConv1d) for module in quick.modules()) > 3
    assert quicken(quick) == 0
    kept, state = plain.state_dict(), quick.state_dict()
    assert list(state) == list(kept)
    assert all(torch.equal(state[key], kept[key]) for key in kept)
    x = torch.randn(shape)
    wanted, got = (
        (network.decode(network.encode(x)[0]) if name == "vae" else network(x)) for network in (plain, quick)
    )
    scale = float(wanted.abs().max())
    assert scale > 1e-4
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * scale)


def test_narrow_networks_keep_their_own() -> None:
    assert quicken(nn.Sequential(nn.Conv2d(127, 256, 3, padding=1), nn.Conv1d(256, 1, 7, padding=3))) == 0
