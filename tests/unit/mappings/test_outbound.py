"""Writing: payloads as the portals want them, and what cannot be written is told with field, member and value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from mappings import OutboundMapping, RefusedRowError, RenderContext
from mappings.catalogue import load
from schemas import Dossier, DossierStep
from schemas.agency import AgencyRegister
from schemas.codes import AgencyLevel, ApplicantKind, Channel, DossierStatus

RECORD = Dossier(
    number="000.00.05.H59-170320-0002",
    procedure_code="2.002621.H59",
    procedure_name="Cấp phiếu",
    agency="H59.05",
    agency_level=AgencyLevel.PROVINCE,
    applicant_kind=ApplicantKind.CITIZEN,
    applicant_name="Hạnh",
    channel=Channel.COUNTER,
    status=DossierStatus.IN_PROGRESS,
    received_at=datetime(2017, 3, 20, 1, tzinfo=UTC),
)


def outbound(folder: Path, fields: str, *, empty: str = "null", tables: str = "{}") -> OutboundMapping:
    path = folder / "m.yaml"
    text = f"mapping: t/m\nfrom: {{record: dossier.v1}}\nto: {{portal: json, empty: {empty}}}\n"
    path.write_text(f"{text}tables: {tables}\nfields: {fields}\n", encoding="utf-8")
    found = load(path)
    assert isinstance(found, OutboundMapping)
    return found


@pytest.mark.parametrize(
    ("empty", "payload"),
    [("null", {"A": None, "B": "x"}), ("text", {"A": "", "B": "x"}), ("omit", {"B": "x"})],
)
def test_what_an_absent_value_becomes_is_said_once(
    tmp_path: Path, portal: RenderContext, empty: str, payload: dict[str, object]
) -> None:
    mapping = outbound(tmp_path, "{A: note, B: {field: note, default: x}}", empty=empty)
    assert mapping.render(RECORD, portal) == payload


def test_codes_are_written_as_their_values(tmp_path: Path, portal: RenderContext) -> None:
    mapping = outbound(
        tmp_path, "{A: channel, B: status, C: {field: status, text: {}}, D: {field: agency, agency: level}}"
    )
    assert mapping.render(RECORD, portal) == {"A": "counter", "B": 4, "C": "4", "D": "province"}
    assert mapping.reads == {"channel", "status", "agency"}


def test_constants_are_not_shared_between_payloads(tmp_path: Path, portal: RenderContext) -> None:
    mapping = outbound(tmp_path, "{A: {const: [1]}, B: {const: null}}")
    first = mapping.render(RECORD, portal)
    first["A"].append(2)
    assert mapping.render(RECORD, portal) == {"A": [1], "B": None}


def test_every_refused_value_is_told(tmp_path: Path) -> None:
    mapping = outbound(
        tmp_path,
        "{A: {field: note, required: true}, B: {field: agency, agency: name},"
        " C: {field: procedure_name, text: {max: 3}}, D: {field: procedure_name, text: {max: 3, over: cut}}}",
    )
    with pytest.raises(RefusedRowError) as caught:
        mapping.render(RECORD, RenderContext(agencies=AgencyRegister.empty()))
    found = [(p.mapping, p.field, p.path, p.value, p.verdict) for p in caught.value.problems]
    assert found == [
        ("t/m", "note", "A", None, "reject"),
        ("t/m", "agency", "B", "H59.05", "park"),
        ("t/m", "procedure_name", "C", "Cấp phiếu", "reject"),
    ]


def test_a_record_of_another_kind_is_a_defect(portal: RenderContext) -> None:
    step = DossierStep(
        number="1", at=datetime(2017, 3, 20, tzinfo=UTC), person="B", content="x", status=DossierStatus.ACCEPTED
    )
    mapping = load("dvcqg/dossier")
    assert isinstance(mapping, OutboundMapping)
    with pytest.raises(TypeError, match=r"dvcqg/dossier writes dossier\.v1, not DossierStep"):
        mapping.render(step, portal)


def test_rendering_changes_nothing(portal: RenderContext) -> None:
    mapping = load("lgsp/dossier")
    assert isinstance(mapping, OutboundMapping)
    before = RECORD.to_json()
    assert mapping.render(RECORD, portal) == mapping.render(RECORD, portal)
    assert RECORD.to_json() == before


def test_a_body_is_rendered_as_its_record(tmp_path: Path, portal: RenderContext) -> None:
    mapping = outbound(
        tmp_path,
        "{A: number, B: {field: status, text: {}}, C: {field: received_at, date: iso}, D: {field: note, default: '-'}, "
        "E: {field: returned_at, present: {}}, F: {field: agency, agency: name}, G: {const: []}}",
        empty="omit",
    )
    assert mapping.render_body(RECORD.to_json(), portal) == mapping.render(RECORD, portal)
    # As a body was written before fields without value were left out.
    assert mapping.render_body(RECORD.model_dump_json().encode(), portal) == mapping.render(RECORD, portal)


@pytest.mark.parametrize(
    ("was", "became", "said"),
    [
        ('"number"', '"nummer"', "nummer"),
        ('"status":4', '"status":44', "status_number"),
        ('"status":4', '"status":"4"', "status_number"),
        ('"status":4', '"status":null', "status_number"),
        ('"channel":"counter"', '"channel":"fax"', "channel"),
        ("T01:00:00Z", "T01:00:00", "received_at"),
        ("2017-03-20T", "2017-03-32T", "received_at"),
        ('"Hạnh"', '["Hạnh"]', "applicant_name"),
        ("{", "[{", "json_invalid"),
    ],
)
def test_a_body_that_is_no_record_any_more_says_so(
    tmp_path: Path, portal: RenderContext, was: str, became: str, said: str
) -> None:
    mapping = outbound(tmp_path, "{A: note}")
    body = RECORD.to_json().decode()
    assert was in body
    with pytest.raises(ValidationError, match=said):
        mapping.render_body(body.replace(was, became, 1).encode(), portal)


def test_a_body_that_cannot_be_written_is_refused_with_every_reason(tmp_path: Path, portal: RenderContext) -> None:
    mapping = outbound(tmp_path, "{A: {field: note, required: true}, B: {field: summary, required: true}}")
    with pytest.raises(RefusedRowError) as refused:
        mapping.render_body(RECORD.to_json(), portal)
    assert [problem.path for problem in refused.value.problems] == ["A", "B"]
