"""A complete preset with small random networks, for tests that need one which loads and makes some sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from vocaldm_live.checkpoints.preset import write_preset
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.encoder import Encoder
from vocaldm_live.model.unet import SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.model.vocoder import Vocoder
from vocaldm_live.sound.geometry import HOUSE

UNET = {"channels": (8, 16), "layers": 1, "attention_from": 1, "head_width": 8, "groups": 4}
VAE = {"channels": (4, 8, 8), "layers": 1, "groups": 4}
VOCODER = {"channels": 16, "hidden": 32, "blocks": 2}


def make_tiny_preset(folder: Path, name: str = "tiny", seed: int = 0) -> Path:
    """Write the preset `folder`/`name` and return that path; another seed gives other weights."""
    states = {part: network.state_dict() for part, network in tiny_networks(seed).items()}
    return write_preset(folder / name, tiny_header(), states, torch.float16).folder


def tiny_networks(seed: int = 0) -> dict[str, nn.Module]:
    """The networks by part, in eval mode; the UNet's sketch path, zero in a fresh one, is made to matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = SketchUNet(HOUSE, **UNET)  # type: ignore[arg-type]
        sketch: Tensor = unet.network.conv_in.sketch.weight  # type: ignore[assignment, union-attr]
        nn.init.normal_(sketch, std=0.1)
        networks: dict[str, nn.Module] = {
            "encoder": Encoder(classifier=False, shared=True),
            "adapter": Adapter(),
            "unet": unet,
            "vae": MelVAE(HOUSE, **VAE),  # type: ignore[arg-type]
            "vocoder": Vocoder(HOUSE, **VOCODER),
        }
    return {part: network.eval() for part, network in networks.items()}


def tiny_header() -> dict[str, Any]:
    """What preset.yaml is to say, without name, file names and hashes, as `write_preset` takes it."""
    return {
        "format": 1,
        "version": "0",
        "description": "Small random networks.",
        "geometry": HOUSE.as_dict(),
        "parts": {
            "encoder": {"kind": "mn10", "shared_tower": True, "classifier": False},
            "adapter": {"kind": "mlp"},
            "unet": {"kind": "sketch-unet", **UNET, "prediction": "v"},
            "vae": {"kind": "autoencoder-kl", **VAE},
            "vocoder": {"kind": "istft", **VOCODER},
        },
        "schedule": {"beta_start": 0.0015, "beta_end": 0.0195, "steps": 1000, "zero_terminal_snr": True},
        "parameters": {
            "steps": {"default": 2, "low": 1, "high": 100},
            "guidance": {"default": 2.0, "low": 0.0, "high": 10.0},
            "follow": {"default": 1.0, "low": 0.0, "high": 1.0},
            "sampler": {"default": "ddim", "choices": ["ddim", "dpm_solver_pp_2m", "deis", "ipndm"]},
            "guidance_interval": [0.0, 1.0],
            "guidance_rescale": 0.0,
            "tail_seconds": 0.0,
        },
        "training": {"steps": 0},
        "metrics": {},
        "credits": ["Nobody: the weights are random numbers"],
        "licence": "CC0-1.0",
    }


def change_header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a preset's preset.yaml as `change` leaves its plain values."""
    plain = yaml.safe_load((folder / "preset.yaml").read_text())
    change(plain)
    # As a new file, for the old one may be a link to a preset that others read.
    (folder / "preset.yaml").unlink()
    (folder / "preset.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))


def assert_sentence(text: str) -> None:
    """One sentence in one line."""
    assert text.endswith(".") and ". " not in text and "\n" not in text, text
