"""Counting over samples: what rows hold that nobody can look into, and names that are data."""

from __future__ import annotations

import json

import pytest

from mappings import coverage
from mappings.catalogue import load
from mappings.coverage import Coverage
from mappings.inbound import InboundMapping
from schemas.agency import AgencyRegister
from schemas.errors import UndecodableError

REGISTER = AgencyRegister.empty()


def counting(*rows: object) -> Coverage:
    mapping = load("one-stop-rest/step")
    assert isinstance(mapping, InboundMapping)
    made = Coverage([mapping])
    made.add(json.dumps({"du_lieu": rows}).encode(), None, "", REGISTER)
    return made


def test_rows_that_cannot_be_looked_into_are_counted_apart() -> None:
    made = counting("text", {"so_ho_so": "H-1", "qua_trinh": "text"}, {"so_ho_so": "H-1", "qua_trinh": [1, {}]})
    assert (made.rows, made.records, made.refused, made.unread) == (3, 0, 4, 3)
    assert {one.filled + one.empty + one.refused for one in made.targets()} == {1}


def test_an_empty_list_is_what_would_be_in_it() -> None:
    empty = counting({"so_ho_so": "H-1", "qua_trinh": [], "tep": []})
    assert {one.path: one.state for one in empty.sources()} == {
        "so_ho_so": "mapped",
        "qua_trinh": "mapped",
        "tep": "forgotten",
    }
    both = counting({"qua_trinh": []}, {"qua_trinh": [{"trang_thai": "new"}]})
    assert [one.path for one in both.sources()] == ["qua_trinh[].trang_thai"]


def test_names_that_are_data_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "MAX_PLACES", 10)
    made = counting({f"n{number}": 1 for number in range(30)})
    assert (len(made.sources()), made.places_left_out) == (10, 20)


def test_a_sample_that_cannot_be_read_counts_nothing() -> None:
    made = counting({"so_ho_so": "H-1"})
    with pytest.raises(UndecodableError):
        made.add(b"<html/>", None, "", REGISTER)
    assert (made.samples, made.rows) == (1, 1)


def test_a_long_value_is_shortened_as_an_example() -> None:
    [place] = counting({"dai": "x" * 100}).sources()
    assert place.example == "x" * 60 + "…"
