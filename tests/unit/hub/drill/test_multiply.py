"""One page to many, in its own bytes: exactly the records that were meant come out, whatever the page looks like."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.drill.multiply import REVISIONS, Numbers, Reader, check, replaced, template
from hub.drill.samples import Media, Sample
from mappings.catalogue import CATALOGUE, load
from mappings.inbound import InboundMapping
from mappings.rows import ReadContext, RowOk
from schemas.agency import AgencyRegister
from schemas.dossier import Dossier
from tests.unit.hub.drill.pages import page, reader

MEDIA = cast("list[Media]", ["xml", "json", "csv"])
NAMES = st.text("Nguyễn Thị Hạnh&<>'\"; ()", min_size=1, max_size=12).map(lambda text: f"Bà {text.strip()}x")
DOSSIERS = st.lists(
    st.tuples(st.integers(1, 9999).map(lambda n: f"000.00.31.H59-170320-{n:04d}"), NAMES),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[0],
)


@pytest.mark.parametrize("media", MEDIA)
@settings(deadline=None, max_examples=25)
@given(dossiers=DOSSIERS, ascii_only=st.booleans())
def test_copies_hold_the_same_dossiers_under_new_numbers(
    media: Media, dossiers: list[tuple[str, str]], ascii_only: bool
) -> None:
    sample, read = page(media, dossiers, ascii_only=ascii_only), reader(media)
    made = template(sample, read)
    assert made is not None
    assert (made.why, made.revisions) == ("", REVISIONS)
    numbers = Numbers({number for number, _ in dossiers})
    fresh = {text: numbers.fresh(text) for text in made.numbers.values()}
    states = []
    for revision in range(1, REVISIONS + 1):
        rows = read.rows(made.page(fresh, revision), sample)
        assert check(made, rows, fresh)
        records = [row.record for row in rows if isinstance(row, RowOk)]
        states.append([one for one in records if isinstance(one, Dossier)])
        assert [one.number for one in states[-1]] == [fresh[number] for number, _ in dossiers]
        assert {one.lane for one in records} == set(fresh.values())
    assert [one.applicant_name for one in states[0]] == [" ".join(name.split(" ")) for _, name in dossiers]
    for before, after in pairwise(states):
        for was, now in zip(before, after, strict=True):
            assert was.changed_at is not None
            assert now.changed_at is not None
            assert now.changed_at > was.changed_at
    for same in zip(*states, strict=True):
        assert len({one.facts() for one in same}) == REVISIONS


@given(st.text("0123456789.H-", min_size=1, max_size=20), st.integers(1, 30))
def test_numbers_are_given_out_once_and_look_alike(text: str, count: int) -> None:
    numbers = Numbers({text})
    given_out = [numbers.fresh(text) for _ in range(count)]
    assert len({*given_out, text}) == count + 1
    assert not {c for number in given_out for c in number} - {*text, *"0123456789-"}


@pytest.mark.parametrize(
    ("name", "file"), [("egc/indicator", "bao-cao-quy.json"), ("td-office/document", "van-ban-di.json")]
)
def test_what_has_its_key_in_no_single_field_is_shown_once(name: str, file: str) -> None:
    mapping = load(name)
    assert isinstance(mapping, InboundMapping)
    body = (CATALOGUE / name.partition("/")[0] / "samples" / file).read_bytes()
    agencies = AgencyRegister.from_rows(
        [{"code": code, "name": code, "level": "province"} for code in ("000.00.00.H12", "000.00.05.H56", "H56.05")]
    )
    reading = Reader([mapping], ReadContext(agencies), lambda record: {"portal": record.key})
    made = template(Sample("s", body, "json", file), reading)
    assert made is not None
    assert made.records
    assert made.why == "no field holds the number as it is"
    assert made.page({}, 1) == body


def test_numbers_that_run_out_grow() -> None:
    numbers = Numbers()
    assert [numbers.fresh("A7") for _ in range(10)][-2:] == ["A9", "A01"]


def test_texts_are_replaced_as_the_page_writes_them() -> None:
    body = b'a&amp;b a&b "\\u1ea5\\/c" 12'
    assert replaced(body, {"a&b": "x<y", "ấ/c": "ề/d"}, "utf-8") == b'x&lt;y x<y "\\u1ec1\\/d" 12'
    assert replaced(b"12 21", {"12": "21", "21": "12"}, "utf-8") == b"21 12"


def test_what_cannot_be_replaced_is_used_once() -> None:
    twice = page("csv", [("000.00.31.H59-170320-0001", "A xx"), ("000.00.31.H59-170320-0001", "B xx")])
    made = template(twice, reader("csv"))
    assert made is not None
    assert made.why == "it holds a record twice"


def test_a_page_of_which_nothing_comes_is_no_template() -> None:
    assert template(page("json", []), reader("json")) is None
    assert template(Sample("a", b"<html/>", "xml", "page 1"), reader("xml")) is None


def test_a_page_in_disguise_cannot_be_multiplied() -> None:
    """What stands in base64 does not stand in the page: it is shown once, as it is."""
    plain, read = page("xml", [("000.00.31.H59-170320-0001", "Bà Hạnh")]), reader("xml")
    inside = plain.body.partition(b"<![CDATA[")[2].partition(b"]]>")[0]
    body = plain.body.replace(b"<![CDATA[" + inside + b"]]>", base64.b64encode(inside))
    spec = replace(read.mappings[0].spec, unwrap=(replace(read.mappings[0].spec.unwrap[0], base64=True),))
    disguised = replace(read, mappings=[replace(mapping, spec=spec) for mapping in read.mappings])
    made = template(replace(plain, body=body), disguised)
    assert made is not None
    assert (made.why, made.revisions) == ("its numbers cannot be replaced in its bytes", 1)
