from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any, cast

import pytest

from hub.deaths import line, tell_deaths
from hub.ledger import Ledger
from hub.ledger.deaths import Died
from hub.ledger.values import Outcome
from mappings import InboundMapping, OutboundMapping
from mappings.catalogue import load
from schemas.errors import LedgerFault

NUMBER = "000.00.05.H59-170320-0002"


def mappings(out: str = "dvcqg/dossier", *read: str) -> tuple[OutboundMapping, list[InboundMapping]]:
    made, readers = load(out), [load(name) for name in read or ("one-stop-soap/dossier", "one-stop-soap/step")]
    assert isinstance(made, OutboundMapping)
    return made, [one for one in readers if isinstance(one, InboundMapping)]


DIED = Died(17, NUMBER, "dossier.v1", "so-tttt", "H59.05", "", "page 1")
OUTCOME = Outcome(17, 1, "dead", fault="data", code="17", text="MaTTHC '9.9' không hợp lệ", path="MaTTHC", value="9.9")


def test_a_line_names_whose_it_is_the_field_and_the_words_without_a_value() -> None:
    said = line("national", DIED, OUTCOME, {"MaTTHC": "9.9"}, *mappings())
    assert said == (
        f"national: dead letter #17, dossier {NUMBER} of agency H59.05: MaTTHC, in the agency's own data MaThuTuc; "
        "data 17: MaTTHC '•••' không hợp lệ"
    )


@pytest.mark.parametrize(
    ("died", "outcome", "where"),
    [
        ({}, {"path": "Fax"}, "Fax, a constant of the mapping dvcqg/dossier;"),
        ({}, {"path": "Khac"}, "Khac, which is not read from the agency's data;"),
        ({}, {"path": None, "text": "Lỗi"}, "no field is named;"),
        ({}, {"path": None, "text": "thiếu MaTTHC"}, "MaTTHC, in the agency's own data MaThuTuc;"),
        ({}, {"path": "summary", "code": "not-sent"}, "TrichYeuHoSo, in the agency's own data TrichYeu;"),
        ({"agency": None}, {}, "of an agency of so-tttt: MaTTHC,"),
    ],
)
def test_what_is_not_known_is_told_as_such(died: dict[str, Any], outcome: dict[str, Any], where: str) -> None:
    assert where in line("national", replace(DIED, **died), replace(OUTCOME, **outcome), {}, *mappings())


@pytest.mark.parametrize(
    ("kind", "what"), [("document.v1", "document"), ("indicator.v1", "indicator"), ("x.v1", "record")]
)
def test_another_kind_is_told_by_its_name(kind: str, what: str) -> None:
    said = line("national", replace(DIED, kind=kind, lane="A|2017|H59"), OUTCOME, {}, None, [])
    assert said.startswith(f"national: dead letter #17, {what} A|2017|H59 of agency H59.05: MaTTHC")


def test_a_step_is_told_as_one() -> None:
    died = replace(DIED, kind="dossier-step.v1")
    outcome = replace(OUTCOME, path="NguoiXuLy", value="Trần Văn Bình", text="NguoiXuLy Trần Văn Bình sai")
    said = line("national", died, outcome, {}, *mappings("dvcqg/step"))
    assert "step of dossier" in said
    assert said.endswith("NguoiXuLy, in the agency's own data QuaTrinh/Buoc/NguoiXuLy; data 17: NguoiXuLy ••• sai")


def test_without_a_source_s_mapping_the_portal_s_field_alone_is_told() -> None:
    made, _ = mappings()
    assert "MaTTHC, which is not read from" in line("national", DIED, OUTCOME, {}, made, [])
    assert "MaTTHC, which is not read from" in line("national", DIED, OUTCOME, {}, None, [])


class Told:
    """In the place of a ledger."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def died(self, ids: list[int]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def tell(answer: Any) -> None:
    ledger = cast(Ledger, Told(answer))
    asyncio.run(tell_deaths("national", ledger, [OUTCOME], {}, {}, {}))


def test_only_what_the_ledger_calls_dead_is_told_and_a_ledger_that_is_away_fails_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        tell([])
        assert not caplog.records
        tell(LedgerFault("away"))
        assert "1 dead letters, of which the ledger cannot tell more: away" in caplog.text
        tell([replace(DIED, lane=cast(str, None))])
        assert "dead letter #17" in caplog.records[-1].getMessage()
