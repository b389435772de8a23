"""The catalogues of the national portal, as the hub asks its twin for them: all that can come back, and what is made of
it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from adapters.dvcqg_catalogues import AgenciesSettings, ProceduresSettings, day, entries, requests
from adapters.sandbox import national_portal
from adapters.sandbox.twin import Twin, running
from hub.ports import AdapterContext, Catalogues
from hub.registers.catalogue import read
from schemas.errors import DestinationFault

REGISTERS = ("agencies", "procedures", "fields")


def ask(portal: Twin, register: str, deadline_s: float = 10.0, **settings: Any) -> Sequence[Mapping[str, Any]]:
    """One catalogue of a twin."""

    async def asking() -> Sequence[Mapping[str, Any]]:
        given = DvcqgSettings.model_validate({"url": portal.url, **portal.client, **settings})
        made = DvcqgDestination(given, AdapterContext("national", Path()))
        assert isinstance(made, Catalogues)
        try:
            return await made.catalogue(register, ["H59", "H61"], deadline_s)
        finally:
            await made.close()

    return asyncio.run(asking())


def order(portal: Twin, mode: str, **more: Any) -> None:
    answer = httpx.post(f"{portal.control}/_twin/fault", json={"mode": mode, **more})
    assert answer.status_code == 200, answer.text


def test_two_provinces_that_merge_are_shown_with_days_and_successors() -> None:
    with running(national_portal.create) as portal:
        found = {register: read(register, ask(portal, register), ["H59", "H61"]).entries for register in REGISTERS}
    assert {register: len(entries) for register, entries in found.items()} == {
        "agencies": 6, "procedures": 12, "fields": 3
    }  # fmt: skip
    assert found["agencies"]["000.00.17.H59"] == {
        "name": "Sở Y tế tỉnh Trà Vinh", "level": "province", "valid_to": "2025-06-30", "successor": "000.00.17.H61"
    }  # fmt: skip
    assert found["procedures"]["1.001193.H61"] == {
        "name": "Đăng ký khai sinh", "field_code": "HT", "field_name": "Hộ tịch", "valid_from": "2025-07-01"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("today", "codes"),
    [("2025-06-30", {"000.00.17.H59", "000.00.17.H61"}), ("2025-07-01", {"000.00.17.H61"})],
)
def test_or_what_has_ended_is_not_shown_any_more(today: str, codes: set[str]) -> None:
    with running(national_portal.create, options={"ended": "vanished", "today": today}) as portal:
        rows = ask(portal, "agencies")
    assert {row["code"] for row in rows if row["code"].startswith("000.00.17")} == codes
    assert all("successor" not in row and "valid_to" not in row for row in rows)


def test_names_and_places_are_settings(tmp_path: Path) -> None:
    held = {"agencies": [{"MA": "H59.05", "TEN": "Sở", "TU": "01/07/2025", "CAP": "T"}]}
    (tmp_path / "held.json").write_text(json.dumps(held), encoding="utf-8")
    names = {"code": "MA", "name": "TEN", "valid_from": "TU", "level": "CAP", "levels": {"T": "province"}}
    with running(national_portal.create, data=tmp_path / "held.json") as portal:
        [row] = ask(portal, "agencies", catalogues={"agencies": names})
        assert row == {"code": "H59.05", "name": "Sở", "valid_from": "2025-07-01", "level": "province"}
        with pytest.raises(DestinationFault, match=r"LayDanhMucCoQuan: the answer holds no list 'data\.list'"):
            ask(portal, "agencies", catalogues={"agencies": {"at": "data.list"}})
        with pytest.raises(DestinationFault, match="Layx"):
            ask(portal, "agencies", catalogues={"agencies": {"service": "Layx"}})


def test_a_portal_may_be_asked_province_by_province() -> None:
    settings = ProceduresSettings(province="maTinh", arguments={"trangThai": "1"})
    assert requests(settings, ["H59", "H61"]) == [
        {"service": "LayDanhSachTTHC", "trangThai": "1", "maTinh": "H59"},
        {"service": "LayDanhSachTTHC", "trangThai": "1", "maTinh": "H61"},
    ]


def test_a_level_that_is_not_told_or_not_known() -> None:
    rows = {
        "result": [{"MaCoQuan": "H59", "TenCoQuan": "A"}, {"MaCoQuan": "H59", "TenCoQuan": "A", "CapCoQuan": "9"}, 1]
    }
    assert entries(AgenciesSettings(), rows) == [
        {"code": "H59", "name": "A", "level": None}, {"code": "H59", "name": "A", "level": "9"}, {}
    ]  # fmt: skip
    made = entries(AgenciesSettings.model_validate({"level_absent": "province"}), rows) or []
    assert made[0]["level"] == "province"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("20250630235959", "2025-06-30"),
        ("20250630", "2025-06-30"),
        ("2025-06-30T00:00:00", "2025-06-30"),
        ("1/7/2025", "2025-07-01"),
        ("20250631", "20250631"),
        ("sớm", "sớm"),
        (20250630, 20250630),
    ],
)
def test_days_are_read_however_they_are_written(written: Any, read_as: Any) -> None:
    assert day(written) == read_as


@pytest.mark.parametrize(
    ("mode", "said"),
    [("200-error", "Hệ thống đang bận"), ("500", "500"), ("down", "LayDanhSachTTHC"), ("drip", "no whole answer")],
)
def test_an_answer_that_is_none_is_a_fault(mode: str, said: str) -> None:
    with running(national_portal.create) as portal:
        order(portal, mode, scope="LayDanhSachTTHC")

        with pytest.raises(DestinationFault, match=said):
            ask(portal, "procedures", 2.0 if mode == "drip" else 10.0)


def test_a_session_that_died_is_renewed_and_an_endless_answer_is_refused(tmp_path: Path) -> None:
    held = {"fields": [{"MaLinhVuc": "HT", "TenLinhVuc": "Hộ tịch"}] * 3, "procedures": [{"TenTTHC": "x" * 900}] * 6000}
    (tmp_path / "held.json").write_text(json.dumps(held), encoding="utf-8")
    with running(national_portal.create, data=tmp_path / "held.json") as portal:
        order(portal, "expire-session", for_requests=1)
        assert len(ask(portal, "fields")) == 3
        with pytest.raises(DestinationFault, match="larger than 4194304 bytes"):
            ask(portal, "procedures")
