"""Published: generators of HiFi-GAN and BigVGAN as their projects give them away, made into a vocoder's folder.

Formats: github.com/jik876/hifi-gan and github.com/NVIDIA/BigVGAN (`{"generator": state}` in a torch file beside a
config.json, weight-normed or folded), and transformers' SpeechT5HifiGan as AudioLDM's vocoder folders hold it.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from vocaldm_live.checkpoints.header_file import one_line, parse
from vocaldm_live.checkpoints.preset import swap_in
from vocaldm_live.checkpoints.torch_files import read_torch_file
from vocaldm_live.checkpoints.vocoder_header import VocoderHeader
from vocaldm_live.checkpoints.vocoder_parts import InverseSTFTPart
from vocaldm_live.checkpoints.vocoders import VOCODER_FILE, VocoderChoice, read_vocoder, vocoder_entries
from vocaldm_live.checkpoints.weights import entries_of, file_sha256, mismatches, write_tensors
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_FILES = ("bigvgan_generator.pt", "model.safetensors", "pytorch_model.bin")  # looked for in a folder
LONGEST_CONFIG = 1_000_000  # bytes
LICENCE = "that of the published weights, see where they came from"

# transformers' config does not tell the STFT; these are AudioLDM's, by (sample rate, hop, bands).
_AUDIOLDM_MELS = {(16000, 160, 64): (1024, 0.0, 8000.0), (48000, 480, 256): (2048, 20.0, 24000.0)}
_CONTAINERS = ("generator", "state_dict", "model")
_WRAPPERS = ("_orig_mod.", "module.", "first_stage_model.vocoder.", "vocoder.", "generator.")

Whole = Annotated[int, Field(ge=1)]


class _Config(BaseModel):
    """What is read of a config.json; all else in it is about training."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    upsample_rates: list[Whole]
    upsample_kernel_sizes: list[Whole]
    upsample_initial_channel: Whole
    resblock_kernel_sizes: list[Whole]
    resblock_dilation_sizes: list[list[Whole]]
    resblock: Literal["1", "2", 1, 2] = "1"
    sampling_rate: Whole
    num_mels: Whole = Field(validation_alias=AliasChoices("num_mels", "model_in_dim"))
    n_fft: Whole | None = None
    win_size: Whole | None = None
    hop_size: Whole | None = None
    fmin: float | None = None
    fmax: float | None = None
    activation: Literal["snake", "snakebeta"] = "snakebeta"
    snake_logscale: bool = True
    use_tanh_at_final: bool = True
    use_bias_at_final: bool = True
    leaky_relu_slope: float = 0.1
    normalize_before: bool | None = None
    model_in_dim: Whole | None = None


def import_vocoder(
    source: Path,
    out: Path,
    config: Path | None = None,
    padding: str | None = None,
    licence: str | None = None,
) -> VocoderChoice:
    """Make the vocoder folder `out` of a published generator: a file, or a folder that holds one.

    config: its config.json; without it the one beside the weights. padding: of HiFi-GAN's odd stages (see
    `model.hifi_gan`); without it exact where every kernel is twice its rate, else half. Weights are kept in
    float32. licence: what clips are to say of it. Raises PresetError in one sentence for what cannot be read, used
    or written; `out` is then as it was.
    """
    weights = _weights_file(source)
    settings_file = config or _config_beside(weights)
    settings = _read_config(settings_file)
    state = generator_state(read_torch_file(weights), weights)
    plain = _header(settings, settings_file, state, weights, padding)
    plain["licence"] = " ".join((licence or LICENCE).split())
    header, problems = parse(plain, settings_file, VocoderHeader)
    if header is None:
        raise PresetError(problems[0])
    part = header.vocoder
    assert not isinstance(part, InverseSTFTPart) and part.kind != "griffin-lim"
    expected = vocoder_entries(header.mel.build(), part, settings_file)
    advice = "give the config that belongs to it with --config"
    different = mismatches(weights, entries_of(state), expected, settings_file.name, advice)
    if different:
        raise PresetError(different[0])
    return _write(out, plain, state)


