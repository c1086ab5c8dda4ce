"""Evaluation: how clips follow a folder of imitations, with anchors that say what each figure is worth.

Beside the clip stand: copy (the imitation itself), shuffled (the clip of another imitation), unconditional
(the learned null, no sketch), resynthesis (the imitation through VAE and vocoder) and, where the folder has
the imitated sound, reference (that sound) and reference resynthesis.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vocaldm_live import __version__
from vocaldm_live.engine.request import HIGHEST_SEED, Clip, Request
from vocaldm_live.errors import DeliveryError, RequestError, SoundError, VocalDMError
from vocaldm_live.measure.following import Following, measure_following, median_interval, summarise
from vocaldm_live.measure.retrieval import fingerprint, mrr, rank
from vocaldm_live.measure.spectra import mel_distance
from vocaldm_live.sound.audio import check_imitation, read_sound, sound_files
from vocaldm_live.sound.geometry import Geometry

if TYPE_CHECKING:
    from vocaldm_live.engine.engine import Engine

KINDS = ("clip", "copy", "shuffled", "unconditional", "resynthesis", "reference", "reference resynthesis")
QUERIES = ("clip", "copy", "shuffled", "unconditional", "reference resynthesis")
MEL_RANGE_DB = 80.0  # below the louder sound's strongest band; what is quieter counts as this quiet
MEL_LEVEL = 0.05  # the RMS that both sounds are brought to
LONGEST_SHEET = 24  # pairs on the contact sheet
MARKS = ("_imitation", "_reference")
T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """An imitation's file and, where there is one, that of the sound it imitates."""

    name: str
    imitation: Path
    reference: Path | None = None


@dataclass(frozen=True)
class Result:
    """All that was made and measured for one example; sounds are float32 [n] at the preset's rate."""

    example: Example
    imitation: np.ndarray
    clip: np.ndarray
    seed: int
    notes: tuple[str, ...]
    followings: Mapping[str, Following]
    mel_db: Mapping[str, float]  # mean |difference| of level-matched mels to the imitation, by kind
    ranks: Mapping[str, int] = field(default_factory=dict)  # place of the true reference, from 1

    @property
    def margin_db(self) -> float:
        """How much farther from the imitation the clip is than the resynthesised imitation is."""
        return self.mel_db["clip"] - self.mel_db["resynthesis"]


@dataclass(frozen=True)
class Evaluation:
    """The results of a folder, what was left out, and everything in plain numbers."""

    results: tuple[Result, ...]
    problems: tuple[str, ...]
    report: dict[str, Any]
    sample_rate: int


def find_examples(folder: Path) -> tuple[list[Example], list[Path]]:
    """The examples of a folder by name, and all its references (those without imitation are distractors).

    Either `imitations/` and `references/` with equal names, or NAME_imitation* with NAME_reference* side by
    side; any other sound is an imitation too. Raises SoundError when there is no imitation.
    """
    if not folder.is_dir():
        raise SoundError(f"{folder} is not a folder: give one with imitations.")
    try:
        if (folder / "imitations").is_dir():
            imitations = {path.stem: path for path in sound_files(folder / "imitations")}
            inside = folder / "references"
            references = {path.stem: path for path in sound_files(inside)} if inside.is_dir() else {}
            examples = [Example(name, path, references.get(name)) for name, path in imitations.items()]
        else:
            files = sound_files(folder)
            references = {p.stem.partition(MARKS[1])[0]: p for p in files if MARKS[1] in p.stem}
            examples = [
                Example(path.stem, path, references.get(path.stem.partition(MARKS[0])[0]))
                for path in files
                if MARKS[1] not in path.stem
            ]
    except OSError as error:
        raise SoundError(f"{folder} cannot be listed ({error.strerror}): mend its permissions.") from error
    if not examples:
        raise SoundError(f"{folder} holds no imitations: put sound files into it.")
    return examples, sorted(references.values())


