"""Importing: published checkpoints become a preset: AudioLDM's networks, CLAP, and VocalDM's encoder and adapter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints import sizes
from vocaldm_live.checkpoints.audioldm_file import AudioLDMFile, read_audioldm
from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.checkpoints.preset import Preset, write_preset
from vocaldm_live.checkpoints.tokens import TokenizerTexts, read_tokenizer
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LICENCE = "CC-BY-NC-SA-4.0"
LICENCE_NOTE = (
    "AudioLDM's weights are under CC BY-NC-SA 4.0: no commercial use, name their authors, pass changed ones on under "
    "the same licence; they are yours to download and not part of this project."
)
CREDITS = (
    "AudioLDM: Haohe Liu et al. (arXiv 2301.12503), weights under CC BY-NC-SA 4.0, no commercial use",
    "CLAP: LAION (arXiv 2211.06687)",
)
VOCALDM_CREDIT = "QVIM encoder and VocalDM adapter: their authors, as their files came"
ADAPTER_SHAPES = {"0.weight": (1024, 960), "1.weight": (1024,), "3.weight": (512, 1024), "4.weight": (512,)}

# mel bands of the vocoder: everything between waveform and mel (AudioLDM's training framing), and the VAE's factor.
_MELS: dict[int, dict[str, Any]] = {
    64: {"sample_rate": 16000, "n_fft": 1024, "hop": 160, "fmin": 0.0, "fmax": 8000.0},
    256: {"sample_rate": 48000, "n_fft": 2048, "hop": 480, "fmin": 20.0, "fmax": 24000.0},
}


@dataclass(frozen=True)
class Imported:
    """The preset, sentences on what was decided, and the tensors that were not used, each with the reason."""

    preset: Preset
    notes: tuple[str, ...]
    unused: Mapping[str, str]


def import_audioldm(
    source: Path,
    folder: Path,
    average: bool | None = None,
    qvim: Path | None = None,
    adapter: Path | None = None,
    tokenizer: Path | None = None,
) -> Imported:
    """Write the preset `folder` from a checkpoint or Hub folder, and from files of VocalDM's own networks.

    average: as in `read_audioldm`; tokenizer: a folder with roberta-base's files, where the source has none.
    Raises PresetError with one sentence for what cannot be read, is not whole or does not belong together.
    """
    if adapter is not None and qvim is None:
        raise PresetError(f"{adapter} maps what an encoder hears: give that encoder too, with --qvim.")
    file = read_audioldm(source, average)
    texts = _texts(file, tokenizer)
    header, states, notes = _described(file, source, texts)
    unused = dict(file.unused)
    parts = header["parts"]
    if qvim is not None:
        parts["encoder"], states["encoder"], others = read_encoder(qvim)
        unused |= others
    if adapter is not None:
        width = states["unet"]["network.class_embedding.weight"].shape[0]
        states["adapter"], others, sentence = read_adapter(adapter, width)
        parts["adapter"] = {"kind": "vocaldm"}
        unused |= others
        notes.append(sentence)
        header["credits"] = [*CREDITS, VOCALDM_CREDIT]
    if not {"adapter", "clap_text", "clap_audio"} & set(parts):
        raise PresetError(
            f"{source} has no CLAP audio tower and nothing to read text with: give --tokenizer with roberta-base's "
            "vocab.json and merges.txt, or --qvim and --adapter."
        )
    files = {} if texts is None else {"vocab.json": texts.vocabulary, "merges.txt": texts.merges}
    preset = write_preset(folder, header, states, _dtype(states["unet"]), files)
    return Imported(preset, (*file.notes, *notes), unused)


def read_encoder(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, str]]:
    """The part, its state and what was not used of a QVIM checkpoint or EfficientAT's mn10; raises PresetError."""
    import torch

    tensors = read_foreign(path)
    shared = "features.0.0.weight" in tensors
    if not shared and "imitation_encoder.features.0.0.weight" not in tensors:
        raise PresetError(
            f"{path} is no QVIM checkpoint and no mn10 (its tensors begin with {next(iter(tensors))})."
        )
    state, unused = {}, {}
    for key, value in tensors.items():
        own = f"imitation_encoder.{key}" if shared else key
        if re.match(r"(imitation|reference)_encoder\.features\.|tau$", own):
            state[own] = value.reshape(1) if own == "tau" else value
        else:
            unused[key] = "the AudioSet head, which hears classes" if "classifier." in key else "unknown"
    state.setdefault("tau", torch.full((1,), 0.07))
    return {"kind": "mn10", "shared_tower": shared, "classifier": False}, state, unused


