"""Listeners: what turns a sound into the numbers that sets of sounds are compared by, each by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from training.errors import RecipeError

NAMES = ("ours:PRESET", "clap:PRESET", "panns", "vggish", "fingerprint")


class Listener(Protocol):
    """Hears sounds at one rate; embeddings of two listeners compare only where `sha256` is the same."""

    name: str
    sha256: str  # of everything the embeddings depend on beside the sound
    rate: int  # Hz
    width: int

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The embedding of a sound, float32 `[n]` to float32 `[width]`: the mean of its windows."""

    def windows(self, samples: np.ndarray) -> np.ndarray:
        """The embeddings of the stretches it hears a sound in, float32 `[windows, width]`: one for most."""

    def classes(self, samples: np.ndarray) -> np.ndarray | None:
        """Its answers to a sound as logits, float32 `[527]`; None where it was not taught to classify."""


def listener(name: str, weights: Path | None = None) -> Listener:
    """A listener by name; `weights` is the file of panns and vggish.

    Raises RecipeError for an unknown name or a file that is missing in the call, PresetError for a preset or a file
    that cannot be read.
    """
    kind, _, preset = name.partition(":")
    if kind in ("ours", "clap"):
        if weights is not None:
            raise RecipeError(
                f"The listener {name} hears by a preset and takes no file: leave out its weights."
            )
        if kind == "ours":
            from training.listeners.ours import Ours

            return Ours(preset or "house")
        if not preset:
            raise RecipeError(
                "The listener clap needs a preset that has CLAP's audio tower: write clap:PRESET."
            )
        from training.listeners.clap import Clap

        return Clap(preset)
    if name == "fingerprint":
        from training.listeners.fingerprint import FingerprintListener

        return FingerprintListener()
    if name not in ("panns", "vggish"):
        raise RecipeError(f"There is no listener {name}: choose among {', '.join(NAMES)}.")
    if weights is None:
        example = "Cnn14_16k_mAP=0.438.pth" if name == "panns" else "vggish-10086976.pth"
        raise RecipeError(
            f"The listener {name} needs its weights: give --weights {name}=FILE, the published {example}."
        )
    if name == "panns":
        from training.listeners.panns import Panns

        return Panns(weights)
    from training.listeners.vggish import VGGish

    return VGGish(weights)
