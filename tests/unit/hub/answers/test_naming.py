from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.portal import refused
from hub.answers import Answer, AnswerTable, load_answers, named, value_sent, without_values
from hub.answers.naming import Naming
from hub.ports import FaultClass, Mode, Outgoing

DVCQG, LGSP = load_answers("dvcqg"), load_answers("lgsp")
PAYLOAD = {"MaHoSo": "H59.12-170302-0007", "MaTTHC": "9.999999", "TrangThaiHoSo": "4", "TrangThai": "x", "GhiChu": ""}


def said(message: str, status: int = 200, **more: Any) -> Answer:
    return Answer(status, orjson.dumps({"message": message, **more}))


def field_of(message: str, table: AnswerTable = DVCQG, status: int = 200) -> str | None:
    verdict = table.classify(said(message, status), mode=Mode.NEW, sent=[PAYLOAD])
    return None if verdict.named is None else verdict.named.field


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("MaTTHC không hợp lệ", "MaTTHC"),
        ("Trường MaTTHC là bắt buộc", "MaTTHC"),
        # the longest word, not a part of one
        ("TrangThaiHoSo không đúng", "TrangThaiHoSo"),
        ("TrangThai không đúng", "TrangThai"),
        # the number names the record; it is meant where nothing else is named
        ("Hồ sơ MaHoSo=H59.12-170302-0007: MaTTHC không hợp lệ", "MaTTHC"),
        ("Dữ liệu không hợp lệ: thiếu MaHoSo", "MaHoSo"),
        # a word in another spelling may be any word
        ("Mã TTHC không hợp lệ", None),
        ("matthc không hợp lệ", None),
        ("XMaTTHCY không hợp lệ", None),
        # named, but nothing says that its value is refused
        ("Lỗi hệ thống khi ghi MaTTHC", None),
        ("Không tìm thấy MaHoSo", None),
    ],
)
def test_a_refusal_names_a_member_of_the_payload_as_a_word(message: str, field: str | None) -> None:
    verdict = DVCQG.classify(said(message), mode=Mode.NEW, sent=[PAYLOAD])
    assert field_of(message) == field
    assert verdict.fault is (FaultClass.TRANSIENT if field is None else FaultClass.DATA)


def test_the_generic_rules_are_marked_as_assumed_and_hold_no_code() -> None:
    for table in (DVCQG, LGSP):
        rules = [rule for rule in table.rules if rule.naming is not None]
        assert len(rules) == 1
        assert rules[0].assumed
        assert not rules[0].codes
    assert field_of("MaTTHC không hợp lệ", LGSP, 400) == "MaTTHC"
    assert field_of("MaTTHC không hợp lệ", LGSP, 200) is None, "200 is taken"


def test_a_success_is_never_a_refusal_of_a_field() -> None:
    taken = DVCQG.classify(said("MaTTHC không hợp lệ", error_code="00"), mode=Mode.NEW, sent=[PAYLOAD])
    assert (taken.fault, taken.named) == (None, None)


def table(**rule: Any) -> AnswerTable:
    rules = [{"when": {"status": 200, "code": 17}, "is": "data", **rule}, {"when": {"code": 0}, "is": "success"}]
    return AnswerTable.from_data({"answers": "x", "code": "code", "message": "message", "rules": rules}, "x.yaml")


def test_a_field_stands_at_a_path_or_in_a_pattern_of_the_message() -> None:
    at = table(field={"at": "error.field"})
    answer = said("sai", code=17, error={"field": "matthc"})
    found = at.classify(answer, sent=[PAYLOAD]).named
    assert found is not None
    assert (found.field, found.value) == ("MaTTHC", None), "spelt as in the payload"
    assert at.classify(said("sai", code=17), sent=[PAYLOAD]).fault is FaultClass.DATA, "the code alone is enough"
    for way in ("data[0].MaTTHC", "/data/0/mattHC", "MaTTHC[1]"):
        found = at.classify(said("sai", code=17, error={"field": way}), sent=[PAYLOAD]).named
        assert found is not None
        assert found.field == "MaTTHC"
    within = table(field={"in_message": r"trường (?P<field>\w+)(?: = '(?P<value>[^']*)')?"})
    found = within.classify(said("trường Khac = '12' sai", code=17), sent=[PAYLOAD]).named
    assert found is not None
    assert (found.field, found.value) == ("Khac", "12")


