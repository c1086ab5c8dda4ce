"""The encoder has the published shapes and keys, and hears a clip the same alone or padded in a batch."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from parts import package

from vocaldm_live.model.encoder import (
    MINIMUM_FRAMES,
    RECEPTIVE_FRAMES,
    ConvNormActivation,
    Encoder,
    MobileNetV3,
    SqueezeLayer,
    normalise,
)
from vocaldm_live.model.encoder_mel import (
    MINIMUM_SAMPLES,
    EncoderMel,
    MelAugmentation,
    frame_count,
    kaldi_mel_bank,
)

# Written out from the published architecture, apart from the package's own table:
# inputs, kernel, expanded, outputs, squeezed.
BLOCKS = [
    (16, 3, 16, 16, None),
    (16, 3, 64, 24, None),
    (24, 3, 72, 24, None),
    (24, 5, 72, 40, 24),
    (40, 5, 120, 40, 32),
    (40, 5, 120, 40, 32),
    (40, 3, 240, 80, None),
    (80, 3, 200, 80, None),
    (80, 3, 184, 80, None),
    (80, 3, 184, 80, None),
    (80, 3, 480, 112, 120),
    (112, 3, 672, 112, 168),
    (112, 5, 672, 160, 168),
    (160, 5, 960, 160, 240),
    (160, 5, 960, 160, 240),
]


def expected_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, outputs: int, inputs: int, kernel: int) -> None:
        shapes[f"{name}.0.weight"] = (outputs, inputs, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{part}"] = (outputs,)
        shapes[f"{name}.1.num_batches_tracked"] = ()

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        shapes[f"{name}.bias"] = (outputs,)

    convolution("features.0", 16, 1, 3)
    for number, (inputs, kernel, expanded, outputs, squeezed) in enumerate(BLOCKS, start=1):
        place = 0
        if number != 1:
            convolution(f"features.{number}.block.0", expanded, inputs, 1)
            place = 1
        convolution(f"features.{number}.block.{place}", expanded, 1, kernel)
        if squeezed:
            place += 1
            name = f"features.{number}.block.{place}.conc_se_layers.0"
            linear(f"{name}.fc1", squeezed, expanded)
            linear(f"{name}.fc2", expanded, squeezed)
        convolution(f"features.{number}.block.{place + 1}", outputs, expanded, 1)
    convolution("features.16", 960, 160, 1)
    linear("classifier.2", 1280, 960)
    linear("classifier.5", 527, 1280)
    return shapes


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def lived_in_tower() -> MobileNetV3:
    """A tower whose normalisations have moved off their start, so that zeros in do not mean zeros out."""
    torch.manual_seed(1)
    tower = MobileNetV3(classifier=False)
    for module in tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0.0, 0.2)
    with torch.no_grad():
        tower.train().embed(torch.randn(4, 1, 128, 64) + torch.randn(4, 1, 128, 1))
    return tower.eval()


@pytest.fixture(scope="module")
def tower() -> MobileNetV3:
    return lived_in_tower()


@pytest.fixture(scope="module")
def whole() -> MobileNetV3:
    return MobileNetV3().eval()


def test_state_dict_has_the_published_keys_and_shapes(whole: MobileNetV3) -> None:
    state = whole.state_dict()
    expected = expected_shapes()
    assert {key: tuple(value.shape) for key, value in state.items()} == expected
    # 46 convolutions with five tensors of normalisation each, 8 gates and the head with four each.
    assert len(state) == 46 * 6 + 8 * 4 + 4
    assert state["features.0.0.weight"].shape == (16, 1, 3, 3)
    assert state["features.1.block.1.0.weight"].shape == (16, 16, 1, 1)
    assert state["features.4.block.1.0.weight"].shape == (72, 1, 5, 5)
    assert state["features.4.block.2.conc_se_layers.0.fc1.weight"].shape == (24, 72)
    assert state["features.15.block.3.0.weight"].shape == (160, 960, 1, 1)
    assert state["features.16.0.weight"].shape == (960, 160, 1, 1)
    assert state["classifier.5.bias"].shape == (527,)


def test_parameter_counts_agree_with_the_published_sums(whole: MobileNetV3, tower: MobileNetV3) -> None:
    gates = sum(count(module) for module in whole.modules() if isinstance(module, SqueezeLayer))
    assert count(whole) == pytest.approx(4.88e6, abs=0.005e6)
    assert count(tower) == pytest.approx(2.97e6, abs=0.01e6)
    assert gates == 1_512_280
    assert count(whole) - count(tower) == 960 * 1280 + 1280 + 1280 * 527 + 527
    assert count(Encoder(classifier=False)) == 2 * count(tower) + 1
    assert count(Encoder(classifier=False, shared=True)) == count(tower) + 1


def test_normalisation_has_the_published_constants(whole: MobileNetV3) -> None:
    norms = [module for module in whole.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 46
    assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}


def test_ten_seconds_give_the_published_map_sizes(tower: MobileNetV3) -> None:
    sizes = {}
    maps, frames = torch.zeros(1, 1, 128, 1000), None
    with torch.no_grad():
        for number, layer in enumerate(tower.features):
            maps, frames = layer(maps, frames)
            if number in (0, 2, 4, 7, 13, 16):
                sizes[number] = tuple(maps.shape[1:])
    assert sizes == {
        0: (16, 64, 500),
        2: (24, 32, 250),
        4: (40, 16, 125),
        7: (80, 8, 63),
        13: (160, 4, 32),
        16: (960, 4, 32),
    }


def test_outputs_with_and_without_classifier(whole: MobileNetV3, tower: MobileNetV3) -> None:
    mel = torch.randn(2, 1, 128, 40)
    with torch.no_grad():
        logits, embedding = whole(mel)
        bare_logits, bare_embedding = tower(mel)
    assert logits.shape == (2, 527) and embedding.shape == (2, 960)
    assert bare_logits is None and bare_embedding.shape == (2, 960)


@pytest.mark.parametrize("frames", [MINIMUM_FRAMES, 17, 33, 101])
def test_any_length_from_the_minimum_gives_960_numbers(tower: MobileNetV3, frames: int) -> None:
    with torch.no_grad():
        embedding = tower.embed(torch.randn(1, 1, 128, frames))
    assert embedding.shape == (1, 960) and bool(embedding.isfinite().all())
    # Mean of Hardswish outputs, whose lowest value is -3/8.
    assert float(embedding.min()) >= -0.375


@pytest.mark.parametrize("shape", [(1, 1, 128, 15), (1, 128, 40), (1, 2, 128, 40), (1, 1, 64, 40)])
def test_wrong_mel_shape_is_named(tower: MobileNetV3, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needs a mel shaped"):
        tower.embed(torch.zeros(shape))


def test_a_column_of_the_last_map_sees_595_frames() -> None:
    torch.manual_seed(0)
    tower = MobileNetV3(classifier=False).eval()
    for module in tower.modules():
        if isinstance(module, SqueezeLayer):  # gates see the whole clip; hold them still
            torch.nn.init.zeros_(module.fc2.weight)
        if isinstance(module, ConvNormActivation) and len(module) == 3:  # nothing may block the gradient
            module[2] = torch.nn.Identity()
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data.abs_()  # nor cancel it
    mel = torch.zeros(1, 1, 128, 800, requires_grad=True)
    maps, frames = mel, None
    for layer in tower.features:
        maps, frames = layer(maps, frames)
    maps[0, :, :, maps.shape[3] // 2].sum().backward()
    assert mel.grad is not None
    seen = mel.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert int(seen[-1] - seen[0]) + 1 == RECEPTIVE_FRAMES


def test_padded_clip_sounds_the_same_as_alone(tower: MobileNetV3) -> None:
    lengths = [16, 37, 64, 101, 128]
    generator = torch.Generator().manual_seed(3)
    clips = [torch.randn(1, 1, 128, length, generator=generator) for length in lengths]
    batch = torch.full((len(clips), 1, 128, 128), 7.0)
    batch[1, :, :, 100:] = float("nan")  # padding of any content
    for row, clip in enumerate(clips):
        batch[row, :, :, : clip.shape[3]] = clip[0]
    with torch.no_grad():
        alone = torch.cat([tower.embed(clip) for clip in clips])
        padded = tower.embed(batch, torch.tensor(lengths))
        unmasked = tower.embed(batch)
    torch.testing.assert_close(padded, alone, rtol=1e-3, atol=1e-4)
    # Without the lengths the padding does change what is heard, except where there is none.
    similar = torch.nn.functional.cosine_similarity(unmasked, alone)
    assert float(similar[0]) < 0.9
    torch.testing.assert_close(unmasked[4], alone[4], rtol=1e-4, atol=1e-5)


def test_wrong_lengths_are_named(tower: MobileNetV3) -> None:
    mel = torch.zeros(2, 1, 128, 20)
    with pytest.raises(ValueError, match="one a clip"):
        tower.embed(mel, torch.tensor([20]))
    with pytest.raises(ValueError, match="one a clip"):
        tower.embed(mel, torch.tensor([20.0, 20.0]))
    with pytest.raises(ValueError, match=r"in 1 \.\. 20"):
        tower.embed(mel, torch.tensor([20, 21]))
    with pytest.raises(ValueError, match=r"in 1 \.\. 20"):
        tower.embed(mel, torch.tensor([0, 20]))


def test_gradient_reaches_every_parameter_through_padding() -> None:
    torch.manual_seed(5)
    tower = MobileNetV3(classifier=False).train()
    tower.embed(torch.randn(3, 1, 128, 48), torch.tensor([48, 20, 33])).square().sum().backward()
    for name, parameter in tower.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


def lightning_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    state: dict[str, torch.Tensor] = {"tau": torch.tensor([0.05])}
    for prefix in ("imitation_encoder", "reference_encoder"):
        for key, shape in expected_shapes().items():
            if key.endswith("num_batches_tracked"):
                state[f"{prefix}.{key}"] = torch.tensor(12)
            else:
                state[f"{prefix}.{key}"] = torch.rand(shape, generator=generator) + 0.01
    return state


def test_training_checkpoint_with_prefixes_loads_strictly() -> None:
    state = lightning_state()
    encoder = Encoder()
    encoder.load_state_dict(state, strict=True)
    for prefix, tower in (
        ("imitation_encoder", encoder.imitation_encoder),
        ("reference_encoder", encoder.reference_encoder),
    ):
        key = "features.5.block.2.conc_se_layers.0.fc2.weight"
        assert torch.equal(tower.state_dict()[key], state[f"{prefix}.{key}"])
    assert encoder.tau.shape == (1,) and encoder.tau.item() == pytest.approx(0.05)


def test_checkpoint_that_does_not_fit_is_refused() -> None:
    state = lightning_state()
    two, shared, bare = Encoder(), Encoder(shared=True), Encoder(classifier=False)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        shared.load_state_dict(state, strict=True)
    with pytest.raises(RuntimeError, match="classifier.2.weight"):
        bare.load_state_dict(state, strict=True)
    del state["reference_encoder.features.4.block.2.conc_se_layers.0.fc1.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        two.load_state_dict(state, strict=True)


def negate_stem(tower: MobileNetV3) -> None:
    stem = tower.get_parameter("features.0.0.weight")
    stem.mul_(-1.0)


def test_towers_start_equal_and_part() -> None:
    torch.manual_seed(2)
    encoder = Encoder(classifier=False)
    mel = torch.randn(2, 1, 128, 32)
    with torch.no_grad():
        assert torch.equal(encoder.embed_imitation(mel), encoder.embed_reference(mel))
        negate_stem(encoder.imitation_encoder)
        imitation, reference = encoder(mel, mel)
    assert float(torch.nn.functional.cosine_similarity(imitation, reference).max()) < 0.99


def test_shared_tower_is_one_module_and_saved_once() -> None:
    encoder = Encoder(classifier=False, shared=True).eval()
    assert encoder.imitation_encoder is encoder.reference_encoder
    state = encoder.state_dict()
    assert not any(key.startswith("reference_encoder") for key in state)
    other = deepcopy(encoder)
    assert other.imitation_encoder is other.reference_encoder
    assert other.imitation_encoder is not encoder.imitation_encoder
    mel = torch.randn(1, 1, 128, 32)
    with torch.no_grad():
        negate_stem(encoder.imitation_encoder)
        first, second = encoder(mel, mel)
        assert torch.equal(first, second)
        assert not torch.equal(other.embed_reference(mel), second)
        other.load_state_dict(encoder.state_dict(), strict=True)
        assert torch.equal(other.embed_reference(mel), second)


def test_normalise_gives_unit_length() -> None:
    lengths = normalise(torch.rand(3, 960) * 4).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))
    assert bool((normalise(torch.zeros(1, 960)) == 0).all())


# --- the mel front end


@pytest.fixture(scope="module")
def mel() -> EncoderMel:
    return EncoderMel()


def tone(frequency: float, seconds: float) -> torch.Tensor:
    time = torch.arange(int(seconds * 32000), dtype=torch.float64) / 32000
    return (0.3 * torch.sin(2 * torch.pi * frequency * time)).float()[None]


def test_ten_seconds_are_a_thousand_frames(mel: EncoderMel) -> None:
    assert mel(torch.zeros(1, 320000)).shape == (1, 1, 128, 1000)
    for samples in (MINIMUM_SAMPLES, 640, 641, 5120, 5121):
        assert mel(torch.zeros(2, samples)).shape == (2, 1, 128, frame_count(samples))


def test_too_short_or_misshapen_sound_is_named(mel: EncoderMel) -> None:
    for samples in (torch.zeros(1, MINIMUM_SAMPLES - 1), torch.zeros(32000)):
        with pytest.raises(ValueError, match="needs samples shaped"):
            mel(samples)


def test_silence_is_finite_and_flat(mel: EncoderMel, tower: MobileNetV3) -> None:
    picture = mel(torch.zeros(1, 32000))
    torch.testing.assert_close(picture, torch.full_like(picture, (-11.512925 + 4.5) / 5))
    with torch.no_grad():
        assert bool(tower.embed(picture).isfinite().all())


@pytest.mark.parametrize("frequency", [440.0, 2000.0, 9000.0])
def test_tone_lights_the_band_of_its_pitch(mel: EncoderMel, frequency: float) -> None:
    picture = mel(tone(frequency, 0.5))[0, 0]
    top = torch.log1p(torch.tensor(15000.0 / 700))
    band = float(torch.log1p(torch.tensor(frequency / 700)) / top * 129 - 1)
    assert int(picture[:, 25].argmax()) == pytest.approx(band, abs=1.0)


def test_mel_agrees_with_the_definition_written_out(mel: EncoderMel) -> None:
    samples = torch.randn(1, 8000, generator=torch.Generator().manual_seed(4)) * 0.1
    emphasised = samples[0, 1:].double() - 0.97 * samples[0, :-1].double()
    frame = 10
    begin = frame * 320 - 400
    window = 0.5 - 0.5 * torch.cos(2 * torch.pi * torch.arange(800, dtype=torch.float64) / 799)
    power = torch.fft.rfft(emphasised[begin : begin + 800] * window, 1024).abs() ** 2
    expected = ((kaldi_mel_bank().double() @ power + 1e-5).log() + 4.5) / 5
    torch.testing.assert_close(mel(samples)[0, 0, :, frame].double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("edges", [(0.0, 15000.0), (9.0, 14001.0), (3.0, 16000.0)])
def test_mel_bank_agrees_with_torchaudio(edges: tuple[float, float]) -> None:
    theirs, _ = package("torchaudio.compliance.kaldi").get_mel_banks(
        128, 1024, 32000.0, *edges, 100.0, -500.0, 1.0
    )
    ours = kaldi_mel_bank(*edges)
    assert ours.shape == (128, 513) and float(ours[:, 512].abs().max()) == 0.0
    # torchaudio computes mels near 3500 in float32, so a triangle 27 mels wide is right to about 1e-5.
    torch.testing.assert_close(ours[:, :512], theirs, rtol=0, atol=5e-5)


def test_mel_bank_refuses_edges_out_of_order() -> None:
    for edges in ((100.0, 50.0), (-1.0, 15000.0), (0.0, 16001.0)):
        with pytest.raises(ValueError, match="not in order"):
            kaldi_mel_bank(*edges)


def test_mel_stays_float32_in_half_precision_and_out_of_the_state_dict(mel: EncoderMel) -> None:
    samples = tone(700.0, 0.3)
    expected = mel(samples)
    half = EncoderMel().half().bfloat16()
    assert half.state_dict() == {}
    assert half.window.dtype == torch.float32
    assert torch.equal(half(samples), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = mel(samples)
    assert inside.dtype == torch.float32 and torch.equal(inside, expected)


def test_augmentation_masks_each_clip_its_own_way_and_repeats_with_the_seed(mel: EncoderMel) -> None:
    samples = torch.randn(6, 16000, generator=torch.Generator().manual_seed(9)) * 0.1
    masks_only = MelAugmentation(fmin_range=0, fmax_range=0, frequency_mask=20, time_mask=20)

    def augmented(seed: int) -> torch.Tensor:
        return mel(samples, masks_only, torch.Generator().manual_seed(seed))[:, 0]

    plain, first = mel(samples)[:, 0], augmented(1)
    assert torch.equal(first, augmented(1))
    assert not torch.equal(first, augmented(2))
    changed = first != plain
    assert bool((first[changed] == 0.9).all())  # the log value 0, normalised
    rows, columns = changed.all(2), changed.all(1)
    assert int(rows.sum(1).max()) < 20 and int(columns.sum(1).max()) < 20
    assert bool((changed == (rows[:, :, None] | columns[:, None, :])).all())
    assert len({tuple(row.tolist()) for row in rows}) > 1
    assert len({tuple(column.tolist()) for column in columns}) > 1


def test_augmentation_moves_the_filter_edges(mel: EncoderMel) -> None:
    samples = tone(3000.0, 0.3)
    edges_only = MelAugmentation(frequency_mask=0, time_mask=0)
    generator = torch.Generator().manual_seed(1)
    moved = [mel(samples, edges_only, generator) for _ in range(3)]
    assert not torch.equal(moved[0], moved[1])
    off = MelAugmentation(fmin_range=0, fmax_range=0, frequency_mask=0, time_mask=0)
    assert torch.equal(mel(samples, off, generator), mel(samples))


def test_augmentation_needs_a_generator_and_sane_ranges(mel: EncoderMel) -> None:
    with pytest.raises(ValueError, match="pass a torch.Generator"):
        mel(torch.zeros(1, 6400), MelAugmentation())
    with pytest.raises(ValueError, match="0 or more"):
        MelAugmentation(time_mask=-1)
    with pytest.raises(ValueError, match="reaches above"):
        MelAugmentation(fmax_range=2004)
