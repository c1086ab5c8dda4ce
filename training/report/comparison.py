"""Comparison: the figures of all runs as one table, for people, for spreadsheets and for pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]

# Figure, what the table calls it, how it is written, and whether its interval is shown.
OF_LISTENER = (
    ("kad", "KAD", ".2f", True),
    ("fad", "FAD", ".3g", False),
    ("fad_infinity", "FAD inf.", ".3g", True),
    ("own", "cosine to own reference", ".3f", True),
    ("words", "cosine to own words", ".3f", True),
    ("kl", "KL", ".2f", True),
    ("kl_sigmoid", "KL sigmoid", ".2f", True),
    ("isc", "ISc", ".2f", True),
)
OF_PAIRS = (("lsd_db", "LSD, dB", ".1f", True), ("lsd_lag_ms", "lag of LSD, ms", "+.0f", False))
OF_FOLLOWING = (
    ("loudness_r", "loudness r", ".2f", True),
    ("loudness_db", "loudness, dB off", ".1f", False),
    ("centroid_r", "centroid r", ".2f", True),
    ("pitch_within_50_cents", "pitch within 50 cents", ".0%", False),
    ("voicing_f1", "voicing F1", ".2f", False),
    ("onset_f1", "onset F1", ".2f", True),
    ("onset_lag_ms", "onset lag, ms", "+.0f", False),
)


@dataclass(frozen=True)
class Column:
    """One figure of all runs: its group, its label, and how a run's cell is found and written."""

    group: str
    label: str
    find: Callable[[Result], Mapping[str, Any] | None]
    pattern: str
    interval: bool

    def cell(self, result: Result) -> str:
        """The figure and, where it is shown, its 95 % interval; a dash where there is none."""
        found = self.find(result)
        value = None if found is None else found.get("value", found.get("median"))
        if found is None or value is None:
            return "-"
        text = format(value, self.pattern)
        if self.interval and found.get("low") is not None:
            text += f" [{format(found['low'], self.pattern)}, {format(found['high'], self.pattern)}]"
        return text


def columns(results: Sequence[Result]) -> list[Column]:
    """The columns in which at least one run has a figure."""
    found = [
        Column("sets", "clips", lambda one: {"value": one["clips"]}, "d", False),
        Column("sets", "silent", lambda one: {"value": one.get("silent")}, "d", False),
    ]
    names = list(dict.fromkeys(name for one in results for name in one["listeners"]))
    for name in names:
        for figure, label, pattern, interval in OF_LISTENER:
            found.append(Column(name, label, _of_listener(name, figure), pattern, interval))
    for figure, label, pattern, interval in OF_PAIRS:
        found.append(Column("own reference", label, _inside("pairs", figure), pattern, interval))
    for figure, label, pattern, interval in OF_FOLLOWING:
        found.append(Column("following", label, _inside("following", figure), pattern, interval))
    found.append(Column("retrieval", "MRR", _retrieval("mrr"), ".2f", False))
    found.append(Column("retrieval", "MRR by chance", _retrieval("chance_mrr"), ".2f", False))
    found.append(Column("retrieval", "queries", _retrieval("queries"), "d", False))
    found.append(Column("retrieval", "candidates", _retrieval("candidates"), "d", False))
    return [column for column in found if any(column.cell(one) != "-" for one in results)]


def groups(found: Sequence[Column]) -> dict[str, list[Column]]:
    """Columns by their group, in their order."""
    grouped: dict[str, list[Column]] = {}
    for column in found:
        grouped.setdefault(column.group, []).append(column)
    return grouped


def ordered(results: Sequence[Result]) -> list[Result]:
    """Runs by the KAD of the first listener, nearest first, then the anchors as they came."""

    def nearness(one: Result) -> float:
        figures: Mapping[str, Any] = next(iter(one["listeners"].values()), {})
        kad = figures.get("kad")
        return float(kad["value"]) if kad else float("inf")

    runs = [one for one in results if not one.get("anchor")]
    return [*sorted(runs, key=nearness), *(one for one in results if one.get("anchor"))]


def as_csv(results: Sequence[Result]) -> str:
    """One line a run, one column a figure, its interval's limits beside it."""
    found = columns(results)
    head = ["run", "anchor"]
    for column in found:
        name = f"{column.group}: {column.label}"
        head += [name, f"{name}, low", f"{name}, high"] if column.interval else [name]
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(head)
    for one in results:
        row: list[Any] = [one["name"], "yes" if one.get("anchor") else ""]
        for column in found:
            cell = column.find(one) or {}
            row.append(cell.get("value", cell.get("median")))
            if column.interval:
                row += [cell.get("low"), cell.get("high")]
        writer.writerow(["" if cell is None else cell for cell in row])
    return memory.getvalue()


# Inside -------------------------------------------------------------------------------------------------


def _of_listener(name: str, figure: str) -> Callable[[Result], Mapping[str, Any] | None]:
    return lambda one: one["listeners"].get(name, {}).get(figure)


def _inside(part: str, figure: str) -> Callable[[Result], Mapping[str, Any] | None]:
    return lambda one: (one.get(part) or {}).get(figure)


def _retrieval(figure: str) -> Callable[[Result], Mapping[str, Any] | None]:
    def find(one: Result) -> Mapping[str, Any] | None:
        found = one.get("retrieval")
        return {"value": found[figure]} if found else None

    return find
