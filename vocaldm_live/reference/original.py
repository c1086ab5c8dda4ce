"""Original: the networks of the PyPI package `audioldm`, with the weights of a loaded preset.

The package pins old versions of much that its networks don't need, so it is installed apart (see `INSTALL`), and
its top level, which imports all of that, is gone around: its submodules are imported from where they lie.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from vocaldm_live.checkpoints import audioldm_keys as keys
from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart, AudioLDMVAEPart
from vocaldm_live.checkpoints.preset import Modules, Preset
from vocaldm_live.checkpoints.vocoder_parts import HiFiGANPart
from vocaldm_live.errors import RequestError
from vocaldm_live.model.vae import MelVAE

INSTALL = "pip install --no-deps audioldm==0.1.1 einops progressbar"


def original(module: str) -> ModuleType:
    """A submodule of the package, without its top level; raises RequestError where it cannot be had."""
    if "audioldm" not in sys.modules:
        found = importlib.util.find_spec("audioldm")
        if found is None or found.submodule_search_locations is None:
            raise RequestError(f"The package audioldm is not installed: {INSTALL}.")
        package = ModuleType("audioldm")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["audioldm"] = package
    try:
        return importlib.import_module(f"audioldm.{module}")
    except ImportError as error:
        raise RequestError(f"The package audioldm lacks something ({error}): {INSTALL}.") from error


class Original:
    """UNet, VAE and vocoder as the authors wrote them, computing with a preset's weights."""

    def __init__(self, preset: Preset, modules: Modules, device: torch.device) -> None:
        parts = preset.header.parts
        unet, vae, vocoder = parts.unet, parts.vae, parts.vocoder
        plain = isinstance(unet, AudioLDMUNetPart) and unet.published and isinstance(vae, AudioLDMVAEPart)
        if not plain or not isinstance(vocoder, HiFiGANPart):
            raise RequestError(
                f"The reference runs imported AudioLDM presets, which {preset.name} is not: leave out --backend."
            )
        assert isinstance(unet, AudioLDMUNetPart) and isinstance(vae, AudioLDMVAEPart)
        if unet.transformers != 1:
            raise RequestError(
                f"The package audioldm has no 48 kHz model, which {preset.name} is: leave out --backend."
            )
        self.device = device
        own = modules.unet.network.state_dict()
        self.unet = _loaded(_unet(unet, preset), lambda key: own[_known(keys.unet_key(key, 1), key)])
        assert isinstance(modules.vae, MelVAE)
        own_vae = modules.vae.network.state_dict()
        self.vae = _loaded(
            _vae(vae, preset), lambda key: own_vae[_known(keys.vae_key(key, len(vae.channels)), key)]
        )
        assert modules.vocoder is not None
        own_vocoder = modules.vocoder.state_dict()
        self.vocoder = _loaded(
            _vocoder(vocoder, preset), lambda key: own_vocoder[_known(keys.vocoder_key(key), key)]
        )
        for network in (self.unet, self.vae, self.vocoder):
            network.to(device)

    def sampler(self) -> Any:
        """The package's DDIMSampler over this UNet; its buffers stay on the device, not on CUDA wherever that is."""
        ddim, util = original("latent_diffusion.ddim"), original("latent_diffusion.util")
        betas = torch.as_tensor(util.make_beta_schedule("linear", 1000, 0.0015, 0.0195))
        levels = torch.cumprod(1.0 - betas, 0).float()
        model = SimpleNamespace(
            num_timesteps=1000,
            betas=betas.float().to(self.device),
            alphas_cumprod=levels.to(self.device),
            alphas_cumprod_prev=torch.cat((torch.ones(1), levels[:-1])).to(self.device),
            device=self.device,
            apply_model=lambda x, t, vector: self.unet(x, t, context=None, y=vector),
        )
        ddim.tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]
        sampler = ddim.DDIMSampler(model)
        sampler.register_buffer = lambda name, value: setattr(sampler, name, value)
        return sampler


# Inside -------------------------------------------------------------------------------------------------


def _unet(part: AudioLDMUNetPart, preset: Preset) -> nn.Module:
    first, levels = part.channels[0], len(part.channels)
    return original("latent_diffusion.openaimodel").UNetModel(
        image_size=64,
        extra_film_condition_dim=512,
        extra_film_use_concat=True,
        in_channels=preset.geometry.latent_channels,
        out_channels=preset.geometry.latent_channels,
        model_channels=first,
        attention_resolutions=[2**level for level in range(1, levels)],
        num_res_blocks=part.layers,
        channel_mult=[width // first for width in part.channels],
        num_head_channels=part.channels[1] // part.heads[1],
        use_spatial_transformer=True,
        use_checkpoint=False,
    )


def _vae(part: AudioLDMVAEPart, preset: Preset) -> nn.Module:
    module = original("variational_autoencoder.autoencoder")
    module.get_vocoder = lambda *_: None  # type: ignore[attr-defined]
    latent = preset.geometry.latent_channels
    config = {
        "double_z": True,
        "z_channels": latent,
        "resolution": 256,
        "downsample_time": False,
        "in_channels": 1,
        "out_ch": 1,
        "ch": part.channels[0],
        "ch_mult": [width // part.channels[0] for width in part.channels],
        "num_res_blocks": part.layers,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    return module.AutoencoderKL(ddconfig=config, embed_dim=latent)


def _vocoder(part: HiFiGANPart, preset: Preset) -> nn.Module:
    settings = SimpleNamespace(
        num_mels=preset.geometry.mel_bands,
        upsample_initial_channel=part.channels,
        upsample_rates=list(part.rates),
        upsample_kernel_sizes=list(part.kernels),
        resblock_kernel_sizes=list(part.block_kernels),
        resblock_dilation_sizes=[list(row) for row in part.block_dilations],
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # of torch, about how the package normalises its weights
        network = original("hifigan.models").Generator(settings)
    network.remove_weight_norm()
    return network


def _known(own: str | None, key: str) -> str:
    assert own is not None, key
    return own


def _loaded(network: nn.Module, weight: Callable[[str], Tensor]) -> nn.Module:
    """All of the original's tensors from ours, matrices back to 1 x 1 convolutions where it has those."""
    state = {}
    for key, value in network.state_dict().items():
        found = weight(key)
        state[key] = found[:, :, None, None] if value.ndim == found.ndim + 2 else found
    network.load_state_dict(state, strict=True)
    return network.eval().requires_grad_(False)
