"""How a person imitates a sound: what of its sketch is kept, folded, compressed or dropped.

The mapping follows what is known of vocal imitations (Mehrabi, Dixon and Sandler 2017; Caren et al.,
arXiv 2409.13507): pitch, loudness and brightness contours are kept, absolute pitch is folded into the voice's
range, noise is whispered or hissed, hits become plosives, and what the mouth cannot do is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.synthesis.room import PLAIN_RECORDING, Recording, random_recording, record
from training.synthesis.speaker import Speaker, random_speaker
from training.synthesis.voice import CURVE_RATE, Burst, Score, curve_frames, smooth, speak

if TYPE_CHECKING:
    from vocaldm_live.sound.sketch import Sketch

Floats = NDArray[np.float32]

SKETCH_FRAMES_PER_SECOND = 100
SILENT_LOUDNESS = -72.0
SILENT_LEVEL = -90.0
DARKEST_NOTE = 55.0
BRIGHTEST_NOTE = 122.0
MODES = ("follow", "sung", "whispered", "growl")


@dataclass(frozen=True)
class Habits:
    """How one person renders one sound; the defaults are an ideal imitator, random_habits a human one.

    mode: "follow" voices what has a pitch, "sung" voices all, "whispered" nothing, "growl" creaks low.
    compression: dB out per dB in, down to `range_db` below the loudest frame, where the voice gives up;
    bias in semitones; onset_jitter, glide and smear (time over which fast loudness changes are lost) in s;
    brightness_slope, _shift and _wander on the 0..1 scale of the voice, loudness_wander in dB (what the
    person does not control, standard deviations); plosives, breaths and tail 0..1.
    """

    mode: str = "follow"
    vowel: str = "open"
    compression: float = 1.0
    range_db: float = 45.0
    bias: float = 0.0
    onset_jitter: float = 0.0
    glide: float = 0.02
    smear: float = 0.0
    brightness_slope: float = 0.9
    brightness_shift: float = 0.0
    brightness_wander: float = 0.0
    loudness_wander: float = 0.0
    voicing_threshold: float = 0.5
    roughness: float = 0.0
    effort: float = 0.3
    flutter_rate: float = 0.0
    flutter_depth: float = 0.0
    plosives: float = 0.0
    closure_db: float = 0.0
    click: bool = False
    breaths: float = 0.0
    tail: float = 0.0
    recording: Recording = PLAIN_RECORDING


def loud_frames(sketch: Sketch) -> NDArray[np.bool_]:
    """Frames [frames] within 35 dB of the loudest one and above silence."""
    return (sketch.loudness > sketch.loudness.max() - 35.0) & (sketch.loudness > SILENT_LOUDNESS)


def random_habits(sketch: Sketch, rng: np.random.Generator) -> Habits:
    """Draw a person's way with this sound; what has a pitch tends to be sung, what has none whispered."""
    loud = loud_frames(sketch)
    voiced = float(np.mean(sketch.salience[loud] > 0.4)) if loud.any() else 0.0
    bright = float(np.mean(_brightness(sketch.centroid[loud]))) if loud.any() else 0.5
    unvoiced = 1.0 - voiced
    low_and_rough = (1.0 - bright) * (0.3 + 0.7 * unvoiced)
    chances = np.asarray(
        [0.45, 0.05 + 0.5 * voiced, 0.04 + 0.5 * unvoiced, 0.03 + 0.22 * low_and_rough]
    ).clip(0.0)
    mode = str(rng.choice(MODES, p=chances / chances.sum()))
    vowel = str(rng.choice(["open", "front", "ooo", "eee", "hum"], p=[0.42, 0.24, 0.12, 0.12, 0.10]))
    notes = sketch.pitch[loud & (sketch.pitch > 0)]
    note = float(np.median(notes)) if len(notes) else 0.0
    if mode in ("follow", "sung") and note > 66.0 and rng.random() < 0.12:
        vowel = "whistle"
    ripple = sketch.loudness - smooth(np.asarray(sketch.loudness, np.float32), 13)
    restless = float(np.clip((np.std(ripple[loud]) - 2.0) / 6.0, 0.0, 1.0)) if loud.any() else 0.0
    flutter = vowel != "whistle" and rng.random() < 0.04 + 0.25 * restless + (
        0.12 if mode == "growl" else 0.0
    )
    return Habits(
        mode=mode,
        vowel=vowel,
        compression=float(rng.uniform(0.5, 1.2)),
        range_db=float(rng.uniform(28.0, 45.0)),
        bias=float(rng.uniform(-3.0, 3.0)) if rng.random() < 0.5 else float(rng.normal(0.0, 0.3)),
        onset_jitter=float(rng.uniform(0.0, 0.03)),
        glide=float(rng.uniform(0.02, 0.14)),
        smear=float(rng.uniform(0.0, 0.09)) if rng.random() < 0.7 else 0.0,
        brightness_slope=float(rng.uniform(0.5, 1.1)),
        brightness_shift=float(rng.normal(0.0, 0.09)),
        brightness_wander=float(rng.uniform(0.0, 0.09)),
        loudness_wander=float(rng.uniform(0.0, 2.5)),
        voicing_threshold=float(rng.uniform(0.4, 0.75)),
        roughness=float(rng.uniform(0.5, 1.0)) if mode == "growl" else float(rng.beta(1.0, 9.0)),
        effort=float(rng.beta(1.6, 2.2)),
        flutter_rate=float(rng.uniform(17.0, 34.0)) if flutter else 0.0,
        flutter_depth=float(rng.uniform(0.3, 0.9)) if flutter else 0.0,
        plosives=float(rng.uniform(0.0, 1.0)) if rng.random() < 0.75 else 0.0,
        closure_db=float(rng.uniform(4.0, 26.0)),
        click=bool(rng.random() < 0.25),
        breaths=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.35 else 0.0,
        tail=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.35 else 0.0,
        recording=random_recording(rng),
    )


