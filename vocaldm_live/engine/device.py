"""Device: which one makes the clips, and networks laid out as it computes them fastest."""

from __future__ import annotations

import torch

from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
from vocaldm_live.checkpoints.preset import Modules, Preset
from vocaldm_live.errors import RequestError
from vocaldm_live.model.fast import quicken
from vocaldm_live.model.hifi_gan import HiFiGAN


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; auto takes CUDA, then MPS, then the CPU. RequestError where it is not there."""
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise RequestError(f"device is {name!r}: choose auto, cpu, cuda or mps.")
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise RequestError(f"device {name} is not available here: choose auto or cpu.")
    return torch.device(name)


def lay_out(modules: Modules, preset: Preset, device: torch.device) -> None:
    """Weights of convolutions channels last, and on a CPU networks of a published size with faster convolutions.

    The house's are too narrow to gain from those.
    """
    for module in (modules.unet, modules.vae, modules.house_encoder):
        for parameter in () if module is None else module.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    if device.type != "cpu":
        return
    if isinstance(preset.header.parts.unet, AudioLDMUNetPart):
        quicken(modules.unet)
        quicken(modules.vae)
    if isinstance(modules.vocoder, HiFiGAN):
        quicken(modules.vocoder)