def spread(examples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` examples, evenly from the whole list; RequestError for a limit below 1."""
    if limit is not None and limit < 1:
        raise RequestError(f"limit is {limit}: give a whole number of 1 or more.")
    if limit is None or limit >= len(examples):
        return list(examples)
    return [examples[int(place)] for place in np.linspace(0, len(examples) - 1, limit).round()]


def evaluate_folder(
    engine: Engine,
    folder: Path,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Generate and measure; example i has the seed `seed` + i. `progress` gets (name, done, of how many).

    What cannot be read is left out and told in `problems`; raises SoundError when nothing is left.
    """
    found, reference_files = find_examples(folder)
    chosen = spread(found, limit)
    problems: list[str] = []
    made: list[tuple[Example, Request, np.ndarray, Clip]] = []
    for number, example in enumerate(chosen):
        if progress is not None:
            progress(f"generate {example.name}", number, 2 * len(chosen))
        try:
            sound = check_imitation(read_sound(example.imitation), str(example.imitation))
            own_seed = (seed + number) % (HIGHEST_SEED + 1)
            request = Request(sound, name=str(example.imitation), seed=own_seed)
            clip = engine.generate(request)
            made.append((example, request, sound.at(clip.sample_rate).samples, clip))
        except VocalDMError as error:
            problems.append(str(error))
    if not made:
        raise SoundError(f"{folder} holds no imitation that a clip could be made of: {'; '.join(problems)}")

    rate = made[0][3].sample_rate
    references = _read_references(reference_files, rate, problems)
    prints = {path: fingerprint(samples, rate) for path, samples in references.items()}
    results: list[Result] = []
    orders: dict[str, list[tuple[np.ndarray, int]]] = {}
    for number, (example, request, imitation, clip) in enumerate(made):
        if progress is not None:
            progress(f"measure {example.name}", len(chosen) + number, 2 * len(chosen))
        sounds = {"clip": clip.samples, "copy": imitation}
        if len(made) > 1:
            sounds["shuffled"] = made[(number + 1) % len(made)][3].samples
        free = engine.generate(replace(request, unconditional=True, follow=0.0))
        sounds["unconditional"] = free.samples
        sounds["resynthesis"] = engine.resynthesise(clip.request.voice)
        path = example.reference
        reference = references.get(path) if path is not None else None
        if reference is not None:
            sounds["reference"] = reference
            sounds["reference resynthesis"] = engine.resynthesise(_sound(reference, rate))
        followings = {kind: measure_following(imitation, one, rate) for kind, one in sounds.items()}
        distances = {
            kind: voice_distance(imitation, one, engine.modules.geometry) for kind, one in sounds.items()
        }
        ranks = {}
        if reference is not None and path is not None and len(prints) > 1:
            target = list(prints).index(path)
            for kind in (kind for kind in QUERIES if kind in sounds and np.abs(sounds[kind]).max() > 1e-4):
                order = rank(fingerprint(sounds[kind], rate), list(prints.values()))
                ranks[kind] = int(np.flatnonzero(order == target)[0]) + 1
                orders.setdefault(kind, []).append((order, target))
        results.append(
            Result(example, imitation, clip.samples, request.seed, clip.notes, followings, distances, ranks)
        )
    asked = made[0][3].request
    report = {
        "version": __version__,
        "preset": engine.preset.name,
        "preset_sha256": engine.preset.sha256,
        "vocoder": (engine.preset.vocoder or engine.preset.own_vocoder).name,
        "device": engine.device.type,
        "steps": asked.steps,
        "sampler": asked.sampler,
        "guidance": asked.guidance,
        "follow": asked.follow,
        "seed": seed,
        "summary": _summary(results, orders),
        "clips": [_plain(result) for result in results],
        "problems": problems,
    }
    return Evaluation(tuple(results), tuple(problems), report, rate)


def voice_distance(imitation: np.ndarray, other: np.ndarray, geometry: Geometry) -> float:
    """Mean |difference| in dB of the log-mels of two sounds [n] at one RMS, over what they share.

    Bands more than 80 dB below the louder sound's strongest count as that quiet. A copy gives 0.
    """
    import torch

    from vocaldm_live.sound.mel import log_mel

    length = min(len(imitation), len(other))
    mels = []
    for samples in (imitation[:length], other[:length]):
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        matched = (samples * (MEL_LEVEL / max(level, 1e-9))).astype(np.float32)
        with torch.inference_mode():
            mel = log_mel(torch.from_numpy(matched)[None], geometry)[0]
        mels.append(mel.double().numpy() * (20.0 / np.log(10.0)))
    floor = max(mel.max() for mel in mels) - MEL_RANGE_DB
    return mel_distance(np.maximum(mels[0], floor), np.maximum(mels[1], floor))


def write_evaluation(evaluation: Evaluation, out: Path) -> Path:
    """Write the clips, a picture of each, a contact sheet and `evaluation.json` (last); returns its path."""
    from vocaldm_live.deliver.wave import encode_wave, fade_ends
    from vocaldm_live.measure.picture import Pair, contact_sheet, picture

    rate = evaluation.sample_rate
    pairs = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for result in evaluation.results:
            name = result.example.name
            title = f"{name}: {caption(result)}"
            peak = max(1.0, float(np.abs(result.clip).max()))
            wave = encode_wave(fade_ends(result.clip / peak, rate), rate)
            (out / f"{name}_clip.wav").write_bytes(wave)
            picture(result.imitation, result.clip, rate, out / f"{name}.png", name, caption(result))
            pairs.append(Pair(title, result.imitation, result.clip, rate))
        contact_sheet(pairs[:LONGEST_SHEET], out / "contact_sheet.png")
        target = out / "evaluation.json"
        part = out / f".{target.name}.part"
        part.write_text(json.dumps(evaluation.report, indent=1, allow_nan=False) + "\n", encoding="ascii")
        os.replace(part, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DeliveryError(f"{out} takes no file ({reason}): name another folder with --out.") from error
    return target


def caption(result: Result) -> str:
    """The figures of a clip in one line."""
    one = result.followings["clip"]
    parts = [
        f"{label} {format(value, pattern)}{unit}"
        for label, value, pattern, unit in (
            ("loudness r", one.loudness_r, ".2f", ""),
            ("centroid r", one.centroid_r, ".2f", ""),
            ("onset lag", one.onset_lag_ms, "+.0f", " ms"),
            ("pitch", one.pitch_within_50_cents_folded, ".0%", ""),
            ("beyond the voice", result.margin_db, "+.1f", " dB"),
        )
        if value is not None
    ]
    return ", ".join(parts)


def _read_references(files: Sequence[Path], rate: int, problems: list[str]) -> dict[Path, np.ndarray]:
    sounds = {}
    for path in files:
        try:
            sounds[path] = check_imitation(read_sound(path), str(path)).at(rate).samples
        except VocalDMError as error:
            problems.append(str(error))
    return sounds


def _sound(samples: np.ndarray, rate: int) -> Any:
    from vocaldm_live.sound.audio import Sound

    return Sound(samples, rate)


def _interval(values: Sequence[float]) -> dict[str, float | int]:
    median, low, high = median_interval(values)
    return {"median": median, "low": low, "high": high, "count": len(values)}


def _summary(
    results: Sequence[Result], orders: Mapping[str, Sequence[tuple[np.ndarray, int]]]
) -> dict[str, Any]:
    """Medians with bootstrap 95 % intervals by kind, retrieval by query, the margin over the voice."""
    kinds = [kind for kind in KINDS if any(kind in result.followings for result in results)]
    following: dict[str, Any] = {}
    for kind in kinds:
        having = [result for result in results if kind in result.followings]
        following[kind] = summarise([result.followings[kind] for result in having])
        following[kind]["mel_db"] = _interval([result.mel_db[kind] for result in having])
    margins = [result.margin_db for result in results]
    beyond = {**_interval(margins), "smallest": min(margins)}
    retrieval = {
        kind: asdict(mrr([order for order, _ in pairs], [target for _, target in pairs]))
        for kind, pairs in orders.items()
    }
    return {"following": following, "beyond_the_voice_db": beyond, "retrieval": retrieval}


def _plain(result: Result) -> dict[str, Any]:
    """A result without its sounds, ready for JSON."""
    example = result.example
    return {
        "name": example.name,
        "imitation": example.imitation.name,
        "reference": None if example.reference is None else example.reference.name,
        "seed": result.seed,
        "beyond_the_voice_db": result.margin_db,
        "reference_rank": dict(result.ranks),
        "mel_db": dict(result.mel_db),
        "following": {kind: asdict(one) for kind, one in result.followings.items()},
        "notes": list(result.notes),
    }