def _brightness(centroid: Floats) -> Floats:
    return ((np.asarray(centroid, np.float32) - DARKEST_NOTE) / (BRIGHTEST_NOTE - DARKEST_NOTE)).astype(
        np.float32
    )


def find_onsets(loudness: Floats, rise: float = 10.0, apart: int = 8) -> list[int]:
    """Frames where hits begin: loudness climbs `rise` dB within 50 ms, `apart` or more frames between."""
    heard = np.maximum(loudness, max(float(loudness.max()) - 38.0, SILENT_LOUDNESS))
    padded = np.pad(heard, (3, 2), constant_values=(float(heard.min()), float(heard[-1])))
    climb = padded[5:] - padded[:-5]
    onsets: list[int] = []
    for frame in np.argsort(-climb, kind="stable"):
        if climb[frame] < rise:
            break
        first = max(int(frame) - 3, 0)
        after = heard[first : first + 8]
        begin = first + int(np.argmax(after >= after.max() - 6.0))
        if all(abs(begin - other) >= apart for other in onsets):
            onsets.append(begin)
    return sorted(onsets)


def _performed_loudness(sketch: Sketch, habits: Habits, onsets: Sequence[int]) -> Floats:
    """Level [frames] in dB re the loudest frame, as the person's breath gives it."""
    loudness = np.asarray(sketch.loudness, np.float32)
    below = loudness - loudness.max()
    width = int(habits.smear * SKETCH_FRAMES_PER_SECOND) | 1
    if width > 1:
        blend = np.ones(len(below), np.float32)
        for onset in onsets:
            blend[max(onset - 3, 0) : onset + 4] = 0.0
        blend = smooth(blend, 3)
        below = blend * smooth(np.maximum(below, -60.0), width) + (1.0 - blend) * below
    kept = np.maximum(below, -habits.range_db) * habits.compression
    lost = np.minimum(below + habits.range_db, 0.0) * 3.0
    silent = loudness <= SILENT_LOUDNESS
    return np.where(silent, SILENT_LEVEL, kept + lost).astype(np.float32)


