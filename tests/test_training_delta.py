"""Deltas: they begin as nothing, leave the timestep alone, and merged networks do what wrapped ones do."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny import UNET, make_tiny_preset
from torch import Tensor, nn

from training.bank import fixed_bank
from training.base import open_base
from training.delta import Columns, LowRank, attach, merged
from training.errors import RecipeError
from training.losses.denoising import denoising_error
from vocaldm_live.errors import PresetError
from vocaldm_live.model.denoise import Prediction
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.unet import Condition, SketchUNet
from vocaldm_live.sound.geometry import HOUSE


@pytest.fixture
def unet() -> SketchUNet:
    torch.manual_seed(0)
    return SketchUNet(HOUSE, **UNET)  # type: ignore[arg-type]


def asked(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 8, 8, 16, generator=generator)
    vector = torch.nn.functional.normalize(torch.randn(2, 512, generator=generator), dim=1)
    condition = Condition(vector, torch.zeros(2, network.network.conv_in.sketch.in_channels, 8, 16))  # type: ignore[union-attr]
    with torch.no_grad():
        return network(x, torch.tensor([10, 900]), condition)


def moved(network: nn.Module) -> None:
    """As if it had been trained."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(
                    weight.shape, generator=torch.Generator().manual_seed(weight.numel())
                )


@pytest.mark.parametrize("film_rank", [None, 2])
def test_merged_does_what_wrapped_does(unet: SketchUNet, film_rank: int | None) -> None:
    before = asked(unet)
    plain = copy.deepcopy(unet)
    names = attach(unet, attention=4, film=True, film_rank=film_rank)
    assert torch.equal(asked(unet), before), "fresh deltas are nothing"
    assert {name.rsplit(".", 1)[-1] for name in names} == {"a", "b", "weight", "bias"} and any(
        "attn" in n for n in names
    )
    moved(unet)
    after = asked(unet)
    assert float((after - before).abs().max()) > 1e-3
    plain.load_state_dict(merged(unet), strict=True)
    torch.testing.assert_close(asked(plain), after, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        merged(unet, 0.0)["network.down_blocks.0.resnets.0.time_emb_proj.weight"],
        unet.state_dict()["network.down_blocks.0.resnets.0.time_emb_proj.base.weight"],
    )


@pytest.mark.parametrize("rank", [None, 2])
def test_columns_leave_the_time_half_bit_equal(rank: int | None) -> None:
    layer = nn.Linear(10, 4)
    before = layer.weight.detach().clone()
    columns = Columns(layer, 6, rank)
    layer.requires_grad_(False)
    optimiser = torch.optim.AdamW(
        [w for w in columns.parameters() if w.requires_grad], lr=0.1, weight_decay=0.1
    )
    for _ in range(3):
        optimiser.zero_grad()
        columns(torch.randn(5, 10)).square().sum().backward()
        optimiser.step()
    after = columns.weight().detach()
    assert torch.equal(after[:, :4], before[:, :4]) and not torch.equal(after[:, 4:], before[:, 4:])
    with pytest.raises(ValueError, match="no last 11 columns"):
        Columns(layer, 11)


def test_only_deltas_get_gradients(unet: SketchUNet) -> None:
    names = attach(unet, attention=2)
    condition = Condition(torch.ones(1, 512), torch.zeros(1, unet.network.conv_in.sketch.in_channels, 4, 16))  # type: ignore[union-attr]
    unet(torch.randn(1, 8, 4, 16), torch.tensor([5]), condition).square().sum().backward()
    assert {name for name, weight in unet.named_parameters() if weight.grad is not None} == set(names)
    assert all(isinstance(unet.get_submodule(name.rpartition(".")[0]), LowRank) for name in names)
    with pytest.raises(ValueError, match="deltas already"):
        attach(unet, film=True)
    with pytest.raises(ValueError, match="no attention layers"):
        attach(nn.Linear(2, 2), attention=2)


def test_a_base_has_the_presets_own_null_and_schedule(tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = make_tiny_preset(tmp_path)
    base = open_base(str(folder), ("unet", "adapter"))
    assert set(base.networks) == {"unet", "adapter"} and base.prediction == "v"
    assert base.schedule.zero_terminal_snr
    null = base.null(3)
    torch.testing.assert_close(null.norm(dim=1), torch.ones(3))
    assert torch.equal(null, base.networks["adapter"].null_condition(3))  # type: ignore[operator]
    assert base.condition(null, frames=8).image.shape == (
        3,
        base.networks["unet"].network.conv_in.sketch.in_channels,
        8,
        16,
    )  # type: ignore[union-attr]
    with pytest.raises(PresetError, match="has no clap_text"):
        open_base(str(folder), ("clap_text",))
    with pytest.raises(RecipeError, match="open that part too"):
        open_base(str(folder), ("vae",)).null(1)
    (folder / "unet.safetensors").write_bytes((folder / "vae.safetensors").read_bytes())
    with pytest.raises(PresetError):
        open_base(str(folder), ("unet",))


def test_the_bank_is_fixed_and_covers_the_schedule() -> None:
    latents = torch.zeros(10, 2, 4, 3)
    one, other = fixed_bank(latents, 1000), fixed_bank(latents, 1000)
    torch.manual_seed(99)
    assert torch.equal(one.noise, other.noise) and torch.equal(
        one.timesteps, fixed_bank(latents, 1000).timesteps
    )
    assert sorted((one.timesteps // 100).tolist()) == list(range(10))
    assert one.timesteps.tolist() != sorted(one.timesteps.tolist())


@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
def test_padding_counts_nothing_and_a_right_network_has_no_error(prediction: Prediction) -> None:
    torch.manual_seed(1)
    schedule = Schedule.linear_sqrt(zero_terminal_snr=prediction == "v")
    latent, noise = torch.randn(3, 2, 6, 4), torch.randn(3, 2, 6, 4)
    t, valid = torch.tensor([0, 500, 900]), torch.tensor([6, 3, 1])
    layer = nn.Conv2d(2, 2, 1)

    def local(x_t: Tensor, t: Tensor, condition: object) -> Tensor:
        return layer(x_t)

    def error(latent: Tensor) -> Tensor:
        return denoising_error(local, schedule, prediction, latent, None, t, noise, valid)

    first = error(latent)
    first.sum().backward()
    gradient = layer.weight.grad.clone()  # type: ignore[union-attr]
    layer.weight.grad = None
    other = latent.clone()
    other[1, :, 3:], other[2, :, 1:] = 7.0, -3.0
    second = error(other)
    second.sum().backward()
    assert torch.equal(first, second) and torch.equal(gradient, layer.weight.grad)  # type: ignore[arg-type]
    shorter = denoising_error(
        local, schedule, prediction, latent[1:2, :, :3], None, t[1:2], noise[1:2, :, :3], valid[1:2]
    )
    torch.testing.assert_close(first[1:2], shorter)

    def right(x_t: Tensor, t: Tensor, condition: object) -> Tensor:
        return {"v": schedule.v_from_data(latent, noise, t), "eps": noise, "x0": latent}[prediction]

    assert denoising_error(right, schedule, prediction, latent, None, t, noise, valid).max() < 1e-10
