"""Every quick way of the mappings gives what the plain way gives, for right values and for wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings import InboundMapping, OutboundMapping, RefusedRowError, RenderContext, RowOk
from mappings.catalogue import load
from mappings.converters import Scope
from mappings.converters.date_format import parser, renderer
from mappings.decode import xml
from mappings.inbound import _Place
from mappings.refusal import RefusalError
from mappings.shapes.xml import XmlShape
from schemas import Dossier
from schemas.agency import AgencyRegister
from schemas.local_time import LOCAL, local_date
from tests.property.test_schemas import UNHURRIED, dossiers
from tests.unit.mappings.legacy import SOAP_ROW, elements

SAME_ZONE = ZoneInfo.no_cache("Asia/Ho_Chi_Minh")
"""Equal to LOCAL and another object, so that no quick way is taken."""
AGENCIES = AgencyRegister.from_rows(
    [
        {"code": "H59.05", "name": "Sở Tư pháp", "level": "province", "aliases": ["000.00.05.H59"]},
        {"code": "H59.31", "name": "Huyện", "level": "district", "aliases": [{"code": "X", "valid_to": "2017-03-20"}]},
    ]
)
TIMES = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
CHILDREN = ("<A>x</A>", "<A/>", "<A> y <!--c--> z </A>", "<A><![CDATA[<b>]]></A>", "<A><B>1</B></A>", "<A>&amp;</A>")
MORE = ("<n:A xmlns:n='u'>q</n:A>", "<B>b</B>", "<Ạ>ạ</Ạ>", "text", "<?p i?>", "<A a='1'>v</A>", "<A xmlns='v'/>")


@UNHURRIED
@given(st.lists(st.sampled_from(CHILDREN + MORE), max_size=4))
def test_a_child_is_found_as_by_xpath(children: list[str]) -> None:
    shape = XmlShape({})
    view = shape.view(xml.parse(f"<row>{''.join(children)}</row>".encode(), None, limit=10_000))
    for name in ("A", "B", "Ạ"):
        found = []
        for path in (name, f"*[local-name()='{name}']"):
            try:
                found.append(shape.getter(path)(view))
            except RefusalError as error:
                found.append(error.verdict)
        assert found[0] == found[1]
        key = shape.member(name)
        assert key is not None
        if view.get(key) is None or isinstance(view[key], str):
            assert view.get(key) == found[0]


WORDS = st.sampled_from(
    [*SOAP_ROW.values(), "31/02/2017 08:00:00", "0", "1", "5", " 2 ", "x" * 300, "X", "A B", "ạ\u0323"]
)


def soap(name: str) -> InboundMapping:
    mapping = load(name)
    assert isinstance(mapping, InboundMapping)
    return mapping


DOSSIER = soap("one-stop-soap/dossier")


@UNHURRIED
@given(st.dictionaries(st.sampled_from(list(SOAP_ROW)), WORDS | st.text(st.characters(codec="utf-8"), max_size=9)))
@example({})
def test_a_row_is_read_quickly_as_carefully(changed: dict[str, str]) -> None:
    legal = {name: "".join(filter(str.isprintable, text)) for name, text in changed.items()}
    view = XmlShape({}).view(xml.parse(f"<HoSo>{elements({**SOAP_ROW, **legal})}</HoSo>".encode(), None, limit=99_999))
    quick = DOSSIER._quickly(view, view, Scope(AGENCIES, {}))
    careful = DOSSIER._carefully(view, view, Scope(AGENCIES, {}), (0, 0), _Place(bytes, str))
    assert quick == (careful.record if isinstance(careful, RowOk) else None)


@UNHURRIED
@given(
    TIMES,
    st.sampled_from(
        ["dd/MM/yyyy HH:mm:ss", "yyyyMMddHHmmss", "d/M/yyyy H:m", "yyyy-MM-dd", "HH dd.MM.yyyy", "dd'%'MMyyyy"]
    ),
    st.text("0123456789/ :-%", max_size=3),
)
@example(datetime(1975, 6, 12, 17, tzinfo=UTC), "dd/MM/yyyy HH:mm:ss", "")
@example(datetime(1975, 12, 31, 17, tzinfo=UTC), "dd/MM/yyyy HH:mm:ss", "")
def test_a_time_is_read_and_written_as_by_its_zone(at: datetime, format_: str, noise: str) -> None:
    written = renderer("dd/MM/yyyy HH:mm:ss" if "d/M" in format_ else format_, SAME_ZONE)(at.replace(microsecond=0))
    for text in (str(written), f"{written}{noise}", str(written).replace("1", "3")):
        read: list[Any] = []
        for zone in (LOCAL, SAME_ZONE):
            try:
                read.append(parser(format_, zone)(text))
            except ValueError as error:
                read.append(str(error))
        assert read[0] == read[1]


@UNHURRIED
@given(TIMES, st.sampled_from(["yyyyMMddHHmmss", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "dd/MM/yyyy", "HH:mmXXX '%d' yyyyMMdd"]))
@example(datetime(1975, 12, 31, 17, tzinfo=UTC), "yyyyMMddHHmmss")
@example(datetime(1955, 12, 31, 17, tzinfo=UTC), "HH:mmXXX yyyyMMdd")
def test_a_time_is_written_as_by_its_zone(at: datetime, format_: str) -> None:
    for moment in (at, at.replace(microsecond=0)):
        assert renderer(format_, LOCAL)(moment) == renderer(format_, SAME_ZONE)(moment)
        assert local_date(moment) == moment.astimezone(SAME_ZONE).date()


@pytest.mark.parametrize("name", ["dvcqg/dossier", "lgsp/dossier"])
@UNHURRIED
@given(fields=dossiers())
def test_a_body_is_rendered_as_its_record(name: str, fields: dict[str, Any]) -> None:
    mapping, context = load(name), RenderContext(AGENCIES)
    assert isinstance(mapping, OutboundMapping)
    record = Dossier.model_validate(fields)
    ways: list[Callable[[], dict[str, Any]]] = [
        lambda: mapping.render(record, context),
        lambda: mapping.render_body(record.to_json(), context),
        lambda: mapping.render_body(record.model_dump_json().encode(), context),
    ]
    plain, *quick = map(outcome, ways)
    assert quick == [plain, plain]


def outcome(way: Callable[[], dict[str, Any]]) -> list[Any]:
    """The members in their order, or why there are none."""
    try:
        return list(way().items())
    except RefusedRowError as refused:
        return [str(problem) for problem in refused.problems]
