"""Session: gestures become jobs, jobs become clips in outbox and history, and everybody is told."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.commands.maker import Voice, delivered, edit_title, recipe_of, request_of, voiceless
from vocaldm_live.daemon.controls import Controls, Snapshot
from vocaldm_live.daemon.gesture import Gesture, gesture_of
from vocaldm_live.daemon.roots import Roots
from vocaldm_live.daemon.streams import Streams
from vocaldm_live.daemon.undelivered import Undelivered
from vocaldm_live.engine.jobs import Job, JobEvents, Jobs
from vocaldm_live.errors import DeliveryError, VocalDMError
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.osc.audio import AudioSender
from vocaldm_live.osc.table import OscError

if TYPE_CHECKING:
    import numpy as np

    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.commands.anchoring import Anchoring
    from vocaldm_live.daemon.library import Library
    from vocaldm_live.deliver.gestures import Gestures
    from vocaldm_live.deliver.history import Entry, History
    from vocaldm_live.deliver.outbox import Outbox, PublishedClip
    from vocaldm_live.engine.request import Clip, Progress, Request
    from vocaldm_live.sound.audio import Sound
    from vocaldm_live.sound.edit import Edit

log = logging.getLogger("vocaldm.session")
REMEMBERED = 64

Tell = Callable[..., None]


class Session:
    """Everything between an Imitation and its clips. `tell(name, *values)` sends an event of the OSC table."""

    def __init__(
        self,
        controls: Controls,
        outbox: Outbox,
        history: History,
        gestures: Gestures,
        tell: Tell,
        audio: AudioSender,
        roots: Roots,
        library: Library,
        length: int = 8,
    ) -> None:
        self.controls = controls
        self.outbox = outbox
        self.history = history
        self.gestures = gestures
        self._tell = tell
        self._streams = Streams(audio)
        self._undelivered = Undelivered()
        self._roots = roots
        self._library = library
        self._lock = threading.Lock()
        self._number = 0
        self._recent: OrderedDict[str, Gesture] = OrderedDict()
        self._like: tuple[Sound, Path] | None = None
        self.latencies: list[dict[str, float]] = []
        self.jobs = Jobs(
            None,
            JobEvents(
                accepted=lambda job, position: tell("accepted", job.id, len(job.requests)),
                progress=self._on_progress,
                audio=self._on_audio,
                clip=self._on_clip,
                done=lambda job: tell("done", job.id),
                failed=self._on_failed,
                cancelled=self._on_cancelled,
                dropped=lambda job, sentence: tell("dropped", job.id, sentence),
            ),
            length,
        )

    # Asking for clips; any thread ---------------------------------------------------------------------------

    def new_id(self, kind: str) -> str:
        """An id for a request that no client named."""
        with self._lock:
            self._number += 1
            return f"{kind}-{time.strftime('%H%M%S')}-{self._number}"

    def heard(self, imitation: Imitation, request_id: str = "", snapshot: Snapshot | None = None) -> str:
        """Make clips of an imitation with the sliders as they stand; the request's id. Raises RequestError."""
        request_id = request_id or self.new_id(imitation.source)
        gesture = Gesture.of(imitation, *self._liked())
        snapshot = snapshot or self.controls.snapshot()
        self._submit(request_id, self._requests(snapshot, gesture, request_id), gesture, snapshot.candidates)
        return request_id

    def said(self, request_id: str, snapshot: Snapshot) -> str:
        """Make clips of words, or of the example, without a voice; the request's id.

        Raises RequestError where the preset that plays cannot do that, or something is missing.
        """
        from vocaldm_live.engine.request import resolve

        like, like_path = self._liked()
        words, duration = (
            snapshot.words(voiceless=True, beside=like is not None),
            snapshot.values["duration"] or None,
        )
        name = voiceless(words.text if words is not None else "", like_path).title
        gesture = Gesture(
            None, name, "osc", time.monotonic(), None, like, like_path, words=words, duration=duration
        )
        requests = self._requests(snapshot, gesture, request_id)
        engine: Any = self.jobs.engine
        if engine is not None:
            # Told at once, not when its turn comes.
            resolve(requests[0], engine.preset.header)
        self._submit(request_id, requests, gesture, snapshot.candidates)
        return request_id

    def edit(
        self,
        request_id: str,
        edit: Edit,
        sounds: Sequence[Sound],
        paths: Sequence[Path],
        snapshot: Snapshot,
        voice: Sound | None = None,
        voice_path: Path | None = None,
        parent: str = "",
    ) -> str:
        """Change a sound, driven by a voice or by itself, with the sliders as they stand; the request's id."""
        sound, path = (sounds[0], paths[0]) if voice is None else (voice, voice_path)
        title = edit_title(paths[0], edit.kind)
        gesture = Gesture(
            sound,
            title,
            "osc",
            time.monotonic(),
            path,
            *self._liked(),
            parent,
            edit,
            tuple(sounds),
            tuple(paths),
        )
        self._submit(request_id, self._requests(snapshot, gesture, request_id), gesture, snapshot.candidates)
        return request_id

    def again(self, request_id: str, clip_id: str = "", snapshot: Snapshot | None = None) -> str:
        """The gesture of a clip, or the last one, with the sliders as they stand and a new seed.

        Where there was no voice, words, example and length are the gesture, and stay as they were.
        """
        snapshot = snapshot or self.controls.snapshot()
        snapshot = replace(snapshot, values=snapshot.values | {"seed": -1})
        if clip_id:
            entry = self.history.get(clip_id)
            gesture = self._gesture_of(entry)
        else:
            gesture = self._last()
        gesture = replace(gesture, ended=time.monotonic())
        if gesture.sound is not None:
            like, like_path = self._liked()
            gesture = replace(gesture, like=like, like_path=like_path)
        self._submit(request_id, self._requests(snapshot, gesture, request_id), gesture, snapshot.candidates)
        return request_id

    def refine(self, request_id: str, clip_id: str, steps: int) -> str:
        """A clip again with more steps: same seed, same condition."""
        from vocaldm_live.deliver.recipe import read_recipe

        entry = self.history.get(clip_id)
        recipe = read_recipe(entry.recipe_path)
        gesture = self._gesture_of(entry, with_like=True)
        request = request_of(recipe, gesture.sound, gesture.name, gesture.like, gesture.sounds, request_id)
        request = replace(request, steps=steps)
        self._submit(request_id, (request,), gesture)
        return request_id

    def gesture_sound(self, clip_id: str = "") -> Sound:
        """The imitation that a clip was made of, or the last one; raises VocalDMError."""
        gesture = self._gesture_of(self.history.get(clip_id)) if clip_id else self._last()
        if gesture.sound is None:
            raise OscError("gesture", "That clip was made of no voice: name one that was, or a file.")
        return gesture.sound

    def like(self, sound: Sound | None, path: Path | None) -> None:
        """Take an example's timbre for the gestures to come; None: the voice's own."""
        with self._lock:
            self._like = None if sound is None or path is None else (sound, path)

    @property
    def liking(self) -> str:
        """The example's path, or nothing."""
        with self._lock:
            return str(self._like[1]) if self._like is not None else ""

    def _anchoring(self, gesture: Gesture) -> Anchoring | None:
        # An example that was given for this very gesture comes before a library.
        return self._library.anchoring if gesture.like is None and gesture.sound is not None else None

    def _liked(self) -> tuple[Sound | None, Path | None]:
        with self._lock:
            return self._like or (None, None)

    def close(self, finish: bool = True) -> None:
        """End the queue; the clip under way is finished or cancelled, what could not be written is tried once more."""
        self.jobs.close(finish)
        self._undelivered.close()

    # Inside ------------------------------------------------------------------------------------------------

    def _requests(self, snapshot: Snapshot, gesture: Gesture, request_id: str) -> tuple[Request, ...]:
        anchor = self._anchoring(gesture)
        made = snapshot.requests(gesture.sound, gesture.name, request_id, gesture.like, anchor)
        if gesture.sound is None:
            made = tuple(
                replace(one, words=gesture.words, duration=gesture.duration, like_weight=1.0) for one in made
            )
        edit = gesture.edit
        if edit is None:
            return made
        other = gesture.sounds[1] if len(gesture.sounds) > 1 else None
        changes: dict[str, Any] = {
            "edit": edit,
            "source": gesture.sounds[0],
            "other": other,
            "duration": None,
        }
        # Edits have defaults of their own; a slider that nobody moved holds the default for clips.
        changes |= {name: None for name in ("steps", "guidance", "sampler") if name not in snapshot.given}
        return tuple(replace(one, **changes) for one in made)

    def _submit(
        self, request_id: str, requests: tuple[Request, ...], gesture: Gesture, candidates: int = 1
    ) -> None:
        self.jobs.submit(Job(request_id, requests, gesture, candidates))
        with self._lock:
            self._recent[request_id] = gesture
            self._recent.move_to_end(request_id)
            while len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        log.info("%.2f s from %s", gesture.seconds, gesture.source, extra={"request": request_id})
        self._tell("heard", request_id, gesture.source, gesture.name[:200], gesture.seconds)

    def _last(self) -> Gesture:
        with self._lock:
            last = next(reversed(self._recent.values()), None)
        if last is None:
            raise OscError("gesture", "No gesture was heard yet: record one, or name a clip.")
        return last

    def _gesture_of(self, entry: Entry, with_like: bool = False) -> Gesture:
        return gesture_of(entry, self.gestures, self._roots, with_like)

    def _on_progress(self, job: Job, variation: int, progress: Progress) -> None:
        self._tell("progress", job.id, variation, progress.stage, progress.step, progress.steps)

    def _on_audio(self, job: Job, variation: int, first: int, samples: np.ndarray, total: int) -> None:
        engine: Any = self.jobs.engine
        self._streams.hear(job, variation, first, samples, total, engine.rate_of(job.requests[variation]))

    def _on_failed(self, job: Job, sentence: str) -> None:
        self._streams.give_up(job)
        self._tell("failed", job.id, self._keeping(job.tag, sentence))

    def _keeping(self, gesture: Gesture, sentence: str) -> str:
        """A sentence of failure, and where the voice is kept that no clip came of; what has a file needs no keeping."""
        if gesture.sound is None or gesture.path is not None:
            return sentence
        from vocaldm_live.sound.audio import check_imitation

        try:
            check_imitation(gesture.sound, gesture.name)
            path = self.gestures.save(gesture.sound)
        except VocalDMError as error:
            log.info("the voice is not kept: %s", error)
            return sentence
        return f"{sentence.rstrip('.')}; the voice is kept as {path}."

    def _on_cancelled(self, job: Job) -> None:
        self._streams.give_up(job)
        self._tell("cancelled", job.id)

    def _on_clip(self, job: Job, variation: int, clip: Clip) -> None:
        made = time.monotonic()
        engine: Any = self.jobs.engine
        preset, device = engine.preset, engine.device.type
        self._streams.end(job, variation)
        try:
            self._deliver(job, variation, clip, preset, device)
        except DeliveryError as error:
            late = partial(self._deliver, job, variation, clip, preset, device)
            self._undelivered.keep(f"the clip of {job.id}", late)
            raise DeliveryError(
                f"{str(error).rstrip('.')}; the finished clip is kept and written then."
            ) from error
        ready = time.monotonic()
        own = sum(clip.timings_ms[stage] for stage in ("encode", "sample", "decode"))
        write = 1000.0 * (ready - made)
        timing = {"engine": own, "write": write, "total": 1000.0 * (ready - job.tag.ended)}
        with self._lock:
            self.latencies.append(timing)
            del self.latencies[:-1000]

    def _deliver(self, job: Job, variation: int, clip: Clip, preset: Preset, device: str) -> None:
        """Publish a clip, enter it in the history and say that it is ready; raises DeliveryError."""
        gesture: Gesture = job.tag
        clip = delivered(clip)
        path = gesture.path
        if path is None and gesture.sound is not None:
            path = self.gestures.save(gesture.sound)
        voice = Voice(gesture.sound, path, gesture.name, 0.0, 0.0)
        recipe = recipe_of(clip, preset, device, voice, gesture.like_path, gesture.paths)
        published = self.outbox.publish(clip.samples, clip.sample_rate, recipe, voice.title, preset.credits)
        clip_id = self._enter(job, published, gesture.source, gesture.parent)
        seed = str(clip.request.seed)
        self._tell("ready", job.id, variation, str(published.path), clip_id, clip.seconds, seed)
        own = sum(clip.timings_ms[stage] for stage in ("encode", "sample", "decode"))
        log.info(
            "%s (%.2f s, seed %s, %.0f ms)",
            published.path.name,
            clip.seconds,
            seed,
            own,
            extra={"request": job.id},
        )

    def _enter(self, job: Job, published: PublishedClip, source: str, parent: str) -> str:
        """The clip's id; a history that can't be written must not hide a clip that is there."""
        try:
            entry = self.history.add(
                published.path, published.recipe_path, parent=parent, request=job.id, source=source
            )
        except VocalDMError as error:
            log.warning("%s", error)
            self._tell("error", "history", "", job.id, str(error))
            return ""
        return entry.id
