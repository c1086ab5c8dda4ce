"""`vocaldm bench audioldm`: the engine beside diffusers' pipeline, same weights, same noise, in one run."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live.commands import JsonOption, open_preset, results_only, table
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.engine.engine import Engine

# First width of each published UNet of 16 kHz.
WIDTHS = {"s": 128, "m": 192, "l": 256}


def bench_audioldm(
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="An imported preset of 16 kHz; else random weights.")
    ] = None,
    size: Annotated[str, typer.Option(metavar="S", help="Without --preset: s, m or l.")] = "s",
    seconds: Annotated[float, typer.Option(metavar="SEC", help="Length of the clip.")] = 5.12,
    steps: Annotated[int, typer.Option(metavar="N", help="Sampler steps.")] = 10,
    guidance: Annotated[float, typer.Option(metavar="G", help="Guidance.")] = 2.5,
    runs: Annotated[int, typer.Option(metavar="N", help="How often each makes the clip, in turn.")] = 3,
    json_lines: JsonOption = False,
) -> int:
    """Time the engine against diffusers' AudioLDMPipeline and compare their samples."""
    import tempfile

    if size not in WIDTHS:
        raise RequestError(f"size is {size!r}: choose one of {', '.join(WIDTHS)}.")
    if runs < 1:
        raise RequestError(f"runs is {runs}: give a whole number of 1 or more.")
    missing = [name for name in ("diffusers", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"{missing[0]} is not installed: pip install diffusers transformers.")
    with results_only(json_lines) as results, tempfile.TemporaryDirectory(prefix="vocaldm-bench-") as folder:
        chosen = (
            random_preset(Path(folder) / "random", WIDTHS[size]) if preset is None else open_preset(preset)
        )
        report = compare(chosen, seconds, steps, guidance, runs)
        print(json.dumps(report) if json_lines else _text(report), file=results, flush=True)
    return 0


def compare(preset: Preset, seconds: float, steps: int, guidance: float, runs: int) -> dict[str, Any]:
    """Milliseconds of both, from condition to samples, and how far apart the samples are."""
    import numpy as np
    import torch

    from vocaldm_live.engine.engine import Engine
    from vocaldm_live.engine.request import Request, resolve
    from vocaldm_live.model.samplers import SeededNoise
    from vocaldm_live.sound.audio import Sound

    voice = Sound(
        np.random.default_rng(0).standard_normal(round(48000 * seconds)).astype(np.float32) * 0.1, 48000
    )
    engine = Engine(preset, "cpu")
    request = Request(voice, steps=steps, guidance=guidance, tail=0.0)
    resolved = resolve(request, preset.header)
    geometry = preset.geometry
    with torch.inference_mode():
        vector, null = engine.condition(resolved)
    theirs = pipeline(engine)
    frames = geometry.latent_frames(round(seconds * geometry.sample_rate))
    noise = SeededNoise([request.seed]).initial(geometry.latent_channels, frames, geometry.latent_bins)
    times: dict[str, list[float]] = {"diffusers": [], "own": [], "own sample": [], "own decode": []}
    ours = other = np.zeros(0)
    for number in range(runs + 1):
        begun = time.perf_counter()
        other = theirs(
            audio_length_in_s=seconds,
            num_inference_steps=steps,
            guidance_scale=guidance,
            prompt_embeds=vector,
            negative_prompt_embeds=null,
            latents=noise.clone(),
            output_type="np",
        ).audios[0]
        taken = 1000.0 * (time.perf_counter() - begun)
        clip = engine.generate(request)
        ours = clip.samples
        if number:  # the first of each doesn't count
            times["diffusers"].append(taken)
            times["own sample"].append(clip.timings_ms["sample"])
            times["own decode"].append(clip.timings_ms["decode"])
            times["own"].append(clip.timings_ms["sample"] + clip.timings_ms["decode"])
    length = min(len(ours), len(other))
    median = {name: round(float(np.median(values)), 1) for name, values in times.items()}
    return {
        "preset": preset.header.description,
        "seconds": seconds,
        "steps": steps,
        "guidance": guidance,
        "threads": torch.get_num_threads(),
        "runs": runs,
        "median_ms": median,
        "least_ms": {name: round(min(values), 1) for name, values in times.items()},
        "times_faster": round(median["diffusers"] / median["own"], 2),
        "largest_difference": _difference(ours[:length], other[:length]),
        "level": float(np.abs(ours).max()),
    }


def pipeline(engine: Engine) -> Any:
    """diffusers' AudioLDMPipeline with the engine's weights and the original's head counts."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
    from vocaldm_live.checkpoints.vocoder_parts import HiFiGANPart
    from vocaldm_live.checkpoints.words_parts import PixelsPart
    from vocaldm_live.model.vae import MelVAE

    modules, parts = engine.modules, engine.preset.header.parts
    unet_part, vocoder_part = parts.unet, parts.vocoder
    plain = isinstance(unet_part, AudioLDMUNetPart) and unet_part.published
    if not plain or not isinstance(modules.vae, MelVAE) or getattr(unet_part, "transformers", 0) != 1:
        raise RequestError(f"{engine.preset.name} is no AudioLDM preset of 16 kHz: name one, or none.")
    assert isinstance(unet_part, AudioLDMUNetPart) and not isinstance(parts.vae, PixelsPart)
    assert isinstance(vocoder_part, HiFiGANPart) and modules.vocoder is not None
    latent = modules.geometry.latent_channels
    levels = len(unet_part.channels)
    unet = UNet2DConditionModel(
        in_channels=latent,
        out_channels=latent,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * (levels - 1)),
        up_block_types=(*("CrossAttnUpBlock2D",) * (levels - 1), "UpBlock2D"),
        block_out_channels=unet_part.channels,
        layers_per_block=unet_part.layers,
        cross_attention_dim=unet_part.channels,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=512,
        class_embeddings_concat=True,
        attention_head_dim=unet_part.heads,
    )
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * len(parts.vae.channels),
        up_block_types=("UpDecoderBlock2D",) * len(parts.vae.channels),
        block_out_channels=parts.vae.channels,
        layers_per_block=parts.vae.layers,
        latent_channels=latent,
        scaling_factor=1.0 / float(modules.vae.latent_scale[0]),
    )
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=modules.geometry.mel_bands,
            sampling_rate=modules.geometry.sample_rate,
            upsample_initial_channel=vocoder_part.channels,
            upsample_rates=list(vocoder_part.rates),
            upsample_kernel_sizes=list(vocoder_part.kernels),
            resblock_kernel_sizes=list(vocoder_part.block_kernels),
            resblock_dilation_sizes=[list(row) for row in vocoder_part.block_dilations],
            normalize_before=False,
        )
    )
    pairs: list[tuple[Any, Any]] = [
        (unet, modules.unet.network),
        (vae, modules.vae.network),
        (vocoder, modules.vocoder),
    ]
    for network, own in pairs:
        # Rows, as diffusers has them after loading; ours stand channels last.
        state = {
            key: value.clone(memory_format=torch.contiguous_format) for key, value in own.state_dict().items()
        }
        network.load_state_dict(state, strict=True)
        network.eval()
    tiny = ClapTextConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    scheduler = DDIMScheduler(
        1000, 0.0015, 0.0195, "scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    text = ClapTextModelWithProjection(tiny)  # asked for its type alone: the condition is given
    build: Any = AudioLDMPipeline
    made = build(vae, text, None, unet, scheduler, vocoder)
    made.set_progress_bar_config(disable=True)
    return made


def random_preset(folder: Path, width: int) -> Preset:
    """A preset of a published UNet's size, its VAE and its vocoder, with random weights."""
    import torch

    from vocaldm_live.checkpoints.audioldm_networks import audioldm_network
    from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart, AudioLDMVAEPart, ClapAudioPart
    from vocaldm_live.checkpoints.importing import header_of
    from vocaldm_live.checkpoints.preset import write_preset
    from vocaldm_live.checkpoints.vocoder_parts import HiFiGANPart
    from vocaldm_live.checkpoints.vocoders import vocoder_network
    from vocaldm_live.model.audioldm import head_counts, published_head_width

    channels = [width * factor for factor in (1, 2, 3, 5)]
    heads = head_counts(channels, published_head_width(width))
    unet = {"kind": "audioldm", "channels": channels, "layers": 2, "heads": heads, "transformers": 1}
    parts: dict[str, Any] = {
        "unet": unet | {"prediction": "eps"},
        "vae": {"kind": "audioldm-vae", "channels": [128, 256, 512], "layers": 2},
        "vocoder": {
            "kind": "hifi-gan",
            "channels": 1024,
            "rates": [5, 4, 2, 2, 2],
            "kernels": [16, 16, 8, 4, 4],
            "block_kernels": [3, 7, 11],
            "block_dilations": [[1, 3, 5]] * 3,
            "slope": 0.1,
            "padding": "half",
            "normalised": False,
        },
        "clap_audio": {"kind": "clap-audio", "width": 16, "depths": [1, 1], "heads": [1, 2], "window": 8},
    }
    header = header_of("Random weights.", parts, 64, 8, 4, {"imported_from": "nothing"})
    geometry = header["geometry"]
    kinds: dict[str, Any] = {
        "unet": AudioLDMUNetPart,
        "vae": AudioLDMVAEPart,
        "vocoder": HiFiGANPart,
        "clap_audio": ClapAudioPart,
    }
    states = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, kind in kinds.items():
            plain = {"file": "x.safetensors", "sha256": "0" * 64, **parts[name]}
            part = kind.model_validate_json(json.dumps(plain))
            built = _geometry(geometry)
            network = vocoder_network(built, part) if name == "vocoder" else audioldm_network(built, part)
            states[name] = network.state_dict()
        states["unet"]["null"] = torch.nn.functional.normalize(torch.randn(512), dim=0)
    return write_preset(folder, header, states, torch.float32)


def _geometry(plain: dict[str, Any]) -> Any:
    from vocaldm_live.sound.geometry import Geometry

    return Geometry(**plain)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    import numpy as np

    return float(np.abs(ours - theirs).max())


def _text(report: dict[str, Any]) -> str:
    rows = [
        (name, f"{report['median_ms'][name]:.0f}", f"{report['least_ms'][name]:.0f}")
        for name in report["median_ms"]
    ]
    return "\n".join(
        [
            f"{report['preset']} A clip of {report['seconds']:.2f} s, {report['steps']} steps of ddim, guidance "
            f"{report['guidance']:g}, {report['threads']} threads, {report['runs']} runs in turn.",
            "",
            table(("from condition to samples", "median ms", "least ms"), rows),
            "",
            f"{report['times_faster']:.2f} times faster; samples differ by {report['largest_difference']:.1e} at most "
            f"(the loudest is {report['level']:.2g}).",
        ]
    )
