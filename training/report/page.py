"""Page: one HTML file with text, tables, pictures and sounds inside, to send to somebody as it is."""

from __future__ import annotations

import base64
import csv
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import DataError, RunError

WIDTH, HEIGHT, DOTS_PER_INCH = 900, 380, 100
COLOURS = ("#2a78c2", "#e0662b", "#3f9b55", "#8c5bb8", "#b8474b", "#777777")

STYLE = """
:root { color-scheme: light dark; --ink: #1d1f21; --paper: #fdfdfb; --line: #d8d6d0; --dim: #6b6a66; --band: #f2f1ec; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e4df; --paper: #1b1c1e; --line: #3b3c3f; --dim: #a09e98; --band: #25272a; }
}
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
p { max-width: 48rem; } figure { margin: 1rem 0; } figcaption { color: var(--dim); font-size: .875rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
th { border-bottom: 2px solid var(--line); vertical-align: bottom; white-space: normal; max-width: 10rem; }
tbody tr:hover td { background: var(--band); }
.sounds { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: .75rem 1.5rem; }
.sounds figure { margin: 0; min-width: 0; display: flex; flex-direction: column; justify-content: space-between; }
figcaption { overflow-wrap: anywhere; } audio { width: 100%; height: 2.25rem; }
""".strip()


class Page:
    """A page that grows from top to bottom; `write` puts it where it belongs. Nothing in it is fetched."""

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.title = title
        self._parts: list[str] = []
        self._in_sounds = False

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._add(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(f"<p>{html.escape(text)}</p>")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table, its first column to the left and kept in sight, the others to the right."""
        top = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        # Reached by keyboard, because a table wider than the screen is to be scrolled.
        self._add(
            f'<div class="wide" tabindex="0" role="region" aria-label="Table"><table><thead><tr>{top}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def picture(self, title: str, path: Path) -> None:
        """A PNG file; raises DataError where it cannot be read."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"The picture {path} cannot be read ({error.strerror}): make it again."
            ) from error
        self._image(title, data)

    def sound(self, title: str, samples: np.ndarray, rate: int) -> None:
        """A sound `[n]`, full scale 1.0, to be played; louder ones are brought down to it. 16 bits, without loss."""
        import soundfile

        peak = float(np.abs(samples).max()) if len(samples) else 0.0
        memory = io.BytesIO()
        soundfile.write(memory, samples / max(1.0, peak), rate, format="FLAC", subtype="PCM_16")
        data = base64.b64encode(memory.getvalue()).decode("ascii")
        label = html.escape(title, quote=True)
        player = f'<audio controls preload="metadata" aria-label="{label}" src="data:audio/flac;base64,{data}"></audio>'
        self._add(f"<figure><figcaption>{html.escape(title)}</figcaption>{player}</figure>", sound=True)

    def lines(
        self,
        title: str,
        across: str,
        series: Mapping[str, Sequence[tuple[float, float]]],
        bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
        logarithmic: bool = False,
    ) -> None:
        """A drawing of lines of (x, y), with bands of (x, low, high) behind those of the same name."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure: Any = Figure(figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for number, (name, points) in enumerate(series.items()):
            colour = COLOURS[number % len(COLOURS)]
            style = {"marker": "o", "markersize": 3} if len(points) < 40 else {}
            axes.plot([x for x, _ in points], [y for _, y in points], color=colour, label=name, **style)
            band = (bands or {}).get(name, ())
            if band:
                xs, lows, highs = zip(*band, strict=True)
                axes.fill_between(xs, lows, highs, color=colour, alpha=0.18, linewidth=0)
        if logarithmic:
            axes.set_xscale("log")
            marks = sorted({x for points in series.values() for x, _ in points})
            axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
            axes.minorticks_off()
        axes.set_xlabel(across)
        axes.grid(alpha=0.3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8)
        memory = io.BytesIO()
        figure.savefig(memory, dpi=DOTS_PER_INCH, format="png")
        self._image(title, memory.getvalue())

    def curve(self, path: Path, columns: Sequence[str], across: str = "step") -> None:
        """Columns of a CSV file over its column `across`; raises DataError where the file or a column is missing."""
        try:
            with open(path, newline="", encoding="utf-8") as file:
                found = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read as a table ({error}): leave it out.") from error
        missing = [name for name in (across, *columns) if not found or name not in found[0]]
        if missing:
            raise DataError(f"{path} has no column {missing[0]}: name one that it has.")
        series: dict[str, list[tuple[float, float]]] = {name: [] for name in columns}
        for row in found:
            for name in columns:
                try:
                    point = float(row[across]), float(row[name])
                except (TypeError, ValueError):
                    continue  # not measured at this step
                if np.isfinite(point).all():
                    series[name].append(point)
        self.lines(f"{path.name}: {', '.join(columns)}", across, series)

    def write(self) -> Path:
        """Write the page whole or not at all and return its path; raises RunError where its folder takes no file."""
        self._end_sounds()
        title = html.escape(self.title)
        body = "\n".join(self._parts)
        page = (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
        )
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(page, encoding="utf-8", errors="backslashreplace")
            os.replace(part, self.path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(f"{self.path} cannot be written ({reason}): name another folder.") from error
        return self.path

    # Inside ---------------------------------------------------------------------------------------------

    def _image(self, title: str, data: bytes) -> None:
        label = html.escape(title, quote=True)
        source = base64.b64encode(data).decode("ascii")
        self._add(
            f'<figure><img alt="{label}" src="data:image/png;base64,{source}">'
            f"<figcaption>{html.escape(title)}</figcaption></figure>"
        )

    def _add(self, part: str, sound: bool = False) -> None:
        if sound and not self._in_sounds:
            self._parts.append('<div class="sounds">')
            self._in_sounds = True
        if not sound:
            self._end_sounds()
        self._parts.append(part)

    def _end_sounds(self) -> None:
        if self._in_sounds:
            self._parts.append("</div>")
            self._in_sounds = False
