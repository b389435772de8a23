"""`hub map --coverage`: which places of many samples are mapped, ignored with a reason, or forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

XML = """\
mapping: cau-ngang/step
from: {format: xml, within: /DanhSach, each: HoSo, inner: QuaTrinh/Buoc}
to: dossier-step.v1
tables:
  status: {Nhận: 2, Xong: 9}
ignore:
  "@id": số thứ tự trong tệp, không có nghĩa
  NoiBo: chỉ dùng nội bộ
fields:
  number: {outer: SoHoSo}
  at: {path: Luc, date: dd/MM/yyyy}
  person: {join: [Ho, Ten]}
  unit: PhongBna
  content: {path: NoiDung, default: Xử lý hồ sơ}
  position: "normalize-space(ChucDanh[@loai='chinh'])"
  status: {path: TrangThai, table: status}
"""
PAGE = """\
<DanhSach>
  <HoSo id="1"><SoHoSo>H-1</SoHoSo><NoiBo><Ma>x</Ma></NoiBo><GhiChu>gấp</GhiChu><QuaTrinh>
    <Buoc><Luc>20/03/2017</Luc><Ho>Trần</Ho><Ten>Bình</Ten><TrangThai>Nhận</TrangThai><PhongBan>Một cửa</PhongBan>
      <ChucDanh loai="chinh">Cán bộ</ChucDanh></Buoc>
    <Buoc><Luc>30/02/2017</Luc><Ho>Lê</Ho><Ten>Mai</Ten><TrangThai>Xong</TrangThai><NoiDung/></Buoc>
  </QuaTrinh></HoSo>
  <HoSo id="2"><SoHoSo>H-2</SoHoSo><QuaTrinh/></HoSo>
</DanhSach>
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mappings/cau-ngang").mkdir(parents=True)
    (tmp_path / "mappings/cau-ngang/step.yaml").write_text(XML, encoding="utf-8")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/a.xml").write_text(PAGE, encoding="utf-8")
    (tmp_path / "samples/b.xml").write_text(PAGE, encoding="utf-8")
    return tmp_path


def places(told: Any) -> dict[str, str]:
    return {one["path"]: one["state"] for one in told["sources"]}


def test_every_place_is_mapped_ignored_or_forgotten(hub: Any, folder: Path) -> None:
    ran = hub("map", "cau-ngang/step", "--coverage", "samples", "--json")
    assert ran.status == 0
    told = ran.json
    assert (told["samples"], told["rows"], told["records"], told["refused"]) == (2, 4, 2, 2)
    inner = ("Luc", "Ho", "Ten", "TrangThai", "NoiDung", "ChucDanh", "ChucDanh/@loai")
    assert places(told) == {
        "@id": "ignored",
        "SoHoSo": "mapped",
        "NoiBo/Ma": "ignored",
        "GhiChu": "forgotten",
        "QuaTrinh/Buoc/PhongBan": "forgotten",
        **{f"QuaTrinh/Buoc/{name}": "mapped" for name in inner},
    }
    by_path = {one["path"]: one for one in told["sources"]}
    assert by_path["QuaTrinh/Buoc/Ten"]["fields"] == ["person"]
    assert by_path["NoiBo/Ma"]["reason"] == "chỉ dùng nội bộ"
    assert (by_path["GhiChu"]["rows"], by_path["GhiChu"]["example"]) == (2, "gấp")


def test_every_field_is_counted_and_a_wrong_path_is_seen(hub: Any, folder: Path) -> None:
    told = hub("map", "cau-ngang/step", "--coverage", "samples/a.xml", "--json").json
    fields = {one["field"]: one for one in told["targets"]}
    assert (fields["at"]["filled"], fields["at"]["refused"]) == (1, 1)
    assert (fields["content"]["default"], fields["content"]["hints"]) == (2, ["NoiDung is always empty"])
    assert fields["unit"]["hints"] == ["PhongBna is nowhere, did you mean PhongBan?"]
    assert not fields["due_at"]["mapped"]
    ends = ("filled", "default", "const", "empty", "refused")
    assert {sum(one[end] for end in ends) for one in told["targets"]} == {2}


def test_people_see_a_table_and_a_summary(hub: Any, folder: Path) -> None:
    out = " ".join(hub("map", "cau-ngang/step", "--coverage", "samples/*.xml").out.split())
    for said in (
        "số thứ tự trong tệp, không có nghĩa",
        "GhiChu",
        "gấp",
        "PhongBna is nowhere, did you mean PhongBan?",
        "2 samples, 4 rows, 2 records, 2 refused; places: 8 mapped, 2 ignored, 2 forgotten; "
        "fields: 7 mapped, of these 2 never filled, 2 not mapped",
    ):
        assert said in out


