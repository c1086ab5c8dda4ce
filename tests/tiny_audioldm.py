"""A preset as the import makes it of an AudioLDM checkpoint, with small random networks that are told apart by ear."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from audioldm_files import GEOMETRY, GEOMETRY_48K, stirred, tokenizer_files
from torch import nn

from vocaldm_live.checkpoints.importing import header_of
from vocaldm_live.checkpoints.preset import write_preset
from vocaldm_live.model.adapter import Adapter, VocalDMAdapter
from vocaldm_live.model.audioldm import AudioLDMUNet, AudioLDMVAE
from vocaldm_live.model.clap_audio import ClapAudio
from vocaldm_live.model.clap_text import ClapText
from vocaldm_live.model.encoder import Encoder
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.sound.mel import log_mel

UNET = {"channels": (32, 64), "layers": 1, "heads": (1, 2), "transformers": 1}
TEXT = {"size": 320, "places": 66, "width": 64, "layers": 1, "heads": 1, "hidden": 64}
AUDIO = {"width": 16, "depths": (1, 1, 1, 1), "heads": (1, 2, 2, 4), "window": 8}


def make_tiny_audioldm(
    folder: Path,
    name: str = "small",
    seed: int = 0,
    text: bool = True,
    audio: bool = True,
    vocaldm: bool = False,
    at_48k: bool = False,
    aligned: bool = False,
) -> Path:
    """Write the preset `folder`/`name` and return that path.

    `vocaldm`: with a QVIM encoder and the first VocalDM's adapter; `aligned`: with an encoder and one of our kind.
    """
    geometry = GEOMETRY_48K if at_48k else GEOMETRY
    rates, kernels = ([6, 5, 4, 2, 2], [12, 10, 8, 4, 4]) if at_48k else ([5, 4, 2, 2, 2], [16, 16, 8, 4, 4])
    vae = {"channels": (32,) * (4 if at_48k else 3), "layers": 1}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        networks: dict[str, nn.Module] = {
            "unet": AudioLDMUNet(geometry, **UNET),  # type: ignore[arg-type]
            "vae": AudioLDMVAE(geometry, **vae),  # type: ignore[arg-type]
            "vocoder": HiFiGAN(geometry.mel_bands, 32, rates, kernels, [3], [[1, 3]]),
        }
        stirred(networks)
        networks["vae"].fit(
            networks["vae"].posterior(log_mel(0.1 * torch.randn(2, geometry.hop * 64), geometry))[0]
        )  # type: ignore[operator]
        networks["unet"].null.copy_(nn.functional.normalize(torch.randn(512), dim=0))  # type: ignore[operator, union-attr]
        parts: dict[str, Any] = {
            "unet": {"kind": "audioldm", **UNET, "prediction": "eps"},
            "vae": {"kind": "audioldm-vae", **vae},
            "vocoder": {
                "kind": "hifi-gan",
                "channels": 32,
                "rates": rates,
                "kernels": kernels,
                "block_kernels": [3],
                "block_dilations": [[1, 3]],
                "slope": 0.1,
                "padding": "half",
                "normalised": False,
            },
        }
        texts: dict[str, str] = {}
        if text:
            networks["clap_text"] = ClapText(*TEXT.values())
            files = tokenizer_files(folder / ".tokenizer")
            texts = {one: (files / one).read_text() for one in ("vocab.json", "merges.txt")}
            vocabulary, merges = (
                {"file": one, "sha256": hashlib.sha256(body.encode()).hexdigest()}
                for one, body in texts.items()
            )
            parts["clap_text"] = {"kind": "clap-text", **TEXT, "vocabulary": vocabulary, "merges": merges}
        if audio:
            networks["clap_audio"] = ClapAudio(**AUDIO)  # type: ignore[arg-type]
            parts["clap_audio"] = {"kind": "clap-audio", **AUDIO}
        if vocaldm or aligned:
            networks["encoder"] = Encoder(classifier=False, shared=False)
            networks["adapter"] = VocalDMAdapter() if vocaldm else Adapter()
            parts["encoder"] = {"kind": "mn10", "shared_tower": False, "classifier": False}
            parts["adapter"] = {"kind": "vocaldm" if vocaldm else "mlp"}
    header = header_of("Small random networks.", parts, geometry.mel_bands, geometry.latent_channels,
                       geometry.factor, {"steps": 0})  # fmt: skip
    header["parameters"]["steps"] |= {"default": 3}
    states = {part: network.eval().state_dict() for part, network in networks.items()}
    return write_preset(folder / name, header, states, torch.float32, texts).folder
