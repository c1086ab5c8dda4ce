"""Words parts: what a header says of the networks and tables by which a preset understands words, CLAP's apart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vocaldm_live.checkpoints.strict import Few, Strict, TextFile, Weights, Width


class PixelsPart(Strict):
    """`model.pixels.Pixels`: log-mels as they are where others have latents, so no weights."""

    kind: Literal["pixels"]

    @property
    def channels(self) -> tuple[int, ...]:
        """One level: nothing is halved."""
        return (1,)


class VectorsPart(Weights):
    """A table of vectors `[count, width]` that were computed beforehand, and what each is called.

    A UNet with a context has rows of tokens, flat, each with the number that says whether it is there.
    names: a JSON list of as many texts, in the table's order.
    """

    kind: Literal["vectors"]
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    width: Annotated[int, Field(ge=1, le=1_000_000)]
    names: TextFile


class T5Part(Weights):
    """`model.t5.T5Encoder`; pieces: its tokenizer, a JSON object with pieces, unknown and end (`model.unigram`)."""

    kind: Literal["t5"]
    size: Annotated[int, Field(ge=5, le=1_000_000)]
    width: Width
    layers: Few
    heads: Few
    head_width: Width
    hidden: Annotated[int, Field(ge=1, le=65536)]
    gated: bool
    buckets: Annotated[int, Field(ge=4, le=1024)]
    distance: Annotated[int, Field(ge=4, le=65536)]
    pieces: TextFile


WordsPart = VectorsPart | T5Part
WORDS_KINDS = ("pixels", "vectors", "t5")
