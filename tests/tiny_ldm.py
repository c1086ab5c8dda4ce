"""Presets of all the kinds that latent diffusion can be trained to, with small random networks: they load and sound."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from audioldm_files import GEOMETRY
from torch import nn

from vocaldm_live.checkpoints.importing import header_of
from vocaldm_live.checkpoints.preset import write_preset
from vocaldm_live.model.audioldm import AudioLDMUNet, AudioLDMVAE
from vocaldm_live.model.vector_table import VectorTable
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import log_mel

UNET = {"channels": (32, 64), "layers": 1, "heads": (1, 2), "transformers": 1}
VAE = {"channels": (32, 32, 32), "layers": 1}
NAMES = ["Dog barks", "rain on a roof", "a door"]
WIDTH = 24
PIXELS = Geometry(16000, 1024, 160, 64, 0.0, 8000.0, 1, 1, 1, 1e-5, -5.0, 6.5)


def text_file(texts: dict[str, str], name: str, body: str) -> dict[str, str]:
    """What a header says of a text file, which is put among `texts`."""
    texts[name] = body
    return {"file": name, "sha256": hashlib.sha256(body.encode()).hexdigest()}


def make_tiny_ldm(folder: Path, kind: str, prediction: str = "v", seed: int = 0) -> Path:
    """Write the preset `folder`/`kind` (vectors, free, pixels) and return that path."""
    geometry = PIXELS if kind == "pixels" else GEOMETRY
    texts: dict[str, str] = {}
    width = {"vectors": WIDTH}.get(kind, 0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        networks: dict[str, nn.Module] = {
            "unet": AudioLDMUNet(geometry, **UNET, vector_width=width),  # type: ignore[arg-type]
        }
        parts: dict[str, Any] = {
            "unet": {"kind": "audioldm", **UNET, "prediction": prediction, "vector_width": width},
            "vocoder": {"kind": "griffin-lim", "iterations": 4},
        }
        if kind == "pixels":
            parts["vae"] = {"kind": "pixels"}
        else:
            networks["vae"] = AudioLDMVAE(geometry, **VAE)  # type: ignore[arg-type]
            parts["vae"] = {"kind": "audioldm-vae", **VAE}
        for network in networks.values():
            for value in network.parameters():
                value.add_(0.03 * torch.randn(value.shape))
        if "vae" in networks:
            mel = log_mel(0.1 * torch.randn(2, geometry.hop * 64), geometry)
            networks["vae"].fit(networks["vae"].posterior(mel)[0])  # type: ignore[operator]
        if kind == "vectors":
            networks["vectors"] = VectorTable(len(NAMES), WIDTH)
            networks["vectors"].vectors.copy_(3.0 * torch.randn(len(NAMES), WIDTH))  # type: ignore[union-attr, operator]
            names = text_file(texts, "names.json", json.dumps(NAMES))
            parts["vectors"] = {"kind": "vectors", "count": len(NAMES), "width": WIDTH, "names": names}
    header = header_of("Small random networks.", parts, 64, geometry.latent_channels, geometry.factor, {})
    header["geometry"] = geometry.as_dict()
    header["parameters"]["steps"] |= {"default": 3}
    header["credits"], header["licence"] = ["Nobody: the weights are random numbers"], "CC0-1.0"
    states = {part: network.eval().state_dict() for part, network in networks.items()}
    return write_preset(folder / kind, header, states, torch.float32, texts).folder


__all__ = ["NAMES", "WIDTH", "make_tiny_ldm", "text_file"]
