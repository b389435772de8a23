from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hub.answers import load_answers
from hub.blame import BlamePlace, blame
from hub.cli.masking import Mask
from hub.ledger.views import DeadDetail, DeadLetter
from hub.rulebook import Rulebook
from mappings import InboundMapping, OutboundMapping, ReadContext, RowOk, read_all
from mappings.catalogue import CATALOGUE, load, names
from mappings.origins import of_field, of_member
from schemas.agency import AgencyRegister
from schemas.record import KINDS
from schemas.titles import TITLES, title
from tests.unit.mappings.legacy import REST_ROW, SOAP_STEP, rest_page, soap_page, soap_row

AGENCIES = AgencyRegister.from_rows(
    [
        {"code": "H59.05", "name": "Sở Tư pháp", "level": "province", "aliases": [{"code": "000.00.05.H59"}]},
        {"code": "H12.31", "name": "UBND huyện Năm Căn", "level": "district"},
    ]
)
ANSWERS = load_answers("dvcqg")
NUMBER = "000.00.05.H59-170320-0002"
AT = datetime(2017, 3, 21, 2, 0, tzinfo=UTC)


def inbound(name: str) -> InboundMapping:
    made = load(name)
    assert isinstance(made, InboundMapping)
    return made


def outbound(name: str) -> OutboundMapping:
    made = load(name)
    assert isinstance(made, OutboundMapping)
    return made


SOAP = (inbound("one-stop-soap/dossier"), inbound("one-stop-soap/step"))
RULES = Rulebook(
    inbound={
        "so-tttt": SOAP,
        "rest": (inbound("one-stop-rest/dossier"), inbound("one-stop-rest/step")),
        "hkd": (inbound("household-business/indicator"),),
    },
    outbound={"national": {"dossier.v1": outbound("dvcqg/dossier"), "dossier-step.v1": outbound("dvcqg/step")}},
    routes=(),
    agencies=AGENCIES,
)


def died(
    body: bytes | None = None,
    *,
    row: int = 0,
    kind: str = "dossier.v1",
    nth: int = 0,
    source: str = "so-tttt",
    **letter: Any,
) -> DeadDetail:
    """A dead letter of the nth record of that kind in a row of a page, read as the hub reads it."""
    body = soap_page(soap_row(MaThuTuc="9.999999")) if body is None else body
    mappings = RULES.inbound[source]
    rows = read_all(mappings, body, None, ReadContext(AGENCIES, "page 1"))
    own = [one for one in rows if one.position[0] == row and isinstance(one, RowOk) and one.record.kind == kind]
    assert isinstance(own[nth], RowOk)
    record = own[nth].record
    told: dict[str, Any] = {
        "dispatch_id": 17, "destination": "national", "kind": kind, "key": record.key, "agency": "H59.05",
        "fault": "data", "code": "missing", "text": "Cổng từ chối giá trị của một trường (MaTTHC không hợp lệ)",
        "path": "MaTTHC", "value": "9.999999", "attempts": 1, "died_at": AT, "revision": 1, "source": source,
        "arrival_label": "page 1",
    }  # fmt: skip
    digest = next(one.digest for one in mappings if one.kind == kind)[:16]
    content = orjson.loads(record.to_json())
    place = own[nth].position
    return DeadDetail(DeadLetter(**{**told, **letter}), content, (), 0, body, place, digest, "xml", None)


def test_a_refusal_is_told_with_the_agency_s_own_field_and_value() -> None:
    found = blame(died(), RULES, ANSWERS)
    assert (found.payload_field, found.fields) == ("MaTTHC", ("procedure_code",))
    assert found.places == (BlamePlace("MaThuTuc", "9.999999"),)
    assert found.vietnamese == (
        "Cổng Dịch vụ công quốc gia từ chối trường MaTTHC ('9.999999'): Cổng từ chối giá trị của một trường "
        "(MaTTHC không hợp lệ). Trường này lấy từ MaThuTuc (mã thủ tục) trong dữ liệu của đơn vị, giá trị hiện có: "
        "'9.999999'."
    )
    assert found.mend_vietnamese == (
        f"Sửa MaThuTuc của hồ sơ {NUMBER} trong phần mềm một cửa rồi lưu lại; hệ thống sẽ tự gửi lại."
    )
    assert "It comes from MaThuTuc (procedure code) in the agency's data, where '9.999999' stands." in found.english
    assert found.mend_english.startswith(f"Correct MaThuTuc of dossier {NUMBER} in the one-stop system")


