"""`hub map`: what a mapping makes of a recorded message, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

AGENCIES = "- {code: H59.34, name: UBND huyện Cầu Ngang, level: district, aliases: [000.00.34.H59]}\n"
HEADER = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;MA_LINH_VUC;LINH_VUC;MA_DON_VI;LOAI_DOI_TUONG;HO_TEN;SO_GIAY_TO;DIA_CHI;DIEN_THOAI;EMAIL;"
    "TRICH_YEU;KENH;MUC_DO;TRANG_THAI;NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_TRA;GHI_CHU;NGAY_CAP_NHAT"
)


def row(status: str = "2", number: str = "000.00.34.H59-170302-0001") -> str:
    beginning = f"{number};1.003560;Cấp giấy phép;LV;Lĩnh vực;000.00.34.H59;1;Nguyễn Văn Sáu;;;;;;1;3;{status};"
    return beginning + "20170302080000;20170309170000;;;;20170302081500"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("agencies.yaml").write_text(AGENCIES, encoding="utf-8")
    Path("hoso-0001.csv").write_text("\n".join([HEADER, row(), ""]), encoding="utf-8-sig")
    Path("hoso-0002.csv").write_text("\n".join([HEADER, row(), row("88"), ""]), encoding="utf-8-sig")
    return tmp_path


OPTIONS = ("--agencies", "agencies.yaml")


def test_row_record_and_payload_are_shown(hub: Any, folder: Path) -> None:
    ran = hub("map", "one-stop-csv/dossier", "hoso-0001.csv", "--to", "dvcqg/dossier", *OPTIONS)
    assert ran.status == 0
    for said in ("row 1", "Nguyễn Văn Sáu", "procedure_name", "MaHoSo", "1 rows: 1 records of dossier.v1, 0 refused"):
        assert said in ran.out


def test_json_has_every_row(hub: Any, folder: Path) -> None:
    ran = hub("map", "one-stop-csv/dossier", "hoso-0002.csv", "--to", "dvcqg/dossier", "--json", *OPTIONS)
    assert ran.status == 1
    told = ran.json
    assert (told["ok"], told["records"], told["refused"]) == (False, 1, 1)
    assert told["rows"][0]["record"]["agency"] == "H59.34"
    assert told["rows"][0]["payload"]["MaHoSo"] == "000.00.34.H59-170302-0001"
    [problem] = told["rows"][1]["refused"]["problems"]
    assert (problem["field"], problem["path"], problem["value"]) == ("status", "TRANG_THAI", "88")


def test_what_is_refused_is_explained(hub: Any, folder: Path) -> None:
    ran = hub("map", "one-stop-csv/dossier", "hoso-0002.csv", *OPTIONS)
    assert ran.status == 1
    assert "parked: the mapping or a code table has to grow" in ran.out
    assert "TRANG_THAI (found '88')" in ran.out


def test_an_empty_register_is_pointed_out(hub: Any, folder: Path) -> None:
    ran = hub("map", "one-stop-csv/dossier", "hoso-0001.csv")
    assert ran.status == 1
    assert "--agencies FILE names one" in ran.err


def test_the_register_of_the_configuration_here_is_used(hub: Any, folder: Path) -> None:
    Path("hub.yaml").write_text("agencies: agencies.yaml\n", encoding="utf-8")
    assert hub("map", "one-stop-csv/dossier", "hoso-0001.csv").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("one-stop-csv/dosier", "hoso-0001.csv"), "one-stop-csv/dosier"),
        (("dvcqg/dossier", "hoso-0001.csv"), "leads from a record to a portal"),
        (("one-stop-csv/dossier", "none.csv"), "none.csv: cannot be read: no such file"),
        (("one-stop-csv/dossier", "agencies.yaml"), "agencies.yaml: "),
        (("one-stop-csv/dossier", "hoso-0001.csv", "--to", "one-stop-csv/dossier"), "leads from a source to a record"),
        (("one-stop-csv/dossier", "hoso-0001.csv", "--to", "dvcqg/step"), "is for dossier-step.v1"),
        (("one-stop-csv/dossier", "hoso-0001.csv", "--agencies", "hoso-0001.csv"), "hoso-0001.csv"),
    ],
)
def test_what_cannot_be_done_is_said_in_lines_of_their_own(
    hub: Any, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = hub("map", *arguments)
    assert ran.status == 1
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert said in errors[0]


def test_a_name_that_a_source_would_not_give_it_is_a_warning(hub: Any, folder: Path) -> None:
    Path("hoso-0001.csv").rename("export.csv")
    ran = hub("map", "one-stop-csv/dossier", "export.csv", *OPTIONS)
    assert ran.status == 0
    assert "reads only arrivals named 'hoso-*.csv', not 'export.csv'" in ran.err


# --- by which rule ----------------------------------------------------------------------------------------------------

STEP = """\
mapping: mine/step
from: {format: xml, within: /DanhSach, each: Buoc}
to: dossier-step.v1
tables:
  status: {Nhận: 2, Đang xử lý: 4}
fields:
  number: {path: So}
  at: {first: [Luc, Ngay], date: dd/MM/yyyy}
  person: Ai
  unit: PhongBna
  content: {path: NoiDung, default: Xử lý hồ sơ}
  position: {const: Cán bộ}
  status: {path: TrangThai, table: status}
