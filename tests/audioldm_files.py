"""Checkpoints as AudioLDM's authors publish them, with random weights and of small width, for tests and by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vocaldm_live.checkpoints import audioldm_keys as keys
from vocaldm_live.model.audioldm import AudioLDMUNet, head_counts
from vocaldm_live.model.clap_audio import ClapAudio
from vocaldm_live.model.clap_text import ClapText
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import Geometry

GEOMETRY = Geometry(16000, 1024, 160, 64, 0.0, 8000.0, 1, 4, 8, 1e-5, 0.0, 1.0)
GEOMETRY_48K = Geometry(48000, 2048, 480, 256, 20.0, 24000.0, 1, 8, 16, 1e-5, 0.0, 1.0)
SCALE_FACTOR = 0.9227914214134216
VOCABULARY = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
MERGES = (("d", "o"), ("do", "g"), ("Ġ", "dog"), ("r", "a"), ("ra", "in"))


def tokenizer_files(folder: Path) -> Path:
    """A tiny vocabulary: every byte, and the results of a few merges."""
    from vocaldm_live.model.byte_pairs import _letters

    vocabulary = dict(VOCABULARY)
    for symbol in (*_letters(), "in", *("".join(pair) for pair in MERGES)):
        vocabulary.setdefault(symbol, len(vocabulary))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    lines = ["#version: 0.2", "i n", *(" ".join(pair) for pair in MERGES)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    return folder


def networks(
    model_channels: int = 32, full: bool = False, at_48k: bool = False, seed: int = 0
) -> dict[str, nn.Module]:
    """The networks of one checkpoint by part; `full`: everything but the UNet as large as published too."""
    geometry = GEOMETRY_48K if at_48k else GEOMETRY
    channels = [model_channels * factor for factor in (1, 2, 3, 5)]
    mult = (1, 2, 4, 8) if at_48k else (1, 2, 4)
    heads = head_counts(channels, 64 if model_channels >= 256 else 32)
    rates, kernels = ((6, 5, 4, 2, 2), (12, 10, 8, 4, 4)) if at_48k else ((5, 4, 2, 2, 2), (16, 16, 8, 4, 4))
    blocks = (3, 7, 11, 15) if at_48k else (3, 7, 11)
    voice = (1536 if at_48k else 1024) if full else 64
    text = (50265, 514, 768, 12, 12, 3072) if full else (320, 66, 64, 2, 1, 128)
    audio = (96, (2, 2, 6, 2), (4, 8, 16, 32), 8) if full else (16, (1, 2, 1, 1), (1, 2, 2, 4), 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: dict[str, nn.Module] = {
            "unet": AudioLDMUNet(geometry, channels, 2, heads, 2 if at_48k else 1).network,
            "vae": MelVAE(geometry, [(128 if full else 32) * m for m in mult], 2, 32, True).network,
            "vocoder": HiFiGAN(geometry.mel_bands, voice, rates, kernels, blocks, [(1, 3, 5)] * len(blocks)),
            "clap_text": ClapText(*text),
            "clap_audio": ClapAudio(*audio),
        }
    return {part: network.eval() for part, network in made.items()}


def published(parts: Mapping[str, nn.Module], average: bool = True) -> dict[str, Tensor]:
    """The state dict of a published checkpoint with these networks, and what else lies in one."""
    state: dict[str, Tensor] = {"scale_factor": torch.tensor(SCALE_FACTOR)}
    for buffer in ("betas", "alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_mean_coef1"):
        state[buffer] = torch.zeros(4)
    unet = original_unet(parts["unet"].state_dict())
    for key, value in unet.items():
        state[f"model.diffusion_model.{key}"] = value
        if average:
            state[f"model_ema.diffusion_model{key.replace('.', '')}"] = value + 0.01
    if average:
        state |= {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(9)}
    for key, value in original_vae(parts["vae"].state_dict()).items():
        state[f"first_stage_model.{key}"] = value
    for key, value in parts["vocoder"].state_dict().items():
        if key not in ("mean", "scale"):
            state[f"first_stage_model.vocoder.{key.replace('upsampler.', 'ups.')}"] = value
    state["first_stage_model.loss.logvar"] = torch.zeros(1)
    clap = "cond_stage_model.model."
    for key, value in (*parts["clap_text"].state_dict().items(), *parts["clap_audio"].state_dict().items()):
        key = key.replace("text_model.", "text_branch.")
        state[
            clap
            + key.replace("projection.linear1", "projection.0").replace("projection.linear2", "projection.2")
        ] = value
    state[f"{clap}text_branch.embeddings.position_ids"] = torch.arange(4)[None]
    state[f"{clap}logit_scale_a"] = torch.tensor(1.0)
    state[f"{clap}audio_branch.tscam_conv.weight"] = torch.zeros(2, 2)
    return state


def original_unet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A UNet's tensors under openaimodel.UNetModel's names: the one map run over all names that there can be."""
    transformers = 2 if "down_blocks.1.attentions.3.norm.weight" in state else 1
    found: dict[str, Tensor] = {}
    ends = ("weight", "bias")
    modules = [
        "in_layers.0",
        "in_layers.2",
        "emb_layers.1",
        "out_layers.0",
        "out_layers.3",
        "skip_connection",
    ]
    inner = sorted({key.split(".attentions.")[1].split(".", 1)[1] for key in state if ".attentions." in key})
    names = [f"{stem}.{end}" for stem in keys._UNET_ENDS for end in ends]
    places = [f"{way}.{block}" for way in ("input_blocks", "output_blocks") for block in range(12)]
    for place in (*places, "middle_block"):
        for module in range(4):
            names += [
                f"{place}.{module}.{inside}.{end}" for inside in (*modules, "op", "conv") for end in ends
            ]
            names += [f"{place}.{module}.{inside}" for inside in inner]
    taken = set()
    for name in names:
        own = keys.unet_key(name, transformers)
        wrong = re_used(name, transformers)
        if own in state and own not in taken and not wrong:
            found[name] = state[own]
            taken.add(own)
    assert taken == set(state), sorted(set(state) - taken)[:5]
    return found


