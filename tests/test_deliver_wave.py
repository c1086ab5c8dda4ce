"""The WAV writer, read back by readers that share no code with it."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vocaldm_live.deliver.wave import LARGEST_RIFF, Chunk, encode_wave, fade_ends
from vocaldm_live.errors import DeliveryError


def tone(
    frames: int = 4801, channels: int | None = None, level: float = 0.8, rate: int = 48000
) -> np.ndarray:
    time = np.arange(frames) / rate
    mono = (level * np.sin(2 * np.pi * 440.0 * time)).astype(np.float32)
    if channels is None:
        return mono
    return np.stack([mono * (index + 1) / channels for index in range(channels)], axis=1)


def walk(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and payload of every chunk, checking that sizes and padding lead exactly to the end."""
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    chunks, position = [], 12
    while position < len(data):
        (size,) = struct.unpack("<I", data[position + 4 : position + 8])
        payload = data[position + 8 : position + 8 + size]
        assert len(payload) == size
        chunks.append((data[position : position + 4], payload))
        position += 8 + size
        if size % 2:
            assert data[position] == 0
            position += 1
    assert position == len(data)
    return chunks


@pytest.mark.parametrize("channels", [None, 1, 2, 6])
def test_24_bit_is_within_half_a_step(channels: int | None) -> None:
    samples = tone(channels=channels)
    read, rate = soundfile.read(io.BytesIO(encode_wave(samples)), dtype="float64")
    assert rate == 48000
    expected = samples[:, 0] if channels == 1 else samples
    assert read.shape == expected.shape
    assert np.abs(read - expected).max() <= 0.5 / 2**23


@pytest.mark.parametrize("channels", [None, 2, 4])
def test_32_bit_float_is_the_same_numbers(channels: int | None) -> None:
    samples = tone(channels=channels, level=0.3)
    read, _ = soundfile.read(io.BytesIO(encode_wave(samples, 44100, 32)), dtype="float32")
    np.testing.assert_array_equal(read, samples)


def test_formats_are_what_readers_call_them() -> None:
    for bits, subtype in ((16, "PCM_16"), (24, "PCM_24"), (32, "FLOAT")):
        info = soundfile.info(io.BytesIO(encode_wave(tone(), 48000, bits)))
        assert (info.subtype, info.samplerate, info.channels, info.frames) == (subtype, 48000, 1, 4801)