def test_strict_fails_on_what_is_forgotten(hub: Any, folder: Path) -> None:
    ran = hub("map", "cau-ngang/step", "--coverage", "samples", "--strict")
    assert ran.status == 1
    assert "2 places forgotten [forgotten] — map them, or list them under `ignore` with the reason" in ran.err
    text = XML.replace("ignore:\n", "ignore:\n  GhiChu: không cần\n").replace("PhongBna", "PhongBan")
    Path("mappings/cau-ngang/step.yaml").write_text(text, encoding="utf-8")
    assert hub("map", "cau-ngang/step", "--coverage", "samples", "--strict").status == 0


def test_another_mapping_of_the_same_source_counts_too(hub: Any, folder: Path) -> None:
    text = "mapping: cau-ngang/note\nfrom: {format: xml, within: /DanhSach, each: HoSo}\nto: dossier-step.v1\nfields:\n"
    text += "  number: SoHoSo\n  content: GhiChu\n  at: {path: Luc, date: iso}\n  person: Ai\n  status: {const: 2}\n"
    Path("mappings/cau-ngang/note.yaml").write_text(text, encoding="utf-8")
    told = hub("map", "cau-ngang/step", "--coverage", "samples", "--also", "cau-ngang/note", "--json").json
    [note] = [one for one in told["sources"] if one["path"] == "GhiChu"]
    assert (note["state"], note["fields"]) == ("mapped", ["cau-ngang/note: content"])
    ran = hub("map", "cau-ngang/step", "--coverage", "samples", "--also", "one-stop-csv/step")
    assert (ran.status, "their `from` differ" in ran.err) == (1, True)


def test_json_and_csv_have_places_too(hub: Any, folder: Path) -> None:
    rest = '{"du_lieu": [{"so_ho_so": "H-1", "la": {"a-b": [1]}, "qua_trinh": [{"trang_thai": "new", "moi": 1}]}]}'
    Path("page.json").write_text(rest, encoding="utf-8")
    told = hub("map", "one-stop-rest/step", "--coverage", "page.json", "--json").json
    assert places(told) == {
        "so_ho_so": "mapped",
        'la."a-b"[]': "forgotten",
        "qua_trinh[].trang_thai": "mapped",
        "qua_trinh[].moi": "forgotten",
    }
    head = "SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI;MOI"
    Path("samples/buoc-1.csv").write_text(head, encoding="utf-8")
    ran = hub("map", "one-stop-csv/step", "--coverage", "samples", "--json").json
    assert (ran["samples"], ran["left_out"]) == (1, 2)
    assert [path for path, state in places(ran).items() if state == "forgotten"] == ["MOI"]


def test_a_sample_that_cannot_be_read_is_told_and_the_others_count(hub: Any, folder: Path) -> None:
    Path("samples/c.xml").write_text("<html/>", encoding="utf-8")
    ran = hub("map", "cau-ngang/step", "--coverage", "samples", "none.xml")
    assert ran.status == 1
    assert "samples/c.xml: /DanhSach is not there" in ran.out
    assert "none.xml: cannot be read: no such file or directory" in ran.out
    assert "2 samples, " in ran.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--coverage", "samples", "--explain", "at"), 2, "leave out --explain and --to"),
        (("samples/a.xml", "samples/b.xml"), 2, "--coverage takes several"),
        (("samples/a.xml", "--strict"), 2, "--strict and --also go with --coverage"),
        (("--coverage", "*.txt"), 1, "no sample for cau-ngang/step in *.txt"),
    ],
)
def test_what_is_asked_wrongly(hub: Any, folder: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    ran = hub("map", "cau-ngang/step", *arguments)
    assert (ran.status, said in " ".join(ran.err.replace("│", " ").split())) == (status, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('  "@id": ""', "'@id' is ignored without a reason"),
        ('  "@id": null', "should be text, is nothing"),
        ('  "HoSo[1]": x', "'HoSo[1]' cannot be ignored: it is not made of names alone"),
        ("  QuaTrinh: x", "'QuaTrinh' is ignored, and read by at, person, unit, content, status (line 10)"),
        ("  SoHoSo: x", "'SoHoSo' is ignored, and read by number (line 9)"),
    ],
)
def test_what_is_ignored_is_linted(hub: Any, folder: Path, line: str, said: str) -> None:
    text = XML.replace('  "@id": số thứ tự trong tệp, không có nghĩa\n  NoiBo: chỉ dùng nội bộ\n', f"{line}\n")
    Path("mappings/cau-ngang/step.yaml").write_text(text, encoding="utf-8")
    ran = hub("map", "cau-ngang/step", "samples/a.xml")
    assert ran.status == 1
    assert "step.yaml:7: " in ran.err
    assert said in ran.err
