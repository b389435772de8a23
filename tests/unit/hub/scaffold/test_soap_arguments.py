"""Which arguments of an operation ask for changes and pages, and how they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.scaffold.guess import Guesses, guess
from hub.scaffold.sample import places, read
from hub.scaffold.service import Argument, Operation
from hub.scaffold.soap_arguments import since_and_page
from schemas.errors import ConfigError

ROW = {
    "MaHoSo": "H-1", "MaTTHC": "1.003560", "TenTTHC": "Cấp phép", "DonVi": {"ma": "H59.15", "ten": "Sở Tư pháp"},
    "LoaiDoiTuong": "CD", "NguoiNop": "Lê Thị Sáu", "Kenh": "1", "TrangThai": "Ngủ", "NgayNhan": "13/06/2026 08:15",
    "CapNhat": "14/06/2026 09:00",
}  # fmt: skip


def guessed(**options: Any) -> Guesses:
    body = json.dumps({"rows": [ROW, ROW]}).encode()
    return guess(read(body, places(body, "a.json")[0]), "dossier.v1", **options)


def operation(kind: str = "string") -> Operation:
    taken = (("tuNgay", kind), ("trang", "int"), ("soDong", "int"), ("maDonVi", "string"))
    return Operation("Lay", tuple(Argument(name, one, True) for name, one in taken), "string", "S", "P")


@pytest.mark.parametrize(
    ("kind", "given", "written"),
    [
        ("string", "01/03/2026", "dd/MM/yyyy"),
        ("string", "20260301000000", "yyyyMMddHHmmss"),
        ("string", "2026-03-01", "yyyy-MM-dd"),
        ("string", "2026-03-01T00:00:00", "yyyy-MM-dd'T'HH:mm:ss"),
        ("string", "2026-03-01 00:00:00", "yyyy-MM-dd HH:mm:ss"),
        ("string", "2026-03-01T00:00:00+07:00", "iso"),
        ("string", "", "dd/MM/yyyy HH:mm"),  # as the rows have it
        ("dateTime", "2026-03-01T00:00:00", "iso"),
        ("date", "2026-03-01", "yyyy-MM-dd"),
    ],
)
def test_changes_are_asked_for_as_they_were_asked_for_by_hand(kind: str, given: str, written: str) -> None:
    made = since_and_page(operation(kind), {"tuNgay": given, "trang": "1", "soDong": "30", "maDonVi": "15"}, guessed())
    since = made.pop("since")
    assert (since["argument"], since["format"]) == ("tuNgay", written)
    assert since.get("start") == ("2026-03-01T00:00:00+07:00" if given else None)
    assert made == {
        "page": {"argument": "trang", "size_argument": "soDong", "size": 30},
        "arguments": {"maDonVi": "15"},
    }


def test_a_structures_name_stands_before_what_is_in_it() -> None:
    specs = {one.field: one.spec for one in guessed().fields}
    assert specs["agency"] == {"path": "DonVi.ma", "agency": "code"}
    assert specs["changed_at"]["path"] == "CapNhat"


def test_what_words_mean_may_be_told_of_words_that_the_sample_has_not_too() -> None:
    made = guessed(codes={"status.Ngủ": "8", "status.Đã trả. Xong": "10", "applicant_kind.TC": "other"})
    assert [(one.word, one.code, one.count) for one in made.tables["status"]] == [
        ("Ngủ", 8, 2),
        ("Đã trả. Xong", 10, 0),
    ]
    assert ("TC", "other", 0) in [(one.word, one.code, one.count) for one in made.tables["applicant_kind"]]
    lost = guessed(codes={"channel.2": "online"}, constants={"channel": "counter"})
    assert [problem.message for problem in lost.problems] == ["--code channel.…: no column of the sample is channel"]
    with pytest.raises(ConfigError) as refused:
        guessed(codes={"nubmer.a": "1", "status": "4", "status.Ngủ": "44"})
    assert [problem.rule for problem in refused.value.problems] == ["unknown-field", "unknown-field", "wrong-value"]
