"""Words parts: what a header says of the networks and tables by which a preset understands words, CLAP's apart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vocaldm_live.checkpoints.strict import Strict, TextFile, Weights


class PixelsPart(Strict):
    """`model.pixels.Pixels`: log-mels as they are where others have latents, so no weights."""

    kind: Literal["pixels"]

    @property
    def channels(self) -> tuple[int, ...]:
        """One level: nothing is halved."""
        return (1,)


class VectorsPart(Weights):
    """A table of vectors `[count, width]` that were computed beforehand, and what each is called.

    A UNet with a context has rows of tokens, flat, each with the number that says whether it is there. names: a JSON list of as many texts, in the table's order.
    """

    kind: Literal["vectors"]
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    width: Annotated[int, Field(ge=1, le=1_000_000)]
    names: TextFile


WordsPart = VectorsPart
WORDS_KINDS = ("pixels", "vectors")
