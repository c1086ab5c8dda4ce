"""The table and what is made of it: the page, the parameters, the events in bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_peers import PLAIN
from pythonosc.osc_message import OscMessage

from vocaldm_live.osc.document import document
from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.table import TABLE, OscError, entries
from vocaldm_live.osc.wire import event

VALUES = {"i": 5, "f": 0.5, "s": "w\u00f6rd", "b": b"\x00\x01"}


def test_the_page_in_the_repository_is_the_tables():
    page = Path(__file__).resolve().parent.parent / "docs" / "osc.md"
    assert page.read_text(encoding="utf-8") == document(), (
        "run python -m vocaldm_live.osc.document > docs/osc.md"
    )


@pytest.mark.parametrize("entry", entries("event", "parameter"), ids=lambda entry: entry.address)
def test_every_event_goes_out_with_its_types_and_seq_first(entry):
    one = event(entry.address, *(VALUES[argument.kind] for argument in entry.arguments))
    for seq in (0, 1, 2**31 - 1):
        got = OscMessage(one.numbered(seq))
        assert got.address == entry.address
        assert got.params == [seq, *(VALUES[argument.kind] for argument in entry.arguments)]
    assert OscMessage(one.numbered(2**31)).params[0] == 0


def test_only_types_that_every_host_reads():
    assert {kind for entry in TABLE.values() for kind in entry.types} <= set("ifsb")
    assert [a for a, e in TABLE.items() if "b" in e.types] == ["/vocaldm/audio/chunk"]


def test_parameters_narrow_within_the_table_and_values_move_with_them():
    parameters = Parameters(PLAIN)
    assert parameters.narrow("steps", 30, 900) is True and parameters["steps"] == 30
    assert parameters.legal("steps").high == 200
    with pytest.raises(OscError, match="30 to 200"):
        parameters.set("steps", 8)
    assert parameters.narrow("steps") is False and parameters.set("steps", 8) == 8
    assert parameters.narrow("sampler", choices=("ipndm", "deis"), default="deis") is True
    assert parameters["sampler"] == "deis"
    with pytest.raises(ValueError, match="nothing is legal"):
        parameters.narrow("guidance", 30, 40)


@given(
    st.sampled_from(sorted(PLAIN)), st.one_of(st.integers(), st.floats(), st.text(), st.binary(), st.none())
)
def test_a_parameter_takes_a_legal_value_or_keeps_its_own(name, value):
    parameters = Parameters(PLAIN)
    try:
        taken = parameters.set(name, value)
    except OscError as error:
        assert parameters[name] == PLAIN[name] and str(error).endswith(".")
    else:
        assert taken == value and type(taken) is type(PLAIN[name])
