"""The registry of procedural sound families, and the one call that renders a clip of any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.synthesis import (
    dsp,
    family_air,
    family_impacts,
    family_living,
    family_machines,
    family_nature,
    family_tonal,
)
from training.synthesis.curves import FRAME_RATE, CurveRange, Curves, draw
from training.synthesis.dsp import Array

Renderer = Callable[[np.random.Generator, Curves, int, int], Array]

STRUCK = (
    ("events", 5.0),
    ("hit", 2.0),
    ("tremolo", 2.0),
    ("gate", 1.0),
    ("ramp", 0.7),
    ("swell", 0.7),
    ("plateau", 0.7),
)
BLAST = (("events", 3.0), ("hit", 4.0), ("swell", 1.0), ("walk", 0.5))
PASSING = (
    ("swell", 4.0),
    ("events", 3.0),
    ("tremolo", 1.0),
    ("walk", 1.0),
    ("ramp", 1.0),
    ("gate", 0.5),
    ("hit", 1.0),
)
BUILD = (("ramp", 3.0), ("swell", 3.0), ("plateau", 1.0), ("tremolo", 1.0), ("events", 0.7), ("walk", 0.7))


@dataclass(frozen=True)
class Family:
    """One kind of sound: its name and group, whether its pitch can be heard, and how it is made.

    `flatten` is how tightly (in seconds) the loudness curve is imposed on a continuous sound; None marks a
    struck sound, whose own decay is kept and only damped where it outlasts the curve.
    """

    name: str
    group: str
    pitched: bool
    render: Renderer
    limits: CurveRange = CurveRange()
    flatten: float | None = 0.05

    @property
    def continuous(self) -> bool:
        """Whether the sound can take a loudness curve of any shape."""
        return self.flatten is not None


def _registry() -> dict[str, Family]:
    impacts, air, tonal = family_impacts, family_air, family_tonal
    living, machines, nature = family_living, family_machines, family_nature
    struck = CurveRange((100.0, 400.0), (600.0, 14000.0), STRUCK)
    up, down = ("rise", "rise", "steps", "contour"), ("fall", "fall", "siren", "contour")
    families = [
        Family("wood", "impacts", False, impacts.wood, struck, None),
        Family("metal", "impacts", False, impacts.metal, struck, None),
        Family(
            "glass",
            "impacts",
            False,
            impacts.glass,
            CurveRange((100.0, 400.0), (2500.0, 18000.0), STRUCK),
            None,
        ),
        Family("stone", "impacts", False, impacts.stone, struck, None),
        Family(
            "drum", "impacts", False, impacts.drum, CurveRange((100.0, 200.0), (300.0, 9000.0), STRUCK), None
        ),
        Family(
            "explosion", "impacts", False, impacts.explosion, CurveRange((60.0, 90.0), (500.0, 9000.0), BLAST)
        ),
        Family("debris", "impacts", False, impacts.debris, CurveRange(brightness=(500.0, 12000.0)), 0.15),
        Family("whoosh", "air", False, air.whoosh, CurveRange(brightness=(250.0, 9000.0), shapes=PASSING)),
        Family("wind", "air", False, air.wind, CurveRange(brightness=(250.0, 3500.0)), 0.08),
        Family("steam", "air", False, air.steam, CurveRange(brightness=(2000.0, 15000.0))),
        Family("riser", "air", True, air.riser, CurveRange((70.0, 1500.0), (700.0, 12000.0), BUILD, up)),
        Family("faller", "air", True, air.faller, CurveRange((90.0, 1500.0), (500.0, 9000.0), PASSING, down)),
        Family(
            "laser", "tonal", True, tonal.laser, CurveRange((90.0, 900.0), (800.0, 12000.0), STRUCK), 0.04
        ),
        Family("synth", "tonal", True, tonal.synth, CurveRange((80.0, 1200.0), (400.0, 12000.0)), 0.04),
        Family("theremin", "tonal", True, tonal.theremin, CurveRange((100.0, 1500.0), (400.0, 9000.0)), 0.04),
        Family("drone", "tonal", True, tonal.drone, CurveRange((60.0, 260.0), (200.0, 4000.0)), 0.12),
        Family(
            "bell", "tonal", True, tonal.bell, CurveRange((160.0, 1400.0), (1200.0, 14000.0), STRUCK), None
        ),
        Family(
            "pluck", "tonal", True, tonal.pluck, CurveRange((80.0, 1000.0), (700.0, 12000.0), STRUCK), None
        ),
        Family("creature", "living", True, living.creature, CurveRange((60.0, 320.0), (500.0, 7000.0)), 0.08),
        Family(
            "screech", "living", True, living.screech, CurveRange((250.0, 1500.0), (1500.0, 12000.0)), 0.06
        ),
        Family("cricket", "living", False, living.cricket, CurveRange(brightness=(2000.0, 14000.0)), 0.3),
        Family("swarm", "living", True, living.swarm, CurveRange((90.0, 450.0), (700.0, 9000.0))),
        Family("bird", "living", False, living.bird, CurveRange((900.0, 4500.0), (3000.0, 14000.0)), 0.25),
        Family("engine", "machines", True, machines.engine, CurveRange((60.0, 320.0), (300.0, 8000.0)), 0.08),
        Family("servo", "machines", True, machines.servo, CurveRange((120.0, 1500.0), (800.0, 12000.0))),
        Family(
            "machine", "machines", False, machines.machine, CurveRange((60.0, 200.0), (500.0, 12000.0)), 0.5
        ),
        Family("turbine", "machines", True, machines.turbine, CurveRange((150.0, 1500.0), (700.0, 14000.0))),
        Family(
            "electric", "machines", True, machines.electric, CurveRange((60.0, 240.0), (800.0, 15000.0)), 0.12
        ),
        Family("bubbles", "nature", False, nature.bubbles, CurveRange(brightness=(500.0, 9000.0)), 0.25),
        Family("stream", "nature", False, nature.stream, CurveRange(brightness=(900.0, 12000.0)), 0.08),
        Family("fire", "nature", False, nature.fire, CurveRange(brightness=(700.0, 14000.0)), 0.2),
        Family("rain", "nature", False, nature.rain, CurveRange(brightness=(900.0, 15000.0)), 0.08),
        Family("scrape", "nature", False, nature.scrape, CurveRange(brightness=(500.0, 12000.0)), 0.06),
        Family("squeak", "nature", True, nature.squeak, CurveRange((180.0, 1500.0), (1000.0, 12000.0)), 0.06),
    ]
    return {family.name: family for family in families}


FAMILIES: dict[str, Family] = _registry()


def render_curves(
    name: str, rng: np.random.Generator, curves: Curves, n: int, sample_rate: int = 48000
) -> Array:
    """A family's sound that follows the given curves, float32 `[n]` mono, peak 1, no room."""
    family = FAMILIES[name]
    sound = family.render(rng, curves, n, sample_rate)
    if family.flatten is None:
        sound = dsp.damp(sound, curves.loudness, sample_rate)
    else:
        sound = dsp.shape_loudness(sound, curves.loudness, sample_rate, family.flatten)
    presence = dsp.to_samples(dsp.gain_of(curves.loudness), n, sample_rate)
    sound = sound - presence * (sound.mean() / max(1e-9, float(presence.mean())))
    return (sound / max(1e-9, float(np.abs(sound).max()))).astype(np.float32)


def render(name: str, rng: np.random.Generator, seconds: float, sample_rate: int = 48000) -> Array:
    """A random clip of the named family, float32 `[n]` mono, peak 0.05..0.95; the generator decides all.

    Raises KeyError for a name that is not in `FAMILIES`.
    """
    n = int(round(seconds * sample_rate))
    frames = -(-n * FRAME_RATE // sample_rate)
    curves = draw(rng, frames, FAMILIES[name].limits)
    sound = render_curves(name, rng, curves, n, sample_rate)
    if rng.random() < 0.2:
        sound = dsp.room(rng, sound, sample_rate)
    peak = float(np.exp(rng.uniform(np.log(0.06), np.log(0.94))))
    return (sound * (peak / max(1e-9, float(np.abs(sound).max())))).astype(np.float32)
