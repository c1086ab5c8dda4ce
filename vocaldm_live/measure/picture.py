"""Pictures: an imitation and its clip side by side, with what was measured drawn on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vocaldm_live.errors import DeliveryError, SoundError
from vocaldm_live.measure.spectra import Array, mono, stft_magnitude, triangular_bands
from vocaldm_live.sound.sketch import Sketch, measure_sketch, note_to_hz

RANGE_DB = 80.0  # shown below each spectrogram's own peak
LOWEST_HZ, HIGHEST_HZ = 40.0, 20_000.0
ROWS = 240
WIDTH, DOTS_PER_INCH = 1200, 100
IMITATION_COLOUR, CLIP_COLOUR = "#2a78c2", "#e0662b"
PITCH_COLOUR, CENTROID_COLOUR = "#39e6ff", "#ffffff"


@dataclass(frozen=True)
class Pair:
    """An imitation and its clip, both [samples] at one rate, with the line to print above them."""

    title: str
    imitation: ArrayLike
    clip: ArrayLike
    sample_rate: int


def log_spectrogram(samples: ArrayLike, sample_rate: int) -> Array:
    """Spectrogram in dB re its own peak on a logarithmic frequency axis, 40 Hz to 20 kHz: [240, frames].

    Frames of 43 ms, 200 a second at most; silence gives -80 dB throughout. Raises SoundError on an
    unusable sound.
    """
    array = mono(samples)
    size = 1 << round(np.log2(0.043 * sample_rate))
    hop = max(1, round(sample_rate / 200), array.size // 4000)
    power = stft_magnitude(array, size, hop) ** 2
    corners = np.geomspace(LOWEST_HZ, HIGHEST_HZ, ROWS + 2)
    bands = (power @ triangular_bands(corners, size, sample_rate)).T
    peak = bands.max()
    if peak <= 1e-14:
        return np.full(bands.shape, -RANGE_DB)
    return 10 * np.log10(np.maximum(bands / peak, 10 ** (-RANGE_DB / 10)))


def _draw_spectrogram(
    axes: Any, samples: Array, sample_rate: int, sketch: Sketch, title: str, longest: float
) -> None:
    from matplotlib.patheffects import withStroke

    seconds = samples.size / sample_rate
    axes.imshow(
        log_spectrogram(samples, sample_rate),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, seconds, np.log10(LOWEST_HZ), np.log10(HIGHEST_HZ)),
    )
    time = (np.arange(len(sketch.loudness)) + 0.5) / 100
    heard = sketch.loudness > max(float(sketch.loudness.max()) - 50.0, -79.0)
    halo = [withStroke(linewidth=3.2, foreground="black", alpha=0.65)]
    centroid = np.where(heard, np.log10(np.maximum(note_to_hz(sketch.centroid), 1.0)), np.nan)
    pitch = np.where(sketch.pitch > 0, np.log10(np.maximum(note_to_hz(sketch.pitch), 1.0)), np.nan)
    axes.plot(time, centroid, color=CENTROID_COLOUR, linewidth=1.4, label="centroid", path_effects=halo)
    axes.plot(time, pitch, color=PITCH_COLOUR, linewidth=1.8, label="pitch", path_effects=halo)
    ticks = np.array([50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000])
    axes.set_yticks(np.log10(ticks), [f"{t // 1000}k" if t >= 1000 else str(t) for t in ticks])
    axes.set_ylim(np.log10(LOWEST_HZ), np.log10(HIGHEST_HZ))
    axes.set_xlim(0, longest)
    axes.set_facecolor("black")
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(labelsize=8)


def _draw_loudness(axes: Any, imitation: Sketch, clip: Sketch, seconds: float) -> None:
    low, high = 0.0, -RANGE_DB
    rows = ((imitation, "imitation", IMITATION_COLOUR), (clip, "clip", CLIP_COLOUR))
    for sketch, label, colour in rows:
        time = (np.arange(len(sketch.loudness)) + 0.5) / 100
        axes.plot(time, sketch.loudness, color=colour, linewidth=1.5, label=label)
        low, high = min(low, float(sketch.loudness.min())), max(high, float(sketch.loudness.max()))
    axes.set_xlim(0, seconds)
    axes.set_ylim(max(low, high - 60.0) - 3.0, high + 4.0)
    axes.grid(True, alpha=0.3)
    axes.tick_params(labelsize=8)


def _draw_pair(figure: Any, pair: Pair, caption: str, row: int, height: int) -> None:
    """One pair in the `row`th strip of `height` pixels: title, two spectrograms, both loudness curves."""
    imitation, clip = mono(pair.imitation, "imitation"), mono(pair.clip, "clip")
    sketches = [measure_sketch(each.astype(np.float32), pair.sample_rate) for each in (imitation, clip)]
    whole = figure.get_figheight() * DOTS_PER_INCH

    def at(pixels_from_top: float) -> float:
        return 1 - (row * height + pixels_from_top) / whole

    split = height - 76 - 0.22 * height
    sides = {"left": 62 / WIDTH, "right": 1 - 14 / WIDTH}
    upper = figure.add_gridspec(1, 2, top=at(48), bottom=at(split), wspace=0.075, **sides)
    lower = figure.add_gridspec(1, 1, top=at(split + 42), bottom=at(height - 34), **sides)
    figure.text(0.5, at(17), pair.title, fontsize=12, ha="center", va="center")
    left, right = figure.add_subplot(upper[0, 0]), figure.add_subplot(upper[0, 1])
    below = figure.add_subplot(lower[0, 0])
    longest = max(imitation.size, clip.size) / pair.sample_rate
    _draw_spectrogram(left, imitation, pair.sample_rate, sketches[0], "imitation", longest)
    _draw_spectrogram(right, clip, pair.sample_rate, sketches[1], "clip", longest)
    left.set_ylabel("Hz", fontsize=9)
    above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    above |= {"fontsize": 8, "ncols": 2}
    right.legend(**above, facecolor="black", labelcolor="white", framealpha=0.8)
    _draw_loudness(below, sketches[0], sketches[1], longest)
    below.set_ylabel("loudness, dB", fontsize=9)
    below.set_xlabel("s", fontsize=9, labelpad=0)
    below.legend(**above, frameon=False)
    below.set_title(caption, fontsize=9, loc="left")


def _save(figure: Any, path: str | Path) -> Path:
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=DOTS_PER_INCH, format="png")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DeliveryError(
            f"The picture {target} can't be written ({reason}): choose another folder."
        ) from error
    return target


def _figure(height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / DOTS_PER_INCH, height / DOTS_PER_INCH))
    FigureCanvasAgg(figure)
    return figure


def picture(
    imitation: ArrayLike,
    clip: ArrayLike,
    sample_rate: int,
    path: str | Path,
    title: str,
    caption: str = "",
) -> Path:
    """Write a PNG of 1200 x 600: two spectrograms with pitch and centroid on top, both loudness curves below.

    Sounds are [samples]; each spectrogram is in dB re its own peak, 80 dB deep, so colours compare shapes
    and not levels; loudness is as measured, its axis at most 60 dB deep. `caption` goes above the loudness
    curves (figures, say). Raises SoundError on an unusable sound, DeliveryError on an unwritable path.
    """
    figure = _figure(600)
    _draw_pair(figure, Pair(title, imitation, clip, sample_rate), caption, 0, 600)
    return _save(figure, path)


def contact_sheet(rows: Sequence[Pair], path: str | Path) -> Path:
    """Write one PNG, 1200 wide and 420 a pair, of several pairs drawn as by `picture`.

    Raises SoundError on no pairs or an unusable sound, DeliveryError on an unwritable path.
    """
    if not rows:
        raise SoundError("There are no pairs to draw: give at least one imitation with its clip.")
    figure = _figure(420 * len(rows))
    for row, pair in enumerate(rows):
        _draw_pair(figure, pair, "", row, 420)
    return _save(figure, path)
