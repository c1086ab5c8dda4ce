"""Controls: what the sliders stand at, checked against the table and against what the preset allows."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vocaldm_live.osc.table import LARGEST_SEED, ROOT, TABLE, OscError, Value, entries

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader
    from vocaldm_live.engine.request import Request
    from vocaldm_live.sound.audio import Sound

NAMES = tuple(entry.arguments[0].name for entry in entries("parameter"))


@dataclass(frozen=True)
class Snapshot:
    """The sliders at the moment of a gesture; later movements are for later gestures."""

    values: dict[str, Any]

    def seeds(self) -> tuple[int, ...]:
        """One seed for each variation; a new one to start from where the slider stands at -1."""
        first = self.values["seed"]
        if first < 0:
            first = secrets.randbelow(LARGEST_SEED - 16)
        return tuple((first + index) % (LARGEST_SEED + 1) for index in range(self.values["variations"]))

    def requests(self, sound: Sound, name: str, request_id: str, like: Sound | None) -> tuple[Request, ...]:
        """The requests of one gesture, a seed each."""
        from vocaldm_live.engine.request import Request

        values = self.values
        return tuple(
            Request(
                sound,
                name,
                seed,
                values["steps"],
                values["guidance"],
                values["follow"],
                values["sampler"],
                values["eta"] if values["sampler"] == "ddim" else 0.0,
                like,
                values["strength"],
                values["duration"] or None,
                id=request_id,
            )
            for seed in self.seeds()
        )


class Controls:
    """The current value of every parameter of the table; any thread may ask and set."""

    def __init__(self, **values: Any) -> None:
        self._lock = threading.Lock()
        self._header: PresetHeader | None = None
        self._values: dict[str, Any] = {
            "steps": 4,
            "guidance": 2.0,
            "follow": 1.0,
            "strength": 1.0,
            "sampler": "ddim",
            "eta": 0.0,
            "variations": 1,
            "seed": -1,
            "duration": 0.0,
            "preset": "",
            "text": "",
        }
        self._given = {name: value for name, value in values.items() if value is not None}
        self._values.update(self._given)

    def snapshot(self) -> Snapshot:
        """All values now."""
        with self._lock:
            return Snapshot(dict(self._values))

    def set(self, name: str, value: Value) -> Value:
        """Set one; raises OscError naming what is legal with the preset that plays."""
        (checked,) = TABLE[f"{ROOT}/param/{name}"].check((value,))
        with self._lock:
            self._allow(name, checked)
            self._values[name] = checked
            self._given[name] = checked
        return checked

    def put(self, name: str, value: Value) -> None:
        """Write down what has become true by itself: the preset that plays."""
        with self._lock:
            self._values[name] = value

    def use(self, header: PresetHeader) -> list[str]:
        """Take a preset's ranges and, where nobody has set a value, its defaults; the names that changed."""
        parameters = header.parameters
        defaults: dict[str, Any] = {
            "steps": int(parameters.steps.default),
            "guidance": float(parameters.guidance.default),
            "follow": float(parameters.follow.default),
            "sampler": parameters.sampler.default,
        }
        changed = []
        with self._lock:
            self._header = header
            for name, default in defaults.items():
                wanted = self._given.get(name, default)
                try:
                    self._allow(name, wanted)
                except OscError:
                    wanted = default
                    self._given.pop(name, None)
                if wanted != self._values[name]:
                    self._values[name] = wanted
                    changed.append(name)
        return changed

    def _allow(self, name: str, value: Any) -> None:
        if name == "text" and value:
            raise OscError("text", "No preset here understands words: give an example sound with like.")
        if name == "duration" and 0 < value < 0.05:
            raise OscError("range", "duration is too short: give 0 for the gesture's own, or 0.05 to 60.")
        if self._header is None:
            return
        parameters = self._header.parameters
        if name in ("steps", "guidance", "follow"):
            bounds = getattr(parameters, name)
            if not bounds.low <= value <= bounds.high:
                raise OscError(
                    "range", f"{name} is {value:g}: this preset takes {bounds.low:g} to {bounds.high:g}."
                )
        if name == "sampler" and value not in parameters.sampler.choices:
            raise OscError(
                "range", f"sampler is {value}: this preset takes {', '.join(parameters.sampler.choices)}."
            )
