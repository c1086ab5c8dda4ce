"""What went wrong in the first VocalDM's hearing, each with the test that would have caught it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from audioldm_files import GEOMETRY
from tiny_audioldm import AUDIO, UNET

parts.package("lightning_fabric")  # of the extra [training]

from hearing_aligned import heard, null, run_align  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from training.losses.anchoring import distance  # noqa: E402
from training.losses.denoising import denoising_error  # noqa: E402
from training.targets import told_apart  # noqa: E402
from training.trainers.align import fresh_adapter  # noqa: E402
from vocaldm_live.model.adapter import Adapter, VocalDMAdapter  # noqa: E402
from vocaldm_live.model.audioldm import AudioLDMUNet  # noqa: E402
from vocaldm_live.model.clap_audio import ClapAudio, clap_mel, filled, listened  # noqa: E402
from vocaldm_live.model.schedule import Schedule  # noqa: E402
from vocaldm_live.model.unet import Condition  # noqa: E402
from vocaldm_live.sound.audio import Sound  # noqa: E402


def quiet_sounds() -> dict[str, Sound]:
    """Nothing at all, next to nothing, and a tone without anything above 8 kHz."""
    times = np.arange(16000) / 16000.0
    return {
        "zeros": Sound(np.zeros(16000, np.float32), 48000),
        "silence": Sound((1e-6 * np.random.default_rng(0).standard_normal(24000)).astype(np.float32), 48000),
        "16 kHz": Sound((0.5 * np.sin(2 * np.pi * 440.0 * times)).astype(np.float32), 16000),
    }


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_clap_stays_in_float32_whatever_is_around_it(kind: torch.dtype) -> None:
    """The alignment ran CLAP inside 16-bit autocast, where the floor of its mel, 1e-10, is zero: NaN for nearly all."""
    torch.manual_seed(0)
    tower = ClapAudio(**AUDIO).eval()  # type: ignore[arg-type]
    for name, sound in quiet_sounds().items():
        with torch.inference_mode():
            alone = listened(tower, sound, "cpu")
            mel = clap_mel(filled(torch.from_numpy(sound.at(48000).samples))[None])
            with torch.autocast("cpu", kind):
                inside = listened(tower, sound, "cpu")
                again = clap_mel(filled(torch.from_numpy(sound.at(48000).samples))[None])
        assert inside.dtype == torch.float32 and bool(inside.isfinite().all()), name
        torch.testing.assert_close(again, mel, rtol=0, atol=0)
        torch.testing.assert_close(inside, alone, rtol=0, atol=1e-6)


def test_fresh_conditions_are_told_apart() -> None:
    """The first adapter took unit embeddings as they are, so its biases outweighed them: all sounds began as one."""
    torch.manual_seed(0)
    strangers = torch.nn.functional.normalize(torch.randn(64, 960).relu(), dim=1)
    world = heard(64, 5, takes=1)
    sets = ((strangers, 0.2, 0.4), (torch.cat([world.imitations, world.sounds]), 0.3, 0.6))
    for embeddings, most, least in sets:
        assert told_apart(embeddings) > 0.3, "as the towers' are: nearly non-negative"
        ours, theirs = fresh_adapter(embeddings, null()), VocalDMAdapter()
        with torch.inference_mode():
            assert told_apart(ours(embeddings)) < most
            assert told_apart(theirs(embeddings)) > least


@pytest.mark.slow
def test_the_diffusion_loss_alone_does_not_find_claps_space(tmp_path: Path) -> None:
    """The first adapter had no other teacher: noise is told from x_t alone, so hardly anything pulls conditions to where
    the frozen denoiser was taught to read them, whatever the rate; regression onto CLAP does so in as many steps."""
    steps = 30
    train, bank = heard(96, 1), heard(32, 2)

    def cosine(adapter: torch.nn.Module) -> float:
        with torch.inference_mode():
            return float(1.0 - distance(adapter(bank.imitations), bank.targets[bank.of]).mean())

    torch.manual_seed(0)
    untrained = cosine(fresh_adapter(torch.cat([train.imitations, train.sounds]), null()))
    run_align(tmp_path, [f"budget.steps={steps}"])
    ours = Adapter()
    ours.load_state_dict(load_file(tmp_path / "adapter.safetensors"))

    unet = AudioLDMUNet(GEOMETRY, **UNET).eval().requires_grad_(False)  # type: ignore[arg-type]
    schedule = Schedule.linear_sqrt(0.0015, 0.0195, 1000, zero_terminal_snr=False)
    made_of = torch.randn(512, 8 * 4 * 16)
    latents = (train.targets @ made_of).reshape(-1, 8, 4, 16)
    for rate in (1e-5, 1e-3):
        theirs = VocalDMAdapter()
        optimiser = torch.optim.AdamW(theirs.parameters(), lr=rate, eps=1e-8, weight_decay=1e-3)
        for _ in range(steps):
            chosen = torch.randint(0, len(latents), (4,))
            condition = Condition(theirs(train.sounds[chosen]), torch.zeros(4, 0, 4, 16))
            noise, t = torch.randn(4, 8, 4, 16), torch.randint(0, 1000, (4,))
            error = denoising_error(
                unet, schedule, "eps", latents[chosen], condition, t, noise, torch.full((4,), 4)
            )
            optimiser.zero_grad()
            error.mean().backward()
            optimiser.step()
        assert cosine(theirs.eval()) < untrained + 0.1
        assert cosine(ours.eval()) > cosine(theirs) + 0.5
    assert cosine(ours) > untrained + 0.3
    assert told_apart(bank.targets) < 0.5, "the targets are no heap that any cone would meet"
