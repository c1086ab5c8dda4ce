"""Controls: the sliders as a gesture finds them, and what a preset makes of them."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.table import LARGEST_SEED, OscError, Value

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader
    from vocaldm_live.engine.anchor import FindAnchor
    from vocaldm_live.engine.request import Request
    from vocaldm_live.engine.words import Words
    from vocaldm_live.sound.audio import Sound

START: dict[str, Value] = {
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
SHORTEST_DURATION = 0.05


@dataclass(frozen=True)
class Snapshot:
    """The sliders at the moment of a gesture; later movements are for later gestures. `given`: those that somebody set."""

    values: dict[str, Any]
    given: frozenset[str] = frozenset()

    def seeds(self) -> tuple[int, ...]:
        """One seed for each variation; a new one to start from where the slider stands at -1."""
        first = self.values["seed"]
        if first < 0:
            first = secrets.randbelow(LARGEST_SEED - 16)
        return tuple((first + index) % (LARGEST_SEED + 1) for index in range(self.values["variations"]))

    def words(self, has_voice: bool, has_like: bool) -> Words | None:
        """What is said of the sound, weighed against what is heard; None where nothing is said."""
        from vocaldm_live.engine.words import Words

        if not self.values["text"]:
            return None
        # The one slider weighs what is heard against what is asked for: the example where there is one, else words.
        return Words(self.values["text"], 0.5 if has_like else self.values["strength"] if has_voice else 1.0)

    def requests(
        self,
        sound: Sound | None,
        name: str,
        request_id: str,
        like: Sound | None,
        anchor: FindAnchor | None = None,
    ) -> tuple[Request, ...]:
        """The requests of one gesture, a seed each."""
        from vocaldm_live.engine.request import Request

        values, words = self.values, self.words(sound is not None, like is not None)
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
                anchor=anchor,
                words=words,
            )
            for seed in self.seeds()
        )


class Controls:
    """The parameters of the table, with the preset's ranges, and its defaults for what nobody has set."""

    def __init__(self, **values: Any) -> None:
        """`values`: those of the settings; None leaves the choice to the preset."""
        given = {name: value for name, value in values.items() if value is not None}
        self.parameters = Parameters(START | given)
        self._lock = threading.Lock()
        self._given = set(given)
        self._words = False

    def snapshot(self) -> Snapshot:
        """All values now."""
        with self._lock:
            given = frozenset(self._given)
        return Snapshot(dict(self.parameters.values()), given)

    def touch(self, name: str, value: Value) -> None:
        """Somebody sets a slider; raises OscError for what the table's ranges cannot say."""
        if name == "text" and value and not self._words:
            raise OscError("text", "This preset understands no words: give an example sound with like.")
        if name == "duration" and isinstance(value, float) and 0 < value < SHORTEST_DURATION:
            raise OscError("range", f"duration is too short: give 0, or {SHORTEST_DURATION} s to 60 s.")
        with self._lock:
            self._given.add(name)

    def use(self, header: PresetHeader) -> dict[str, Value]:
        """Take a preset's ranges, its name, and its defaults where nobody has set a value; what changed."""
        before, given = self.parameters.values(), header.parameters
        for name, bounds in (("steps", given.steps), ("guidance", given.guidance), ("follow", given.follow)):
            self.parameters.narrow(name, bounds.low, bounds.high, default=bounds.default)
            self._default(name, bounds.default)
        self.parameters.narrow("sampler", choices=tuple(given.sampler.choices), default=given.sampler.default)
        self._default("sampler", given.sampler.default)
        self.parameters.set("preset", header.name)
        self._words = header.parts.clap_text is not None
        if not self._words:
            self.parameters.set("text", "")
        after = self.parameters.values()
        return {name: value for name, value in after.items() if value != before[name]}

    def _default(self, name: str, value: Any) -> None:
        with self._lock:
            if name in self._given:
                return
        self.parameters.set(name, value)
