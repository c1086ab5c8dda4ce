"""Encode: a collection's features into a cache that training takes them from, by any pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.base import Base, open_base
from training.cluster.pool import Pool
from training.data.collection import Collection
from training.data.encoding import encode
from training.data.features import CLAP, IMITATION, REFERENCE, parts_for
from training.imitated_sounds import imitated_sounds

PLAIN = ("latent", "sketch")


@dataclass(frozen=True)
class Counted:
    """How many sounds and voices are in the cache now, and a sentence for each thing that was left out."""

    sounds: int
    voices: int
    problems: tuple[str, ...]


def fitting_base(preset: str) -> Base:
    """A preset with the parts that encoding needs: its VAE, and its encoder or CLAP's audio tower where it has one.

    Raises PresetError.
    """
    from vocaldm_live.checkpoints.places import resolve_preset
    from vocaldm_live.checkpoints.preset import read_preset

    there = read_preset(resolve_preset(preset)).header.parts.with_weights()
    heard = "encoder" if "encoder" in there else "clap_audio" if "clap_audio" in there else None
    return open_base(preset, ("vae",) if heard is None else ("vae", heard))


def encode_all(
    collection: Collection,
    base: Base,
    cache: Path,
    pool: Pool,
    voices: int = 1,
    seed: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Counted:
    """Everything that a denoiser learns from: pieces, voices, latents, vectors and sketches; raises DataError.

    voices: of each sound that nobody imitated in a recording; with 0, or for a base that hears nothing, sounds alone
    are encoded, uncut.
    """
    hears = "encoder" in base.networks or "clap_audio" in base.networks
    if voices and hears:
        problems: list[str] = []
        found = imitated_sounds(collection, base, cache, voices, seed, 1, progress, problems.append, pool)
        return Counted(len(found.sounds), len(found.heard), tuple(problems))
    wanted = (*PLAIN, *((REFERENCE,) if "encoder" in base.networks else ()))
    wanted = (*wanted, *((CLAP,) if "clap_audio" in base.networks else ()))
    assert set(parts_for(wanted)) <= set(base.networks) and IMITATION not in wanted
    tell = None if progress is None else lambda done, whole: progress("encoding", done, whole)
    only = collection.of(item for item in collection.items if item.role == "sound")
    alone = encode(only, base, wanted, cache, 1, tell, pool)
    return Counted(len(alone), 0, (*collection.problems, *alone.problems))