def read_adapter(path: Path, film_width: int) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """A VocalDM adapter's state, what was not used, and a sentence on whether it fits a UNet of that FiLM width.

    Raises PresetError for another file, and where the file's own FiLM weights tell of a UNet of another size.
    """
    tensors = read_foreign(path)
    state, unused = {}, {}
    for key, value in tensors.items():
        found = re.fullmatch(r"(?:.*\badapter\.)?([0134])\.(weight|bias)", key)
        if found:
            state[f"layers.{found[1]}.{found[2]}"] = value
        else:
            unused[key] = (
                "trained beside layers that the file lacks" if "film" in key else "no part of the adapter"
            )
    for key, wanted in ADAPTER_SHAPES.items():
        found_shape = tuple(state[f"layers.{key}"].shape) if f"layers.{key}" in state else None
        if found_shape != wanted:
            raise PresetError(
                f"{path} is no VocalDM adapter: its {key} is {'missing' if found_shape is None else list(found_shape)} "
                f"where {list(wanted)} belongs."
            )
    film = next((value for key, value in tensors.items() if key.endswith("film_emb.weight")), None)
    if film is None:
        return (
            state,
            unused,
            "The adapter does not say for which model it was trained: only its sound can tell.",
        )
    if film.shape[0] != film_width:
        raise PresetError(
            f"{path} was trained in front of an AudioLDM of another size (its film_emb has {film.shape[0]} rows and "
            f"this one's {film_width}): give both of the same size."
        )
    return state, unused, "The adapter was trained in front of a model of this size."


def header_of(
    description: str,
    parts: dict[str, Any],
    bands: int,
    latent_channels: int,
    factor: int,
    training: dict[str, Any],
) -> dict[str, Any]:
    """All that preset.yaml says of an AudioLDM whose vocoder takes so many mel bands, 64 or 256."""
    return {
        "format": 1,
        "version": "1",
        "description": description,
        "geometry": _MELS[bands]
        | {
            "mel_bands": bands,
            "fold": 1,
            "factor": factor,
            "latent_channels": latent_channels,
            "mel_floor": 1e-5,
            "mel_mean": 0.0,
            "mel_scale": 1.0,
        },
        "parts": parts,
        "schedule": {
            "beta_start": 0.0015,
            "beta_end": 0.0195,
            "steps": 1000,
            "zero_terminal_snr": False,
            "spacing": "leading",
        },
        "parameters": {
            "steps": {"default": 50, "low": 1, "high": 999},
            "guidance": {"default": 2.5, "low": 0.0, "high": 20.0},
            "follow": {"default": 0.0, "low": 0.0, "high": 0.0},
            "sampler": {"default": "ddim", "choices": ["ddim", "dpm_solver_pp_2m", "deis", "ipndm"]},
            "guidance_interval": [0.0, 1.0],
            "guidance_rescale": 0.0,
            "tail_seconds": 0.0,
        },
        "training": training,
        "metrics": {},
        "credits": list(CREDITS),
        "licence": LICENCE,
    }


# Inside -------------------------------------------------------------------------------------------------


