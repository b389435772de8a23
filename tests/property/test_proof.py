"""What is told of a mapping adds up, for every input: places of rows, fields of records, pairs of rows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.shadow import KindTally, compare_rows
from mappings import InboundMapping, ReadContext, RowOk
from mappings.catalogue import load
from mappings.coverage import Coverage
from mappings.explain import stories, text, views
from mappings.places import ITEM, leaves
from mappings.rows import RefusedRowError, Row, RowRefused
from schemas import DossierStep
from schemas.agency import AgencyRegister
from schemas.codes import DossierStatus
from schemas.errors import RefusedValueError

NAMES = st.text("abđ_ -.[]\"'", min_size=1, max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.text("ạ b", max_size=3)
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=12
)


def inbound(name: str) -> InboundMapping:
    mapping = load(name)
    assert isinstance(mapping, InboundMapping)
    return mapping


STEPS = inbound("one-stop-rest/step")
WORDS = st.sampled_from(["new", "processing", "processin", "", "/Date(1489971900000)/", "H-1", "người"]) | SCALARS
STEP = st.dictionaries(
    st.sampled_from(["thoi_diem", "nguoi_xu_ly", "noi_dung", "trang_thai", "phong_ban", "moi"]),
    WORDS | TREES,
    max_size=6,
)
DOSSIERS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"so_ho_so": WORDS, "qua_trinh": st.lists(STEP, max_size=3) | WORDS, "la": TREES}
    ),
    max_size=4,
)


def below(value: Any, part: str) -> list[Any]:
    if part == ITEM:
        return list(value) if isinstance(value, list) else []
    return [value[part]] if isinstance(value, dict) and part in value else []


@given(TREES)
def test_every_value_of_json_is_a_leaf_and_stands_where_it_says(tree: Any) -> None:
    def count(value: Any) -> int:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return sum(map(count, inside)) or 1

    row = {"r": tree}
    found = list(leaves(row, row))
    assert len(found) == count(tree)
    for leaf, value in found:
        reached: list[Any] = [row]
        for part in leaf:
            reached = [item for one in reached for item in below(one, part)]
        told = {"true" if one is True else "false" if one is False else str(one).strip() for one in reached}
        assert value in told if value is not None else reached


@given(st.recursive(st.text("ab ", max_size=3), lambda below: st.lists(below, min_size=1, max_size=3), max_leaves=12))
def test_every_text_of_xml_is_a_leaf(tree: Any) -> None:
    def element(value: Any) -> etree._Element:
        made = etree.Element("{urn:x}e", k="v")
        if isinstance(value, str):
            made.text = value
        else:
            made.extend([element(one) for one in value])
        return made

    def expected(value: Any, at: tuple[str, ...]) -> list[Any]:
        own = [((*at, "@k"), "v")]
        if isinstance(value, str):
            return [*own, (at, value.strip() or None)]
        return own + [leaf for one in value for leaf in expected(one, (*at, "e"))]

    assert Counter(leaves(element(tree), None)) == Counter(expected(tree, ()))


@given(DOSSIERS)
def test_coverage_counts_every_row_once_for_every_field(rows: list[Any]) -> None:
    body, register = json.dumps({"du_lieu": rows}).encode(), AgencyRegister.empty()
    counting = Coverage([STEPS])
    counting.add(body, None, "", register)
    made = list(STEPS.read(body, charset=None, context=ReadContext(register)))
    assert counting.rows == len(rows)
    assert counting.records + counting.refused == len(made)
    for one in counting.targets():
        assert one.filled + one.default + one.const + one.empty + one.refused == len(made) - counting.unread
    for place in counting.sources():
        assert 0 <= place.valued <= place.rows <= len(rows)
        assert (place.state == "mapped") == bool(place.fields)


@given(DOSSIERS)
def test_a_story_ends_as_the_row_does(rows: list[Any]) -> None:
    register = AgencyRegister.empty()
    document = STEPS.decode(json.dumps({"du_lieu": rows}).encode(), None)
    made = {row.position: row for i in range(len(rows)) for row in STEPS.rows(document, i, ReadContext(register))}
    for view in views(STEPS, document):
        told, row = stories(STEPS, view, register), made[view.position]
        if isinstance(row, RowOk):
            assert {one.field: one.value for one in told} == {
                one.field: text(getattr(row.record, one.field)) for one in told
            }
        for one in told:
            assert (one.end == "refused") == bool(one.refused)


AT = datetime(2017, 3, 20, tzinfo=UTC)


def accepted(position: int, number: int, person: str) -> Row:
    at = AT + timedelta(days=number)
    return RowOk(
        (position, 0),
        DossierStep(number=f"H-{number}", at=at, person=person, content="c", status=DossierStatus.ACCEPTED),
    )


def refused(position: int, number: int, person: str) -> Row:
    problem = RefusedValueError("is wrong", mapping="m", field="status", path="s", value=person, verdict="park")
    key = f"H-{number}" if number else None
    return RowRefused((position, 0), "park", RefusedRowError([problem]), key, b"")


PAGES = st.lists(
    st.tuples(st.sampled_from([accepted, refused]), st.integers(0, 4), st.sampled_from(["a", "b"])), max_size=8
)


@given(PAGES, PAGES)
def test_every_row_of_both_versions_ends_in_one_outcome(old: list[Any], new: list[Any]) -> None:
    tally = KindTally()
    before = [make(position, number, person) for position, (make, number, person) in enumerate(old)]
    after = [make(position, number, person) for position, (make, number, person) in enumerate(new)]
    compare_rows(1, before, after, tally)
    count = tally.rows
    assert sum(count.values()) - count["new"] == len(old)
    assert sum(count.values()) - count["gone"] == len(new)
    taken = count["same"] + count["changed"] + count["key-changed"]
    assert taken + count["newly-refused"] <= sum(isinstance(row, RowOk) for row in before)
    assert taken + count["newly-accepted"] <= sum(isinstance(row, RowOk) for row in after)
    assert bool(tally.fields) == bool(count["changed"] + count["key-changed"])


@given(PAGES)
def test_equal_versions_differ_in_nothing(rows: list[Any]) -> None:
    tally = KindTally()
    page = [make(position, number, person) for position, (make, number, person) in enumerate(rows)]
    compare_rows(1, page, list(page), tally)
    assert not {outcome for outcome, count in tally.rows.items() if count} - {"same", "refused"}