def generator_state(held: Any, path: Path) -> dict[str, Tensor]:
    """The generator's tensors by our names, float32, wrappers' prefixes stripped and weight norm folded in.

    Raises PresetError where `held`, what `path` was found to hold, has no such generator.
    """
    state = _tensors(held)
    if "conv_pre.weight" not in state:
        first = next(iter(state), None)
        found = f"its first tensor is {first}" if first else "it holds no tensors by name"
        raise PresetError(
            f"{path} holds no generator of HiFi-GAN or BigVGAN ({found}); give the vocoder's own weights."
        )
    bad = [key for key, value in state.items() if not bool(value.isfinite().all())]
    if bad:
        raise PresetError(f"{path} has values in {bad[0]} that are not finite; download it again.")
    return _bigvgan_names(state, path) if _is_bigvgan(state) else _hifi_gan_names(state)


def fold_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with each direction and length (weight_v and weight_g, or parametrizations) made one weight.

    Salimans and Kingma, arXiv 1602.07868: g v / |v|, over all but the first axis.
    """
    folded: dict[str, Tensor] = {}
    for key, value in state.items():
        for length, direction in (
            ("weight_g", "weight_v"),
            ("parametrizations.weight.original0", "parametrizations.weight.original1"),
        ):
            if key.endswith(f".{direction}") and (stem := key.removesuffix(direction)) + length in state:
                norm = value.flatten(1).norm(dim=1).view(-1, *[1] * (value.ndim - 1))
                folded[f"{stem}weight"] = value * (state[stem + length] / norm.clamp_min(1e-30))
                break
            if key.endswith(f".{length}") and key.removesuffix(length) + direction in state:
                break
        else:
            folded[key] = value
    return folded


# Files --------------------------------------------------------------------------------------------------


def _weights_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = [source / name for name in WEIGHTS_FILES if (source / name).is_file()]
    if len(found) != 1:
        told = "holds several of" if found else "holds none of"
        raise PresetError(f"{source} {told} {', '.join(WEIGHTS_FILES)}; name the file with the weights.")
    return found[0]


def _config_beside(weights: Path) -> Path:
    for path in (weights.with_suffix(".json"), weights.with_name("config.json")):
        if path.is_file():
            return path
    raise PresetError(f"No config lies beside {weights}; give the config.json that it came with by --config.")


def _read_config(path: Path) -> _Config:
    try:
        if path.stat().st_size > LONGEST_CONFIG:
            raise PresetError(
                f"{path} is longer than {LONGEST_CONFIG} bytes, so it is no config; give another."
            )
        return _Config.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PresetError(
            f"{path} cannot be read ({error.strerror}); name the vocoder's config.json."
        ) from error
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(str(step) for step in found["loc"]) or "the whole"
        wrong = "is missing" if found["type"] == "missing" else one_line(found["msg"]).lower()
        raise PresetError(
            f"{path} is no config of HiFi-GAN or BigVGAN ({key}: {wrong}); give the one that the weights came with."
        ) from None
    except (ValueError, RecursionError) as error:
        raise PresetError(
            f"{path} is not JSON ({one_line(error)}); name the vocoder's config.json."
        ) from None


def _write(out: Path, plain: dict[str, Any], state: Mapping[str, Tensor]) -> VocoderChoice:
    import torch

    out = out.resolve()
    hidden = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}.part")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / VOCODER_FILE).exists()):
        raise PresetError(f"{out} exists and is no vocoder, so it is not replaced; choose another folder.")
    try:
        hidden.mkdir(parents=True)
        vocoder = plain["vocoder"]
        vocoder["sha256"] = write_tensors(hidden / vocoder["file"], state, torch.float32)
        header, problems = parse(plain, out / VOCODER_FILE, VocoderHeader)
        if header is None:
            raise PresetError(problems[0])
        (hidden / VOCODER_FILE).write_text(header.as_yaml(), encoding="utf-8")
        swap_in(hidden, out)
    except OSError as error:
        raise PresetError(
            f"The vocoder {out} cannot be written ({error.strerror}); free space or allow writing there."
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return read_vocoder(out)


# Contents -----------------------------------------------------------------------------------------------


def _tensors(held: Any) -> dict[str, Tensor]:
    import torch

    for container in _CONTAINERS:
        if isinstance(held, dict) and isinstance(held.get(container), dict):
            held = held[container]
            break
    if not isinstance(held, dict):
        return {}
    found = {}
    for key, value in held.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            continue
        while wrapper := next((one for one in _WRAPPERS if key.startswith(one)), None):
            key = key.removeprefix(wrapper)
        found[key] = value.float() if value.is_floating_point() else value
    return fold_weight_norm(found)


def _is_bigvgan(state: Mapping[str, Tensor]) -> bool:
    return "activation_post.act.alpha" in state


def _hifi_gan_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    named = {f"upsampler.{key[4:]}" if key.startswith("ups.") else key: value for key, value in state.items()}
    bands = named["conv_pre.weight"].shape[1]
    named.setdefault("mean", torch.zeros(bands))
    named.setdefault("scale", torch.ones(bands))
    return named


def _bigvgan_names(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The state without its filters, which follow from a formula; refused where they are others."""
    import torch

    from vocaldm_live.model.alias_free import low_pass

    ours = torch.from_numpy(low_pass())
    filters = {key: value for key, value in state.items() if key.endswith(".filter")}
    for key, value in filters.items():
        # A millionth is what float32 leaves of the formula, a thousandth what half precision does.
        if value.shape != (1, 1, len(ours)) or float((value.flatten() - ours).abs().max()) > 1e-3:
            raise PresetError(f"{path} was trained with other filters ({key}) than the published BigVGAN.")
    return {key: value for key, value in state.items() if key not in filters}


