"""UCS file names: any title gives a valid one, and a name reads back into its fields."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vocaldm_live.deliver.ucs import (
    CATEGORIES,
    DEFAULT_CAT_ID,
    UcsName,
    check_cat_id,
    find_category,
    make_name,
    parse_name,
)
from vocaldm_live.errors import RequestError


@given(st.text(), st.text(), st.text(), st.text(), st.text())
@settings(deadline=None)
def test_any_text_gives_a_valid_name_that_reads_back(
    title: str, creator: str, source: str, user_category: str, user_data: str
) -> None:
    name = make_name(title, "DSGNWhsh", creator, source, user_category, user_data)
    file_name = name.stem + ".wav"
    assert parse_name(file_name) == name
    assert file_name.isascii() and file_name.isprintable() and len(file_name) < 128
    assert not set(file_name) & set('/\\:*?"<>|') and "  " not in file_name
    assert 1 <= len(name.fx_name) < 25
    fields = name.stem.split("_")
    assert 4 <= len(fields) <= 5
    assert all("-" not in field for field in fields[1:]) and fields[0].count("-") <= 1


@given(st.text())
@settings(deadline=None)
def test_parsing_any_text_gives_a_name_or_one_sentence(text: str) -> None:
    try:
        assert parse_name(text).stem == text.removesuffix(".wav")
    except RequestError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("title", "fx_name"),
    [
        ("Big whoosh, take_2", "Big whoosh take 2"),
        ("Türgrüße", "Turgrusse"),
        ("Don't stop", "Dont stop"),
        ("爆発", "Clip"),
        ("", "Clip"),
        ("../../etc/passwd", "etc passwd"),
        ("A very long title that no name can hold", "A very long title that"),
        ("a" * 40, "a" * 24),
        ("Whoosh_small-fast.wav", "Whoosh small fast wav"),
    ],
)
def test_titles_become_readable_names(title: str, fx_name: str) -> None:
    assert make_name(title).fx_name == fx_name


def test_fields_stand_in_the_order_of_the_standard() -> None:
    name = make_name("Door slam", "WOODImpt", "AB", "House", user_category="Heavy", user_data="0007")
    assert name.stem == "WOODImpt-Heavy_Door slam_AB_House_0007"
    assert make_name("Door slam").stem == "DSGNSynth_Door slam_VDM_VocalDM"


@pytest.mark.parametrize(
    "name",
    [
        "recording.wav",
        "DSGNSynth_A_B.wav",
        "DSGNSynth_A_B_C_D_E.wav",
        "dsgnsynth_A_B_C.wav",
        "DSGNSynth-_A_B_C.wav",
        "DSGNSynth_A_B_C_.wav",
        "DSGNSynth_A-B_B_C.wav",
        "DSGNSynth_" + "a" * 25 + "_B_C.wav",
        "DSGNSynth__B_C.wav",
        "DSGNSynth_A_B_C\n.wav",
    ],
)
def test_what_is_no_ucs_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError):
        parse_name(name)


def test_every_category_is_usable_and_listed_once() -> None:
    cat_ids = [category.cat_id for category in CATEGORIES]
    assert len(set(cat_ids)) == len(cat_ids) and cat_ids == sorted(cat_ids)
    assert DEFAULT_CAT_ID in cat_ids
    for cat_id in cat_ids:
        check_cat_id(cat_id)
        assert parse_name(UcsName(cat_id, "A", "B", "C").stem).cat_id == cat_id
    category = find_category("DSGNWhsh")
    assert category is not None and (category.category, category.subcategory) == ("DESIGNED", "WHOOSH")
    assert find_category("GUNPis") is None
    check_cat_id("GUNPis")


@pytest.mark.parametrize(
    "cat_id", ["", "D", "whoosh", "DSGN_X", "DSGN-X", "DSGN X", "DSGNSynthetic", "DSGNSynth\n"]
)
def test_what_cannot_be_a_cat_id_is_refused(cat_id: str) -> None:
    with pytest.raises(RequestError, match="CatID"):
        make_name("A", cat_id)
