"""What is written into a clip's file, read back by wavinfo."""

from __future__ import annotations

import io
import struct
from datetime import datetime
from typing import Any

import numpy as np
import parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vocaldm_live.deliver.metadata import ClipMetadata, ascii_text, bext_chunk, encode_info, metadata_chunks
from vocaldm_live.deliver.ucs import make_name
from vocaldm_live.deliver.wave import encode_wave

wavinfo = parts.package("wavinfo")


def metadata(**changes: Any) -> ClipMetadata:
    values: dict[str, Any] = {
        "title": "Großer Knall 爆発",
        "name": make_name("Big bang", "DSGNImpt", user_data="0001"),
        "created": datetime.fromisoformat("2026-01-31T12:34:56+00:00"),
        "program_version": "0.1.0",
        "reference": "f" * 32,
        "sample_rate": 48000,
        "bits": 24,
        "channels": 1,
        "notes": "Made by a generative model.",
        "credits": "Trained on free sounds <& others>.",
        "recipe": '{"seed": 7}',
    }
    return ClipMetadata(**{**values, **changes})


def read_back(entry: ClipMetadata) -> Any:
    samples = np.zeros((5, entry.channels), dtype=np.float32)
    data = encode_wave(samples, entry.sample_rate, entry.bits, metadata_chunks(entry))
    return wavinfo.WavInfoReader(io.BytesIO(data), info_encoding="utf-8")


def test_broadcast_extension_is_version_1_and_ascii() -> None:
    bext = read_back(metadata()).bext
    assert bext.version == 1
    assert bext.description.startswith("Grosser Knall ??. Made by a generative model.")
    assert bext.originator == "VocalDM Live" and bext.originator_ref == "f" * 32
    assert (bext.originator_date, bext.originator_time) == ("2026-01-31", "12:34:56")
    assert bext.time_reference == 0 and not any(bext.umid)
    assert bext.coding_history == "A=PCM,F=48000,W=24,M=mono,T=VocalDM Live 0.1.0\r\n"


def test_coding_history_follows_the_format() -> None:
    for changes, line in (
        (
            {"bits": 16, "channels": 2, "sample_rate": 44100},
            "A=PCM,F=44100,W=16,M=stereo,T=VocalDM Live 0.1.0\r\n",
        ),
        (
            {"bits": 32, "channels": 4},
            "A=PCM,F=48000,W=32,M=multichannel,T=VocalDM Live 0.1.0;IEEE float\r\n",
        ),
        ({"program_version": "1,2"}, "A=PCM,F=48000,W=24,M=mono,T=VocalDM Live 1 2\r\n"),
    ):
        assert read_back(metadata(**changes)).bext.coding_history == line


def test_long_texts_are_cut_to_their_fields() -> None:
    chunk = bext_chunk(metadata(title="x" * 5000, reference="y" * 50))
    assert chunk.payload[:257] == b"x" * 256 + b"V"
    assert chunk.payload[288:321] == b"y" * 32 + b"2"
    assert struct.unpack("<H", chunk.payload[346:348]) == (1,)
    assert len(chunk.payload) == 602 + len(b"A=PCM,F=48000,W=24,M=mono,T=VocalDM Live 0.1.0\r\n\0")


def test_ixml_holds_project_mirror_aswg_and_recipe() -> None:
    ixml = read_back(metadata()).ixml
    assert ixml.project == "VocalDM Live"
    assert [track.name for track in ixml.track_list] == ["Großer Knall 爆発"]
    text = ixml.raw_xml.findtext
    assert text("NOTE") == "Made by a generative model. Trained on free sounds <& others>."
    assert text("BEXT/BWF_ORIGINATION_TIME") == "12:34:56" and text("BEXT/BWF_VERSION") == "1"
    assert text("BEXT/BWF_CODING_HISTORY") == "A=PCM,F=48000,W=24,M=mono,T=VocalDM Live 0.1.0"
    aswg = {element.tag: element.text for element in ixml.raw_xml.find("ASWG")}
    assert aswg == {
        "contentType": "sfx",
        "project": "VocalDM Live",
        "originator": "VocalDM Live",
        "notes": "Made by a generative model. Trained on free sounds <& others>.",
        "isDesigned": "true",
        "catId": "DSGNImpt",
        "category": "DESIGNED",
        "subCategory": "IMPACT",
        "fxName": "Big bang",
        "creatorId": "VDM",
        "sourceId": "VocalDM",
        "userData": "0001",
    }
    assert text("USER/Recipe") == '{"seed": 7}'
    assert text("USER/CatID") == "DSGNImpt" and text("USER/FXName") == "Big bang"


def test_ixml_lists_every_channel() -> None:
    tracks = list(read_back(metadata(channels=3)).ixml.track_list)
    assert [track.channel_index for track in tracks] == ["1", "2", "3"]


def test_info_holds_title_artist_comment_software_and_date() -> None:
    info = read_back(metadata()).info
    assert (info.title, info.artist, info.product) == ("Großer Knall 爆発", "VocalDM Live", "VocalDM Live")
    assert info.comment == "Made by a generative model. Trained on free sounds <& others>."
    assert (info.software, info.created_date) == ("VocalDM Live 0.1.0", "2026-01-31")


@pytest.mark.slow
@given(st.text(), st.text(), st.text())
@settings(max_examples=30, deadline=None)
def test_any_text_can_be_written_and_read(title: str, credits: str, recipe: str) -> None:
    entry = metadata(title=title, credits=credits, recipe=recipe)
    read = read_back(entry)
    assert read.ixml.raw_xml.getroot().tag == "BWFXML"
    assert read.bext.description.isascii() and len(read.bext.description) <= 256
    assert (read.info.title or "") == title.replace("\0", "")
    assert read.data.frame_count == 5


@given(st.text(), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_ascii_text_is_printable_and_fits(text: str, longest: int) -> None:
    plain = ascii_text(text, longest)
    assert len(plain) <= longest and all(0x20 <= byte <= 0x7E for byte in plain)


def test_signs_that_no_xml_can_hold_do_not_spoil_the_rest() -> None:
    read = read_back(metadata(title="a\x00b\ud800c\x1bd\ufffe"))
    assert [track.name for track in read.ixml.track_list] == ["a\ufffdb\ufffdc\ufffdd\ufffd"]
    assert encode_info(((b"INAM", "\0"), (b"ICMT", ""))) == b""
