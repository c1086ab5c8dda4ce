"""Judging: all figures of one run of clips, in plain numbers ready for JSON, by a key that says what they rest on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import DataError
from training.gathering import Gathered, Heard, file_digest, gather, is_silent
from training.listeners import Listener
from training.listeners.clap import Clap
from training.metrics.divergence import SPLITS, inception_score, kl, kl_sigmoid
from training.metrics.frechet import FEWEST, frechet, frechet_infinity
from training.metrics.interval import Interval, mean_of, median_of
from training.metrics.kernel import kernel_distance
from training.metrics.pairs import cosine_score, log_spectral_distance
from training.runs import Clip, Imitations
from vocaldm_live.errors import SoundError
from vocaldm_live.measure.following import Following, measure_following, summarise
from vocaldm_live.measure.retrieval import Fingerprint, fingerprint, mrr, rank
from vocaldm_live.sound.audio import Sound, read_sound

VERSION = 2  # of what is measured: results of another one are measured again
FEWEST_CLIPS = 3
PRINT_RATE = 48000  # Hz; fingerprints of one rate compare best
UNIT = ("ours", "clap")  # listeners whose cosines mean something, being taught by them
Progress = Callable[[str, int, int], None]
Problem = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Judge:
    """What runs are held against: listeners with what each heard in the reference sounds, imitations, a seed."""

    listeners: Sequence[Listener]
    reference: Sequence[Heard]
    imitations: Imitations | None
    cache: Path
    seed: int = 0
    progress: Progress | None = None
    prints: dict[Path | None, Fingerprint] = field(default_factory=dict, init=False)

    def key(self, clips: Sequence[Clip]) -> str:
        """SHA-256 of everything that the figures of a run rest on."""
        digest: dict[Path, str] = {}

        def of(path: Path | None) -> str:
            if path is None:
                return ""
            if path not in digest:
                digest[path] = file_digest(path)
            return digest[path]

        candidates = self.imitations.references if self.imitations is not None else ()
        rests_on = {
            "version": VERSION,
            "seed": self.seed,
            "listeners": [(one.name, one.sha256) for one in self.listeners],
            "reference": sorted(heard.sha256 for heard in self.reference),
            "candidates": [of(path) for path in candidates],
            "clips": [
                (one.heard.path.name, one.heard.sha256, of(one.imitation), of(one.reference), one.words)
                for one in clips
            ],
        }
        return hashlib.sha256(json.dumps(rests_on).encode("utf-8", "surrogateescape")).hexdigest()

    def heard(self, listener: Listener, sounds: Sequence[Heard]) -> Gathered:
        """What a listener hears in sounds, from the cache where it has."""
        return gather(sounds, listener, self.cache, self.progress)

    def run(self, name: str, clips: Sequence[Clip], problem: Problem) -> dict[str, Any]:
        """Every figure of a run that can be had; raises DataError below three clips."""
        if len(clips) < FEWEST_CLIPS:
            raise DataError(
                f"The run {name} has {len(clips)} clips and {FEWEST_CLIPS} are needed: make more."
            )
        sounds = [read_sound(clip.heard.path) for clip in clips]
        by_listener = {}
        for listener in self.listeners:
            made = self.heard(listener, [clip.heard for clip in clips])
            base = self.heard(listener, self.reference)
            figures = distances(base, made, self.seed)
            figures |= self._pairs(listener, clips, made)
            by_listener[listener.name] = plain(figures)
        return {
            "name": name,
            "key": self.key(clips),
            "clips": len(clips),
            "silent": sum(is_silent(sound) for sound in sounds),
            "seconds": float(np.median([sound.seconds for sound in sounds])),
            "listeners": by_listener,
            "pairs": plain(self._spectra(clips, sounds)),
            **self._following(clips, sounds, problem),
        }

    # Inside ---------------------------------------------------------------------------------------------

    def _pairs(self, listener: Listener, clips: Sequence[Clip], made: Gathered) -> dict[str, Interval | None]:
        """Figures of clips with their own references and words."""
        found: dict[str, Interval | None] = {}
        having = [(row, clip.reference) for row, clip in enumerate(clips) if clip.reference is not None]
        if having:
            files = [Heard(path, file_digest(path)) for _, path in having]
            own = self.heard(listener, files)
            rows = [row for row, _ in having]
            if listener.name.startswith(UNIT):
                found["own"] = cosine_score(made.vectors[rows], own.vectors)
            if made.classes is not None and own.classes is not None:
                found["kl"] = kl(own.classes, made.classes[rows])
                found["kl_sigmoid"] = kl_sigmoid(own.classes, made.classes[rows])
        said = [row for row, clip in enumerate(clips) if clip.words]
        if said and isinstance(listener, Clap) and listener.understands_words:
            words = np.stack([listener.words(clips[row].words) for row in said])
            found["words"] = cosine_score(made.vectors[said], words)
        return found

    def _spectra(self, clips: Sequence[Clip], sounds: Sequence[Sound]) -> dict[str, Interval | None]:
        found = []
        for number, (clip, sound) in enumerate(zip(clips, sounds, strict=True)):
            if clip.reference is not None:
                self._tell(f"spectra of {clip.heard.path.name}", number, len(clips))
                other = read_sound(clip.reference).at(sound.sample_rate)
                found.append(log_spectral_distance(other.samples, sound.samples, sound.sample_rate))
        return {
            "lsd_db": mean_of([distance for distance, _ in found]),
            "lsd_lag_ms": median_of([1000.0 * lag for _, lag in found]),
        }

    def _following(self, clips: Sequence[Clip], sounds: Sequence[Sound], problem: Problem) -> dict[str, Any]:
        followings: list[Following] = []
        orders, targets = [], []
        candidates = self._candidates(problem)
        for number, (clip, sound) in enumerate(zip(clips, sounds, strict=True)):
            if clip.imitation is None:
                continue
            self._tell(f"following of {clip.heard.path.name}", number, len(clips))
            try:
                voice = read_sound(clip.imitation).at(sound.sample_rate)
                followings.append(measure_following(voice.samples, sound.samples, sound.sample_rate))
            except SoundError as error:
                problem(str(error))
            if clip.reference in candidates and len(candidates) > 1 and not is_silent(sound):
                query = fingerprint(sound.at(PRINT_RATE).samples, PRINT_RATE)
                orders.append(rank(query, list(candidates.values())))
                targets.append(list(candidates).index(clip.reference))
        return {
            "following": summarise(followings) if followings else None,
            "retrieval": asdict(mrr(orders, targets)) if orders else None,
        }

    def _candidates(self, problem: Problem) -> dict[Path | None, Fingerprint]:
        references = self.imitations.references if self.imitations is not None else ()
        for path in references if not self.prints else ():
            try:
                self.prints[path] = fingerprint(read_sound(path).at(PRINT_RATE).samples, PRINT_RATE)
            except SoundError as error:
                problem(f"{path} cannot be found by any clip: {error}")
        return self.prints

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(what, done, total)


def distances(base: Gathered, made: Gathered, seed: int = 0) -> dict[str, Interval | None]:
    """Figures of one set against another: FAD over all windows, the rest by sound; None where a set is too small."""
    windows = made.windows
    return {
        "fad": Interval(frechet(base.windows, windows), None, None, len(windows)),
        "fad_infinity": frechet_infinity(base.windows, windows, seed) if len(windows) >= FEWEST else None,
        "kad": kernel_distance(base.vectors, made.vectors),
        "isc": None
        if made.classes is None or len(made.classes) < 2 * SPLITS
        else inception_score(made.classes, seed=seed),
    }


def plain(figures: Mapping[str, Interval | None]) -> dict[str, Any]:
    """Figures as JSON takes them."""
    return {name: None if one is None else asdict(one) for name, one in figures.items()}
