"""Entry: one address of the OSC table, and the checking of its arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vocaldm_live.errors import VocalDMError

ROOT = "/vocaldm"
LARGEST_SEED = 2**31 - 1
LONGEST_TEXT = 1000  # bytes of one string: it must fit a datagram of 1400 together with the rest

Value = int | float | str | bytes
Kind = Literal["i", "f", "s", "b"]


class OscError(VocalDMError):
    """An OSC message asks for what is not possible; `code` is the short name that goes out with the sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Argument:
    """One argument: its name, its type on the wire (i, f, s, b), its range or choices, whether it may be left out."""

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    default: Value | None = None
    help: str = ""
    longest: int = LONGEST_TEXT

    @property
    def legal(self) -> str:
        """What is legal, in words."""
        if self.choices:
            return " or ".join(str(choice) for choice in self.choices)
        what = {"i": "a whole number", "f": "a number", "s": "text", "b": "bytes"}[self.kind]
        if self.low is None or self.high is None:
            return what
        form = ".0f" if self.kind == "i" else "g"
        return f"{what} from {self.low:{form}} to {self.high:{form}}"

    def check(self, value: object) -> Value:
        """The value in this argument's type; whole floats and whole-valued ints pass. Raises OscError."""
        fits: Value | None = None
        if self.kind == "s" and isinstance(value, str):
            fits = value
        elif self.kind == "b" and isinstance(value, bytes):
            fits = value
        elif self.kind in "if" and isinstance(value, (int, float)) and math.isfinite(value):
            # Max sends 4. where 4 is meant, Pd only knows floats, and booleans are 0 and 1 here.
            number = float(value)
            fits = number if self.kind == "f" else int(number) if number.is_integer() else None
        if fits is None:
            raise OscError("type", f"{self.name} is {_shown(value)}: give {self.legal}.")
        if isinstance(fits, str) and (len(fits.encode()) > self.longest or not fits.isprintable()):
            raise OscError(
                "range",
                f"{self.name} is too long or not plain text: give up to {self.longest} bytes of one line.",
            )
        inside = (
            self.low is None
            or self.high is None
            or isinstance(fits, (str, bytes))
            or self.low <= fits <= self.high
        )
        if not inside or (self.choices and fits not in self.choices):
            raise OscError("range", f"{self.name} is {_shown(value)}: give {self.legal}.")
        return fits


@dataclass(frozen=True)
class Entry:
    """One address: what comes in (`command`), what goes out (`event`), or both (`parameter`).

    Every event carries `seq`, the number of the event for this subscriber, before its arguments; a parameter
    that comes in carries none. `daily`: a person at a front end uses it.
    """

    address: str
    role: Literal["command", "event", "parameter"]
    arguments: tuple[Argument, ...]
    help: str
    daily: bool = False

    @property
    def types(self) -> str:
        """Type tags of what comes in; of what goes out for an event, `seq` included."""
        tags = "".join(argument.kind for argument in self.arguments)
        return f"i{tags}" if self.role == "event" else tags

    def check(self, values: tuple[object, ...]) -> tuple[Value, ...]:
        """The arguments of a message, checked and in their types, defaults put in. Raises OscError."""
        least = sum(argument.default is None for argument in self.arguments)
        if not least <= len(values) <= len(self.arguments):
            names = " ".join(
                argument.name if argument.default is None else f"[{argument.name}]"
                for argument in self.arguments
            )
            raise OscError(
                "arguments", f"{self.address} has {len(values)} arguments: give {names or 'none'}."
            )
        given = [argument.check(value) for argument, value in zip(self.arguments, values, strict=False)]
        rest = [argument.default for argument in self.arguments[len(given) :] if argument.default is not None]
        return (*given, *rest)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def switch(name: str, help: str) -> Argument:
    """An argument that is on or off."""
    return Argument(name, "i", 0, 1, (0, 1), help=help)


def command(name: str, help: str, *arguments: Argument, daily: bool = True) -> Entry:
    """An entry that comes in."""
    return Entry(f"{ROOT}/{name}", "command", arguments, help, daily)


def event(name: str, help: str, *arguments: Argument, daily: bool = True) -> Entry:
    """An entry that goes out."""
    return Entry(f"{ROOT}/{name}", "event", arguments, help, daily)


def parameter(argument: Argument, help: str, daily: bool = True) -> Entry:
    """An entry that goes both ways."""
    return Entry(f"{ROOT}/param/{argument.name}", "parameter", (argument,), help, daily)