def test_an_item_names_its_own_field() -> None:
    item = {"MaHoSo": PAYLOAD["MaHoSo"], "message": "MaTTHC không hợp lệ"}
    verdict = DVCQG.classify_item(item, said("", error_code="00"), mode=Mode.NEW, sent=[PAYLOAD])
    assert verdict.named is not None
    fault = refused([Outgoing(1, "dossier.v1", "k", "k", Mode.NEW, PAYLOAD)], verdict)[0]
    assert (fault.path, fault.value) == ("MaTTHC", "9.999999")
    assert fault.text == "Cổng từ chối giá trị của một trường (MaTTHC không hợp lệ)"


def test_of_several_records_nobody_is_blamed_for_a_value() -> None:
    batch = [Outgoing(n, "dossier.v1", "k", "k", Mode.NEW, PAYLOAD) for n in range(2)]
    verdict = DVCQG.classify(said("MaTTHC không hợp lệ"), mode=Mode.NEW, sent=[PAYLOAD])
    assert {(fault.path, fault.value, fault.whole_batch) for fault in refused(batch, verdict)} == {(None, None, True)}


@pytest.mark.parametrize("name", [None, 7, "", "  ", "x" * 101, "Họ và tên", "a\nb", {"a": 1}])
def test_what_is_no_name_is_none(name: Any) -> None:
    assert named(Naming(at="field"), {"field": name}, "", [PAYLOAD]) is None


def test_what_was_sent_is_quoted_as_text() -> None:
    assert value_sent(PAYLOAD, "MaTTHC") == "9.999999"
    assert value_sent({"n": 4}, "n") == "4"
    assert value_sent({"n": None, "l": [1]}, "l", "as the portal says") == "as the portal says"
    assert value_sent({}, "MaTTHC") is None
    assert value_sent({"n": "x" * 900}, "n") == "x" * 200


def test_a_text_is_shown_without_what_was_sent() -> None:
    payload = {"ChuHoSo": "Trần Thị Lan", "MaHoSo": "H59.12-170302-0007", "KenhThucHien": "1"}
    text = "H59.12-170302-0007: 1 Trần Thị Lan (084012345678) không hợp lệ"
    shown = without_values(text, [payload], keep=["H59.12-170302-0007"])
    assert shown == "H59.12-170302-0007: 1 ••• (•••) không hợp lệ"


_names = st.text(st.sampled_from("abcXYZ_Ắ09 .'"), min_size=1, max_size=6)


@given(st.text(max_size=80), st.dictionaries(_names, st.text(max_size=5), max_size=4), st.text(max_size=20))
def test_a_name_that_is_found_is_one_of_the_payload_s_and_stands_in_the_message(
    message: str, payload: dict[str, str], key: str
) -> None:
    found = named(Naming(payload=True), None, message, [payload], key)
    if found is not None:
        assert found.field in payload
        assert found.field in message


@given(st.text("ab ", max_size=10), _names, st.text("ab. ", max_size=10))
def test_a_name_between_blanks_is_always_found(before: str, name: str, after: str) -> None:
    if name.strip() == name:
        found = named(Naming(payload=True), None, f"{before} {name} {after}", [{name: ""}])
        assert found is not None
        assert found.field == name


@given(st.text(max_size=60), st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=8), max_size=3)))
def test_no_value_of_three_characters_or_more_survives(text: str, payloads: list[dict[str, str]]) -> None:
    values = [value for payload in payloads for value in payload.values() if len(value) >= 3]
    shown = without_values(text + "".join(values), payloads)
    assert not any(value in shown for value in values if "•" not in value)
