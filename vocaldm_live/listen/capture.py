"""Capture: the last seconds of a ring, without the near-silence around what was heard."""

from __future__ import annotations

import numpy as np

from vocaldm_live.errors import SoundError
from vocaldm_live.listen.noise_floor import BandMeter

CLEAR_DB = 6.0
DEEPEST_DB = 40.0
LEAD_SECONDS = 0.05
TAIL_SECONDS = 0.15
# A click of the keyboard that asked for the capture is loud in no more frames than four; where nothing lasts
# longer than that, clicks are what was meant.
LASTING_FRAMES = (6, 2)


def trim(samples: np.ndarray, sample_rate: int, floor: np.ndarray | None = None) -> tuple[int, int]:
    """Where in float32 `[n]` the sound begins and ends, in samples, with a little air around it.

    Sound is what stands 6 dB over the room and no more than 40 dB under the loudest moment. The room is
    `floor`, mean squares `[bands]` as a gate has learned it, or where that is not known the quietest tenth of the
    samples. Raises SoundError when nothing stands out.
    """
    meter = BandMeter(sample_rate)
    powers = meter.feed(np.asarray(samples, dtype=np.float32))
    if not len(powers):
        raise SoundError("Too little was heard to capture: ask for more seconds, or make the sound again.")
    if floor is None:
        floor = np.quantile(powers, 0.1, axis=0)
    over = 10 * np.log10((powers / np.maximum(floor, 1e-9)).mean(axis=1) + 1e-12)
    levels = 10 * np.log10(powers.sum(axis=1) + 1e-12)
    loud = (over >= CLEAR_DB) & (levels >= levels.max() - DEEPEST_DB)
    found, lasting = np.zeros(0, np.int64), 0
    for lasting in LASTING_FRAMES:
        if len(loud) >= lasting:
            found = np.flatnonzero(np.convolve(loud, np.ones(lasting), "valid") >= lasting)
        if len(found):
            break
    if not len(found):
        raise SoundError(
            f"Nothing was heard in the last {len(samples) / sample_rate:.1f} s that stands out of the room: "
            "make the sound closer to the microphone."
        )
    begin = int(found[0]) * meter.hop + meter.hop - round(LEAD_SECONDS * sample_rate)
    end = (int(found[-1]) + lasting) * meter.hop + meter.hop + round(TAIL_SECONDS * sample_rate)
    return max(0, begin), min(len(samples), end)
