"""Canvas: the sound of an edit laid out as the result will be, what of it is known, and the curves that drive the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vocaldm_live.engine.brightness import brightened
from vocaldm_live.engine.curves import bridged, cut, extended, performed
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.errors import RequestError
from vocaldm_live.sound.audio import SILENCE_PEAK, Sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.sketch import HOP, SKETCH_RATE, Sketch, measure_sketch

# The middle of the peaks that sounds were trained with: a latent at another level would be foreign to the model.
TRAINED_PEAK = 10.0 ** (-8.0 / 20.0)
LARGEST_GAIN = 100.0


@dataclass(frozen=True)
class Canvas:
    """The result's layout before anything is made.

    base: float32 `[n]` at the geometry's rate, the kept samples at their place, zeros where there is nothing yet;
    new: bool `[n]`, true in the spans that are made anew; sketch: curves over all of it, levelled; drawn: bool
    `[sketch frames]`, false where no curve is to be followed; gain: what brings `base` to the level that the
    model knows; level_db: what levelled the sketch; turned: samples by which a loop was turned to put its seam inside.
    """

    base: np.ndarray
    new: np.ndarray
    sketch: Sketch
    drawn: np.ndarray
    gain: float
    level_db: float
    turned: int = 0


def lay_out(request: ResolvedRequest, geometry: Geometry) -> Canvas:
    """The canvas of any edit but morph; RequestError for a sound that is silent."""
    edit, source = request.edit, request.source
    assert edit is not None and source is not None
    rate = geometry.sample_rate
    samples = source.at(rate).samples
    sketch = measure_sketch(source.samples, source.sample_rate)
    turned = 0
    if edit.kind == "loop":
        begin, end = (round(edge * rate) for edge in edit.spans[0]) if edit.spans else (0, len(samples))
        samples = samples[begin:end]
        sketch = cut(
            sketch, round(begin * SKETCH_RATE / rate / HOP), round(len(samples) / rate * SKETCH_RATE / HOP)
        )
        turned = len(samples) // 2
        samples = np.roll(samples, turned)
        sketch = Sketch.of(np.roll(sketch.array(), sketch.frames // 2, axis=1))
        half = round(0.5 * edit.seam * rate)
        spans = [(turned - half, turned + half)]
    elif edit.kind == "extend":
        before, after = round(edit.before * rate), round(edit.after * rate)
        spans = [
            span
            for span in ((0, before), (before + len(samples), before + len(samples) + after))
            if span[0] < span[1]
        ]
        samples = np.pad(samples, (before, after))
        front, back = (round(count / rate * SKETCH_RATE / HOP) for count in (before, after))
        sketch = extended(sketch, front, back, edit.gesture == "mirror")
    elif edit.spans:
        spans = [(round(begin * rate), min(len(samples), round(end * rate))) for begin, end in edit.spans]
    else:
        spans = [(0, len(samples))]
    new = np.zeros(len(samples), bool)
    for begin, end in spans:
        new[begin:end] = True
    frames = -(-len(samples) * SKETCH_RATE // (rate * HOP))
    sketch = sketch.fitted(frames)
    holes = np.zeros(frames, bool)
    for begin, end in spans:
        holes[begin * SKETCH_RATE // (rate * HOP) : -(-end * SKETCH_RATE // (rate * HOP))] = True
    # What goes has no say in the level either: peak and loudest frames are those of what stays.
    stays = edit.kind in ("inpaint", "extend", "loop") and audible(samples[~new]) and not holes.all()
    gain = model_gain(samples[~new] if stays else samples)
    level_db = Sketch.of(sketch.array()[:, ~holes if stays else slice(None)]).levelled()[1]
    sketch = sketch.raised(level_db)
    drawn = np.ones(frames, bool)
    if edit.voice:
        sketch = performed(sketch, holes, measured(request.voice)[0])
    elif edit.gesture == "bridge" and edit.kind == "band":
        sketch = brightened(sketch, samples, rate, edit.low, edit.high)
    elif edit.gesture == "bridge":
        sketch = bridged(sketch, holes)
    elif edit.gesture == "free":
        drawn = ~holes
    return Canvas(np.ascontiguousarray(samples, np.float32), new, sketch, drawn, gain, level_db, turned)


def measured(sound: Sound) -> tuple[Sketch, float]:
    """The levelled sketch of a sound and the gain in dB that levelled it."""
    return measure_sketch(sound.samples, sound.sample_rate).levelled()


def model_gain(samples: np.ndarray) -> float:
    """What brings the peak of `[n]` to the middle of what the model was trained with; RequestError for silence."""
    if not audible(samples):
        raise RequestError("The sound to be edited is silent (peak below -80 dBFS): choose another.")
    return min(LARGEST_GAIN, TRAINED_PEAK / float(np.abs(samples).max()))


def audible(samples: np.ndarray) -> bool:
    """Whether anything in `[n]` reaches -80 dBFS."""
    return bool(len(samples)) and float(np.abs(samples).max()) >= SILENCE_PEAK


def cropped(canvas: Canvas, begin: int, end: int) -> Canvas:
    """The part of a canvas from sample `begin` to `end`; begin is a multiple of 10 ms."""
    rate_frames = canvas.sketch.frames / max(1, len(canvas.base))
    first, last = round(begin * rate_frames), round(end * rate_frames)
    return replace(
        canvas,
        base=canvas.base[begin:end],
        new=canvas.new[begin:end],
        sketch=cut(canvas.sketch, first, last - first),
        drawn=canvas.drawn[first:last],
    )


def edit_of(request: ResolvedRequest) -> Edit:
    """The request's edit, where it has one."""
    if request.edit is None:
        raise RequestError("The request asks for no edit: give one.")
    return request.edit