def re_used(name: str, transformers: int) -> bool:
    """Whether a name would not stand there in the original, though the map would take it."""
    place = name.split(".")
    if name.startswith("output_blocks.") and place[3] == "conv":
        # After the transformers where there are any, else directly after the residual block.
        return int(place[2]) != (1 if int(place[1]) > 8 else transformers + 1)
    return False


def original_vae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A VAE's tensors under taming's names, attention as 1 x 1 convolutions."""
    count = len({key.split(".")[2] for key in state if key.startswith("encoder.down_blocks.")})
    found = {}
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    for key, value in state.items():
        name = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        if ".attentions.0." in key:
            half, _, rest = key.partition(".mid_block.attentions.0.")
            stem, _, end = rest.rpartition(".")
            name = f"{half}.mid.attn_1.{attention[stem]}.{end}"
            value = value[:, :, None, None] if stem.startswith("to_") and end == "weight" else value
        elif ".mid_block.resnets." in key:
            half, _, rest = name.partition(".mid_block.resnets.")
            name = f"{half}.mid.block_{int(rest[0]) + 1}{rest[1:]}"
        elif "_blocks." in key:
            steps = name.split(".")
            up = steps[1] == "up_blocks"
            level = count - 1 - int(steps[2]) if up else int(steps[2])
            inside = f"block.{steps[4]}" if steps[3] == "resnets" else steps[3].removesuffix("rs")
            name = ".".join([steps[0], "up" if up else "down", str(level), inside, *steps[5:]])
        found[name] = value
    return found


def write_checkpoint(path: Path, state: Mapping[str, Tensor], **beside: Any) -> Path:
    """As torch.save writes a published file."""
    torch.save({"state_dict": dict(state), **beside}, path)
    return path


def stirred(parts: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """The same networks with weights from which a clip depends on its seed and on its condition."""
    draw = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for network in parts.values():
            for value in network.parameters():
                value.add_(0.03 * torch.randn(value.shape, generator=draw))
        # Without biases and with the level kept from layer to layer, or no mel is heard through them.
        for name, value in parts["vocoder"].named_parameters():
            fan = value.shape[0] * value.shape[2] / 2 if "upsampler" in name and value.ndim > 1 else 0.0
            fan = fan or float(value[0].numel())
            value.normal_(generator=draw).mul_((1.2 / fan) ** 0.5 if value.ndim > 1 else 0.0)
    return parts