def _performed_brightness(sketch: Sketch, habits: Habits) -> Floats:
    """Mouth brightness [frames], 0..1: the sound's contour, compressed around its mean, moved into reach."""
    bright = smooth(_brightness(sketch.centroid), 5)
    energy = 10.0 ** (np.asarray(sketch.loudness, np.float64) / 20.0) + 1e-9
    mean = float(np.sum(bright * energy) / np.sum(energy))
    moved = 0.5 + 0.85 * (mean - 0.5) + habits.brightness_shift
    contour = moved + habits.brightness_slope * (bright - mean)
    return (0.5 + 0.5 * np.tanh(2.0 * (contour - 0.5)) / np.tanh(1.0)).clip(0.0, 1.0).astype(np.float32)


def fold_pitch(pitch: Floats, low: float, high: float) -> Floats:
    """Bring MIDI notes [frames] (0 = unvoiced) into a voice's range by octaves, one shift a voiced stretch.

    A stretch wider than the range breaks by octaves where it leaves it, as a yodel does.
    """
    folded = np.array(pitch, np.float32)
    voiced = folded > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], voiced.astype(np.int8), [0]))))
    middle = 0.5 * (low + high) - 2.0
    all_notes = folded[voiced]
    common = 12.0 * round((middle - float(np.median(all_notes))) / 12.0) if len(all_notes) else 0.0
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        notes = folded[begin:end] + common
        while np.median(notes) > high:
            notes = notes - 12.0
        while np.median(notes) < low:
            notes = notes + 12.0
        for _ in range(10):
            notes = np.where(notes > high + 4.0, notes - 12.0, notes)
            notes = np.where(notes < low - 4.0, notes + 12.0, notes)
        folded[begin:end] = notes
    return folded


def _performed_pitch(
    sketch: Sketch, habits: Habits, speaker: Speaker, brightness: Floats, rng: np.random.Generator
) -> Floats:
    """Note to sing [frames], filled through unvoiced frames."""
    frames = len(sketch.pitch)
    deviation = brightness - brightness.mean()
    if habits.mode == "growl":
        return (speaker.pitch_low + rng.uniform(-9.0, -1.0) + 14.0 * deviation).astype(np.float32)
    low, high = (72.0, 97.0) if habits.vowel == "whistle" else (speaker.pitch_low, speaker.pitch_high)
    sure = np.where(sketch.salience > 0.3, sketch.pitch, 0.0).astype(np.float32)
    voiced = np.flatnonzero(sure > 0)
    if not len(voiced):
        return (low + rng.uniform(0.15, 0.5) * (high - low) + 10.0 * deviation).astype(np.float32)
    folded = fold_pitch(sure, low, high)
    notes = np.interp(np.arange(frames), voiced, folded[voiced]).astype(np.float32)
    width = int(habits.glide * SKETCH_FRAMES_PER_SECOND) | 1
    steps = np.abs(np.diff(notes, prepend=notes[:1])) > 7.0
    glided = smooth(notes, width)
    return np.where(smooth(steps.astype(np.float32), width) > 0, notes, glided) + np.float32(habits.bias)


def _performed_voicing(sketch: Sketch, habits: Habits) -> Floats:
    """How much of each frame is sung [frames], 0..1, without flicker."""
    frames = len(sketch.salience)
    if habits.mode == "whispered":
        return np.zeros(frames, np.float32)
    if habits.mode in ("sung", "growl"):
        return np.ones(frames, np.float32)
    sure = (sketch.salience > habits.voicing_threshold) & (sketch.pitch > 0) & loud_frames(sketch)
    spread = smooth(sure.astype(np.float32), 21) > 1e-4
    joined = (smooth(spread.astype(np.float32), 21) > 1.0 - 1e-4).astype(np.float32)
    return smooth((smooth(joined, 5) > 0.5).astype(np.float32), 3)