def _described(
    file: AudioLDMFile, source: Path, texts: TokenizerTexts | None
) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]], list[str]]:
    """Header and states as `write_preset` takes them, and sentences."""
    import torch

    notes = []
    unet = sizes.unet_part(file.states["unet"], source)
    vae, latent_channels = sizes.vae_part(file.states["vae"], source)
    vocoder, bands = sizes.vocoder_part(file.states["vocoder"], file.rates, source)
    if bands not in _MELS:
        raise PresetError(
            f"{source} has a vocoder of {bands} mel bands where AudioLDM's have 64 or 256: name another."
        )
    own = file.states
    states = {
        "unet": _within("network", own["unet"]) | {"null": _null(own["clap_text"], source)},
        "vae": _within("network", own["vae"])
        | {
            "latent_mean": torch.zeros(latent_channels),
            "latent_scale": torch.full((latent_channels,), 1.0 / file.scale_factor),
        },
        "vocoder": dict(own["vocoder"]) | {"mean": torch.zeros(bands), "scale": torch.ones(bands)},
    }
    parts: dict[str, Any] = {"unet": unet, "vae": vae, "vocoder": vocoder}
    if texts is None:
        notes.append(
            "Words are not understood: give --tokenizer a folder with roberta-base's vocab.json, merges.txt."
        )
    else:
        parts["clap_text"] = sizes.clap_text_part(own["clap_text"], source) | {
            "vocabulary": _text_file("vocab.json", texts.vocabulary),
            "merges": _text_file("merges.txt", texts.merges),
        }
        states["clap_text"] = own["clap_text"]
    if own["clap_audio"]:
        parts["clap_audio"] = sizes.clap_audio_part(own["clap_audio"], source)
        states["clap_audio"] = own["clap_audio"]
    else:
        notes.append(
            "CLAP's audio tower is not there: voices and examples are heard with --qvim and --adapter only."
        )
    count = sum(value.numel() for value in own["unet"].values())
    header = header_of(
        f"AudioLDM, imported from {source.name}: a UNet of {count / 1e6:.1f} million parameters.",
        parts,
        bands,
        latent_channels,
        2 ** (len(vae["channels"]) - 1),
        {"imported_from": source.name, "scale_factor": file.scale_factor, "sha256": _digest(source)},
    )
    return header, states, notes


def _null(text: dict[str, Tensor], source: Path) -> Tensor:
    """CLAP's embedding of the empty text `[512]`; it needs no tokenizer: begin and end are all there is."""
    import torch

    from vocaldm_live.model.clap_text import BEGIN, END, ClapText
    from vocaldm_live.model.skeleton import skeletons

    if not text:
        raise PresetError(
            f"{source} has no CLAP text tower, so what guidance leans from is not known: name a file that has it."
        )
    part = sizes.clap_text_part(text, source)
    with skeletons():
        tower = ClapText(*(part[name] for name in ("size", "places", "width", "layers", "heads", "hidden")))
    try:
        tower.load_state_dict(text, strict=True, assign=True)
    except RuntimeError as error:
        raise PresetError(f"{source} has a CLAP text tower that is not whole: name another file.") from error
    with torch.inference_mode():
        return tower.float().eval()(torch.tensor([[BEGIN, END]]))[0].clone()


def _texts(file: AudioLDMFile, given: Path | None) -> TokenizerTexts | None:
    folder = given if given is not None else file.tokenizer
    if folder is None or not file.states["clap_text"]:
        return None
    size = file.states["clap_text"]["text_model.embeddings.word_embeddings.weight"].shape[0]
    return read_tokenizer(folder, size)


def _text_file(name: str, text: str) -> dict[str, str]:
    return {"file": name, "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest()}


def _within(name: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for key, value in state.items()}


def _dtype(state: Mapping[str, Tensor]) -> torch.dtype:
    """How the UNet was stored: in halves it stays, for nothing is gained by widening."""
    import torch

    stored = state["network.conv_in.weight"].dtype
    return stored if stored in (torch.float16, torch.bfloat16) else torch.float32


def _digest(source: Path) -> str:
    """SHA-256 of the file, or of a folder's UNet."""
    if not source.is_dir():
        return file_sha256(source)
    return file_sha256(next(path for path in sorted((source / "unet").iterdir()) if path.suffix != ".json"))
