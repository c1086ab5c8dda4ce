"""Sound: a mono recording in memory, read from a file or checked from samples."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vocaldm_live.errors import SoundError

SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 60.0
SILENCE_PEAK = 1e-4
SOUND_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".aifc", ".w64", ".rf64"}
)


@dataclass(frozen=True)
class Sound:
    """Mono samples, float32 `[n]` with full scale 1.0, and their sample rate in Hz."""

    samples: np.ndarray
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def at(self, sample_rate: int) -> Sound:
        """The same sound at another rate."""
        return (
            self
            if sample_rate == self.sample_rate
            else Sound(resample(self.samples, self.sample_rate, sample_rate), sample_rate)
        )

    def digest(self) -> str:
        """SHA-256 of rate and samples, the identity of an imitation in recipes."""
        state = hashlib.sha256(str(self.sample_rate).encode())
        state.update(np.ascontiguousarray(self.samples, dtype="<f4").tobytes())
        return state.hexdigest()


def read_sound(path: str | Path, longest: float | None = None) -> Sound:
    """Read an audio file as mono (the mean of its channels).

    `longest` cuts what lies beyond that many seconds. Raises SoundError when the file is missing,
    is not audio, is empty or holds values that are not numbers.
    """
    path = Path(path)
    if not path.exists():
        raise SoundError(f"{path} does not exist: check the name.")
    if path.is_dir():
        raise SoundError(
            f"{path} is a folder: name a sound file, or give the folder to a command that takes folders."
        )
    # As bytes, because a name need not be text; Windows has names of text only.
    return _decode(str(path) if os.name == "nt" else os.fsencode(path), str(path), longest)


def decode_sound(data: bytes, name: str, longest: float | None = None) -> Sound:
    """Read an audio file that is in memory, `name` being what errors call it; otherwise as `read_sound`."""
    return _decode(io.BytesIO(data), name, longest)


def sound_length(path: Path) -> tuple[int, int]:
    """Samples a channel and sample rate in Hz, from the file's header alone; raises SoundError as `read_sound`."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path) if os.name == "nt" else os.fsencode(path)) as file:
            return file.frames, file.samplerate
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError) as error:
        raise _not_audio(str(path), error) from error


def _not_audio(name: str, error: Exception) -> SoundError:
    reason = str(getattr(error, "error_string", error)).rstrip(".").replace(". ", ", ")
    return SoundError(f"{name} cannot be read as audio ({reason}): give a WAV, FLAC, OGG, MP3 or AIFF file.")


def _decode(source: Any, name: str, longest: float | None) -> Sound:
    import soundfile

    try:
        with soundfile.SoundFile(source) as file:
            rate = int(file.samplerate)
            wanted = -1 if longest is None else int(longest * rate)
            data = file.read(wanted, dtype="float32", always_2d=True)
    # TypeError: soundfile takes the ending .raw for samples without a header.
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError) as error:
        raise _not_audio(name, error) from error
    if not len(data):
        raise SoundError(f"{name} holds no samples: record it again.")
    if not np.isfinite(data).all():
        raise SoundError(f"{name} holds samples that are not numbers (NaN or infinite): export it again.")
    return Sound(np.ascontiguousarray(data.mean(axis=1)), rate)


def check_imitation(sound: Sound, name: str) -> Sound:
    """Return `sound` when it can be imitated; raise SoundError when it is too short, too long or silent."""
    if not np.isfinite(sound.samples).all():
        raise SoundError(f"{name} holds samples that are not numbers (NaN or infinite): export it again.")
    if sound.seconds < SHORTEST_SECONDS:
        raise SoundError(
            f"{name} is {sound.seconds * 1000:.0f} ms long: an imitation needs at least {SHORTEST_SECONDS * 1000:.0f} ms."
        )
    if sound.seconds > LONGEST_SECONDS:
        raise SoundError(f"{name} is {sound.seconds:.0f} s long: cut it to {LONGEST_SECONDS:.0f} s or less.")
    if sound.sample_rate < 8000:
        raise SoundError(f"{name} has a sample rate of {sound.sample_rate} Hz: record it at 8000 Hz or more.")
    if np.abs(sound.samples - sound.samples.mean()).max() < SILENCE_PEAK:
        raise SoundError(f"{name} is silent (peak below -80 dBFS): check the microphone and record it again.")
    return sound


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resample float32 `[n]` from one rate to another with soxr's HQ recipe."""
    if from_rate == to_rate:
        return np.asarray(samples, dtype=np.float32)
    import soxr

    return np.asarray(
        soxr.resample(np.asarray(samples, dtype=np.float32), from_rate, to_rate, quality="HQ"),
        dtype=np.float32,
    )


def sound_files(folder: Path) -> list[Path]:
    """The sound files directly inside `folder`, by name; hidden and unfinished files are left out."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.is_file() and entry.suffix.lower() in SOUND_SUFFIXES and not entry.name.startswith(".")
    )
