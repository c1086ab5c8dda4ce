"""Check: what can be known of the Max package without Max. `python -m max_patch.source.check` says what is wrong.

Every address exists in the daemon's table with those arguments; what a person uses is in the instrument; nothing lies on
anything else; cords do not cross; every file that a patch names is there; what Max needs beside each patcher exists.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from max_patch.source.addresses import daily, incoming
from max_patch.source.max_layout import COVERS, DEVICE, DEVICE_SIZE, WINDOW
from vocaldm_live.osc.table import ROOT, TABLE, OscError

PACKAGE = Path(__file__).resolve().parent.parent
PATCHES = ("*.maxpat", "*.maxhelp", "*.amxd")
ADDRESS = re.compile(rf"{ROOT}/[a-z/_]+")
# In the scripts addresses are written without the root.
SENT = re.compile(r"(?:toDaemon\(|ROOT \+ )\"([a-z/_]+)\"")
HEARD = re.compile(r"EVENTS\[\"([a-z/_]+)\"\]")

Document = dict[str, Any]


def patches() -> list[Path]:
    """Every patcher file of the package."""
    return sorted(path for pattern in PATCHES for path in PACKAGE.rglob(pattern))


def read(path: Path) -> Document:
    """The patcher in a file, also inside the container of a device for Live."""
    data = path.read_bytes()
    if path.suffix == ".amxd":
        end = data.index(b"\0", 36)
        data = data[36:end]
    return json.loads(data)["patcher"]


def boxes(patcher: Document) -> list[Document]:
    """Its boxes, those of subpatchers behind them."""
    found = [one["box"] for one in patcher["boxes"]]
    return found + [inner for one in found if "patcher" in one for inner in boxes(one["patcher"])]


def overlaps(patcher: Document, key: str) -> Iterator[str]:
    """Pairs of boxes that lie on each other, in `patching_rect` or `presentation_rect`."""
    placed = [one["box"] for one in patcher["boxes"] if key in one["box"]]
    for a, b in combinations(placed, 2):
        first, second = a[key], b[key]
        apart = any(
            first[axis] + first[axis + 2] <= second[axis] or second[axis] + second[axis + 2] <= first[axis]
            for axis in (0, 1)
        )
        if not apart and not (key == "presentation_rect" and _covers(a, b)):
            yield f"{_named(a)} and {_named(b)} overlap in {key}"


def crossings(patcher: Document) -> Iterator[str]:
    """Pairs of cords that cross."""
    by_id = {one["box"]["id"]: one["box"] for one in patcher["boxes"]}
    cords = []
    for line in patcher["lines"]:
        (a, outlet), (b, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        cords.append(((a, b), _port(by_id[a], outlet, True), _port(by_id[b], inlet, False)))
    for (one, p, q), (two, r, s) in combinations(cords, 2):
        if len({p, q, r, s}) == 4 and _cross(p, q, r, s):
            names = [_named(by_id[id]) for id in (*one, *two)]
            yield f"the cords {names[0]} - {names[1]} and {names[2]} - {names[3]} cross"


def addresses(patcher: Document) -> Iterator[str]:
    """Addresses that the table does not have, or not like that."""
    for box in boxes(patcher):
        text = str(box.get("text", ""))
        words = text.split()
        for address in ADDRESS.findall(text):
            if address not in TABLE:
                if box["maxclass"] != "comment" or not address.endswith("/"):
                    yield f"{_named(box)}: there is no {address}"
                continue
            entry = TABLE[address]
            if words[0] == "route" and entry.role == "command":
                yield f"{_named(box)}: {address} is sent, never heard"
            if words[0] == "prepend" and entry.role == "event":
                yield f"{_named(box)}: {address} is heard, never sent"
        if box["maxclass"] == "message" and words and words[0] in TABLE:
            try:
                TABLE[words[0]].check(tuple(_atom(word) for word in words[1:]))
            except OscError as error:
                yield f"{_named(box)}: {error}"


def script_addresses(text: str) -> Iterator[str]:
    """Addresses in a script that the table does not have, or not in that direction."""
    for short in SENT.findall(text):
        if f"{ROOT}/{short}" not in TABLE:
            yield f"there is no {ROOT}/{short}"
    for short in HEARD.findall(text):
        if f"{ROOT}/{short}" not in TABLE or TABLE[f"{ROOT}/{short}"].role == "command":
            yield f"{ROOT}/{short} is not heard from the daemon"


def missing_controls(instrument: Document, *abstractions: Document) -> Iterator[str]:
    """What a person would use and the instrument does not have."""
    session = (PACKAGE / "javascript" / "vocaldm.session.js").read_text(encoding="utf-8")
    texts = [str(box.get("text", "")) for one in (instrument, *abstractions) for box in boxes(one)]
    sent = {a for text in texts if not text.startswith("route") for a in ADDRESS.findall(text)}
    sent |= {f"{ROOT}/{short}" for short in SENT.findall(session)}
    heard = {a for text in texts if text.startswith("route") for a in ADDRESS.findall(text)}
    heard |= {f"{ROOT}/{short}" for short in HEARD.findall(session)}
    for entry in daily():
        if entry.address not in sent:
            yield f"nothing sends {entry.address}"
    for entry in incoming():
        # The chosen preset is told by preset/is.
        if entry.daily and entry.address not in heard | {f"{ROOT}/param/preset"}:
            yield f"nothing hears {entry.address}"


def missing_files(patcher: Document) -> Iterator[str]:
    """Files that a patch names and the package does not hold."""
    for box in boxes(patcher):
        words = str(box.get("text", "")).split()
        names = [word for word in words if word.startswith("vocaldm") and box["maxclass"] == "newobj"]
        if box["maxclass"] == "bpatcher":
            names.append(box["name"])
        for name in names:
            places = [f"javascript/{name}", f"patchers/{name}", f"patchers/{name}.maxpat"]
            if not any((PACKAGE / place).is_file() for place in places):
                yield f"{_named(box)}: the package holds no {name}"


def incomplete() -> Iterator[str]:
    """What belongs to a Max package and is not there."""
    for patch in ("vocaldm", "vocaldm.client", "vocaldm.clip"):
        for path in (f"patchers/{patch}.maxpat", f"help/{patch}.maxhelp", f"docs/{patch}.maxref.xml"):
            if not (PACKAGE / path).is_file():
                yield f"{path} is missing"
    for path in ("package-info.json", "icon.png", "README.md", "extras/VocalDM Live.maxpat"):
        if not (PACKAGE / path).is_file():
            yield f"{path} is missing"


def problems() -> Iterator[str]:
    """Everything that is wrong with the package, one line each."""
    yield from incomplete()
    for path in patches():
        patcher, where = read(path), path.relative_to(PACKAGE).as_posix()
        found = [*addresses(patcher), *missing_files(patcher), *crossings(patcher),
                 *overlaps(patcher, "patching_rect"), *overlaps(patcher, "presentation_rect")]  # fmt: skip
        if path.suffix == ".amxd":
            found += [*_too_high(patcher)]
        yield from (f"{where}: {one}" for one in found)
    for path in sorted((PACKAGE / "javascript").glob("*.js")):
        yield from (f"{path.name}: {one}" for one in script_addresses(path.read_text(encoding="utf-8")))
    parts = [read(PACKAGE / "patchers" / f"{one}.maxpat") for one in ("vocaldm.client", "vocaldm.clip")]
    for whole in ("patchers/vocaldm.maxpat", "devices/VocalDM Live.amxd"):
        yield from (f"{whole}: {one}" for one in missing_controls(read(PACKAGE / whole), *parts))


def _too_high(patcher: Document) -> Iterator[str]:
    for box in (one["box"] for one in patcher["boxes"]):
        rect = box.get("presentation_rect", [0.0, 0.0, 0.0, 0.0])
        if rect[1] + rect[3] > DEVICE_SIZE[1] or any(number != int(number) for number in rect):
            yield f"{_named(box)} does not fit a device strip: {rect}"


def _covers(a: Document, b: Document) -> bool:
    """Whether one is the transparent button that makes the other clickable."""
    kinds = {a["maxclass"], b["maxclass"]}
    places = [page[under] for page in (WINDOW, DEVICE) for under in COVERS.values()]
    return kinds == {"ubutton", "comment"} and tuple(map(int, a["presentation_rect"])) in places


def _named(box: Document) -> str:
    return f"{box['id']} [{box.get('text') or box.get('varname') or box['maxclass']}]"


def _port(box: Document, number: int, out: bool) -> tuple[float, float]:
    """Where a cord meets a box: ports lie from edge to edge, 9 pixels from the left."""
    x, y, width, height = box["patching_rect"]
    count = box["numoutlets" if out else "numinlets"]
    step = (width - 18) / (count - 1) if count > 1 else 0.0
    return round(x + 9 + step * number, 1), round(y + height if out else y, 1)


def _cross(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float],
           s: tuple[float, float]) -> bool:  # fmt: skip
    def side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0


def _atom(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


if __name__ == "__main__":
    wrong = list(problems())
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.exit(bool(wrong))
