"""Reading sounds: any channels and rate become a mono Sound, and each kind of bad file gets one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vocaldm_live.errors import SoundError
from vocaldm_live.sound.audio import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Sound,
    check_imitation,
    read_sound,
    resample,
    sound_files,
)


def tone(frequency: float, seconds: float, rate: int, peak: float = 0.5) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def strongest(samples: np.ndarray, rate: int) -> float:
    """Frequency of the highest spectral peak in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * rate / len(samples)


def is_one_sentence(text: str) -> bool:
    """One line, and one full stop that ends a sentence: the last character."""
    return "\n" not in text and [found.end() for found in re.finditer(r"[.!?](?=[\s)'\"]|$)", text)] == [
        len(text)
    ]


def missing(folder: Path) -> Path:
    return folder / "nothing.wav"


def a_folder(folder: Path) -> Path:
    (folder / "deeper.wav").mkdir()
    return folder / "deeper.wav"


def text_file(folder: Path) -> Path:
    path = folder / "notes.wav"
    path.write_text("remember to record the door")
    return path


def no_bytes(folder: Path) -> Path:
    path = folder / "empty.wav"
    path.touch()
    return path


def no_samples(folder: Path) -> Path:
    path = folder / "header.wav"
    soundfile.write(path, np.zeros(0), 48000)
    return path


def cut_header(folder: Path) -> Path:
    path = folder / "cut.wav"
    soundfile.write(path, tone(440, 0.2, 48000), 48000)
    path.write_bytes(path.read_bytes()[:30])
    return path


def cut_flac(folder: Path) -> Path:
    path = folder / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 48000), 48000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def headerless(folder: Path) -> Path:
    path = folder / "samples.raw"
    path.write_bytes(bytes(2000))
    return path


def not_a_number(folder: Path) -> Path:
    path = folder / "nan.wav"
    samples = tone(440, 0.2, 48000)
    samples[1000] = np.nan
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    return path


def infinite(folder: Path) -> Path:
    path = folder / "infinite.wav"
    samples = tone(440, 0.2, 48000)
    samples[1000] = np.inf
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "does not exist"),
        (a_folder, "is a folder"),
        (text_file, "cannot be read as audio"),
        (no_bytes, "cannot be read as audio"),
        (no_samples, "holds no samples"),
        (cut_header, "cannot be read as audio"),
        (cut_flac, "cannot be read as audio"),
        (headerless, "cannot be read as audio"),
        (not_a_number, "not numbers"),
        (infinite, "not numbers"),
    ],
)
def test_a_bad_file_gets_one_sentence_that_names_it(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path)
    with pytest.raises(SoundError) as caught:
        read_sound(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and says in message
    assert is_one_sentence(message), message


def test_eight_channels_are_mixed(tmp_path: Path) -> None:
    channels = np.stack([tone(200.0 * (k + 1), 0.25, 48000) for k in range(8)], axis=1)
    soundfile.write(tmp_path / "ring.wav", channels, 48000, subtype="FLOAT")
    sound = read_sound(tmp_path / "ring.wav")
    assert sound.samples.ndim == 1 and sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, channels.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "aiff"])
def test_formats_give_the_same_sound(tmp_path: Path, ending: str) -> None:
    soundfile.write(tmp_path / f"tone.{ending}", tone(1000.0, 0.5, 44100), 44100)
    sound = read_sound(str(tmp_path / f"tone.{ending}"))
    assert (sound.sample_rate, sound.seconds) == (44100, pytest.approx(0.5))
    assert strongest(sound.samples, 44100) == pytest.approx(1000.0, abs=2.0)
    assert np.sqrt(np.mean(sound.samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_only_the_wanted_seconds_are_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(440.0, 2.0, 16000), 16000)
    assert read_sound(tmp_path / "long.wav", longest=0.75).seconds == 0.75
    assert read_sound(tmp_path / "long.wav", longest=5.0).seconds == 2.0


def test_192_khz_keeps_what_is_heard_and_drops_what_is_not(tmp_path: Path) -> None:
    high = tone(1000.0, 0.5, 192000, 0.4) + tone(60000.0, 0.5, 192000, 0.4)
    soundfile.write(tmp_path / "high.wav", high, 192000, subtype="FLOAT")
    sound = read_sound(tmp_path / "high.wav").at(48000)
    assert (sound.sample_rate, len(sound.samples), sound.samples.dtype) == (48000, 24000, np.float32)
    inner = slice(2400, -2400)
    np.testing.assert_allclose(sound.samples[inner], tone(1000.0, 0.5, 48000, 0.4)[inner], atol=1e-3)


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    samples = tone(440.0, 0.1, 48000)
    assert np.array_equal(resample(samples, 48000, 48000), samples)
    sound = Sound(samples, 48000)
    assert sound.at(48000) is sound


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (Sound(tone(440.0, SHORTEST_SECONDS - 0.005, 48000), 48000), "45 ms long"),
        (Sound(np.zeros(0, np.float32), 48000), "0 ms long"),
        (Sound(tone(440.0, LONGEST_SECONDS + 1, 8000), 8000), "61 s long"),
        (Sound(tone(440.0, 0.5, 7999), 7999), "7999 Hz"),
        (Sound(np.zeros(24000, np.float32), 48000), "silent"),
        (Sound(tone(440.0, 0.5, 48000, 0.9e-4), 48000), "silent"),
        (Sound(np.full(24000, 0.3, np.float32), 48000), "silent"),
        (Sound(np.full(24000, np.nan, np.float32), 48000), "not numbers"),
    ],
)
def test_what_cannot_be_imitated_is_turned_away(sound: Sound, says: str) -> None:
    with pytest.raises(SoundError) as caught:
        check_imitation(sound, "hum.wav")
    message = str(caught.value)
    assert message.startswith("hum.wav") and says in message
    assert is_one_sentence(message), message


@pytest.mark.parametrize(
    "sound",
    [
        Sound(tone(440.0, SHORTEST_SECONDS, 48000), 48000),
        Sound(tone(440.0, LONGEST_SECONDS, 8000), 8000),
        Sound(tone(440.0, 0.5, 48000, 2e-4), 48000),
    ],
)
def test_sounds_at_the_limits_are_taken(sound: Sound) -> None:
    assert check_imitation(sound, "hum.wav") is sound


def test_digest_tells_sounds_apart() -> None:
    samples = tone(440.0, 0.1, 48000)
    same = Sound(samples, 48000).digest()
    changed = samples.copy()
    changed[2000] = np.nextafter(changed[2000], np.float32(1.0))
    assert Sound(samples.copy(), 48000).digest() == same
    assert Sound(np.repeat(samples, 2)[::2], 48000).digest() == same
    assert Sound(changed, 48000).digest() != same
    assert Sound(samples, 44100).digest() != same
    assert Sound(samples[:-1], 48000).digest() != same


def test_sound_files_are_listed_by_name_without_unfinished_ones(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", ".hidden.wav", ".c.wav.part", "d.wav.part", "notes.txt", "e.mp3"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "folder.wav" / "inner.wav").touch()
    assert [path.name for path in sound_files(tmp_path)] == ["a.flac", "b.WAV", "e.mp3"]
