"""Whose a refused row is: agencies are told of their own rows, also where a row could not be read whole."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.catalogue import load
from mappings.inbound import read_all
from mappings.rows import ReadContext, RowRefused
from schemas.agency import AgencyRegister

REGISTER = AgencyRegister.from_rows(
    [
        {"code": "H59.15", "name": "Sở Một", "level": "province", "aliases": ["000.00.15.H59"]},
        {
            "code": "H59.16",
            "name": "Sở Hai",
            "level": "province",
            "aliases": [{"code": "16", "valid_to": "2020-01-01"}],
        },
        {
            "code": "H59.17",
            "name": "Sở Ba",
            "level": "province",
            "aliases": [{"code": "16", "valid_from": "2020-01-02"}],
        },
    ]
)


@pytest.mark.parametrize(
    ("agency", "received", "whose"),
    [
        ("000.00.15.H59", "01/03/2017 08:00:00", "H59.15"),
        ("000.00.15.H59", "2017-03-01", "H59.15"),
        ("H59.15", "", "H59.15"),
        ("16", "01/03/2017 08:00:00", "H59.16"),
        ("16", "2017-03-01", None),
        ("999", "2017-03-01", None),
        ("", "01/03/2017 08:00:00", None),
    ],
)
def test_whose_a_refused_row_is(agency: str, received: str, whose: str | None) -> None:
    body = (
        "<a><LayDanhSachHoSoResult>&lt;DanhSachHoSo&gt;&lt;HoSo&gt;&lt;SoHoSo&gt;B-1&lt;/SoHoSo&gt;"
        f"&lt;DonVi&gt;{agency}&lt;/DonVi&gt;&lt;NgayTiepNhan&gt;{received}&lt;/NgayTiepNhan&gt;&lt;/HoSo&gt;"
        "&lt;/DanhSachHoSo&gt;</LayDanhSachHoSoResult></a>"
    )
    mapping: Any = load("one-stop-soap/dossier")
    [row] = read_all([mapping], body.encode(), None, ReadContext(REGISTER))
    assert isinstance(row, RowRefused)
    assert (row.agency, row.lane) == (whose, "B-1")
