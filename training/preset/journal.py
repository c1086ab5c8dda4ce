"""Journal of stages: which are done and what came of them, in one file that is whole at every moment."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.errors import RunError
from training.preset.plan import STAGES, Plan, Stage
from training.recipe_file import STAGES_FILE as FILE

FORMAT = 2


class Stages:
    """The stages of one run folder. `facts(stage)` is what a stage left; a stage that has some is done.

    Raises RunError where the folder holds another run: one of other sounds, another base or another recipe, named
    by what `identity` says and what it said then.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], minutes: float, fresh: bool) -> None:
        self.path = folder / FILE
        kept = None if fresh else _read(self.path)
        if kept is not None and not kept["done"]:
            kept = kept if kept["identity"] == dict(identity) else None
        if kept is not None and kept["identity"] != dict(identity):
            changed = [name for name, value in identity.items() if kept["identity"].get(name) != value]
            raise RunError(
                f"{folder} holds a preset of other {', '.join(changed)}; name another --out, or start anew with --fresh."
            )
        self._kept: dict[str, Any] = kept or {
            "format": FORMAT,
            "identity": dict(identity),
            "spent": {},
            "notes": {},
            "done": {},
        }
        self.plan = Plan(minutes, self._kept["spent"])
        self._write()

    def facts(self, stage: Stage) -> dict[str, Any] | None:
        """What a stage left, None where it is not done."""
        found = self._kept["done"].get(stage)
        return dict(found) if found is not None else None

    def note(self, name: str, make: Callable[[], Any]) -> Any:
        """A number that a stage decides once, kept so that a run that goes on decides the same."""
        notes = self._kept["notes"]
        if name not in notes:
            notes[name] = make()
            self._write()
        return notes[name]

    def noted(self, name: str) -> bool:
        """Whether this run has decided that already; what lies there of something undecided is an older run's."""
        return name in self._kept["notes"]

    def renote(self, name: str, value: Any) -> Any:
        """Another number in its place, which had to be changed."""
        self._kept["notes"][name] = value
        self._write()
        return value

    @contextmanager
    def working(self, stage: Stage) -> Iterator[Callable[[], None]]:
        """Count the time of a stage, however it ends; what it yields puts down the time so far, for a kill."""
        begun = time.monotonic()

        def mark() -> None:
            nonlocal begun
            now = time.monotonic()
            self.plan.took(stage, now - begun)
            begun = now
            self._write()

        try:
            yield mark
        finally:
            mark()

    def finish(self, stage: Stage, facts: Mapping[str, Any]) -> None:
        """A stage is done; those after it, if any was, are not."""
        done = self._kept["done"]
        for later in STAGES[STAGES.index(stage) :]:
            done.pop(later, None)
        done[stage] = dict(facts)
        self._write()

    def _write(self) -> None:
        self._kept["spent"] = {name: round(seconds, 1) for name, seconds in self.plan.spent.items()}
        part = self.path.with_name(f".{FILE}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "w", encoding="utf-8") as file:
                json.dump(self._kept, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written ({error.strerror}); free space and give the same command again."
            ) from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); name another --out.") from error
    if not isinstance(kept, dict) or kept.get("format") != FORMAT:
        raise RunError(f"{path} is of another version; name another --out.")
    return kept