def test_a_figure_is_no_dossier_of_a_one_stop_system() -> None:
    body = (CATALOGUE / "household-business/samples/tong-hop-thang.json").read_bytes()
    about = died(body, kind="indicator.v1", source="hkd", code="17", path="value", value="128", text="Sai đơn vị")
    assert about.letter.key == "HKD-01|2018-03|H12.31"
    found = blame(about, RULES, ANSWERS)
    assert found.places == (BlamePlace("so_luong", "128"),)
    assert found.mend_vietnamese == (
        "Sửa so_luong của chỉ tiêu HKD-01|2018-03|H12.31 trong phần mềm của đơn vị rồi lưu lại; hệ thống sẽ tự gửi lại."
    )
    assert found.mend_english.startswith(
        "Correct so_luong of indicator HKD-01|2018-03|H12.31 in the agency's own system and save it"
    )
    assert "hồ sơ" not in f"{found.vietnamese} {found.mend_vietnamese}"
    unread = blame(about, replace(RULES, inbound={}), ANSWERS)
    assert "Trường này là giá trị của chỉ tiêu; không rõ" in unread.vietnamese
    assert "It is the value of the indicator; where" in unread.english


def test_the_row_of_the_letter_is_read_and_no_other() -> None:
    other = soap_row(SoHoSo="H-1", MaThuTuc="1.1")
    found = blame(died(soap_page(other, soap_row(MaThuTuc="9.9"), other), row=1, value="9.9"), RULES, ANSWERS)
    assert found.places == (BlamePlace("MaThuTuc", "9.9"),)


def test_a_step_is_read_where_it_stands_among_its_dossier_s() -> None:
    steps = [SOAP_STEP, {**SOAP_STEP, "ThoiDiem": "20/03/2017 09:00:00", "NguoiXuLy": "Lê Thị Mai"}]
    body = soap_page(soap_row(steps))
    for nth, person in enumerate(("Trần Văn Bình", "Lê Thị Mai")):
        about = died(body, kind="dossier-step.v1", nth=nth, path="NguoiXuLy", value=person)
        found = blame(about, RULES, ANSWERS)
        assert found.places == (BlamePlace("QuaTrinh/Buoc/NguoiXuLy", person),)
        assert found.mend_vietnamese.startswith(f"Sửa QuaTrinh/Buoc/NguoiXuLy của bước xử lý của hồ sơ {NUMBER}")
        assert "gửi lại hoặc bỏ bước đã hỏng (#17)" in found.mend_vietnamese
        number = blame(replace(about, letter=replace(about.letter, path="MaHoSo", value=NUMBER)), RULES, ANSWERS)
        assert number.places == (BlamePlace("SoHoSo", NUMBER),), "from the row around"


def test_a_json_row_is_read_too() -> None:
    body = rest_page({**REST_ROW, "nguoi_nop": "Công ty Trà Vinh"})
    about = died(body, source="rest", path="ChuHoSo", value="Công ty Trà Vinh")
    assert blame(about, RULES, ANSWERS).places == (BlamePlace("nguoi_nop", "Công ty Trà Vinh"),)


def test_a_code_table_between_is_told() -> None:
    found = blame(died(path="KenhThucHien", value="1"), RULES, ANSWERS)
    assert found.places == (BlamePlace("HinhThucNop", "Trực tiếp"),)
    assert "qua bảng mã, giá trị hiện có: 'Trực tiếp'" in found.vietnamese
    assert "bảng mã của ánh xạ one-stop-soap/dossier hoặc dvcqg/dossier" in found.mend_vietnamese
    assert "the code table of one-stop-soap/dossier or dvcqg/dossier" in found.mend_english


def test_a_constant_is_nobody_s_fault_but_ours() -> None:
    found = blame(died(path="Fax", value=""), RULES, ANSWERS)
    assert (found.payload_field, found.fields, found.places) == ("Fax", (), ())
    assert "luôn ghi '' vào trường này" in found.vietnamese
    assert found.mend_vietnamese.startswith("Đơn vị không phải làm gì; người vận hành sửa bảng ánh xạ dvcqg/dossier")


def test_a_constant_and_a_default_of_the_inbound_mapping_are_told(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "mappings/catalogue/one-stop-soap/dossier.yaml").read_text("utf-8")
    text = text.replace("tables/status.yaml", "{Đang xử lý: 4}").replace("note: GhiChu", "note: {const: Xin chào}")
    text = text.replace("field_name: LinhVuc", "field_name: {path: LinhVuc, default: Khác}")
    text = text.replace("  service_level: MucDo\n", "").replace("one-stop-soap/dossier", "x/dossier")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/dossier.yaml").write_text(text, "utf-8")
    mapping = load("x/dossier", folders=(tmp_path,))
    assert isinstance(mapping, InboundMapping)
    rules = replace(RULES, inbound={"so-tttt": (mapping,)})
    body = soap_page(soap_row(LinhVuc=" "))
    const = blame(replace(died(body, path="GhiChu", value="Xin chào"), mapping=mapping.digest[:16]), rules, ANSWERS)
    assert (const.fields, const.places) == (("note",), ())
    assert "x/dossier luôn ghi 'Xin chào'" in const.vietnamese
    assert "sửa bảng ánh xạ x/dossier" in const.mend_vietnamese
    absent = blame(died(body, path="TenLinhVuc", value="Khác"), rules, ANSWERS)
    assert absent.places == (BlamePlace("LinhVuc", None),)
    assert "để trống, nên hub dùng giá trị mặc định 'Khác'" in absent.vietnamese
    assert "has changed since the row was read" in absent.english
    unread = blame(died(body, path=None, code="not-sent", text="x"), rules, ANSWERS)
    assert unread.fields == ()
    level = blame(died(body, path="service_level", code="not-sent", value=None), rules, ANSWERS)
    assert "không đọc mục này" in level.vietnamese