"""
STEPS = """\
<DanhSach>
  <Buoc><So>H-1</So><Ngay>20/03/2017</Ngay><Ai>Bình</Ai><TrangThai>Nhận</TrangThai><PhongBan>Một cửa</PhongBan></Buoc>
  <Buoc><So>H-2</So><Ngay>20/03/2017</Ngay><Ai>Bình</Ai><TrangThai>dang xu li</TrangThai><NoiDung/></Buoc>
</DanhSach>
"""


@pytest.fixture
def step(folder: Path) -> str:
    Path("step.yaml").write_text(STEP, encoding="utf-8")
    Path("steps.xml").write_text(STEPS, encoding="utf-8")
    return "step.yaml"


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_each_value_says_by_which_rule_it_was_made(hub: Any, step: str) -> None:
    lines = squeezed(hub("map", step, "steps.xml", "--to", "dvcqg/step").out)
    for said in (
        "number H-1 So, line 7",
        "at 2017-03-19T17:00:00Z Luc or Ngay, date, line 8",
        "content Xử lý hồ sơ default, line 11",
        "position Cán bộ const, line 12",
        "status 2 TrangThai, table, line 13",
    ):
        assert said in lines
    assert any(line.startswith("MaHoSo H-1 number, line") for line in lines)
    told = hub("map", step, "steps.xml", "--to", "dvcqg/step", "--json").json
    rules = {one["field"]: one for one in told["rules"]["record"]["fields"]}
    assert (rules["at"]["paths"], rules["at"]["converters"], rules["at"]["line"]) == (["Luc", "Ngay"], ["date"], 8)
    assert (rules["content"]["default"], rules["position"]["const"]) == ("Xử lý hồ sơ", "Cán bộ")
    assert told["rules"]["payload"]["members"][0]["member"]


def test_a_wide_terminal_has_all_three_side_by_side(hub: Any, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(*arguments: str, columns: int) -> list[str]:
        monkeypatch.setattr("hub.cli.output._WIDTH", columns)
        return squeezed(hub(*arguments).out)

    lines = wide("map", step, "steps.xml", "--to", "dvcqg/step", columns=160)
    assert "input record payload" in lines
    assert any(line.startswith("So H-1 number H-1 So, line 7 MaHoSo H-1") for line in lines)
    assert "input refused" in lines
    assert any("TrangThai dang xu li" in line for line in lines)
    assert "input record payload" not in wide("map", step, "steps.xml", "--to", "dvcqg/step", columns=139)


def test_a_path_that_is_wrong_everywhere_becomes_visible(hub: Any, step: str) -> None:
    out = hub("map", step, "steps.xml").out
    assert (
        "never filled in this sample, look at the path:\n    unit (line 10): PhongBna is nowhere, did you mean" in out
    )
    assert "always empty in this sample: content" in out
    told = hub("map", step, "steps.xml", "--json").json["never_filled"]
    assert told == {
        "nowhere": ["unit (line 10): PhongBna is nowhere, did you mean PhongBan?"],
        "always_empty": ["content"],
    }


def test_a_field_is_explained_step_by_step(hub: Any, step: str) -> None:
    ran = hub("map", step, "steps.xml", "--explain", "at", "--to", "dvcqg/step")
    assert ran.status == 0
    lines = squeezed(ran.out)
    assert lines[0] == "at from Luc or Ngay (step.yaml, line 8)"
    for said in ("at Luc nothing", "at Ngay '20/03/2017'", "taken '20/03/2017'", "date '2017-03-19T17:00:00Z'"):
        assert said in lines
    assert any(line.startswith("shown by ThoiDiemXuLy '20170320000000' (date, dvcqg/step, line ") for line in lines)
    refused = squeezed(hub("map", step, "steps.xml", "--explain", "status").out)
    assert "table is not in the table 'status'; near: 'Đang xử lý'" in refused
    assert refused[-1] == "value refused"
    default = squeezed(hub("map", step, "steps.xml", "--explain", "content").out)
    assert default[3:6] == ["at NoiDung nothing", "default 'Xử lý hồ sơ'", "value 'Xử lý hồ sơ'"]


def test_a_member_of_the_payload_is_explained_by_its_field(hub: Any, step: str) -> None:
    told = hub("map", step, "steps.xml", "--explain", "MaHoSo", "--to", "dvcqg/step", "--json").json
    assert (told["field"], told["paths"], told["line"]) == ("number", ["So"], 7)
    assert told["rows"][0]["shown_by"][0]["value"] == "H-1"
    assert told["rows"][0]["story"]["end"] == "filled"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("statsu", "dossier-step.v1 has no field 'statsu' [unknown-field] — did you mean 'status'?"),
        ("TrangThay", "did you mean 'TrangThai'?"),
        ("due_at", "mine/step does not fill due_at [not-mapped] — write due_at: … under `fields`"),
    ],
)
def test_a_field_that_cannot_be_explained_has_its_mend(hub: Any, step: str, field: str, said: str) -> None:
    ran = hub("map", step, "steps.xml", "--explain", field, "--to", "dvcqg/step")
    assert (ran.status, said in ran.err) == (1, True)
