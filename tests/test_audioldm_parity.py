"""AudioLDM against diffusers and transformers with the same random weights: UNet, sampling, VAE, vocoder, CLAP.

Head counts are those of the published models (s and l: 8, 12, 20; m: 12, 18, 30), widths a fraction of theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from audioldm_files import GEOMETRY, GEOMETRY_48K, networks, tokenizer_files
from diffusers import AudioLDM2UNet2DConditionModel, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from parts import package
from torch import Tensor, nn
from torch.nn.functional import normalize

from vocaldm_live.checkpoints.tokens import byte_pairs, read_tokenizer
from vocaldm_live.model.audioldm import AudioLDMUNet, AudioLDMVAE, head_counts, published_head_width
from vocaldm_live.model.clap_audio import ClapAudio, clap_mel, filled
from vocaldm_live.model.clap_text import ClapText
from vocaldm_live.model.denoise import denoise_from
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.samplers import ddim
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.skeleton import skeletons
from vocaldm_live.model.unet import Condition

TOLERANCE = 1e-4
# width of the first level, heads of the others, transformers at a place, latent channels
LAYOUTS = {
    "s": (32, (8, 12, 20), 1, 8),
    "m": (96, (12, 18, 30), 1, 8),
    "l": (64, (8, 12, 20), 1, 8),
    "48k": (32, (8, 12, 20), 2, 16),
}


def both_unets(name: str) -> tuple[AudioLDMUNet, nn.Module]:
    """Ours and diffusers', with the same weights, none of which is left at zero."""
    first, heads, transformers, latent = LAYOUTS[name]
    channels = tuple(first * factor for factor in (1, 2, 3, 5))
    config: dict[str, Any] = {
        "in_channels": latent,
        "out_channels": latent,
        "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
        "up_block_types": (*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
        "block_out_channels": channels,
        "layers_per_block": 2,
        "cross_attention_dim": channels if transformers == 1 else ((None, None),) * 4,
        "class_embed_type": "simple_projection",
        "projection_class_embeddings_input_dim": 512,
        "class_embeddings_concat": True,
        "attention_head_dim": (1, *heads),
    }
    torch.manual_seed(1)
    theirs = (UNet2DConditionModel if transformers == 1 else AudioLDM2UNet2DConditionModel)(**config).eval()
    stir(theirs)
    geometry = GEOMETRY if transformers == 1 else GEOMETRY_48K
    with skeletons():
        ours = AudioLDMUNet(geometry, channels, 2, (1, *heads), transformers)
    ours.network.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    ours.null = normalize(torch.randn(512, generator=torch.Generator().manual_seed(2)), dim=0)
    return ours.eval(), theirs


def stir(module: nn.Module) -> None:
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.03 * torch.randn(value.shape, generator=draw))


def vectors(count: int) -> Tensor:
    return normalize(torch.randn(count, 512, generator=torch.Generator().manual_seed(3)), dim=1)