def test_every_place_that_a_value_may_come_from_is_told(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "mappings/catalogue/one-stop-soap/dossier.yaml").read_text("utf-8")
    text = text.replace("tables/status.yaml", "{Đang xử lý: 4}").replace("one-stop-soap/dossier", "x/dossier")
    written = "{path: MaThuTuc, procedure: {give: code, register: optional}}"
    text = text.replace(written, "{first: [MaMoi, MaThuTuc]}")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/dossier.yaml").write_text(text, "utf-8")
    mapping = load("x/dossier", folders=(tmp_path,))
    assert isinstance(mapping, InboundMapping)
    found = blame(died(), replace(RULES, inbound={"so-tttt": (mapping,)}), ANSWERS)
    assert found.places == (BlamePlace("MaMoi", None), BlamePlace("MaThuTuc", "9.999999"))
    assert "lấy từ MaMoi, MaThuTuc (mã thủ tục)" in found.vietnamese
    assert "giá trị hiện có: '9.999999'" in found.vietnamese
    assert found.mend_vietnamese.startswith("Sửa MaMoi hoặc MaThuTuc của hồ sơ")
    assert found.mend_english.startswith("Correct MaMoi or MaThuTuc of dossier")


def test_what_our_own_mapping_refuses_goes_the_same_way() -> None:
    text = "dvcqg/dossier: number: is required and empty at MaHoSo"
    found = blame(died(code="not-sent", path="number", value=None, text=text), RULES, ANSWERS)
    assert (found.payload_field, found.fields) == ("MaHoSo", ("number",))
    assert found.places == (BlamePlace("SoHoSo", NUMBER),)
    start = "Hub không lập được dữ liệu gửi Cổng Dịch vụ công quốc gia cho trường MaHoSo: dvcqg/dossier: number: is"
    assert found.vietnamese.startswith(start)


def test_of_two_members_made_of_one_field_the_one_that_the_text_names_is_meant() -> None:
    about = died(path="channel", code="not-sent", value="post", text="dvcqg/dossier: channel: bad at HinhThuc")
    assert blame(about, RULES, ANSWERS).payload_field == "HinhThuc"
    about = died(path="channel", code="not-sent", value="post", text="bad")
    assert blame(about, RULES, ANSWERS).payload_field is None


def test_a_name_in_the_words_is_enough() -> None:
    found = blame(died(path=None, value=None), RULES, ANSWERS)
    assert (found.payload_field, found.places) == ("MaTTHC", (BlamePlace("MaThuTuc", "9.999999"),))
    assert blame(died(path=None, value=None), RULES, None).payload_field == "MaTTHC"


def test_every_link_may_be_missing_and_what_is_known_is_told() -> None:
    whole = died()
    wordless = blame(died(path=None, value=None, text="Lỗi 17"), RULES, ANSWERS)
    assert (wordless.payload_field, wordless.places) == (None, ())
    assert "Lời từ chối không nêu trường nào." in wordless.vietnamese
    assert wordless.mend_vietnamese.startswith(f"Đối chiếu lời từ chối với hồ sơ {NUMBER}")
    strange = blame(died(path="Khac"), RULES, ANSWERS)
    assert (strange.payload_field, strange.fields) == ("Khac", ())
    assert "không rõ trường này lấy từ đâu" in strange.vietnamese
    alone = blame(whole, None, None)
    assert alone.vietnamese.startswith("national từ chối trường MaTTHC ('9.999999')")
    assert "Không có cấu hình" in alone.vietnamese
    pruned = blame(replace(whole, original=None), RULES, ANSWERS)
    assert pruned.places == (BlamePlace("MaThuTuc", None),)
    assert "không còn đọc được" in pruned.vietnamese
    for changed in (replace(whole, row=None), replace(whole, row=(7, 0)), replace(whole, row=(0, 9)),
                    replace(whole, original=b"<garbage")):  # fmt: skip
        assert blame(changed, RULES, ANSWERS).places == (BlamePlace("MaThuTuc", None),)
    gone = blame(replace(whole, letter=replace(whole.letter, source="other")), RULES, ANSWERS)
    assert (gone.fields, gone.places) == (("procedure_code",), ())
    assert "không rõ hệ thống nguồn ghi ở đâu" in gone.vietnamese
    tried = blame(died(fault="transient", attempts=20, path=None, text="Lỗi 17"), RULES, ANSWERS)
    assert f"không nhận hồ sơ {NUMBER} sau 20 lần gửi: Lỗi 17." in tried.vietnamese
    assert tried.mend_vietnamese.endswith("người vận hành gửi lại #17.")


