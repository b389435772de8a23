"""`hub new source` from what a newcomer has at hand: old encodings, decomposed letters, unknown agencies and words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal
from unicodedata import is_normalized, normalize

import pytest

from tests.cli.new_project import know_agency, passes, start

ROW = {
    "SoHoSo": "000.00.15.H59-260302-0001", "MaTTHC": "1.003560", "TenThuTuc": "Cấp giấy phép", "DonVi": "Sở Thông tin",
    "DoiTuong": "Công dân", "NguoiNop": "Nguyễn Thị Bưởi", "Kenh": "Trực tiếp", "TrangThai": "Đang giải quyết",
    "NgayNhan": "02/03/2026 08:00", "NgayHenTra": "16/03/2026 17:00", "CapNhat": "02/03/2026 09:00",
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return start(hub, tmp_path, monkeypatch)


def as_json(*rows: dict[str, str], form: Literal["NFC", "NFD"] = "NFC") -> str:
    Path("a.json").write_text(normalize(form, json.dumps(rows, ensure_ascii=False)), encoding="utf-8")
    return "a.json"


def as_csv(charset: str, *rows: dict[str, str]) -> str:
    lines = [";".join(rows[0]), *(";".join(row.values()) for row in rows)]
    text = "\r\n".join(lines) + "\r\n"
    if charset == "cp1258":
        for tone in "\u0300\u0301\u0303\u0309\u0323":
            for plain in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY":
                text = text.replace(normalize("NFC", plain + tone), plain + tone)
    Path("a.csv").write_bytes(text.encode(charset))
    return "a.csv"


def mapping() -> str:
    return Path("mappings/x/dossier.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("old", ["json", "cp1258"])
def test_text_that_comes_decomposed_is_read_as_composed_text_is(hub: Any, old: str) -> None:
    row = ROW | {"Kenh": "Một cửa số 3"}
    sample = as_json(row, form="NFD") if old == "json" else as_csv("cp1258", row)
    told = () if old == "json" else ("--charset", "cp1258")
    ran = hub("new", "source", "x", "--sample", sample, "--write", *told, "--code", "status.Đang giải quyết=4")
    assert ran.status == 0, ran.err
    assert "the agencies file knows no 'Sở Thông tin'" in normalize("NFC", ran.err)
    # What the page does to a word that nobody knows: to type it is enough.
    assert "    # ? Một cửa số 3: what" in mapping()
    assert "    Đang giải quyết: 4\n" in mapping()
    assert is_normalized("NFC", Path("mappings/x/dossier_test.yaml").read_text(encoding="utf-8"))
    passes(hub)
    shown = hub("map", "x/dossier", f"samples/x-1.{'json' if old == 'json' else 'csv'}")
    assert "unknown agency" in shown.out
    assert "Traceback" not in shown.err
    text = re.sub(r"# \? Một cửa số 3.*", "Một cửa số 3: counter", mapping())
    Path("mappings/x/dossier.yaml").write_text(text, encoding="utf-8")
    know_agency("Sở Thông tin TT")
    assert hub("map", "x/dossier", f"samples/x-1.{'json' if old == 'json' else 'csv'}").status == 0


def test_two_spellings_of_an_agency_that_nobody_knows_are_one(hub: Any) -> None:
    as_json(ROW | {"DonVi": "Ban Quản lý"}, ROW | {"DonVi": "BAN QUẢN LÝ", "SoHoSo": "000.00.15.H59-260302-0002"})
    ran = hub("new", "source", "x", "--sample", "a.json", "--write")
    assert "2 of 2 rows of the sample become dossier.v1" in ran.out
    passes(hub)


def test_a_test_of_rows_that_all_wait_passes_as_it_is_written(hub: Any) -> None:
    as_json(ROW | {"TrangThai": "Trình ký", "DonVi": "Ban Quản lý"}, ROW | {"TrangThai": "Chờ chữ ký"})
    ran = hub("new", "source", "x", "--sample", "a.json", "--write")
    assert "0 of 2 rows of the sample become dossier.v1" in ran.out
    passes(hub)


def test_a_table_without_a_word_takes_one_that_loses_its_sign(hub: Any) -> None:
    as_json(ROW | {"Kenh": "MC"})
    hub("new", "source", "x", "--sample", "a.json", "--write")
    assert "  channel:\n    # ? MC: what" in mapping()
    passes(hub)
    text = re.sub(r"    # \? MC.*", "    MC: counter", mapping())
    Path("mappings/x/dossier.yaml").write_text(text, encoding="utf-8")
    know_agency("Sở Thông tin TT")
    assert "channel" in hub("map", "x/dossier", "samples/x-1.json").out
    assert hub("map", "x/dossier", "samples/x-1.json").status == 0


def test_a_word_that_is_told_twice_names_the_file_that_would_be_written(hub: Any) -> None:
    as_json(ROW)
    words = ("--code", "status.Trình  ký=4", "--code", "status.Trình  ký =9")
    ran = hub("new", "source", "x", "--sample", "a.json", *words)
    assert "hub-new-" not in ran.err


@pytest.mark.parametrize("charset", ["cp1258", "cp1252"])
def test_what_is_invented_can_be_written_in_the_encoding_of_the_sample(hub: Any, charset: str) -> None:
    plain = {
        name: normalize("NFD", text.replace("Đ", "D")).encode("ascii", "ignore").decode() for name, text in ROW.items()
    }
    people = [(ROW if charset == "cp1258" else plain) | {"SoHoSo": f"000.00.15.H59-260302-000{n}", "NguoiNop": f"{a} B"}
              for n, a in enumerate(("Le", "Tran", "Bui", "Vo"))]  # fmt: skip
    ran = hub("new", "source", "x", "--sample", as_csv(charset, *people), "--charset", charset, "--write")
    assert ran.status == 0, ran.err
    written = Path("samples/x-1.csv").read_bytes().decode(charset)
    assert "?" not in written
    names = [line.split(";")[5] for line in written.splitlines()[1:]]
    assert names[0] == (
        normalize("NFD", "Nguyễn").replace("e\u0302", "ê") + " An" if charset == "cp1258" else "Nguyen An"
    )


# --- times that contradict a status ----------------------------------------------------------------------------------

LATE = {key: text for key, text in ROW.items() if key != "NgayHenTra"} | {"NgayTra": "16/03/2026 17:00"}


def field(hub: Any, *more: str) -> dict[str, Any]:
    told = hub("new", "source", "x", "--sample", "a.json", "--dry-run", "--json", *more).json
    fields: dict[str, Any] = told["fields"]
    return fields


def test_a_return_that_dossiers_in_progress_have_is_a_due_date(hub: Any) -> None:
    as_json(LATE, LATE | {"SoHoSo": "000.00.15.H59-260302-0002", "TrangThai": "Đã trả kết quả"})
    fields = field(hub)
    assert "returned_at" not in fields
    assert fields["due_at"]["is"]["path"] == "NgayTra"
    assert fields["due_at"]["doubt"].startswith("1 of 2 rows have it while their status says that they are in progress")


def test_where_something_else_is_due_such_a_return_is_doubted(hub: Any) -> None:
    as_json(LATE | {"NgayHenTra": "16/03/2026 17:00", "NgayXong": ""}, LATE | {"NgayXong": "16/03/2026 17:00"})
    fields = field(hub)
    assert "2 of 2 rows have it" in fields["returned_at"]["doubt"]
    assert "1 of 2 rows have it" in fields["finished_at"]["doubt"]


def test_a_return_beside_no_due_date_is_doubted(hub: Any) -> None:
    as_json(LATE | {"TrangThai": "Đã trả kết quả"})
    assert field(hub)["returned_at"]["doubt"] == "no column is the due date; if this is it, say --field due_at=NgayTra"


def test_a_return_that_fits_its_status_is_none_to_doubt(hub: Any) -> None:
    as_json(
        ROW | {"NgayTra": "0001-01-01T00:00:00"}, ROW | {"NgayTra": "16/03/2026 17:00", "TrangThai": "Đã trả kết quả"}
    )
    assert field(hub)["returned_at"]["doubt"] == ""
    as_json(LATE)
    told = field(hub, "--field", "returned_at=NgayTra")
    assert told["returned_at"]["is"]["path"] == "NgayTra"


def test_bytes_that_are_no_utf8_are_said_with_the_option_that_reads_them(hub: Any) -> None:
    ran = hub("new", "source", "x", "--sample", as_csv("cp1258", ROW))
    assert ran.status == 1
    assert "--charset cp1258 reads it so" in ran.err


def test_agencies_may_be_pasted_as_a_terminal_showed_them(hub: Any) -> None:
    as_json(ROW, form="NFD")
    know_agency(normalize("NFD", "Sở Thông tin TT"))
    assert hub("new", "source", "x", "--sample", "a.json", "--write").status == 0
    assert hub("map", "x/dossier", "samples/x-1.json").status == 0
