"""Document: docs/osc.md, made from the table. `python -m vocaldm_live.osc.document > docs/osc.md`"""

from __future__ import annotations

import sys

from vocaldm_live.osc.table import Argument, Entry, entries

BEFORE = """# OSC

This page is made from the table in `vocaldm_live/osc/table.py`; change it there and run
`python -m vocaldm_live.osc.document > docs/osc.md`.

The daemon takes OSC over UDP and TCP (1.0 with a length before each packet, or 1.1 with SLIP) on one port, 9750 of
127.0.0.1 unless the settings say otherwise. Types on the wire are `i` (integer), `f` (float), `s` (text) and,
for audio only, `b` (bytes). A whole number may come as a float and the other way round; yes and no are 1 and 0.

- **Subscribe** with `/vocaldm/subscribe PORT TTL [AUDIO] [TOKEN]` and renew before TTL seconds are over (1 to 3600; what
  is outside is moved inside). PORT 0 means: where this came from. Over TCP events come on the same connection and
  PORT is ignored. The whole state comes at once, between `state/begin` and `state/end`.
- **Every event begins with `seq`** (`i`), which counts the events sent to this subscriber, from 0, and goes on at 0
  after 2147483647. A gap says that something was lost: `/vocaldm/state` sends everything again. Answers to those
  who did not subscribe carry 0.
- **Errors** have one form: `/vocaldm/error seq code address id sentence`.
- **Datagrams** sent have at most 1400 bytes; a long sentence is shortened. A message that comes in may have 8192.
- **Bundles**: a timetag in the past runs at once, one up to 5 s ahead at its time, one further ahead is refused with
  the error `timetag`. They may be nested 8 deep and hold 1000 messages.
- **Elsewhere than 127.0.0.1** needs a token in the settings (`osc.token`). With one, `subscribe` must carry it, and
  commands are done only for addresses that subscribed.
- **OSCQuery** is at http://127.0.0.1:9751/ (`?HOST_INFO`, or an address with or without `?VALUE`, `?TYPE`, `?RANGE`, ...).
- **Lost audio** is asked for with `audio/resend`; `audio/end` carries the sha256 of all sample bytes in order.
"""
HEADINGS = {
    "command": ("Commands", "Sent to the daemon."),
    "parameter": (
        "Parameters",
        "Sent to the daemon to set them; sent by it, with `seq` before the value, to every subscriber when they change.",
    ),
    "event": ("Events", "Sent by the daemon. `seq` comes before the arguments listed."),
}


def document() -> str:
    """The page, Markdown."""
    parts = [BEFORE]
    for role, (heading, sentence) in HEADINGS.items():
        rows = [_row(entry) for entry in entries(role)]
        head = "| address | types | arguments | what |\n|---|---|---|---|"
        parts.append(f"## {heading}\n\n{sentence}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(entry: Entry) -> str:
    arguments = "; ".join(_argument(argument) for argument in entry.arguments)
    cells = (f"`{entry.address}`", f"`{entry.types}`" if entry.types else "", arguments, entry.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _argument(argument: Argument) -> str:
    name = f"`{argument.name}`" if argument.default is None else f"[`{argument.name}`]"
    notes = []
    if argument.choices or argument.low is not None:
        notes.append(argument.legal)
    if argument.default not in (None, ""):
        notes.append(
            f"{argument.default:g}" if isinstance(argument.default, float) else str(argument.default)
        )
        notes[-1] += " if left out"
    if argument.help:
        notes.append(argument.help)
    return f"{name} ({', '.join(notes)})" if notes else name


if __name__ == "__main__":
    sys.stdout.write(document())
