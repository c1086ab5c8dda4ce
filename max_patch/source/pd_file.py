"""Pd file: a small writer for Pure Data patches: boxes on a grid, cords, subpatches, GUI objects, an array."""

from __future__ import annotations

from dataclasses import dataclass, field

COLUMN, ROW, LEFT, TOP = 150, 28, 20, 20
INK, PAPER, QUIET, ACCENT = "#1c1c1c", "#fcfcfc", "#6a6a6a", "#2f6fb0"
COMMAND, EVENT = "vocaldm-command", "vocaldm-event"  # the buses between the page and the daemon
NONE = "empty"  # what Pd writes for "no name" and "no label"


def escaped(text: str) -> str:
    """Text as one atom or as the text of a box: what would end an atom or a line is quoted."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("$", "\\$")


def atom(text: str) -> str:
    """Text as one atom, spaces included."""
    return escaped(text).replace(" ", "\\ ")


@dataclass(frozen=True)
class Box:
    """A box of a canvas, by its number there."""

    canvas: Canvas
    number: int

    def to(self, other: Box, inlet: int = 0, outlet: int = 0) -> Box:
        """Draw a cord to another box of the same canvas; that box, so that chains read from left to right."""
        if other.canvas is not self.canvas:
            raise ValueError("a cord joins boxes of one canvas")
        self.canvas.cords.append((self.number, outlet, other.number, inlet))
        return other


@dataclass(eq=False)
class Canvas:
    """A patch or a subpatch. Places are pixels where `x` and `y` are given, cells of a grid in `at`."""

    width: int = 900
    height: int = 600
    name: str = ""
    lines: list[str] = field(default_factory=list)
    cords: list[tuple[int, int, int, int]] = field(default_factory=list)
    count: int = 0

    def raw(self, line: str) -> Box:
        """A box by its line in the file."""
        self.lines.append(f"{line};")
        self.count += 1
        return Box(self, self.count - 1)

    def obj(self, text: str, column: float, row: float) -> Box:
        """An object; `$0` and `$1` in its text are the patch's own."""
        return self.raw(f"#X obj {_at(column, row)} {escaped(text)}")

    def msg(self, text: str, column: float, row: float) -> Box:
        """A message; commas and semicolons in the text separate messages when they stand alone."""
        words = " ".join({",": "\\,", ";": "\\;"}.get(word, escaped(word)) for word in text.split(" "))
        return self.raw(f"#X msg {_at(column, row)} {words}")

    def say(self, text: str, column: float, row: float) -> Box:
        """A message that is one symbol with spaces, after a selector."""
        selector, _, sentence = text.partition(" ")
        return self.raw(f"#X msg {_at(column, row)} {selector} {atom(sentence)}")

    def made(self, form: str, column: float, row: float) -> Box:
        """A `makefilename` whose form has spaces."""
        return self.raw(f"#X obj {_at(column, row)} makefilename {atom(form)}")

    def note(self, text: str, column: float, row: float) -> Box:
        """A comment."""
        return self.raw(f"#X text {_at(column, row)} {_prose(text)}")

    def text(self, x: int, y: int, text: str) -> Box:
        """A comment at a place in pixels."""
        return self.raw(f"#X text {x} {y} {_prose(text)}")

    def sub(self, inner: Canvas, column: float, row: float) -> Box:
        """Another canvas as a subpatch."""
        self.lines += inner.body(f"#N canvas 60 60 {inner.width} {inner.height} {inner.name} 0;")
        return self.raw(f"#X restore {_at(column, row)} pd {inner.name}")

    def array(self, name: str, x: int, y: int, width: int, height: int) -> Box:
        """An array drawn in a graph; its samples are not saved."""
        self.lines += [
            "#N canvas 0 0 450 300 (subpatch) 0;",
            f"#X array {name} 100 float 2;",
            f"#X coords 0 1 99 -1 {width} {height} 1 0 0;",
        ]
        return self.raw(f"#X restore {x} {y} graph")

    # GUI objects: `send` is where they speak to, `receive` where they can be spoken to ---------------------

    def toggle(self, x: int, y: int, size: int, send: str, receive: str, label: str = "") -> Box:
        """A switch, its label to the right."""
        return self.raw(
            f"#X obj {x} {y} tgl {size} 0 {send} {receive} {_label(label, size + 6, size // 2)} 0 1"
        )

    def button(self, x: int, y: int, size: int, send: str, receive: str, label: str = "") -> Box:
        """A button, its label to the right."""
        return self.raw(
            f"#X obj {x} {y} bng {size} 250 50 0 {send} {receive} {_label(label, size + 6, size // 2)}"
        )

    def number(self, x: int, y: int, digits: int, low: float, high: float, send: str, receive: str,
               value: float | None = None) -> Box:  # fmt: skip
        """A number box with a range; one with a value says it when the patch is opened."""
        return self.raw(
            f"#X obj {x} {y} nbx {digits} 16 {low:.10g} {high:.10g} 0 {int(value is not None)} {send} {receive} "
            f"{_label('', 0, -8)} {value or 0:.10g} 256"
        )

    def slider(self, x: int, y: int, width: int, low: float, high: float, send: str, receive: str) -> Box:
        """A horizontal slider with a range."""
        return self.raw(
            f"#X obj {x} {y} hsl {width} 16 {low:.10g} {high:.10g} 0 0 {send} {receive} {_label('', -2, -8)} 0 1"
        )

    def choice(self, x: int, y: int, count: int, send: str, receive: str, size: int = 18) -> Box:
        """One of several, from top to bottom."""
        return self.raw(f"#X obj {x} {y} vradio {size} 1 0 {count} {send} {receive} {_label('', 0, -8)} 0")

    def panel(self, x: int, y: int, width: int, height: int, colour: str, receive: str = NONE,
              label: str = "", size: int = 12, ink: str = INK, indent: int = 6) -> Box:  # fmt: skip
        """A rectangle with a label that can be changed with `label`."""
        words = atom(label) if label else NONE
        return self.raw(
            f"#X obj {x} {y} cnv 5 {width} {height} {NONE} {receive} {words} "
            f"{indent} {height // 2} 0 {size} {colour} {ink} 0"
        )

    def entry(self, x: int, y: int, width: int, send: str, receive: str) -> Box:
        """A field for one word."""
        return self.raw(f"#X symbolatom {x} {y} {width} 0 0 0 - {receive} {send} 12")

    # The file ----------------------------------------------------------------------------------------------

    def body(self, first: str) -> list[str]:
        """The lines of this canvas below its first line, cords included."""
        cords = [f"#X connect {a} {out} {b} {into};" for a, out, b, into in self.cords]
        return [first, *self.lines, *cords]

    def file(self) -> str:
        """The whole patch as Pd reads it."""
        return "\n".join(self.body(f"#N canvas 80 60 {self.width} {self.height} 12;")) + "\n"


def _at(column: float, row: float) -> str:
    return f"{round(LEFT + column * COLUMN)} {round(TOP + row * ROW)}"


def _prose(text: str) -> str:
    return escaped(text).replace("\\,", " \\,").replace("\\;", " \\;")


def _label(text: str, dx: int, dy: int) -> str:
    return f"{atom(text) if text else NONE} {dx} {dy} 0 12 {PAPER} {INK} {INK}"


def to_daemon(c: Canvas, column: float, row: float) -> Box:
    """Where a command goes."""
    return c.obj(f"s {COMMAND}", column, row)
