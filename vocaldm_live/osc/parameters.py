"""Parameters: the values of /vocaldm/param/*, checked against the table and against what the preset allows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

from vocaldm_live.osc.table import ROOT, TABLE, Argument, OscError, Value, entries


class Parameters:
    """Current values by name, of the table's types. Safe from any thread; it sends nothing itself."""

    def __init__(self, values: Mapping[str, object]) -> None:
        """`values`: a legal value for every parameter of the table. OscError names the first that is not."""
        self._lock = threading.Lock()
        self._legal: dict[str, Argument] = {}
        self._values: dict[str, Value] = {}
        for entry in entries("parameter"):
            (argument,) = entry.arguments
            if argument.name not in values:
                raise ValueError(f"no value for the parameter {argument.name}")
            self._legal[argument.name] = argument
            self._values[argument.name] = argument.check(values[argument.name])

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def values(self) -> dict[str, Value]:
        """All values at one moment."""
        with self._lock:
            return dict(self._values)

    def legal(self, name: str) -> Argument:
        """What is legal for this name now."""
        return self._legal[name]

    def check(self, name: str, value: object) -> Value:
        """The value in its type, nothing changed. OscError with code `unknown`, `type` or `range`."""
        if name not in self._legal:
            raise OscError("unknown", f"There is no parameter {name}: there are {', '.join(self._legal)}.")
        return self._legal[name].check(value)

    def set(self, name: str, value: object) -> Value:
        """Set a value and give it in its type. OscError as `check` raises it; the old value stays then."""
        with self._lock:
            checked = self.check(name, value)
            self._values[name] = checked
            return checked

    def narrow(
        self,
        name: str,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[Value, ...] = (),
        default: Value | None = None,
    ) -> bool:
        """Legal range or choices from now on, within the table's; True where the value had to move.

        A number moves to the nearest legal one, a choice to `default` or the first. Without arguments: the
        table's own range again. ValueError where nothing legal would be left.
        """
        (widest,) = TABLE[f"{ROOT}/param/{name}"].arguments
        if choices:
            both = tuple(c for c in choices if not widest.choices or c in widest.choices)
            if not both:
                raise ValueError(f"no choice of {choices} is legal for {name}")
            legal = replace(widest, choices=both)
        elif widest.low is not None and widest.high is not None:
            least = widest.low if low is None else max(low, widest.low)
            most = widest.high if high is None else min(high, widest.high)
            if least > most:
                raise ValueError(f"nothing is legal for {name} from {least:g} to {most:g}")
            legal = replace(widest, low=least, high=most)
        else:
            legal = widest
        with self._lock:
            self._legal[name] = legal
            before = self._values[name]
            self._values[name] = after = _nearest(legal, before, default)
            return after != before


def _nearest(legal: Argument, value: Value, default: Value | None) -> Value:
    if legal.choices:
        first = default if default in legal.choices else legal.choices[0]
        return value if value in legal.choices else first  # type: ignore[return-value]
    if isinstance(value, (int, float)) and legal.low is not None and legal.high is not None:
        return legal.check(min(max(value, legal.low), legal.high))
    return value
