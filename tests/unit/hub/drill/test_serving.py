"""What is shown when: each tick has creates, updates and steps, each number is its source's own, the truth adds up."""

from __future__ import annotations

from typing import cast

import pytest

from hub.drill.multiply import REVISIONS, Reader, Template, template
from hub.drill.samples import Media, Sample
from hub.drill.serving import serve
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from tests.unit.hub.drill.pages import page, reader

NUMBER = "000.00.31.H59-170320-0001"
BUOC = "SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI\n"


def made(sample: Sample, read: Reader) -> Template:
    found = template(sample, read)
    assert found is not None
    return found


@pytest.fixture
def readers() -> dict[str, Reader]:
    step = load("one-stop-csv/step")
    assert isinstance(step, InboundMapping)
    csv = reader("csv")
    return {
        "soap": reader("xml"),
        "rest": reader("json"),
        "hoso": csv,
        "buoc": Reader([step], csv.context, csv.seen),
    }


@pytest.fixture
def templates(readers: dict[str, Reader]) -> dict[str, list[Template]]:
    """Four sources whose samples have the same number, one of them steps alone."""
    media = cast("dict[str, Media]", {"soap": "xml", "rest": "json", "hoso": "csv"})
    found = {name: [made(page(kind, [(NUMBER, "Bà Hạnh")]), readers[name])] for name, kind in media.items()}
    body = f"{BUOC}{NUMBER};20170320080500;Trần Văn Bình;;;Tiếp nhận;2\n".encode()
    found["buoc"] = [made(Sample("buoc", body, "csv", "buoc-0001.csv"), readers["buoc"])]
    return found


def test_every_tick_has_work_and_every_dossier_its_revisions(
    readers: dict[str, Reader], templates: dict[str, list[Template]]
) -> None:
    serving = serve(templates, readers, 30, 8)
    assert len(serving.ticks) == 8
    assert serving.dossiers == 30
    served = serving.served["portal"]
    assert {len(revisions) for revisions in served.snapshots.values()} == {REVISIONS}
    assert all(len(set(revisions)) == REVISIONS for revisions in served.snapshots.values())
    assert len(served.snapshots) == 30
    for tick in serving.ticks:
        assert tick
    assert {one.source for one in serving.ticks[3]} >= {"soap", "rest", "hoso"}
    assert {lane for key, lane in served.lanes.items() if key in served.events} <= {key for _, key in served.snapshots}


def test_steps_alone_are_those_of_the_dossiers_of_the_likest_source(
    readers: dict[str, Reader], templates: dict[str, list[Template]]
) -> None:
    serving = serve({name: templates[name] for name in ("hoso", "buoc")}, readers, 12, 4)
    served = serving.served["portal"]
    assert len(served.snapshots) == 12
    assert len(served.events) == 12 * REVISIONS
    assert {served.lanes[key] for key in served.events} == {key for _, key in served.snapshots}


def test_no_two_sources_show_one_number(readers: dict[str, Reader], templates: dict[str, list[Template]]) -> None:
    serving = serve(templates, readers, 9, 4)
    bodies = {one.source: set() for tick in serving.ticks for one in tick}  # type: dict[str, set[str]]
    for tick in serving.ticks:
        for one in tick:
            rows = readers[one.source].rows(one.body, templates[one.source][0].sample)
            bodies[one.source] |= {row.record.lane for row in rows if hasattr(row, "record") and not row.record.event}
    owners = [bodies[name] for name in ("soap", "rest", "hoso")]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_what_cannot_be_multiplied_is_shown_once(readers: dict[str, Reader]) -> None:
    double = page("csv", [(NUMBER, "A xx"), (NUMBER, "B xx")])
    other = page("csv", [("000.00.31.H59-170320-0009", "C xx")] * 2)
    found = {"hoso": [made(double, readers["hoso"]), made(other, readers["hoso"])]}
    serving = serve(found, readers, 100, 5)
    assert sum(map(len, serving.ticks)) == 2
    assert serving.once == {"hoso": ["a page: it holds a record twice"] * 2}
    assert serving.dossiers == 2
