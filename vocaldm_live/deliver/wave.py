"""Wave: samples and metadata chunks become the bytes of a RIFF/WAVE file.

Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, PCM,
LIST); Microsoft, "New Multimedia Data Types" (fact chunk, IEEE float); `WAVEFORMATEXTENSIBLE` for more
than two channels; EBU Tech 3285 for what a broadcast file may hold.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vocaldm_live.errors import DeliveryError

BIT_DEPTHS = (16, 24, 32)
LARGEST_RIFF = 0xFFFFFFFE  # the size field is 32 bits wide, and all ones means "see the ds64 chunk" in RF64

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of every KSDATAFORMAT_SUBTYPE


@dataclass(frozen=True)
class Chunk:
    """One RIFF chunk: four ASCII bytes of name, then its payload without size and padding."""

    ident: bytes
    payload: bytes

    def __post_init__(self) -> None:
        if len(self.ident) != 4 or not all(0x20 <= byte < 0x7F for byte in self.ident):
            raise ValueError(f"A chunk's name is four printable ASCII bytes, not {self.ident!r}.")

    def encode(self) -> bytes:
        """Name, little-endian size of the payload, payload, and a zero byte when its length is odd."""
        return self.ident + struct.pack("<I", len(self.payload)) + self.payload + bytes(len(self.payload) % 2)


def encode_wave(
    samples: np.ndarray,
    sample_rate: int = 48000,
    bits: int = 24,
    chunks: Sequence[Chunk] = (),
    dither_seed: int = 0,
) -> bytes:
    """A whole WAV file: `fmt `, `fact` where it is float, then `chunks` in their order, then `data`.

    `samples` are floats `[frames]` or `[frames, channels]` with full scale 1.0. `bits` 16 and 24 are
    integer PCM, 32 is IEEE float. Values are rounded to the nearest step and held at full scale, they
    never wrap; only 16 bit gets dither, the same for the same `dither_seed`. Raises DeliveryError when
    the samples are not finite floats or the file would reach 4 GiB.
    """
    frames, channels = check_layout(samples)
    if bits not in BIT_DEPTHS:
        raise DeliveryError(
            f"A bit depth of {bits} is not possible: choose 16, 24 or 32 (32 is floating point)."
        )
    align = channels * bits // 8
    if not 1 <= sample_rate <= 0xFFFFFFFF // align or align > 0xFFFF:
        raise DeliveryError(
            f"A WAV file cannot hold {channels} channels at {sample_rate} Hz: give a rate such as 48000 Hz."
        )
    head = [_format_chunk(channels, sample_rate, bits)]
    if bits == 32:
        head.append(Chunk(b"fact", struct.pack("<I", min(frames, LARGEST_RIFF))))
    front = b"".join(chunk.encode() for chunk in (*head, *chunks))
    data_size = frames * align
    riff_size = 4 + len(front) + 8 + data_size + data_size % 2
    if riff_size > LARGEST_RIFF:
        raise DeliveryError(
            f"The clip would fill {riff_size / 2**30:.1f} GiB and a WAV file ends at 4 GiB: "
            "make it shorter or lower its bit depth."
        )
    check_finite(samples)
    data = _encode_samples(samples, bits, dither_seed)
    pieces = (b"RIFF", struct.pack("<I", riff_size), b"WAVE", front)
    return b"".join((*pieces, b"data", struct.pack("<I", data_size), data, bytes(data_size % 2)))


def fade_ends(
    samples: np.ndarray,
    sample_rate: int,
    milliseconds: float = 5.0,
    ends: tuple[bool, bool] = (True, True),
) -> np.ndarray:
    """A copy of `samples` (`[frames]` or `[frames, channels]`) that rises from zero and falls to zero.

    Each fade is half a Hann window of `milliseconds`, or half of the clip where that is shorter; 0 ms
    fades nothing. `ends` says whether the begin and the end are faded. Raises ValueError when `milliseconds` is
    negative or not finite.
    """
    faded = np.array(samples, copy=True)
    ramp = fade_ramp(len(faded), sample_rate, milliseconds).astype(faded.dtype)
    if len(ramp):
        ramp = ramp.reshape(-1, *([1] * (faded.ndim - 1)))
        if ends[0]:
            faded[: len(ramp)] *= ramp
        if ends[1]:
            faded[-len(ramp) :] *= ramp[::-1]
    return faded


def fade_ramp(frames: int, sample_rate: int, milliseconds: float = 5.0) -> np.ndarray:
    """The gains `[n]` with which a clip of so many frames begins, and backwards ends; see `fade_ends`."""
    if not 0.0 <= milliseconds < float("inf"):
        raise ValueError(f"A fade lasts 0 ms or more, not {milliseconds}.")
    count = min(round(sample_rate * milliseconds / 1000.0), frames // 2)
    return np.sin(0.5 * np.pi * np.arange(count) / max(count, 1)) ** 2


def loop_chunk(frames: int, sample_rate: int) -> Chunk:
    """`smpl`: one endless forward loop over the whole sound (RIFF MCI 1.0, "Sample chunk"), as samplers read it.

    The unity note is middle C; the last frame of the loop is played too.
    """
    head = struct.pack("<9I", 0, 0, round(1e9 / sample_rate), 60, 0, 0, 0, 1, 0)
    return Chunk(b"smpl", head + struct.pack("<6I", 0, 0, 0, frames - 1, 0, 0))


def check_layout(samples: np.ndarray) -> tuple[int, int]:
    """Frames and channels of `samples`; raises DeliveryError when they are not a clip's floats."""
    if not isinstance(samples, np.ndarray) or not np.issubdtype(samples.dtype, np.floating):
        raise DeliveryError(
            "The clip's samples are not floating-point numbers: give floats with full scale 1.0."
        )
    if samples.ndim not in (1, 2) or 0 in samples.shape:
        raise DeliveryError(
            f"The clip's samples have the shape {list(samples.shape)}: "
            "give [frames] or [frames, channels] with at least one of each."
        )
    return len(samples), 1 if samples.ndim == 1 else samples.shape[1]