def _header(
    settings: _Config, file: Path, state: Mapping[str, Tensor], weights: Path, padding: str | None
) -> dict[str, Any]:
    rates, kernels = settings.upsample_rates, settings.upsample_kernel_sizes
    hop = 1
    for rate in rates:
        hop *= rate
    part: dict[str, Any] = {
        "file": "vocoder.safetensors",
        "sha256": "0" * 64,
        "channels": settings.upsample_initial_channel,
        "rates": rates,
        "kernels": kernels,
        "block_kernels": settings.resblock_kernel_sizes,
        "block_dilations": settings.resblock_dilation_sizes,
    }
    paired = str(settings.resblock) == "1"
    if _is_bigvgan(state):
        part |= {
            "kind": "bigvgan",
            "paired": paired,
            "activation": settings.activation,
            "logarithmic": settings.snake_logscale,
            "tanh_at_end": settings.use_tanh_at_final,
            "bias_at_end": settings.use_bias_at_final,
        }
    elif not paired:
        raise PresetError(f"{file} asks for HiFi-GAN's resblock 2, and only 1 can be played; use such a one.")
    else:
        twice = len(rates) == len(kernels) and all(k == 2 * r for r, k in zip(rates, kernels, strict=True))
        normalised = settings.normalize_before
        part |= {
            "kind": "hifi-gan",
            "slope": settings.leaky_relu_slope,
            "padding": padding or ("exact" if twice else "half"),
            # transformers' default is true, that of everybody else's files false.
            "normalised": settings.model_in_dim is not None if normalised is None else normalised,
        }
    return {
        "format": 1,
        "name": weights.stem,
        "mel": _mel(settings, file, settings.hop_size or hop),
        "vocoder": part,
        "source": f"{weights.name}, sha256 {file_sha256(weights)}",
    }


def _mel(settings: _Config, file: Path, hop: int) -> dict[str, Any]:
    n_fft, fmin, fmax = settings.n_fft, settings.fmin, settings.fmax
    if n_fft is None:
        known = _AUDIOLDM_MELS.get((settings.sampling_rate, hop, settings.num_mels))
        if known is None:
            raise PresetError(
                f"{file} does not tell the mel (n_fft, fmin, fmax) that the vocoder takes; write them into it."
            )
        n_fft, fmin, fmax = known
    if settings.win_size not in (None, n_fft):
        raise PresetError(
            f"{file} has a window of {settings.win_size} samples in an n_fft of {n_fft}, which no preset makes; "
            "use a vocoder whose window fills its n_fft."
        )
    return {
        "sample_rate": settings.sampling_rate,
        "n_fft": n_fft,
        "hop": hop,
        "mel_bands": settings.num_mels,
        "fmin": fmin or 0.0,
        "fmax": fmax or settings.sampling_rate / 2,
        "mel_floor": 1e-5,
        "log": "natural",
    }