def difference(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape and float(theirs.std()) > 1e-3
    return float((ours - theirs).abs().max())


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
@torch.inference_mode()
def test_unet(name: str) -> None:
    ours, theirs = both_unets(name)
    draw = torch.Generator().manual_seed(4)
    x, t = torch.randn(2, LAYOUTS[name][3], 8, 16, generator=draw), torch.tensor([7, 801])
    condition = Condition(vectors(2), torch.zeros(2, 0, 8, 16))
    wanted = theirs(x, t, encoder_hidden_states=None, class_labels=condition.vector).sample
    assert difference(ours(x, t, condition), wanted) < TOLERANCE
    theirs_8 = head_count_left_alone(theirs)
    if theirs_8 is not None:
        for processor in theirs_8:
            processor.heads = 8
        wrong = theirs(x, t, encoder_hidden_states=None, class_labels=condition.vector).sample
        assert difference(ours(x, t, condition), wrong) > 1e-3, "the head count is not seen here"


def head_count_left_alone(unet: nn.Module) -> list[Any] | None:
    """The attentions that a published folder's 8 heads would be wrong for, where 8 divides their widths."""
    found = [module for name, module in unet.named_modules() if name.endswith(("attn1", "attn2"))]
    wrong = [module for module in found if module.heads != 8 and module.inner_dim % 8 == 0]
    return wrong or None


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps", "eta"), [("s", 5, 0.0), ("s", 5, 1.0), ("48k", 2, 1.0)])
@torch.inference_mode()
def test_guided_ddim(name: str, steps: int, eta: float) -> None:
    ours, theirs = both_unets(name)
    draw = torch.Generator().manual_seed(6)
    shape = (1, LAYOUTS[name][3], 8, 16)
    start, wanted = torch.randn(shape, generator=draw), vectors(1)
    fresh = [torch.randn(shape, generator=draw) for _ in range(steps)]
    scheduler = DDIMScheduler(
        1000, 0.0015, 0.0195, "scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    scheduler.set_timesteps(steps)
    x = start
    for index, t in enumerate(scheduler.timesteps):
        both = torch.cat((ours.null[None], wanted))
        null, leaned = theirs(
            torch.cat((x, x)), t, encoder_hidden_states=None, class_labels=both
        ).sample.chunk(2)
        eps = null + 2.5 * (leaned - null)
        x = scheduler.step(eps, t, x, eta=eta, variance_noise=fresh[index] if eta else None).prev_sample
    schedule = Schedule.linear_sqrt()
    image = torch.zeros(1, 0, 8, 16)
    lean = guided(
        denoise_from(ours, schedule, "eps"),
        Condition(wanted, image),
        Condition(ours.null_condition(1), image),
        2.5,
    )
    assert tuple(scheduler.timesteps.tolist()) == schedule.leading(steps).timesteps
    found = ddim(
        lean, start, schedule, schedule.leading(steps), eta=eta, noise_source=lambda step, _: fresh[step]
    )
    # Relative to the latent's size: with random weights it can grow in sampling.
    assert difference(found, x) < TOLERANCE * max(1.0, float(x.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("at_48k", [False, True])
@torch.inference_mode()
def test_vae(at_48k: bool) -> None:
    geometry = GEOMETRY_48K if at_48k else GEOMETRY
    channels = (32, 64, 128, 256)[: 4 if at_48k else 3]
    torch.manual_seed(1)
    theirs = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=2,
        latent_channels=geometry.latent_channels,
        scaling_factor=0.9,
    ).eval()
    stir(theirs)
    ours = AudioLDMVAE(geometry, channels, 2)
    ours.network.load_state_dict(theirs.state_dict(), strict=True)
    ours.latent_scale.fill_(1.0 / 0.9)
    ours.eval()
    draw = torch.Generator().manual_seed(4)
    mel = torch.randn(1, geometry.mel_bands, 32, generator=draw) * 3.0 - 5.0
    encoded = theirs.encode(mel.transpose(1, 2)[:, None]).latent_dist
    mean, log_variance = ours.posterior(mel)
    assert difference(mean, encoded.mean) < TOLERANCE and difference(log_variance, encoded.logvar) < TOLERANCE
    assert difference(ours.encode(mel), encoded.mean * 0.9) < TOLERANCE
    latent = torch.randn(1, geometry.latent_channels, 8, geometry.latent_bins, generator=draw)
    wanted = theirs.decode(latent / 0.9).sample[:, 0].transpose(1, 2)
    assert difference(ours.decode(latent), wanted) < TOLERANCE


@torch.inference_mode()
def test_clap_text_and_its_tokenizer(tmp_path: Path) -> None:
    tokenizers = package("tokenizers")
    transformers = package("transformers")
    ours = networks()["clap_text"]
    assert isinstance(ours, ClapText)
    stir(ours)
    config = transformers.ClapTextConfig(
        vocab_size=320,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=128,
        max_position_embeddings=66,
        layer_norm_eps=1e-5,
    )
    theirs = transformers.ClapTextModelWithProjection(config).eval()
    missing, unexpected = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert unexpected == [] and all("_ids" in key for key in missing)
    folder = tokenizer_files(tmp_path)
    texts = read_tokenizer(folder, 320)
    encode = byte_pairs(texts.vocabulary, texts.merges)
    reference = tokenizers.ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    for text in (
        "a dog in rain",
        "",
        "don't  stop!!\n123½ 'x' ",
        "naïve été 日本語 🎧 e\u0301 Ⅳ",
        " \t leading",
    ):
        tokens = encode(text)
        assert tokens == [0, *reference.encode(text).ids, 2]
        padded = torch.tensor([tokens + [1] * (60 - len(tokens))])
        wanted = normalize(theirs(padded, attention_mask=(padded != 1).long()).text_embeds, dim=-1)
        assert difference(ours(torch.tensor([tokens])), wanted) < 1e-6
        assert difference(ours(padded), wanted) < 1e-6


@torch.inference_mode()
def test_clap_audio_and_its_mel() -> None:
    transformers = package("transformers")
    depths, heads, width = (2, 2, 2, 1), (1, 2, 4, 8), 16
    config = transformers.ClapAudioConfig(
        patch_embeds_hidden_size=width,
        hidden_size=8 * width,
        depths=list(depths),
        num_attention_heads=list(heads),
    )
    torch.manual_seed(1)
    theirs = transformers.ClapAudioModelWithProjection(config).eval()
    stir(theirs)
    ours = ClapAudio(width, depths, heads, 8).eval()
    ours.load_state_dict(laion_names(theirs.state_dict()), strict=True)
    sound = 0.1 * torch.randn(170_000, generator=torch.Generator().manual_seed(2))
    extract = transformers.ClapFeatureExtractor(
        truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14000
    )
    mel = extract(sound.numpy(), sampling_rate=48000, return_tensors="pt")["input_features"]
    assert difference(clap_mel(filled(sound)[None]), mel) < 1e-3  # dB
    assert difference(ours(mel), normalize(theirs(mel).audio_embeds, dim=-1)) < 1e-6
    assert bool(ours(clap_mel(filled(torch.zeros(100))[None])).isfinite().all())


def laion_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """transformers' names back to those of LAION's CLAP, queries, keys and values in one."""
    names = {
        "audio_model.audio_encoder.": "audio_branch.",
        "attention.self.": "attn.",
        "attention.output.dense": "attn.proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "batch_norm": "bn0",
    }
    found = {}
    for key, value in state.items():
        if any(word in key for word in ("relative_position_index", ".key.", ".value.")):
            continue
        if ".query." in key:
            value = torch.cat([state[key.replace("query", kind)] for kind in ("query", "key", "value")])
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        found[key.replace("query", "qkv")] = value
    return found


@pytest.mark.parametrize(
    ("first", "at_48k", "parameters"),
    [
        (128, False, 185_036_552),
        (192, False, 415_954_568),
        (256, False, 739_139_080),
        (128, True, 262_699_152),
    ],
)
def test_the_published_sizes(first: int, at_48k: bool, parameters: int) -> None:
    channels = [first * factor for factor in (1, 2, 3, 5)]
    heads = head_counts(channels, published_head_width(first))
    assert heads[1:] == {128: (8, 12, 20), 192: (12, 18, 30), 256: (8, 12, 20)}[first]
    with skeletons():
        made = networks(first, full=True, at_48k=at_48k)
        unet = AudioLDMUNet(GEOMETRY_48K if at_48k else GEOMETRY, channels, 2, heads, 2 if at_48k else 1)
    assert sum(value.numel() for value in unet.parameters()) == parameters
    assert sum(value.numel() for value in made["vae"].parameters()) == (223_535_569 if at_48k else 55_376_873)
    assert sum(value.numel() for value in made["clap_text"].parameters()) == 125_302_016
    if not at_48k:
        assert sum(value.numel() for value in made["vocoder"].parameters()) == 55_264_897


def test_a_tokenizer_in_one_file_is_the_same(tmp_path: Path) -> None:
    two = read_tokenizer(tokenizer_files(tmp_path / "two"), 320)
    one = tmp_path / "one"
    one.mkdir()
    pairs = [line.split(" ") for line in two.merges.splitlines()]
    model = {"type": "BPE", "vocab": json.loads(two.vocabulary), "merges": pairs}
    (one / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert read_tokenizer(one, 320) == two
