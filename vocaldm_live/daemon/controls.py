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
    "text_weight": 1.0,
    "negative": "",
    "candidates": 1,
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
        apart = self.candidates
        return tuple(
            (first + index * apart) % (LARGEST_SEED + 1) for index in range(self.values["variations"])
        )

    @property
    def candidates(self) -> int:
        """How many clips are made of each seed on, of which the one most like what was asked for is kept."""
        return int(self.values["candidates"])

    def words(self, voiceless: bool, beside: bool) -> Words | None:
        """What is said of the sound, and what not; None where nothing is.

        beside: an example or a library is there too; then the words count half until somebody weighs them. Without
        a voice and anything beside they are all there is.
        """
        from vocaldm_live.engine.words import Words

        text, negative = self.values["text"], self.values["negative"]
        if not text and not negative:
            return None
        weight = 0.5 if beside else 1.0
        if "text_weight" in self.given and (beside or not voiceless):
            weight = self.values["text_weight"]
        return Words(text, weight, negative)

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

        values = self.values
        words = self.words(sound is None, like is not None or anchor is not None)
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
        if name in ("text", "negative") and value and not self._words:
            raise OscError(name, "This preset understands no words: give an example sound with like.")
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
        self._words = header.parts.words is not None
        if not self._words:
            for name in ("text", "negative"):
                self.parameters.set(name, "")
        after = self.parameters.values()
        return {name: value for name, value in after.items() if value != before[name]}

    def _default(self, name: str, value: Any) -> None:
        with self._lock:
            if name in self._given:
                return
        self.parameters.set(name, value)
