"""Max file: a small writer for Max patchers: boxes with their ports, cords, presentation, the JSON that Max reads.

py2max knows the ports of Max's objects but not attributes of live.* parameters; here every object that the patches use
has its ports in one table, which tests/test_max_package.py holds against py2max's reference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# object: inlets, types of its outlets. Those whose arguments decide are in `ports`.
OBJECTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "inlet": (0, ("",)),
    "outlet": (1, ()),
    "in": (1, ("",)),
    "out": (1, ()),
    "out~": (1, ()),
    "r": (0, ("",)),
    "s": (1, ()),
    "prepend": (1, ("",)),
    "message": (2, ("",)),
    "comment": (1, ()),
    "panel": (1, ()),
    "udpsend": (1, ()),
    "udpreceive": (1, ("",)),
    "buffer~": (1, ("float", "bang")),
    "play~": (1, ("signal", "bang")),
    "zl": (2, ("", "")),
    "thispoly~": (1, ("int", "int", "int")),
    "loadbang": (1, ("bang",)),
    "live.thisdevice": (1, ("bang", "int", "int")),
    "+": (2, ("int",)),
    "i": (2, ("int",)),
    "f": (2, ("float",)),
    "tosymbol": (1, ("",)),
    "conformpath": (1, ("", "int")),
    "metro": (2, ("bang",)),
    "counter": (5, ("int", "", "", "int")),
    "ezdac~": (2, ()),
    "*~": (2, ("signal",)),
    "+~": (2, ("signal",)),
    "plugin~": (2, ("signal", "signal")),
    "plugout~": (2, ("signal", "signal")),
    "change": (1, ("", "int", "int")),
    "print": (1, ()),
    "ubutton": (1, ("bang", "bang", "", "int")),
    "textbutton": (1, ("", "", "int")),
    "live.dial": (1, ("", "float")),
    "number": (1, ("", "bang")),
    "flonum": (1, ("", "bang")),
    "umenu": (1, ("int", "", "")),
    "textedit": (1, ("", "int", "", "")),
    "dropfile": (1, ("", "")),
    "chooser": (1, ("", "", "", "", "", "")),
    "slider": (1, ("",)),
    "led": (1, ("int",)),
    "toggle": (1, ("int",)),
    "button": (1, ("bang",)),
    "waveform~": (5, ("float", "float", "float", "float", "list", "")),
    "live.gain~": (2, ("signal", "signal", "", "float", "list")),
    "matrixctrl": (1, ("list", "list")),
    "bpatcher": (0, ("",)),
}
WORD = 6.4  # pixels of a letter at 12 points, about


def ports(text: str) -> tuple[int, tuple[str, ...]]:
    """Inlets and outlet types of an object by its text. KeyError where it is not known here."""
    name, *rest = text.split()
    arguments = [word for word in rest if not word.startswith("@")]
    if name == "route":
        return 1, ("",) * (len(arguments) + 1)
    if name == "sel":
        return 1, ("bang",) * len(arguments) + ("",)
    if name == "t":
        kinds = {"b": "bang", "i": "int", "f": "float", "l": "", "s": ""}
        return 1, tuple(kinds[word] for word in arguments)
    if name == "unpack":
        kinds = {"i": "int", "f": "float", "s": ""}
        return 1, tuple(kinds.get(word, "int") for word in arguments)
    if name == "pack":
        return len(arguments), ("",)
    inlets, outlets = OBJECTS[name]
    return inlets, outlets


@dataclass(frozen=True)
class Box:
    """A box of a patcher."""

    patcher: Patcher
    id: str
    content: dict[str, Any]

    def to(self, other: Box, inlet: int = 0, outlet: int = 0) -> Box:
        """A cord to another box; that box, so that chains read from left to right. ValueError for ports that are not."""
        if outlet >= self.content["numoutlets"] or inlet >= other.content["numinlets"]:
            raise ValueError(f"{self.content} has no outlet {outlet}, or {other.content} no inlet {inlet}")
        self.patcher.lines.append(
            {"patchline": {"destination": [other.id, inlet], "source": [self.id, outlet]}}
        )
        return other


@dataclass(eq=False)
class Patcher:
    """A patcher; `device`: one for Live, with a project block. `prefix` makes names of sends its own."""

    width: int
    height: int
    presentation: bool = False
    prefix: str = "#0-"
    boxes: list[Box] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, maxclass: str, rect: Sequence[float], inlets: int, outlets: Sequence[str],
            **attributes: Any) -> Box:  # fmt: skip
        """Any box, with its ports."""
        shown = attributes.pop("show", None)
        content: dict[str, Any] = {
            "id": f"obj-{len(self.boxes) + 1}",
            "maxclass": maxclass,
            "numinlets": inlets,
            "numoutlets": len(outlets),
            "patching_rect": [float(number) for number in rect],
        }
        if outlets:
            content["outlettype"] = list(outlets)
        if shown is not None:
            content |= {"presentation": 1, "presentation_rect": [float(number) for number in shown]}
        box = Box(self, content["id"], content | attributes)
        self.boxes.append(box)
        return box

    def obj(self, text: str, x: float, y: float, ports_: tuple[int, tuple[str, ...]] | None = None,
            **attributes: Any) -> Box:  # fmt: skip
        """An object with a text."""
        inlets, outlets = ports_ or ports(text)
        width = max(40.0, len(text) * WORD + 14)
        if text.split()[0] in ("inlet", "outlet"):
            comment = attributes.pop("comment", "")
            return self.add(text.split()[0], (x, y, 30, 30), inlets, outlets, comment=comment, index=1)
        return self.add("newobj", (x, y, width, 22), inlets, outlets, text=text, **attributes)

    def msg(self, text: str, x: float, y: float) -> Box:
        """A message box."""
        return self.add(
            "message", (x, y, max(30.0, len(text) * WORD + 14), 22), *OBJECTS["message"], text=text
        )

    def ui(self, maxclass: str, rect: Sequence[float], show: Sequence[float] | None = None,
           **attributes: Any) -> Box:  # fmt: skip
        """An object with a face of its own; `show` is its place in presentation."""
        return self.add(maxclass, rect, *OBJECTS[maxclass], show=show, **attributes)

    def comment(self, text: str, rect: Sequence[float], show: Sequence[float] | None = None,
                **attributes: Any) -> Box:  # fmt: skip
        """A comment."""
        return self.ui("comment", rect, show, text=text, **attributes)

    def document(self, **more: Any) -> dict[str, Any]:
        """What the file holds."""
        size = [80.0, 100.0, float(self.width), float(self.height)]
        patcher: dict[str, Any] = {
            "fileversion": 1,
            "appversion": {"major": 8, "minor": 6, "revision": 5, "architecture": "x64", "modernui": 1},
            "classnamespace": "box",
            "rect": size,
            "bglocked": 0,
            "openinpresentation": int(self.presentation),
            "default_fontsize": 12.0,
            "default_fontface": 0,
            "default_fontname": "Arial",
            "gridonopen": 1,
            "gridsize": [15.0, 15.0],
            "gridsnaponopen": 1,
            "objectsnaponopen": 1,
            "statusbarvisible": 2,
            "toolbarvisible": 1,
            "boxes": [{"box": box.content} for box in self.boxes],
            "lines": self.lines,
            "dependency_cache": [],
            "autosave": 0,
        }
        return {"patcher": patcher | more}

    def file(self, **more: Any) -> bytes:
        """The file."""
        return (json.dumps(self.document(**more), indent=1, ensure_ascii=False) + "\n").encode()


def parameter(longname: str, shortname: str, kind: int, low: float, high: float, initial: float,
              unit: int = 1) -> dict[str, Any]:  # fmt: skip
    """Attributes of a live.* parameter. kind 0: float, 1: int, 2: list. unit 0: int, 1: float."""
    value = {
        "parameter_longname": longname,
        "parameter_shortname": shortname,
        "parameter_type": kind,
        "parameter_mmin": low,
        "parameter_mmax": high,
        "parameter_initial": [initial],
        "parameter_initial_enable": 0,
        "parameter_unitstyle": unit,
        "parameter_linknames": 1,
    }
    return {"parameter_enable": 1, "saved_attribute_attributes": {"valueof": value}, "varname": longname}
