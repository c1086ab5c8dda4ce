"""Features: what a base's networks make of a sound: its latent, its embeddings, and its sketch.

Levels are those of the base's own training. AudioLDM's sounds lose their mean and come to a peak of a half; the
house's stand at a peak between -16 and -0.5 dBFS, drawn from what they contain. Imitations stay as loud as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection as Some
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.base import Base
from training.data.collection import Role
from training.errors import DataError, RecipeError
from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
from vocaldm_live.engine.scale import Scale, scale_of
from vocaldm_live.model.clap_audio import listened
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.model.msclap import ms_listened
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.sketch import measure_sketch

LATENT, SKETCH, CLAP, MSCLAP = "latent", "sketch", "clap", "msclap"
IMITATION, REFERENCE = "imitation", "reference"  # the encoder's towers
KINDS = (LATENT, IMITATION, REFERENCE, CLAP, MSCLAP, SKETCH)
PARTS = {LATENT: "vae", IMITATION: "encoder", REFERENCE: "encoder", CLAP: "clap_audio"} | {
    MSCLAP: "msclap_audio"
}
LONGEST_SECONDS = 10.24  # of a sound; what is longer is cut into pieces first (data/pieces.py)
PEAKS_DB = (-16.0, -0.5)  # of the house's training
VERSION = 1


class Features:
    """Computes features of sounds with the parts of a base that were opened, all on one device.

    Raises RecipeError where a part was not opened.
    """

    def __init__(self, base: Base, wanted: Some[str], device: torch.device | str = "cpu") -> None:
        unknown = sorted(set(wanted) - set(KINDS))
        if unknown:
            raise RecipeError(f"There is no feature {unknown[0]}: take of {', '.join(KINDS)}.")
        for kind in wanted:
            part = PARTS.get(kind)
            if part is not None and part not in base.networks:
                raise RecipeError(f"For the {kind} of sounds the base {base.preset.name} needs its {part}.")
        needed = {PARTS[kind] for kind in wanted if kind in PARTS}
        self.geometry = base.geometry
        self.networks = {name: base.networks[name] for name in sorted(needed)}
        self.trained = base.preset.header.parts.unet
        self.to(device)

    def to(self, device: torch.device | str) -> None:
        """Compute there from now on: every network moves, for a sound is sent to one device."""
        self.device = torch.device(device)
        for network in self.networks.values():
            network.to(self.device)

    def maker(self, kind: str) -> str:
        """SHA-256 of all that a feature depends on beside the sound: weights, geometry, level, version."""
        told: dict[str, Any] = {
            "version": VERSION,
            "longest": LONGEST_SECONDS,
            "unet": self.trained.kind,
            "peaks": PEAKS_DB,
            "geometry": self.geometry.as_dict(),
        }
        if kind in PARTS:
            told["weights"] = weights_sha256(self.networks[PARTS[kind]])
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def of(self, sound: Sound, role: Role, key: str, kinds: Some[str]) -> dict[str, np.ndarray]:
        """Features of a sound by kind: latent `[c, frames, bins]`, vectors `[width]`, sketch `[4, frames x factor]`.

        All float32; `key` is the content key from which a level is drawn. Raises DataError where there is nothing to
        hear: less than 50 ms, silence, or no numbers.
        """
        sound = Sound(sound.samples[: round(LONGEST_SECONDS * sound.sample_rate)], sound.sample_rate)
        samples = sound.at(self.geometry.sample_rate).samples
        scale = self._scale(samples, role, key)
        samples = scale.there(samples)
        found: dict[str, np.ndarray] = {}
        device = self.device
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            for kind in kinds:
                if kind == LATENT:
                    vae: Any = self.networks["vae"]
                    found[kind] = vae.encode(sound_mel(samples, self.geometry).to(device))[0].cpu().numpy()
                elif kind == SKETCH:
                    found[kind] = self._sketch(samples)
                else:
                    # From the sound's own rate and not the geometry's, which may be lower than the listener's.
                    heard = Sound(scale.there(sound.samples), sound.sample_rate)
                    found[kind] = self._vector(heard, kind, device)
        for kind, array in found.items():
            if not np.isfinite(array).all():
                raise DataError(f"its {kind} has values that are no numbers: check the base's weights")
        return found

    def mel(self, sound: Sound, role: Role, key: str) -> Tensor:
        """The log-mel `[1, bands, frames]` that a sound's latent is made of."""
        sound = Sound(sound.samples[: round(LONGEST_SECONDS * sound.sample_rate)], sound.sample_rate)
        samples = sound.at(self.geometry.sample_rate).samples
        return sound_mel(self._scale(samples, role, key).there(samples), self.geometry)

    def _scale(self, samples: np.ndarray, role: Role, key: str) -> Scale:
        if role == "imitation":
            return Scale()
        if isinstance(self.trained, AudioLDMUNetPart):
            return scale_of(samples, self.trained)
        low, high = PEAKS_DB
        drawn = (
            int(hashlib.sha256(f"level {key}".encode("utf-8", "surrogateescape")).hexdigest(), 16) / 2.0**256
        )
        return Scale(10.0 ** ((low + (high - low) * drawn) / 20.0) / max(float(np.abs(samples).max()), 1e-4))

    def _sketch(self, samples: np.ndarray) -> np.ndarray:
        geometry = self.geometry
        frames = geometry.latent_frames(len(samples)) * geometry.factor
        return measure_sketch(samples, geometry.sample_rate).fitted(frames).array()

    def _vector(self, sound: Sound, kind: str, device: torch.device) -> np.ndarray:
        network: Any = self.networks[PARTS[kind]]
        if kind == CLAP:
            vector: Tensor = listened(network, sound, device)
        elif kind == MSCLAP:
            vector = ms_listened(network, sound, device)
        else:
            vector = Embedder(network, device).embed(sound, kind == IMITATION)
        return vector[0].float().cpu().numpy()


def parts_for(wanted: Some[str]) -> tuple[str, ...]:
    """Which parts of a base features need, for `open_base`."""
    return tuple(sorted({PARTS[kind] for kind in wanted if kind in PARTS}))


def sound_mel(samples: np.ndarray, geometry: Geometry) -> Tensor:
    """Log-mel `[1, bands, frames]` of samples `[n]` at the geometry's rate, as the engine computes it.

    Zeros fill the last latent frame.
    """
    filled = np.pad(samples, (0, -len(samples) % (geometry.hop * geometry.factor)))
    return log_mel(torch.from_numpy(filled)[None], geometry)


def weights_sha256(network: nn.Module) -> str:
    """SHA-256 of a network's tensors by name, as float32 where they are numbers with a point."""
    state = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        value = value.float() if value.is_floating_point() else value
        state.update(f"{name} {tuple(value.shape)} ".encode())
        state.update(value.cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
