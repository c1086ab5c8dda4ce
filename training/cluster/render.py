"""Render: many clips by one preset, in any pool, none of them twice."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.cluster.pool import Pool
from training.data.collection import content_key, shown
from training.data.copying import write_whole
from training.errors import DataError
from training.orders import Order, take_names
from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.cluster.pool import shelf_folder
from vocaldm_live.cluster.shelf import Shelf, bundle_of
from vocaldm_live.deliver.outbox import guard_clipping
from vocaldm_live.deliver.wave import encode_wave, fade_ends
from vocaldm_live.errors import VocalDMError
from vocaldm_live.sound.audio import Sound, read_sound

WORDS_SECONDS = 10.0  # of a clip that words alone ask for


@dataclass(frozen=True)
class Settings:
    """How all clips are made; None: as the preset says. takes: clips of an order, with seeds of their own."""

    steps: int | None = None
    guidance: float | None = None
    follow: float | None = None
    eta: float = 0.0
    tail: float | None = None
    text_weight: float = 1.0
    seed: int = 0
    takes: int = 1


@dataclass(frozen=True)
class Task:
    """A clip to make: its name, what tells it from others, what it is made of, and its seed."""

    name: str
    key: str
    imitation: Sound | None
    text: str
    seconds: float | None
    seed: int


@dataclass(frozen=True)
class Rendered:
    """How many clips were made now, how many were there, and a sentence for each that could not be made."""

    made: int
    there: int
    problems: tuple[str, ...]


@dataclass(eq=False)
class Rendering:
    """What a worker does: one clip after the other, by an engine that it loads once.

    files: the preset's, where a worker may be on another machine; it keeps them by their hash.
    """

    preset: Preset
    settings: Settings
    files: Mapping[str, bytes] | None = None
    device: str = "cpu"
    _engine: Any = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None}

    def to(self, device: str) -> None:
        """Make clips there from now on."""
        self.device, self._engine = device, None

    def __call__(self, task: Task) -> tuple[Task, np.ndarray | str, int]:
        """The task without its sound, the clip's samples or a sentence about it, and its rate in Hz."""
        from vocaldm_live.engine.request import Request
        from vocaldm_live.engine.words import Words

        told = self.settings
        bare = Task(task.name, task.key, None, task.text, task.seconds, task.seed)
        try:
            engine = self._opened()
            clip = engine.generate(
                Request(
                    task.imitation,
                    name=shown(task.name),
                    seed=task.seed,
                    steps=told.steps,
                    guidance=told.guidance,
                    follow=told.follow,
                    eta=told.eta,
                    duration=task.seconds,
                    tail=told.tail,
                    words=Words(task.text, told.text_weight) if task.text else None,
                )
            )
        except VocalDMError as error:
            return bare, str(error), 0
        return bare, clip.samples, clip.sample_rate

    def _opened(self) -> Any:
        if self._engine is None:
            from vocaldm_live.engine.engine import Engine

            self._engine = Engine(self._found(), self.device)
        return self._engine

    def _found(self) -> Preset:
        if self.files is None:
            return self.preset
        files, bundle = self.files, bundle_facts(self.preset)
        shelf = Shelf(shelf_folder())
        piece = 4 << 20
        return shelf.find(bundle[0]) or shelf.fetch(
            bundle[0],
            (bundle[1], bundle[2], list(files)),
            lambda file, offset: files[file][offset : offset + piece],
        )


def bundle_facts(preset: Preset) -> tuple[str, str, str]:
    """A preset's digest, name, and the vocoder that was chosen for it."""
    bundle = bundle_of(preset)
    return bundle.digest, bundle.name, bundle.vocoder


def rendering(preset: Preset, settings: Settings, elsewhere: bool) -> Rendering:
    """What workers do with a preset; `elsewhere`: they may not see this machine's files. Raises DataError."""
    if not elsewhere:
        return Rendering(preset, settings)
    try:
        files = {name: path.read_bytes() for name, path in bundle_of(preset).files.items()}
    except OSError as error:
        raise DataError(
            f"The preset {preset.name} cannot be read ({error.strerror}): copy it again."
        ) from error
    return Rendering(preset, settings, files)


