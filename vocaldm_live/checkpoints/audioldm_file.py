"""AudioLDM files: the networks in a published checkpoint or in a diffusers folder of one, under their own names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints import audioldm_keys as keys
from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.checkpoints.header import one_line
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

UNET, VAE, VOCODER = "model.diffusion_model.", "first_stage_model.", "first_stage_model.vocoder."
# Why a tensor of a published file is not needed; the first that fits.
_NEEDLESS = (
    (r"(sqrt_|log_)?(one_minus_)?(recip(m1)?_)?(betas|alphas_cumprod(_prev)?)$|posterior_|sqrt_|log_one|logvar$",
     "the noise schedule, which is known"),
    (r"model_ema\.(decay|num_updates)$", "how the average was made"),
    (r"model_ema\.", "averaged weights, and the raw ones were chosen"),
    (r"model\.diffusion_model\.", "raw weights, and the averaged ones were chosen"),
    (r"first_stage_model\.loss\.", "losses that the VAE was trained with"),
    (r"clap\.|cond_stage_models?\..*(text_transform|audio_transform|logit_scale|tscam_conv|\.head\.|_extractor|"
     r"attn_mask|relative_position_index|position_ids|token_type_ids)", "no part of an embedding"),
)  # fmt: skip


@dataclass
class AudioLDMFile:
    """States by part (unet, vae, vocoder, clap_text, clap_audio), their tensors' names as the own blocks have them.

    scale_factor: the latents' (they are multiplied by it); rates: the vocoder's, where the source says them;
    tokenizer: a folder with its files; unused: each tensor that no part took, and why; notes: what was decided.
    """

    states: dict[str, dict[str, Tensor]]
    scale_factor: float
    rates: tuple[int, ...] | None = None
    tokenizer: Path | None = None
    unused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_audioldm(path: Path, average: bool | None = None) -> AudioLDMFile:
    """A published checkpoint, or the folder of one on the Hub.

    average: the UNet's averaged weights (EMA) or the raw ones; None: averaged where there are any, which is what
    the published program samples with. Raises PresetError with one sentence for anything else.
    """
    if path.is_dir():
        return _read_folder(path, average)
    tensors = read_foreign(path)
    own = {key[len(UNET) :]: key for key in tensors if key.startswith(UNET)}
    if not own:
        raise PresetError(_not_audioldm(path, tensors))
    unet_names, note = _chosen(path, own, tensors, average)
    unet = {name: tensors[key] for name, key in unet_names.items()}
    transformers = keys.unet_transformers(unet)
    states, taken = {}, set()
    states["unet"], used = keys.mapped(unet, "", lambda name: keys.unet_key(name, transformers))
    taken |= {unet_names[name] for name in used}
    levels = len({key.split(".")[3] for key in tensors if key.startswith(f"{VAE}encoder.down.")})
    vae, used = keys.mapped(tensors, VAE, lambda name: keys.vae_key(name, levels))
    states["vae"] = keys.without_kernels(vae)
    taken |= used
    vocoder, used = keys.mapped(tensors, VOCODER, keys.vocoder_key)
    states["vocoder"] = keys.without_weight_norm(vocoder)
    taken |= used
    clap = _clap_prefix(tensors)
    towers = {
        "clap_text": ("text_branch.", keys.clap_text_key),
        "clap_audio": ("audio_branch.", keys.clap_audio_key),
    }
    for part, (branch, rename) in towers.items():
        there = clap is not None and any(key.startswith(clap + branch) for key in tensors)
        states[part], used = keys.mapped(tensors, clap or "", rename) if there else ({}, set())
        taken |= used
    scale = tensors.get("scale_factor")
    if scale is None:
        raise PresetError(
            f"{path} has no scale_factor, without which its latents mean nothing: name another file."
        )
    unused = {key: _why(key) for key in tensors if key not in taken and key != "scale_factor"}
    return AudioLDMFile(states, float(scale.reshape(-1)[0]), unused=unused, notes=[note])


# Inside -------------------------------------------------------------------------------------------------


def _chosen(
    path: Path, own: Mapping[str, str], tensors: Mapping[str, Tensor], average: bool | None
) -> tuple[dict[str, str], str]:
    """Original UNet names with the names of the raw or averaged tensors in the file, and a sentence about it."""
    averaged = {name: key for key, name in keys.ema_keys(own).items() if key in tensors}
    if not averaged:
        if average:
            raise PresetError(f"{path} has no averaged weights (EMA): leave out --ema.")
        return dict(own), "The UNet's raw weights were taken: the file has no averaged ones."
    if average is False:
        return dict(own), "The UNet's raw weights were taken, as asked."
    lacking = next((name for name in own if name not in averaged), None)
    if lacking is not None:
        raise PresetError(f"{path} lacks the average of {lacking}: take the raw weights with --raw.")
    return averaged, "The UNet's averaged weights (EMA) were taken, with which the published program samples."


def _clap_prefix(tensors: Iterable[str]) -> str | None:
    """Where CLAP lies; the one that conditions goes before the one that ranks."""
    found = {match[1] for key in tensors if (match := re.match(r"(.*?)text_branch\.", key))}
    order = sorted(found, key=lambda prefix: (not prefix.startswith("cond_stage_model"), prefix))
    return order[0] if order else None


def _why(key: str) -> str:
    return next((why for pattern, why in _NEEDLESS if re.match(pattern, key)), "unknown")


def _not_audioldm(path: Path, tensors: Mapping[str, Tensor]) -> str:
    first = {key.split(".")[0] for key in tensors}
    if "features" in first or "imitation_encoder" in first:
        what = "is an encoder: give it with --qvim beside an AudioLDM checkpoint"
    elif "adapter" in first:
        what = "is a VocalDM adapter: give it with --adapter beside an AudioLDM checkpoint"
    elif first & {"conv_in", "down_blocks", "conv_pre", "text_model"}:
        what = "is one part of a diffusers folder: name the folder that holds unet, vae and the others"
    else:
        what = f"is no AudioLDM checkpoint, for it has no {UNET}* (it begins with {next(iter(tensors))}): name one"
    return f"{path} {what}."


def _read_folder(folder: Path, average: bool | None) -> AudioLDMFile:
    if average is not None:
        raise PresetError(
            f"{folder} has one set of weights: leave out --ema and --raw, which choose in a .ckpt."
        )
    configs = {name: _config(folder / name) for name in ("unet", "vae", "vocoder")}
    unet = _part(folder, "unet")
    states = {
        "unet": unet,
        "vae": {keys.vae_modern(key): value for key, value in _part(folder, "vae").items()},
        "vocoder": keys.without_weight_norm(_part(folder, "vocoder")),
        "clap_text": {},
        "clap_audio": {},
    }
    states["vae"] = keys.without_kernels(states["vae"])
    unused: dict[str, str] = {}
    if (folder / "text_encoder").is_dir():
        tensors = _part(folder, "text_encoder")
        states["clap_text"], used = keys.mapped(tensors, "", keys.clap_text_key)
        # A whole ClapModel stands there in some folders.
        unused = {
            f"text_encoder/{key}": "no part of an embedding of text" for key in tensors if key not in used
        }
    for buffer in ("mean", "scale"):
        if states["vocoder"].pop(buffer, None) is not None:
            unused[f"vocoder/{buffer}"] = "the mel is not normalised"
    scale = configs["vae"].get("scaling_factor")
    if not isinstance(scale, (int, float)) or isinstance(scale, bool) or not scale > 0:
        raise PresetError(
            f"{folder / 'vae' / 'config.json'} has no scaling_factor: download the folder again."
        )
    notes = []
    heads = configs["unet"].get("attention_head_dim")
    if heads is not None:
        notes.append(
            f"The folder's attention_head_dim, {heads}, was not used: heads are counted as the original does."
        )
    rates = configs["vocoder"].get("upsample_rates")
    plain = isinstance(rates, list) and all(isinstance(rate, int) and rate > 0 for rate in rates)
    tokenizer = folder / "tokenizer"
    return AudioLDMFile(
        states,
        float(scale),
        tuple(rates) if plain else None,  # type: ignore[arg-type]
        tokenizer if tokenizer.is_dir() else None,
        unused,
        notes,
    )


def _part(folder: Path, part: str) -> dict[str, Tensor]:
    stems = ("diffusion_pytorch_model", "model", "pytorch_model")
    for stem in stems:
        for ending in ("safetensors", "bin"):
            path = folder / part / f"{stem}.{ending}"
            if path.is_file():
                return read_foreign(path)
    raise PresetError(
        f"{folder} has no weights in {part}/ (neither {stems[0]}.safetensors nor .bin), so it is no AudioLDM folder: "
        "download it whole."
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PresetError(
            f"{path} is missing, so that folder is no AudioLDM folder: download it whole."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise PresetError(f"{path} is not readable JSON ({one_line(error)}): download it again.") from error
    if not isinstance(plain, dict):
        raise PresetError(f"{path} holds no keys: download it again.")
    return plain
