"""Sizes: what tensors say of the network that they belong to, as parts of a header; file names say nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"]
# HiFi-GAN's kernels, whose shapes are there, and its rates, which no shape tells.
RATES: dict[tuple[int, ...], tuple[int, ...]] = {
    (16, 16, 8, 4, 4): (5, 4, 2, 2, 2),
    (12, 10, 8, 4, 4): (6, 5, 4, 2, 2),
}
VECTOR, ROBERTA_HEAD = 512, 64


def unet_part(state: State, where: object) -> dict[str, Any]:
    """An AudioLDM UNet; raises PresetError for another kind of UNet."""
    from vocaldm_live.model.audioldm import head_counts, published_head_width

    vector = shape(state, "class_embedding.weight", where)[1]
    if vector != VECTOR:
        raise PresetError(
            f"{where} takes conditions of {vector} numbers where AudioLDM's CLAP gives {VECTOR}: name another."
        )
    channels = levels(state, "down_blocks.{}.resnets.0.conv1.weight", where)
    crossed = state.get("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight")
    if crossed is not None and len(channels) > 1 and crossed.shape[1] != channels[1]:
        raise PresetError(
            f"{where} is steered by cross-attention, as AudioLDM 2's are: name an AudioLDM 1 model."
        )
    layers = count(state, r"down_blocks\.0\.resnets\.(\d+)\.")
    return {
        "kind": "audioldm",
        "channels": channels,
        "layers": layers,
        "heads": head_counts(channels, published_head_width(channels[0])),
        "transformers": max(1, count(state, r"down_blocks\.1\.attentions\.(\d+)\.") // max(1, layers)),
        "prediction": "eps",
    }


def vae_part(state: State, where: object) -> tuple[dict[str, Any], int]:
    """An AudioLDM VAE, and the channels of its latent."""
    channels = levels(state, "encoder.down_blocks.{}.resnets.0.conv1.weight", where)
    layers = count(state, r"encoder\.down_blocks\.0\.resnets\.(\d+)\.")
    part = {"kind": "audioldm-vae", "channels": channels, "layers": layers}
    return part, shape(state, "post_quant_conv.weight", where)[0]


def vocoder_part(state: State, rates: tuple[int, ...] | None, where: object) -> tuple[dict[str, Any], int]:
    """A HiFi-GAN, and its mel bands; `rates` where something beside the tensors says them."""
    channels, bands = shape(state, "conv_pre.weight", where)[:2]
    stages = count(state, r"upsampler\.(\d+)\.")
    kernels = tuple(shape(state, f"upsampler.{stage}.weight", where)[2] for stage in range(stages))
    rates = RATES.get(kernels) if rates is None else rates
    if rates is None:
        raise PresetError(
            f"{where} has a vocoder with kernels {list(kernels)}, which no AudioLDM has: name another."
        )
    blocks = count(state, r"resblocks\.(\d+)\.") // max(1, stages)
    convolutions = count(state, r"resblocks\.0\.convs1\.(\d+)\.")
    part = {
        "kind": "hifi-gan",
        "channels": channels,
        "rates": rates,
        "kernels": kernels,
        "block_kernels": [
            shape(state, f"resblocks.{block}.convs1.0.weight", where)[2] for block in range(blocks)
        ],
        "block_dilations": [[1 + 2 * place for place in range(convolutions)]] * blocks,
        "slope": 0.1,
        "padding": "half",
        "normalised": False,
    }
    return part, bands


def clap_text_part(state: State, where: object) -> dict[str, Any]:
    """CLAP's text tower, without its tokenizer."""
    size, width = shape(state, "text_model.embeddings.word_embeddings.weight", where)
    return {
        "kind": "clap-text",
        "size": size,
        "places": shape(state, "text_model.embeddings.position_embeddings.weight", where)[0],
        "width": width,
        "layers": count(state, r"text_model\.encoder\.layer\.(\d+)\."),
        "heads": max(1, width // ROBERTA_HEAD),
        "hidden": shape(state, "text_model.encoder.layer.0.intermediate.dense.weight", where)[0],
    }


def clap_audio_part(state: State, where: object) -> dict[str, Any]:
    """CLAP's audio tower: HTSAT-tiny in the s and l models, HTSAT-base in m and at 48 kHz."""
    stages = count(state, r"audio_branch\.layers\.(\d+)\.")
    tables = [
        f"audio_branch.layers.{stage}.blocks.0.attn.relative_position_bias_table" for stage in range(stages)
    ]
    ways = shape(state, tables[0] if tables else "audio_branch.layers.0", where)[0]
    return {
        "kind": "clap-audio",
        "width": shape(state, "audio_branch.patch_embed.proj.weight", where)[0],
        "depths": [
            count(state, rf"audio_branch\.layers\.{stage}\.blocks\.(\d+)\.") for stage in range(stages)
        ],
        "heads": [shape(state, table, where)[1] for table in tables],
        "window": (math.isqrt(ways) + 1) // 2,
    }


def shape(state: State, key: str, where: object) -> tuple[int, ...]:
    """A tensor's shape; raises PresetError where it is not there."""
    if key not in state:
        raise PresetError(
            f"{where} lacks {key}, which every AudioLDM has: it is another model, or not whole."
        )
    return tuple(state[key].shape)


def levels(state: State, pattern: str, where: object) -> list[int]:
    """First sizes of the tensors whose names count up from 0."""
    sizes: list[int] = []
    while (key := pattern.format(len(sizes))) in state:
        sizes.append(state[key].shape[0])
    return sizes or [shape(state, pattern.format(0), where)[0]]


def count(state: State, pattern: str) -> int:
    """How many different numbers stand at a place in the names."""
    return len({match[1] for key in state if (match := re.match(pattern, key))})
