"""Scale: the level at which a model knows sounds, and the way of a sound there and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vocaldm_live.errors import RequestError
from vocaldm_live.sound.audio import SILENCE_PEAK

LARGEST_GAIN = 100.0


class Trained(Protocol):
    """How sounds were brought to a level for training: their peak, and whether their mean was taken off before."""

    @property
    def trained_peak(self) -> float: ...

    @property
    def trained_centred(self) -> bool: ...


@dataclass(frozen=True)
class Scale:
    """gain and offset: the model hears gain * (samples - offset)."""

    gain: float = 1.0
    offset: float = 0.0

    def there(self, samples: np.ndarray) -> np.ndarray:
        """Samples `[n]` as the model knows them, float32."""
        centred = samples - np.float32(self.offset) if self.offset else samples
        return np.asarray(centred * np.float32(self.gain), np.float32)

    def back(self, samples: np.ndarray) -> np.ndarray:
        """The inverse of `there`."""
        own = samples / np.float32(self.gain)
        return own + np.float32(self.offset) if self.offset else own

    def between(self, other: Scale, weight: float) -> Scale:
        """What lies between two scales: 0 is this one, 1 the other."""
        first, second = 1.0 - weight, weight
        return Scale(self.gain**first * other.gain**second, first * self.offset + second * other.offset)


def scale_of(samples: np.ndarray, trained: Trained) -> Scale:
    """What brings samples `[n]` to the level that a model was trained with; RequestError for silence."""
    offset = float(samples.mean()) if trained.trained_centred and len(samples) else 0.0
    centred = samples - np.float32(offset) if offset else samples
    if not audible(centred):
        raise RequestError("The sound to be edited is silent (peak below -80 dBFS): choose another.")
    return Scale(min(LARGEST_GAIN, trained.trained_peak / float(np.abs(centred).max())), offset)


def audible(samples: np.ndarray) -> bool:
    """Whether anything in `[n]` reaches -80 dBFS."""
    return bool(len(samples)) and float(np.abs(samples).max()) >= SILENCE_PEAK