def render(
    orders: Sequence[Order],
    work: Rendering,
    out: Path,
    pool: Pool,
    progress: Callable[[int, int], None] | None = None,
) -> Rendered:
    """Make every order's clips that are not in `out` yet: NAME.wav, 24 bits, and NAME.json, which says what it is.

    A clip counts as there where its JSON names the same preset, settings, seed, words and imitation by content.
    What cannot be made is told, and the rest goes on. Raises DataError where the disk says no.
    """
    problems: list[str] = []
    wanted: list[tuple[Order, Task]] = []
    there = 0
    known = bundle_facts(work.preset)[0]
    for order, names in zip(orders, take_names(orders, work.settings.takes), strict=True):
        try:
            content = _content(order)
        except DataError as error:
            problems.append(str(error))
            continue
        for take, name in enumerate(names):
            task = _task(order, name, take, work.settings, known, content)
            if _is_there(out, task):
                there += 1
            else:
                wanted.append((order, task))

    def tasks() -> Iterator[Task]:
        for order, task in wanted:
            try:
                sound = None if order.imitation is None else read_sound(order.imitation)
            except VocalDMError as error:
                problems.append(str(error))
                continue
            digests[task.name] = sound.digest() if sound is not None else None
            yield Task(task.name, task.key, sound, task.text, task.seconds, task.seed)

    digests: dict[str, str | None] = {}
    made = 0
    for done, (task, samples, rate) in enumerate(pool.run(work, tasks()), start=1):
        if isinstance(samples, str):
            problems.append(f"{shown(task.name)} cannot be made ({samples.rstrip('.')}): it is left out.")
        else:
            _write(out, task, samples, rate, work, digests.pop(task.name))
            made += 1
        if progress is not None:
            progress(done, len(wanted))
    return Rendered(made, there, tuple(problems))


def _content(order: Order) -> str:
    if order.imitation is None:
        return ""
    try:
        return content_key(order.imitation.read_bytes())
    except OSError as error:
        raise DataError(
            f"{shown(str(order.imitation))} cannot be read ({error.strerror}): check the disk."
        ) from error


def _task(order: Order, name: str, take: int, told: Settings, preset: str, content: str) -> Task:
    # The seed goes by the order's name: another order in the list changes nothing of this one.
    seed = zlib.crc32(order.name.encode("utf-8", "surrogateescape")) if order.seed is None else order.seed
    seed = (seed + told.seed + take) % 2**32
    seconds = WORDS_SECONDS if order.imitation is None and order.seconds is None else order.seconds
    settings = {name: value for name, value in asdict(told).items() if name not in ("seed", "takes")}
    facts = [preset, settings, content, order.text, seconds, seed]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return Task(name, key, None, order.text, seconds, seed)


def _is_there(out: Path, task: Task) -> bool:
    try:
        said = json.loads((out / f"{task.name}.json").read_text(encoding="utf-8"))
        return bool(said["key"] == task.key) and (out / f"{task.name}.wav").is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(
    out: Path, task: Task, samples: np.ndarray, rate: int, work: Rendering, digest: str | None
) -> None:
    """The JSON first and the sound last, so that a sound which is there is whole and what its JSON says."""
    sound, _ = guard_clipping(fade_ends(np.asarray(samples), rate))
    facts = {
        "key": task.key,
        "preset": work.preset.name,
        "preset_sha256": work.preset.sha256,
        "imitation_sha256": digest,
        "text": task.text,
        "seed": task.seed,
        **{name: value for name, value in asdict(work.settings).items() if name not in ("seed", "takes")},
    }
    wave = out / f"{task.name}.wav"
    try:
        wave.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{wave} cannot be replaced ({error.strerror}): name another --out.") from error
    write_whole(out / f"{task.name}.json", json.dumps(facts, indent=1).encode())
    write_whole(wave, encode_wave(sound, rate))