def check_finite(samples: np.ndarray) -> None:
    """Raise DeliveryError when a sample is NaN or infinite."""
    if not np.isfinite(samples).all():
        raise DeliveryError(
            "The clip holds samples that are NaN or infinite and was not written: "
            "try another seed, a lower guidance or --device cpu."
        )


def _format_chunk(channels: int, sample_rate: int, bits: int) -> Chunk:
    align = channels * bits // 8
    tag = _FLOAT if bits == 32 else _PCM
    plain = struct.pack("<HIIHH", channels, sample_rate, sample_rate * align, align, bits)
    if channels > 2:
        # Speaker mask 0: the channels have no fixed positions.
        extension = struct.pack("<HHIH", 22, bits, 0, tag) + _SUBFORMAT_TAIL
        return Chunk(b"fmt ", struct.pack("<H", _EXTENSIBLE) + plain + extension)
    extra = struct.pack("<H", 0) if tag == _FLOAT else b""
    return Chunk(b"fmt ", struct.pack("<H", tag) + plain + extra)


def _encode_samples(samples: np.ndarray, bits: int, dither_seed: int) -> bytes:
    if bits == 32:
        limit = float(np.finfo(np.float32).max)
        return np.clip(samples, -limit, limit).astype("<f4").tobytes()
    full = float(2 ** (bits - 1))
    scaled = samples.astype(np.float64) * full
    if bits == 16:
        # Triangular dither of two steps' width makes the error's mean and power independent of the sound
        # (Lipshitz, Wannamaker and Vanderkooy, "Quantization and dither", JAES 1992).
        random = np.random.default_rng(dither_seed)
        scaled += random.random(scaled.shape) - random.random(scaled.shape)
    steps = np.clip(np.rint(scaled), -full, full - 1.0).astype("<i4")
    width = bits // 8
    return np.ascontiguousarray(steps).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
