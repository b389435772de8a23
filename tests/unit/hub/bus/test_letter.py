"""How tickets look on the wire: every ticket comes back as it was, and nothing else comes back at all."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.bus.letter import BODY_LIMIT_BYTES, JSON, REFERENCE, ForeignError, Letter, as_it_arrives, decode, encode
from hub.ports import Ticket

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
tickets = st.builds(
    Ticket,
    dispatch_id=st.integers(0, 2**63 - 1),
    gen=st.integers(0, 2**63 - 1),
    destination=names,
    kind=names,
    key=st.text(st.characters(exclude_categories=["Cs"])),
    lane=st.text(st.characters(exclude_categories=["Cs"])),
    body=st.none() | st.binary(min_size=1),
    ledger=st.text(st.characters(exclude_categories=["Cs"])),
    standing=st.integers(0, 2),
    batch_limit=st.integers(0, 500),
    tries=st.integers(0, 2**40),
    attempts=st.integers(0, 20),
)
GOOD = Ticket(1, 2, "national", "dossier.v1", "key", "lane", b"{}")


@given(tickets)
def test_a_ticket_comes_back_as_it_was(ticket: Ticket) -> None:
    assert decode(encode(ticket), ticket.destination) == as_it_arrives(ticket) == ticket


def test_the_name_of_a_message_outlives_its_generation() -> None:
    assert encode(GOOD).message_id == encode(dataclasses.replace(GOOD, gen=9)).message_id == "national:1"


def test_a_body_above_the_limit_stays_in_the_ledger() -> None:
    assert encode(dataclasses.replace(GOOD, body=b"x" * BODY_LIMIT_BYTES)).content_type == JSON
    larger = encode(dataclasses.replace(GOOD, body=b"x" * (BODY_LIMIT_BYTES + 1)))
    assert (larger.content_type, larger.body) == (REFERENCE, b"")
    assert decode(larger, "national").body is None
    assert as_it_arrives(dataclasses.replace(GOOD, body=b"x" * (BODY_LIMIT_BYTES + 1))) == decode(larger, "national")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dispatch_id": "1"}, r"ticket\.dispatch_id: must be a whole number from 0 to \d+ \(found '1'\)"),
        ({"dispatch_id": -1}, r"ticket\.dispatch_id"),
        ({"gen": 2**63}, r"ticket\.gen"),
        ({"gen": True}, r"ticket\.gen"),
        ({"tries": -1}, r"ticket\.tries"),
        ({"standing": "1"}, r"ticket\.standing: must be a whole number"),
        ({"destination": ""}, r"ticket\.destination: must have 1 to 255 bytes of UTF-8 \(found ''\)"),
        ({"destination": "đ" * 127}, r"ticket\.destination: is too long for a message id"),
        ({"kind": "đ" * 128}, r"ticket\.kind"),
        ({"key": None}, r"ticket\.key: must be text \(found NoneType\)"),
        ({"lane": "ab\udcff"}, r"ticket\.lane: cannot be written as UTF-8, character 2"),
        ({"body": "{}"}, r"ticket\.body: must be bytes or None \(found str\)"),
    ],
)
def test_what_cannot_travel_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode(dataclasses.replace(GOOD, **change))


HEADERS = {"dispatch": 1, "gen": 2, "destination": "national", "key": "key", "lane": "lane"}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        *(({name: None}, f"its header '{name}' is missing") for name in HEADERS),
        ({"dispatch": "1"}, "its header 'dispatch' is no number of ours"),
        ({"dispatch": True}, "its header 'dispatch' is no number of ours"),
        ({"gen": -1}, "its header 'gen' is no number of ours"),
        ({"dispatch": 2**63}, "its header 'dispatch' is no number of ours"),
        ({"lane": 7}, "its header 'lane' is no text"),
        ({"destination": "provincial"}, "it is addressed to 'provincial', not to 'national'"),
    ],
)
def test_foreign_headers_are_told_apart(headers: dict[str, Any], said: str) -> None:
    with pytest.raises(ForeignError, match=said):
        decode(Letter("id", "dossier.v1", HEADERS | headers, JSON, b"{}"), "national")


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        (Letter("id", "", HEADERS, JSON, b"{}"), "it has no type"),
        (Letter("id", "dossier.v1", HEADERS, "text/plain", b"{}"), "its content type is 'text/plain'"),
        (Letter("id", "dossier.v1", HEADERS, JSON, b""), "its content type and its body disagree"),
        (Letter("id", "dossier.v1", HEADERS, REFERENCE, b"{}"), "its content type and its body disagree"),
    ],
)
def test_other_foreign_messages_are_told_apart(letter: Letter, said: str) -> None:
    with pytest.raises(ForeignError, match=said):
        decode(letter, "national")