@pytest.mark.parametrize("bits", [16, 24])
def test_standard_library_reads_mono_and_stereo(bits: int) -> None:
    for samples, channels in ((tone(), 1), (tone(channels=2), 2)):
        with wave.open(io.BytesIO(encode_wave(samples, 48000, bits))) as file:
            assert file.getparams()[:4] == (channels, bits // 8, 48000, 4801)
            assert len(file.readframes(10**6)) == 4801 * channels * bits // 8


@pytest.mark.parametrize("bits", [16, 24])
def test_over_full_scale_is_held_and_never_wraps(bits: int) -> None:
    samples = np.array([1.0, -1.0, 1.7, -1.7, 0.999999999, 1e30, -1e30] * 50, dtype=np.float64)
    read, _ = soundfile.read(io.BytesIO(encode_wave(samples, 48000, bits)), dtype="float64")
    assert (np.sign(read) == np.sign(samples)).all()
    assert np.abs(read).min() > 0.9999


def test_16_bit_dither_keeps_a_tone_below_one_step_and_is_free_of_distortion() -> None:
    step = 1 / 2**15
    frames = 48000
    quiet = 0.4 * step * np.sin(2 * np.pi * 1000 * np.arange(frames) / 48000)
    read, _ = soundfile.read(io.BytesIO(encode_wave(quiet, 48000, 16)), dtype="float64")
    spectrum = np.abs(np.fft.rfft(read)) / (frames / 2)
    assert spectrum[1000] == pytest.approx(0.4 * step, rel=0.1)
    assert spectrum[[2000, 3000, 5000, 7000]].max() < 0.05 * step
    error = read - quiet
    assert np.var(error) == pytest.approx(0.25 * step**2, rel=0.05)
    assert abs(error.mean()) < 0.01 * step


def test_dither_is_the_same_for_the_same_seed_and_only_in_16_bit() -> None:
    silence = np.zeros(1000, dtype=np.float32)
    assert encode_wave(silence, bits=16, dither_seed=3) == encode_wave(silence, bits=16, dither_seed=3)
    assert encode_wave(silence, bits=16, dither_seed=3) != encode_wave(silence, bits=16, dither_seed=4)
    assert not any(dict(walk(encode_wave(silence, bits=24)))[b"data"])
    assert not any(dict(walk(encode_wave(silence, bits=32)))[b"data"])


idents = st.text("ABCDEFGHabcdefgh0123 ", min_size=4, max_size=4).map(str.encode)
reserved = {b"fmt ", b"data", b"fact", b"RIFF"}


@given(
    extra=st.lists(
        st.builds(Chunk, idents.filter(lambda ident: ident not in reserved), st.binary(max_size=65)),
        max_size=5,
    ),
    frames=st.integers(1, 9),
    channels=st.integers(1, 3),
    bits=st.sampled_from([16, 24, 32]),
)
@settings(max_examples=80, deadline=None)
def test_any_chunks_give_right_sizes_and_walk_cleanly(
    extra: list[Chunk], frames: int, channels: int, bits: int
) -> None:
    data = encode_wave(np.zeros((frames, channels), dtype=np.float32), 48000, bits, extra)
    assert len(data) % 2 == 0
    chunks = walk(data)
    named = [(ident, payload) for ident, payload in chunks if ident not in reserved]
    assert named == [(chunk.ident, chunk.payload) for chunk in extra]
    assert chunks[0][0] == b"fmt " and chunks[-1][0] == b"data"
    assert len(chunks[-1][1]) == frames * channels * bits // 8


def test_float_file_states_its_frames() -> None:
    chunks = dict(walk(encode_wave(tone(frames=123), bits=32)))
    assert struct.unpack("<I", chunks[b"fact"]) == (123,)


@pytest.mark.parametrize("ident", [b"abc", b"abcde", b"ab\xffd", b"ab\0d"])
def test_chunk_names_are_four_ascii_bytes(ident: bytes) -> None:
    with pytest.raises(ValueError):
        Chunk(ident, b"")


def test_4_gib_is_refused_before_anything_is_computed() -> None:
    endless = np.broadcast_to(np.float32(0), (LARGEST_RIFF // 3 + 1,))
    with pytest.raises(DeliveryError, match="4 GiB"):
        encode_wave(endless, 48000, 24)


@pytest.mark.parametrize(
    "samples",
    [
        np.array([], dtype=np.float32),
        np.zeros((10, 0), dtype=np.float32),
        np.zeros((2, 2, 2), dtype=np.float32),
        np.zeros(10, dtype=np.int16),
        np.array([0.0, np.nan]),
        np.array([0.0, -np.inf], dtype=np.float32),
    ],
)
def test_what_is_no_clip_gets_one_sentence(samples: np.ndarray) -> None:
    with pytest.raises(DeliveryError) as caught:
        encode_wave(samples)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_unknown_bit_depth_and_impossible_rates_are_refused() -> None:
    with pytest.raises(DeliveryError, match="20"):
        encode_wave(tone(), bits=20)
    for rate in (0, 2**32):
        with pytest.raises(DeliveryError, match="Hz"):
            encode_wave(tone(), sample_rate=rate)


@pytest.mark.parametrize("shape", [(4800,), (4800, 2)])
def test_fades_start_and_end_at_zero_and_leave_the_middle_and_the_original(shape: tuple[int, ...]) -> None:
    samples = np.ones(shape, dtype=np.float32)
    faded = fade_ends(samples, 48000)
    assert faded.dtype == np.float32 and (samples == 1.0).all()
    assert not faded[0].any() and not faded[-1].any()
    assert (faded[240:-240] == 1.0).all()
    assert (faded[1:240] < 1.0).all() and (faded[-240:] < 1.0).all()
    assert np.abs(np.diff(faded, axis=0)).max() < 0.01
    np.testing.assert_array_equal(faded, faded[::-1])


def test_fades_of_a_very_short_clip_meet_in_the_middle() -> None:
    faded = fade_ends(np.ones(11, dtype=np.float32), 48000)
    assert faded[0] == faded[-1] == 0.0 and faded[5] == 1.0
    assert (fade_ends(np.ones(1), 48000) == 1.0).all()
    assert (fade_ends(np.ones(100), 48000, 0.0) == 1.0).all()
    for milliseconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            fade_ends(np.ones(10), 48000, milliseconds)
