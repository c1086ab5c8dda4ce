"""AudioLDM keys: from the names of tensors in a published checkpoint to those of the project's own blocks.

The own blocks have diffusers' names, so a published diffusers folder needs nothing of this but `vae_modern`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LAYERS = 2  # residual blocks of a level, in every published UNet

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_UNET_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "film_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_VAE_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
    # diffusers' own names before its version 0.18
    "group_norm": "group_norm",
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}


def unet_transformers(keys: Iterable[str]) -> int:
    """How many transformers stand one after the other in the UNet of these original names: 1, or 2 at 48 kHz."""
    return 2 if any(key.startswith("input_blocks.4.2.transformer_blocks.") for key in keys) else 1


def unet_key(key: str, transformers: int) -> str | None:
    """The own name of an original UNet tensor (`openaimodel.UNetModel`), None where it is no such name."""
    stem, ending = _split(key)
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{ending}"
    found = re.fullmatch(r"(input_blocks|output_blocks)\.(\d+)\.(\d+)\.(.+)", key)
    if found:
        way, block, module, rest = found[1], int(found[2]), int(found[3]), found[4]
        down = way == "input_blocks"
        level, layer = divmod(block - 1 if down else block, LAYERS + 1)
        side = f"{'down' if down else 'up'}_blocks.{level}"
        if rest.startswith("op."):
            return f"{side}.downsamplers.0.conv.{ending}"
        if not down and module and re.fullmatch(r"conv\.(weight|bias)", rest):
            return f"{side}.upsamplers.0.conv.{ending}"
        if module > transformers:
            return None
        if module:
            return f"{side}.attentions.{layer * transformers + module - 1}.{rest}"
        inner = _RESNET.get(_split(rest)[0])
        return None if inner is None else f"{side}.resnets.{layer}.{inner}.{ending}"
    found = re.fullmatch(r"middle_block\.(\d+)\.(.+)", key)
    if not found:
        return None
    module, rest = int(found[1]), found[2]
    if module in (0, transformers + 1):
        inner = _RESNET.get(_split(rest)[0])
        return None if inner is None else f"mid_block.resnets.{min(module, 1)}.{inner}.{ending}"
    return f"mid_block.attentions.{module - 1}.{rest}" if module <= transformers else None


def ema_keys(names: Iterable[str]) -> dict[str, str]:
    """Where the average of each original UNet tensor lies: `model_ema.` and its name without dots.

    The dots can't be put back, so the names are those of the tensors that are averaged.
    """
    return {f"model_ema.diffusion_model{name.replace('.', '')}": name for name in names}


def vae_key(key: str, levels: int) -> str | None:
    """The own name of an original VAE tensor (taming's `Encoder` and `Decoder`); `levels` of its widths."""
    if re.fullmatch(r"(post_)?quant_conv\.(weight|bias)", key):
        return key
    found = re.fullmatch(r"(encoder|decoder)\.(.+)", key)
    if not found:
        return None
    half, rest = (
        found[1],
        found[2].replace("norm_out.", "conv_norm_out.").replace("nin_shortcut", "conv_shortcut"),
    )
    if re.fullmatch(r"(conv_in|conv_out|conv_norm_out)\.(weight|bias)", rest):
        return f"{half}.{rest}"
    inner = re.fullmatch(r"mid\.block_([12])\.(.+)", rest)
    if inner:
        return f"{half}.mid_block.resnets.{int(inner[1]) - 1}.{inner[2]}"
    inner = re.fullmatch(r"mid\.attn_1\.(\w+)\.(weight|bias)", rest)
    if inner and inner[1] in _VAE_ATTENTION:
        return f"{half}.mid_block.attentions.0.{_VAE_ATTENTION[inner[1]]}.{inner[2]}"
    inner = re.fullmatch(r"(down|up)\.(\d+)\.(block\.(\d+)|downsample|upsample)\.(.+)", rest)
    if not inner:
        return None
    # The decoder's levels are counted from the finest; here from the first that is run.
    level = int(inner[2]) if inner[1] == "down" else levels - 1 - int(inner[2])
    side = f"{half}.{inner[1]}_blocks.{level}"
    return f"{side}.resnets.{inner[4]}.{inner[5]}" if inner[4] else f"{side}.{inner[3]}rs.0.{inner[5]}"


def vae_modern(key: str) -> str:
    """A diffusers VAE tensor's name as it is today."""
    found = re.fullmatch(r"(.+\.mid_block\.attentions\.0)\.(\w+)\.(weight|bias)", key)
    if found and found[2] in _VAE_ATTENTION:
        return f"{found[1]}.{_VAE_ATTENTION[found[2]]}.{found[3]}"
    return key


def vocoder_key(key: str) -> str | None:
    """The own name of an original HiFi-GAN tensor, weight norm left in it."""
    key = re.sub(r"^ups\.", "upsampler.", key)
    return (
        key
        if re.match(r"(conv_pre|upsampler\.\d+|resblocks\.\d+\.convs[12]\.\d+|conv_post)\.", key)
        else None
    )


def clap_text_key(key: str) -> str | None:
    """The own name of a tensor of CLAP's text tower, None for what is none or is no weight."""
    if key.endswith(("position_ids", "token_type_ids")):
        return None
    key = _projection(re.sub(r"^text_branch\.", "text_model.", key))
    return key if key.startswith(("text_model.", "text_projection.")) else None


def clap_audio_key(key: str) -> str | None:
    """The own name of a tensor of CLAP's audio tower; its front end and AudioSet head are not needed."""
    key = _projection(key)
    layers = r"(bn0|norm|patch_embed|layers\.\d+\.(downsample|blocks\.\d+))\."
    needed = re.match(rf"audio_branch\.{layers}", key) and not key.endswith(
        ("attn_mask", "relative_position_index")
    )
    return key if needed or key.startswith("audio_projection.") else None


def mapped(
    tensors: Mapping[str, Tensor], prefix: str, rename: Callable[[str], str | None]
) -> tuple[dict[str, Tensor], set[str]]:
    """Tensors under a prefix by their own names, and the names in the file that were taken."""
    found, taken = {}, set()
    for key, value in tensors.items():
        own = rename(key[len(prefix) :]) if key.startswith(prefix) else None
        if own is not None:
            found[own] = value
            taken.add(key)
    return found, taken


def without_kernels(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A VAE's state whose attention, 1 x 1 convolutions in the original, has matrices."""
    return {
        key: value[:, :, 0, 0] if ".attentions." in key and value.ndim == 4 else value
        for key, value in state.items()
    }


def without_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Direction and length of each weight (arXiv 1602.07868, by either of torch's names) multiplied out."""
    pairs = (
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    )
    plain = dict(state)
    for lengths, directions in pairs:
        for key in [key for key in state if key.endswith(lengths)]:
            stem = key.removesuffix(lengths)
            length, direction = plain.pop(key).float(), plain.pop(stem + directions).float()
            axes = tuple(range(1, direction.ndim))
            plain[f"{stem}weight"] = direction * (length / direction.norm(dim=axes, keepdim=True))
    return plain


def _projection(key: str) -> str:
    return re.sub(
        r"^(text|audio)_projection\.([02])\.", lambda m: f"{m[1]}_projection.linear{1 + int(m[2]) // 2}.", key
    )


def _split(key: str) -> tuple[str, str]:
    stem, _, ending = key.rpartition(".")
    return stem, ending
