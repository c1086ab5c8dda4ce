"""Pictures: written, of the stated size, and showing the sound where it is."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from vocaldm_live.errors import DeliveryError, SoundError
from vocaldm_live.measure.picture import HIGHEST_HZ, LOWEST_HZ, Pair, contact_sheet, log_spectrogram, picture

RATE = 48000


def tone(frequency: float, seconds: float = 0.5) -> np.ndarray:
    return 0.2 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize("frequency", [100.0, 440.0, 5000.0])
def test_spectrogram_shows_a_tone_at_its_row(frequency: float) -> None:
    spectrogram = log_spectrogram(tone(frequency), RATE)
    assert spectrogram.max() == pytest.approx(0) and spectrogram.min() >= -80.001
    row = int(np.argmax(spectrogram.mean(axis=1)))
    rows = np.geomspace(LOWEST_HZ, HIGHEST_HZ, spectrogram.shape[0] + 2)[1:-1]
    assert abs(np.log2(rows[row] / frequency)) < 0.15


def test_spectrogram_of_silence_is_dark() -> None:
    assert (log_spectrogram(np.zeros(RATE), RATE) == -80).all()


def test_picture_is_written_at_1200_by_600_for_sounds_of_different_lengths(tmp_path: Path) -> None:
    path = picture(tone(300), tone(600, 0.8), RATE, tmp_path / "new" / "pair.png", "a tone", caption="r 0.9")
    assert png_size(path) == (1200, 600)
    assert path.stat().st_size > 15_000


@pytest.mark.slow
def test_different_sounds_give_different_pictures_and_the_same_the_same(tmp_path: Path) -> None:
    one = picture(tone(300), np.zeros(RATE // 2), RATE, tmp_path / "1.png", "t").read_bytes()
    again = picture(tone(300), np.zeros(RATE // 2), RATE, tmp_path / "2.png", "t").read_bytes()
    other = picture(tone(300), tone(900), RATE, tmp_path / "3.png", "t").read_bytes()
    assert one == again and one != other


@pytest.mark.slow
def test_contact_sheet_holds_all_rows(tmp_path: Path) -> None:
    rows = [Pair(f"pair {i}", tone(200 * (i + 1)), tone(300), RATE) for i in range(2)]
    assert png_size(contact_sheet(rows, tmp_path / "sheet.png")) == (1200, 840)


def test_refusals_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="no pairs"):
        contact_sheet([], tmp_path / "sheet.png")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DeliveryError, match="can't be written"):
        picture(tone(300, 0.1), tone(300, 0.1), RATE, tmp_path / "file" / "x.png", "t")


def test_drawing_touches_no_global_figure_state(tmp_path: Path) -> None:
    before = "matplotlib.pyplot" in sys.modules
    picture(tone(300, 0.1), tone(300, 0.1), RATE, tmp_path / "x.png", "t")
    assert ("matplotlib.pyplot" in sys.modules) == before
