"""Metadata: title, recipe and credits of a clip as the chunks that sound libraries and DAWs read.

The same facts stand in three chunks, because no reader reads all of them: `bext` (EBU Tech 3285, version 1),
`iXML` (iXML specification 2.10, with the ASWG-G006 block for game audio) and `LIST INFO` (RIFF 1.0).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from vocaldm_live.deliver.ucs import UcsName, drop_accents, find_category
from vocaldm_live.deliver.wave import Chunk

PROGRAM = "VocalDM Live"
BEXT_VERSION = 1

# Control characters and lone surrogates have no place in an XML 1.0 document, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class ClipMetadata:
    """What is written into a clip's file; texts may hold any character, each chunk takes what it can.

    `reference` is a name for this file alone (at most 32 ASCII characters are kept), `bits` 32 is
    floating point, `recipe` is the recipe's JSON.
    """

    title: str
    name: UcsName
    created: datetime
    program_version: str
    reference: str
    sample_rate: int
    bits: int
    channels: int
    notes: str
    credits: str
    recipe: str

    @property
    def software(self) -> str:
        """The program with its version."""
        return f"{PROGRAM} {self.program_version}"

    @property
    def remarks(self) -> str:
        """Notes and credits, in this order, as one text."""
        return " ".join(text for text in (self.notes, self.credits) if text)

    @property
    def date(self) -> str:
        """Year-month-day, as `bext` and INFO want it."""
        return self.created.date().isoformat()

    @property
    def time(self) -> str:
        """Hour:minute:second."""
        return self.created.time().isoformat(timespec="seconds")


def metadata_chunks(metadata: ClipMetadata) -> tuple[Chunk, Chunk, Chunk]:
    """`bext`, `iXML` and `LIST INFO`, in the order in which they stand before the samples."""
    return bext_chunk(metadata), ixml_chunk(metadata), info_chunk(metadata)


def bext_chunk(metadata: ClipMetadata) -> Chunk:
    """The broadcast extension, version 1: 602 bytes of fixed fields, then the coding history.

    Source: EBU Tech 3285, section 2.3. The time reference is 0 and the UMID is empty.
    """
    fixed = struct.pack(
        "<256s32s32s10s8sQH64s190s",
        ascii_text(_description(metadata), 256),
        ascii_text(PROGRAM, 32),
        ascii_text(metadata.reference, 32),
        ascii_text(metadata.date, 10),
        ascii_text(metadata.time, 8),
        0,
        BEXT_VERSION,
        b"",
        b"",
    )
    return Chunk(b"bext", fixed + coding_history(metadata).encode("ascii") + b"\r\n\0")


def coding_history(metadata: ClipMetadata) -> str:
    """One line of coding history: `A=PCM,F=48000,W=24,M=mono,T=...` (EBU R 98), without its line end."""
    mode = {1: "mono", 2: "stereo"}.get(metadata.channels, "multichannel")
    origin = ascii_text(metadata.software, 64).decode("ascii").replace(",", " ")
    kind = ";IEEE float" if metadata.bits == 32 else ""
    return f"A=PCM,F={metadata.sample_rate},W={metadata.bits},M={mode},T={origin}{kind}"


def ixml_chunk(metadata: ClipMetadata) -> Chunk:
    """The iXML document in UTF-8: project, note, tracks, a mirror of `bext`, ASWG and USER.

    USER holds the fields that sound libraries look for there, and the recipe's JSON as `Recipe`.
    """
    root = ElementTree.Element("BWFXML")
    _add(root, "IXML_VERSION", "2.10")
    _add(root, "PROJECT", PROGRAM)
    _add(root, "NOTE", metadata.remarks)
    tracks = ElementTree.SubElement(root, "TRACK_LIST")
    _add(tracks, "TRACK_COUNT", str(metadata.channels))
    for channel in range(1, metadata.channels + 1):
        track = ElementTree.SubElement(tracks, "TRACK")
        _add(track, "CHANNEL_INDEX", str(channel))
        _add(track, "INTERLEAVE_INDEX", str(channel))
        _add(track, "NAME", metadata.title)
    for block, values in (
        ("BEXT", _bext_mirror(metadata)),
        ("ASWG", _aswg(metadata)),
        ("USER", _user(metadata)),
    ):
        element = ElementTree.SubElement(root, block)
        for tag, value in values:
            if value:
                _add(element, tag, value)
    return Chunk(b"iXML", ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def info_chunk(metadata: ClipMetadata) -> Chunk:
    """`LIST INFO`: title, artist, product, comment, software and date in UTF-8, each ended by a zero byte."""
    return Chunk(
        b"LIST",
        b"INFO"
        + encode_info(
            (
                (b"INAM", metadata.title),
                (b"IART", PROGRAM),
                (b"IPRD", PROGRAM),
                (b"ICMT", metadata.remarks),
                (b"ISFT", metadata.software),
                (b"ICRD", metadata.date),
            )
        ),
    )


def encode_info(entries: Iterable[tuple[bytes, str]]) -> bytes:
    """The subchunks of a LIST INFO; entries without text are left out."""
    cleaned = ((ident, text.replace("\0", "").encode("utf-8", "replace")) for ident, text in entries)
    return b"".join(Chunk(ident, text + b"\0").encode() for ident, text in cleaned if text)


def ascii_text(text: str, longest: int) -> bytes:
    """`text` as printable ASCII, at most `longest` bytes: accents dropped, other signs `?`, breaks spaces."""
    letters = drop_accents(" ".join(text.split()))
    return "".join(sign if " " <= sign <= "~" else "?" for sign in letters).encode("ascii")[:longest]


def _description(metadata: ClipMetadata) -> str:
    return ". ".join(text for text in (metadata.title, metadata.remarks) if text)


def _bext_mirror(metadata: ClipMetadata) -> tuple[tuple[str, str], ...]:
    return (
        ("BWF_DESCRIPTION", ascii_text(_description(metadata), 256).decode("ascii")),
        ("BWF_ORIGINATOR", PROGRAM),
        ("BWF_ORIGINATOR_REFERENCE", ascii_text(metadata.reference, 32).decode("ascii")),
        ("BWF_ORIGINATION_DATE", metadata.date),
        ("BWF_ORIGINATION_TIME", metadata.time),
        ("BWF_TIME_REFERENCE_LOW", "0"),
        ("BWF_TIME_REFERENCE_HIGH", "0"),
        ("BWF_VERSION", str(BEXT_VERSION)),
        ("BWF_CODING_HISTORY", coding_history(metadata)),
    )


def _aswg(metadata: ClipMetadata) -> tuple[tuple[str, str], ...]:
    name = metadata.name
    category = find_category(name.cat_id)
    return (
        ("contentType", "sfx"),
        ("project", PROGRAM),
        ("originator", PROGRAM),
        ("notes", metadata.remarks),
        ("isDesigned", "true"),
        ("catId", name.cat_id),
        ("category", category.category if category else ""),
        ("subCategory", category.subcategory if category else ""),
        ("userCategory", name.user_category),
        ("fxName", name.fx_name),
        ("creatorId", name.creator_id),
        ("sourceId", name.source_id),
        ("userData", name.user_data),
    )


def _user(metadata: ClipMetadata) -> tuple[tuple[str, str], ...]:
    category = find_category(metadata.name.cat_id)
    return (
        ("Embedder", metadata.software),
        ("TrackTitle", metadata.title),
        ("Description", _description(metadata)),
        ("CatID", metadata.name.cat_id),
        ("Category", category.category if category else ""),
        ("SubCategory", category.subcategory if category else ""),
        ("FXName", metadata.name.fx_name),
        ("Recipe", metadata.recipe),
    )


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = _NOT_XML.sub("\ufffd", text)