def _wander(frames: int, rng: np.random.Generator) -> Floats:
    """A slow aimless curve [frames] of unit spread that turns a few times a second."""
    knots = np.arange(0.0, frames + 30.0, 30.0)
    return np.interp(np.arange(frames), knots, 1.2 * rng.standard_normal(len(knots))).astype(np.float32)


def _time_warp(frames: int, amount: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where in the sketch each curve frame reads, in s, at most `amount` s off and never backwards."""
    time = np.arange(frames) / CURVE_RATE
    if amount <= 0.0:
        return time
    knots = np.arange(0.0, time[-1] + 1.2, 0.4)
    offsets = rng.uniform(-amount, amount, len(knots))
    return time + np.interp(time, knots, offsets)


def _bursts(
    habits: Habits,
    onsets: Sequence[int],
    level: Floats,
    brightness: Floats,
    warp: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Burst, ...]:
    bursts: list[Burst] = []
    for onset in onsets:
        peak = float(level[onset : onset + 6].max())
        if habits.plosives <= 0.0 or peak < -30.0:
            continue
        heard_at = (onset + 0.5) / SKETCH_FRAMES_PER_SECOND
        frame = int(np.searchsorted(warp, heard_at))
        bursts.append(
            Burst(
                time=max(frame / CURVE_RATE - 0.004, 0.0),
                level=peak + 2.0 + 7.0 * habits.plosives + float(rng.normal(0.0, 1.5)),
                brightness=float(
                    np.clip(brightness[onset : onset + 6].mean() + rng.normal(0.05, 0.05), 0.0, 1.0)
                ),
                decay=float(rng.uniform(0.003, 0.018)),
                click=habits.click,
            )
        )
    return tuple(bursts)


def _breathe(score: Score, habits: Habits, rng: np.random.Generator) -> Score:
    """Fill gaps of the score with in-breaths and let events end in a breath tail."""
    level, brightness, voicing = score.level.copy(), score.brightness.copy(), score.voicing.copy()
    sounding = level > -50.0
    edges = np.diff(np.concatenate(([0], sounding.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    next_begins = np.append(begins[1:], len(level))
    for end, following in zip(ends, next_begins, strict=True):
        gap = int(following - end)
        if habits.tail > 0.0 and gap > 10:
            length = min(gap, int(rng.uniform(0.1, 0.4) * CURVE_RATE))
            fall = rng.uniform(-36.0, -20.0) - np.linspace(0.0, 25.0, length)
            level[end : end + length] = np.maximum(level[end : end + length], fall)
            voicing[end : end + length] = 0.0
            brightness[end : end + length] = 0.35
        if habits.breaths > 0.0 and gap > 0.45 * CURVE_RATE and rng.random() < habits.breaths:
            length = int(min(rng.uniform(0.2, 0.5) * CURVE_RATE, gap * 0.6))
            start = int(following) - length - int(0.06 * CURVE_RATE)
            if start <= end:
                continue
            shape = rng.uniform(-34.0, -20.0) + 20.0 * np.log10(np.sin(np.linspace(0.05, 3.0, length)) + 0.02)
            level[start : start + length] = np.maximum(level[start : start + length], shape)
            voicing[start : start + length] = 0.0
            brightness[start : start + length] = np.linspace(0.35, 0.55, length)
    return replace(score, level=level, brightness=brightness, voicing=voicing)


def write_score(
    sketch: Sketch, habits: Habits, speaker: Speaker, rng: np.random.Generator, samples: int, sample_rate: int
) -> Score:
    """What the mouth will do for a sketch: every curve of the sketch through the person's habits."""
    onsets = find_onsets(np.asarray(sketch.loudness, np.float32))
    level = _performed_loudness(sketch, habits, onsets)
    brightness = _performed_brightness(sketch, habits)
    if habits.loudness_wander > 0.0:
        level = level + np.float32(habits.loudness_wander) * _wander(len(level), rng)
    if habits.brightness_wander > 0.0:
        aimless = np.float32(habits.brightness_wander) * _wander(len(level), rng)
        brightness = np.clip(brightness + aimless, 0.0, 1.0)
    pitch = _performed_pitch(sketch, habits, speaker, brightness, rng)
    voicing = _performed_voicing(sketch, habits)
    closed = level.copy()
    for onset in onsets:
        before = level[max(onset - 4, 0) : onset]
        if len(before):
            climb = float(level[onset : onset + 4].max() - before.mean())
            closed[max(onset - 4, 0) : onset] -= min(habits.closure_db, 0.7 * max(climb, 0.0))
    frames = curve_frames(samples, sample_rate)
    warp = _time_warp(frames, habits.onset_jitter, rng)
    grid = (np.arange(len(level)) + 0.5) / SKETCH_FRAMES_PER_SECOND

    def read(curve: Floats) -> Floats:
        return np.interp(warp, grid, curve).astype(np.float32)

    score = Score(
        level=read(closed),
        pitch=read(pitch),
        voicing=read(voicing),
        brightness=read(brightness),
        vowel=habits.vowel,
        roughness=habits.roughness,
        effort=habits.effort,
        flutter_rate=habits.flutter_rate,
        flutter_depth=habits.flutter_depth,
        bursts=_bursts(habits, onsets, level, brightness, warp, rng),
    )
    return _breathe(score, habits, rng) if habits.breaths > 0.0 or habits.tail > 0.0 else score


def imitate(
    sketch: Sketch,
    rng: np.random.Generator,
    sample_rate: int = 48000,
    speaker: Speaker | None = None,
    habits: Habits | None = None,
) -> Floats:
    """A vocal imitation of the sound that the sketch was measured from: float32 [frames x sample_rate / 100].

    Speaker and habits are drawn from `rng` when not given; the same generator state gives the same samples.
    Raises ValueError for a sketch without frames or a mode that is not in `MODES`.
    """
    if len(sketch.loudness) == 0:
        raise ValueError("The sketch has no frames: measure it from a sound first.")
    speaker = speaker if speaker is not None else random_speaker(rng)
    habits = habits if habits is not None else random_habits(sketch, rng)
    if habits.mode not in MODES:
        raise ValueError(f"The mode {habits.mode!r} is not one of {', '.join(MODES)}.")
    samples = round(len(sketch.loudness) * sample_rate / SKETCH_FRAMES_PER_SECOND)
    if float(np.max(sketch.loudness)) <= SILENT_LOUDNESS:
        quiet = replace(habits.recording, peak=0.05)
        return record(np.zeros(samples, np.float32), quiet, rng, sample_rate)
    score = write_score(sketch, habits, speaker, rng, samples, sample_rate)
    return record(speak(score, speaker, rng, samples, sample_rate), habits.recording, rng, sample_rate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a sound file, imitate it, write the imitation."""
    parser = argparse.ArgumentParser(
        prog="python -m training.synthesis.imitate", description="Imitate a sound."
    )
    parser.add_argument("sound", help="the sound to imitate")
    parser.add_argument("out", help="the WAV file to write")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another person (default 0)")
    chosen = parser.parse_args(arguments)

    import soundfile

    from vocaldm_live.sound.audio import read_sound
    from vocaldm_live.sound.sketch import measure_sketch

    sound = read_sound(chosen.sound)
    sketch = measure_sketch(sound.samples, sound.sample_rate)
    soundfile.write(chosen.out, imitate(sketch, np.random.default_rng(chosen.seed)), 48000, subtype="PCM_24")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