def test_a_corrected_record_is_read_in_the_file_that_it_came_from() -> None:
    first = blame(died(), RULES, ANSWERS)
    by_file = replace(RULES, inbound={"so-tttt": tuple(replace(one, label="page *") for one in SOAP)})
    corrected = replace(died(arrival_label="corrected by lan", revision=2), original_label="page 1", cause="corrected")
    assert blame(corrected, by_file, ANSWERS).places == first.places == (BlamePlace("MaThuTuc", "9.999999"),)


def test_a_mask_hides_every_personal_value_in_whatever_form_it_stands() -> None:
    said = "Cổng từ chối giá trị của một trường (MaDoiTuong '334 012 345' hay 334012345 không hợp lệ)"
    about = died(soap_page(soap_row()), path="MaDoiTuong", value="334012345", text=said)
    bare = blame(about, RULES, ANSWERS)
    assert bare.places == (BlamePlace("SoGiayTo", "334 012 345"),)
    masked = blame(about, RULES, ANSWERS, mask=Mask([(about.letter.kind, about.content)], reveal=False))
    assert masked.places == (BlamePlace("SoGiayTo", "•••"),)
    assert "334" not in f"{masked.vietnamese} {masked.english}"
    public = blame(died(), RULES, ANSWERS, mask=Mask([("dossier.v1", died().content)], reveal=False))
    assert public.places == (BlamePlace("MaThuTuc", "9.999999"),), "a code of a procedure is nobody's secret"


def test_every_member_of_every_payload_leads_somewhere() -> None:
    """For each member: the value that a portal got is told with a place, or with why there is none."""
    about = died(soap_page(soap_row([SOAP_STEP], NgayTra="31/03/2017 10:00:00")))
    for name in [name for name in names() if name.startswith(("dvcqg/", "lgsp/"))]:
        mapping = outbound(name)
        rules = replace(RULES, outbound={"national": {mapping.kind: mapping}})
        own = died(about.original, kind=mapping.kind)
        for one in mapping.fields:
            letter = replace(own.letter, path=one.name, value="x")
            found = blame(replace(own, letter=letter), rules, ANSWERS)
            assert found.payload_field == one.name
            made = of_member(mapping, one.name)
            assert made is not None
            assert found.fields == ((made.reads,) if made.reads else ())
            filled = [of_field(each, f) for each in SOAP if each.kind == mapping.kind for f in found.fields]
            assert len(found.places) == sum(len(place.paths) for place in filled if place is not None)
            assert found.mend_vietnamese
            assert found.mend_english


def test_every_field_of_every_kind_has_a_title() -> None:
    for kind, model in KINDS.items():
        if kind in TITLES:
            assert set(TITLES[kind]) == set(model.model_fields)
            assert all(title(kind, name).vi and title(kind, name).en for name in model.model_fields)
    assert {"dossier.v1", "dossier-step.v1", "document.v1", "indicator.v1"} <= set(TITLES)
    assert title("dossier.v1", "strange").vi == "strange"


@given(
    path=st.none() | st.sampled_from(["MaTTHC", "Fax", "procedure_code"]) | st.text(max_size=20),
    value=st.none() | st.text(max_size=20),
    text=st.text(max_size=60),
    code=st.sampled_from(["missing", "not-sent", "17"]),
    fault=st.sampled_from(["data", "transient", ""]),
    original=st.none() | st.binary(max_size=30),
    row=st.none() | st.tuples(st.integers(-2, 3), st.integers(-2, 3)),
)
def test_nothing_that_a_portal_says_makes_it_raise(
    path: str | None, value: str | None, text: str, code: str, fault: str, original: bytes | None,
    row: tuple[int, int] | None,
) -> None:  # fmt: skip
    letter = replace(_LETTER.letter, path=path, value=value, text=text, code=code, fault=fault)
    for about in (replace(_LETTER, letter=letter), replace(_LETTER, letter=letter, original=original, row=row)):
        found = blame(about, RULES, ANSWERS)
        assert found.vietnamese
        assert found.english
        assert found.mend_vietnamese
        assert found.mend_english


_LETTER = died()
