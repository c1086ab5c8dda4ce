"""Canvas: the sound of an edit laid out as the result will be, what of it is known, and the curves that drive the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vocaldm_live.engine.brightness import brightened
from vocaldm_live.engine.curves import bridged, cut, extended, performed
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.engine.scale import Scale, Trained, audible, scale_of
from vocaldm_live.errors import RequestError
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.sketch import HOP, SKETCH_RATE, Sketch, measure_sketch

FINEST_RATE = 48000  # Hz: what is kept of a sound keeps its own detail up to this rate


@dataclass(frozen=True)
class Canvas:
    """The result's layout before anything is made.

    base: float32 `[n]` at the geometry's rate, the kept samples at their place, zeros where there is nothing yet;
    new: bool `[n]`, true in the spans that are made anew; sketch: curves over all of it, levelled; drawn: bool
    `[sketch frames]`, false where no curve is to be followed; scale: what brings `base` to the level that the
    model knows; level_db: what levelled the sketch; turned: samples by which a loop was turned to put its seam inside.
    """

    base: np.ndarray
    new: np.ndarray
    sketch: Sketch
    drawn: np.ndarray
    scale: Scale
    level_db: float
    turned: int = 0


@dataclass(frozen=True)
class Placed:
    """A sound at its place in an edit's result, at one rate, before anything is made.

    samples: float32 `[n]`, zeros where there is nothing yet; spans: what is to be made anew; begin: where a loop
    begins in the source; turned: samples by which it was turned.
    """

    samples: np.ndarray
    spans: tuple[tuple[int, int], ...]
    begin: int = 0
    turned: int = 0

    @property
    def new(self) -> np.ndarray:
        """Bool `[n]`, true in the spans."""
        mask = np.zeros(len(self.samples), bool)
        for begin, end in self.spans:
            mask[begin:end] = True
        return mask


def placed(edit: Edit, source: Sound, rate: int, grid: int) -> Placed:
    """The source of any edit but morph at `rate`, every edge of it on a sample of the rate `grid`."""

    def at(seconds: float) -> int:
        return round(round(seconds * grid) * rate / grid)

    samples = source.at(rate).samples
    if edit.kind == "loop":
        begin, end = (at(edge) for edge in edit.spans[0]) if edit.spans else (0, len(samples))
        samples = samples[begin:end]
        turned = at(len(samples) / rate / 2.0) if rate != grid else len(samples) // 2
        half = at(0.5 * edit.seam)
        return Placed(np.roll(samples, turned), ((turned - half, turned + half),), begin, turned)
    if edit.kind == "extend":
        before, after, count = at(edit.before), at(edit.after), len(samples)
        spans = ((0, before), (before + count, before + count + after))
        return Placed(np.pad(samples, (before, after)), tuple(one for one in spans if one[0] < one[1]))
    if edit.spans:
        return Placed(samples, tuple((at(begin), min(len(samples), at(end))) for begin, end in edit.spans))
    return Placed(samples, ((0, len(samples)),))


def clip_rate(edit: Edit | None, source: Sound | None, rate: int) -> int:
    """The rate in Hz of a clip of a model of `rate`: an edit keeps more of a sound than its model could make."""
    kept = edit is not None and edit.kind not in ("restyle", "vary", "morph") and edit.keep == "original"
    return max(rate, FINEST_RATE) if kept and source is not None and source.sample_rate > rate else rate


def lay_out(request: ResolvedRequest, geometry: Geometry, trained: Trained) -> Canvas:
    """The canvas of any edit but morph; RequestError for a sound that is silent."""
    edit, source = request.edit, request.source
    assert edit is not None and source is not None
    rate = geometry.sample_rate
    place = placed(edit, source, rate, rate)
    samples, spans, turned = place.samples, place.spans, place.turned
    sketch = measure_sketch(source.samples, source.sample_rate)
    if edit.kind == "loop":
        begin = round(place.begin * SKETCH_RATE / rate / HOP)
        sketch = cut(sketch, begin, round(len(samples) / rate * SKETCH_RATE / HOP))
        sketch = Sketch.of(np.roll(sketch.array(), sketch.frames // 2, axis=1))
    elif edit.kind == "extend":
        before, after = round(edit.before * rate), round(edit.after * rate)
        front, back = (round(count / rate * SKETCH_RATE / HOP) for count in (before, after))
        sketch = extended(sketch, front, back, edit.gesture == "mirror")
    new = place.new
    frames = -(-len(samples) * SKETCH_RATE // (rate * HOP))
    sketch = sketch.fitted(frames)
    holes = np.zeros(frames, bool)
    for begin, end in spans:
        holes[begin * SKETCH_RATE // (rate * HOP) : -(-end * SKETCH_RATE // (rate * HOP))] = True
    # What goes has no say in the level either: peak and loudest frames are those of what stays.
    stays = edit.kind in ("inpaint", "extend", "loop") and audible(samples[~new]) and not holes.all()
    scale = scale_of(samples[~new] if stays else samples, trained)
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
    return Canvas(np.ascontiguousarray(samples, np.float32), new, sketch, drawn, scale, level_db, turned)


def measured(sound: Sound) -> tuple[Sketch, float]:
    """The levelled sketch of a sound and the gain in dB that levelled it."""
    return measure_sketch(sound.samples, sound.sample_rate).levelled()


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
