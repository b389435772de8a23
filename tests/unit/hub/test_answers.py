from __future__ import annotations

import logging
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.answers import BUILT_IN, Answer, AnswerTable, at_path, by_http_class, load_answers, retry_after_s
from hub.ports import FaultClass, Mode
from schemas.errors import ConfigError

NOW = datetime(2017, 3, 1, 2, 0, tzinfo=UTC)
DVCQG = load_answers("dvcqg")
LGSP = load_answers("lgsp")


def said(**body: Any) -> Answer:
    return Answer(200, orjson.dumps(body))


@pytest.mark.parametrize("name", sorted(path.stem for path in BUILT_IN.glob("*.yaml")))
def test_every_built_in_table_compiles_and_is_named_after_its_file(name: str) -> None:
    assert load_answers(name).name == name


@pytest.mark.parametrize(
    ("body", "mode", "fault"),
    [
        ({"error_code": "00"}, Mode.NEW, None),
        ({"error_code": 0}, Mode.NEW, None),
        ({"error_code": "0", "message": "Đồng bộ Thành công 12 hồ sơ"}, Mode.NEW, None),
        # "0" alone is no success, nor is it with a message that says the contrary
        ({"error_code": "0"}, Mode.NEW, FaultClass.TRANSIENT),
        ({"error_code": "0", "message": "Cập nhật không thành công"}, Mode.NEW, FaultClass.TRANSIENT),
        ({"error_code": "0", "message": "Hồ sơ đã tồn tại"}, Mode.NEW, FaultClass.ALREADY_THERE),
        ({"error_code": "0", "message": "Thành công, hồ sơ đã tồn tại"}, Mode.NEW, FaultClass.ALREADY_THERE),
        ({"error_code": "3", "message": "Hồ sơ ĐÃ TỒN TẠI"}, Mode.NEW, FaultClass.ALREADY_THERE),
        ({"error_code": "-3", "message": "Bước xử lý đã tồn tại"}, Mode.EVENT, FaultClass.ALREADY_THERE),
        # it exists proves nothing about an update (R8)
        ({"error_code": "3", "message": "Hồ sơ đã tồn tại"}, Mode.UPDATE, FaultClass.TRANSIENT),
        # "3" says nothing about the session
        ({"error_code": "3"}, Mode.NEW, FaultClass.TRANSIENT),
        ({"message": "Phiên làm việc đã hết hạn"}, Mode.NEW, FaultClass.SESSION),
        ({"error_code": 0.0}, Mode.NEW, FaultClass.TRANSIENT),
        ({"error_code": False}, Mode.NEW, FaultClass.TRANSIENT),
        ({"error_code": None}, Mode.NEW, FaultClass.TRANSIENT),
        ({"error_code": "01"}, Mode.NEW, FaultClass.TRANSIENT),
        ({}, Mode.NEW, FaultClass.TRANSIENT),
    ],
)
def test_the_national_portals_answers(body: dict[str, Any], mode: Mode, fault: FaultClass | None) -> None:
    assert DVCQG.classify(said(**body), mode=mode).fault is fault


def test_a_look_up_has_no_code_but_a_log_in_and_a_send_without_one_are_no_success() -> None:
    found = said(result=[{"MaHoSo": "H59.12-170301-0001"}])
    assert DVCQG.classify(found, call="look-up").fault is None
    assert DVCQG.classify(found, call="send", mode=Mode.NEW).fault is FaultClass.TRANSIENT
    assert DVCQG.classify(found, call="log-in").fault is FaultClass.TRANSIENT


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_texts_are_compared_composed_and_without_case(form: Literal["NFC", "NFD"]) -> None:
    text = unicodedata.normalize(form, "HỒ SƠ  ĐÃ\nTỒN TẠI")
    assert DVCQG.classify(said(message=text), mode=Mode.NEW).fault is FaultClass.ALREADY_THERE


def test_the_provincial_platform_takes_with_200_whatever_the_body_says() -> None:
    assert LGSP.classify(Answer(200, b"\xff<html>")).fault is None
    assert LGSP.classify(Answer(204)).fault is FaultClass.TRANSIENT
    assert LGSP.classify(Answer(400)).fault is FaultClass.DATA
    assert LGSP.classify(Answer(401)).fault is FaultClass.SESSION
    assert LGSP.classify(Answer(404)).fault is FaultClass.DOWN


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (200, FaultClass.TRANSIENT),
        (302, FaultClass.TRANSIENT),
        (400, FaultClass.DATA),
        (401, FaultClass.SESSION),
        (403, FaultClass.SESSION),
        (408, FaultClass.THROTTLED),
        (422, FaultClass.DATA),
        (429, FaultClass.THROTTLED),
        (500, FaultClass.TRANSIENT),
        (502, FaultClass.DOWN),
        (503, FaultClass.DOWN),
        (504, FaultClass.DOWN),
    ],
)
def test_unknown_answers_go_by_their_http_class(status: int, fault: FaultClass) -> None:
    assert by_http_class(status) is fault
    assert DVCQG.classify(Answer(status, b"{}")).fault is fault


def test_a_503_that_names_a_time_is_throttled_until_then() -> None:
    verdict = DVCQG.classify(Answer(503, b"", retry_after_s=7.0))
    assert (verdict.fault, verdict.retry_after_s) == (FaultClass.THROTTLED, 7.0)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", 86_400.0),
        ("99999999", 86_400.0),
        ("Wed, 01 Mar 2017 02:00:30 GMT", 30.0),
        ("Wed, 01 Mar 2017 01:00:30 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wait_s: float | None) -> None:
    assert retry_after_s(value, NOW) == wait_s


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"\xef\xbb\xbf" + b'{"error_code": "00"}', None),
        ('{"error_code": "00", "message": "Thành công"}'.encode("utf-16"), "utf-16"),
        ('{"error_code": "00", "message": "Thành công"}'.encode("latin-1"), "utf-8"),
        ('{"error_code": "00", "message": "Thành công"}'.encode("latin-1"), "no-such-charset"),
        ('{"error_code": "00", "message": "Thành công"}'.encode("latin-1"), "zip"),
    ],
)
def test_a_wrong_charset_does_not_hide_a_code(content: bytes, charset: str | None) -> None:
    assert DVCQG.classify(Answer(200, content, charset)).fault is None


@pytest.mark.parametrize(
    "content", [b"", b"<html>504</html>", b'{"error_code": "00"', b"[" * 200_000, b'{"a":' * 200_000, b"\x00\xff"]
)
def test_what_is_not_json_is_unreadable_and_no_success(content: bytes) -> None:
    verdict = DVCQG.classify(Answer(200, content))
    assert (verdict.fault, verdict.code, verdict.known) == (FaultClass.TRANSIENT, "unreadable", False)
    assert len(verdict.text) < 500


def test_a_body_with_a_problem_is_never_read() -> None:
    verdict = DVCQG.classify(Answer(200, b'{"error_code": "00"}', problem="the answer is larger than 4 bytes"))
    assert verdict.fault is FaultClass.TRANSIENT
    assert "larger" in verdict.text


def test_unknown_codes_are_counted_and_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    table = load_answers("dvcqg")
    with caplog.at_level(logging.WARNING):
        for code in ("77", "77", 77, "Nguyễn Văn A, 084012345"):
            table.classify(said(error_code=code), mode=Mode.NEW)
    assert table.unknown.counts == {("send", 200, '"77"'): 2, ("send", 200, "77"): 1, ("send", 200, "malformed"): 1}
    assert len(caplog.records) == 3
    assert "Nguyễn" not in caplog.text


def test_unknown_codes_cannot_fill_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    table = load_answers("dvcqg")
    with caplog.at_level(logging.ERROR):
        for code in range(1, 2000):
            table.classify(said(error_code=code), mode=Mode.NEW)
    assert len(table.unknown.counts) == 201
    assert table.unknown.counts["", 0, "…others"] == 1999 - 200


def test_an_item_is_classified_by_its_own_code() -> None:
    answer = said(error_code="00", result=[{"MaHoSo": "a", "error_code": "00"}, {"MaHoSo": "b"}, "c"])
    results = at_path(answer.body, "result")
    assert [DVCQG.classify_item(r, answer, mode=Mode.NEW).fault for r in results] == [
        None,
        FaultClass.TRANSIENT,
        FaultClass.TRANSIENT,
    ]


def test_the_message_for_people_is_one_bounded_line() -> None:
    verdict = DVCQG.classify(said(error_code="00", message="dòng 1\r\ndòng\x002 " + "x" * 5000))
    assert verdict.text.startswith("Cổng đã nhận (dòng 1 dòng 2 xxx")
    assert len(verdict.text) < 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    status=st.integers(100, 599),
    content=st.binary() | _json.map(lambda value: orjson.dumps(value)),
    charset=st.none() | st.text(max_size=8),
    mode=st.sampled_from(list(Mode)),
)
def test_no_answer_makes_classifying_raise(status: int, content: bytes, charset: str | None, mode: Mode) -> None:
    for table in (DVCQG, LGSP):
        verdict = table.classify(Answer(status, content, charset), mode=mode)
        assert verdict.fault is None or verdict.fault in FaultClass


@given(code=_json, message=_json)
def test_success_is_only_what_the_table_says(code: Any, message: Any) -> None:
    content = orjson.dumps({"error_code": code, "message": message})
    verdict = DVCQG.classify(Answer(200, content), mode=Mode.NEW)
    if verdict.fault is None:
        assert code in ("00", "0") or (type(code) is int and code == 0)


def test_a_bad_table_names_every_problem_with_its_line_and_mend(tmp_path: Path) -> None:
    file = tmp_path / "cong.yaml"
    file.write_text(
        "answers: cong\n"
        "code: error_code\n"
        "rules:\n"
        "  - when: {stats: 200}\n"
        "    is: ok\n"
        "  - when: {status: 9-3, code: 1.5, message: 7, call: post, mode: [new, other]}\n"
        "    is: data\n"
        "    assumed: perhaps\n"
        "  - is: data\n"
        "  - text\n"
        "extra: 1\n",
        "utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_answers("cong.yaml", tmp_path)
    found = {(p.line, p.message.partition(":")[0]) for p in caught.value.problems}
    assert found == {
        (1, "the table"),
        (4, "rules.0.when.stats"),
        (5, "rules.0.is"),
        (6, "rules.1.when.status"),
        (6, "rules.1.when.code"),
        (6, "rules.1.when.message"),
        (6, "rules.1.when.call"),
        (6, "rules.1.when.mode"),
        (8, "rules.1.assumed"),
        (9, "rules.2"),
        (10, "rules.3"),
        (11, "extra"),
    }
    assert all(p.mend and p.file == str(file) for p in caught.value.problems)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "must be a mapping"),
        ({"answers": "a", "code": "c", "message": "m", "rules": []}, "at least one rule"),
        (
            {"answers": "a", "code": "c", "message": "m", "rules": [{"when": {"status": 500}, "is": "down"}]},
            "no rule says what success is",
        ),
        (
            {"answers": "a", "code": "c", "message": "m", "rules": [{"when": {}, "is": "success"}]},
            "fits every answer",
        ),
        (
            {
                "answers": "a",
                "code": "c",
                "message": "m",
                "items": {"at": "r"},
                "rules": [{"when": {"status": 200}, "is": "success"}],
            },
            "key is missing",
        ),
    ],
)
def test_a_table_that_decides_nothing_is_refused(data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AnswerTable.from_data(data, "t.yaml")


def test_a_table_beside_the_configuration_goes_before_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    text = "answers: dvcqg\ncode: c\nmessage: m\nrules: [{when: {status: 200}, is: success}]\n"
    (tmp_path / "answers" / "dvcqg.yaml").write_text(text, "utf-8")
    assert load_answers("dvcqg", tmp_path).code == "c"
    assert load_answers("lgsp", tmp_path).name == "lgsp"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no answer table"), (b"rules: [", "not YAML"), (b"\xff\xfe", "codec"), (b"- 1\n", "must be a mapping")],
)
def test_a_file_that_cannot_be_used_says_what_to_mend(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_answers("x.yaml", tmp_path)
    assert all(p.mend for p in caught.value.problems)


@pytest.mark.parametrize("table", [DVCQG, LGSP])
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_log_in_is_told_in_the_words_of_oauth(
    table: AnswerTable, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = dict(table.unknown.counts)
    body = orjson.dumps({"error": "invalid_client", "error_description": "Client secret is wrong"})
    refused = table.classify(Answer(status, body), call="log-in")
    assert (refused.fault, refused.code, refused.known) == (FaultClass.SESSION, "invalid_client", True)
    assert refused.text.startswith(f"HTTP {status} invalid_client: ")
    assert refused.text.endswith("(Client secret is wrong)")
    wordless = table.classify(Answer(status), call="log-in")
    assert wordless.text.startswith(f"HTTP {status}: ")
    assert (caplog.text, dict(table.unknown.counts)) == ("", unknown)


def test_a_log_in_that_no_rule_knows_is_told_by_its_status_and_code() -> None:
    table = load_answers("lgsp")
    found = table.classify(Answer(500, b'{"error": "server_error"}'), call="log-in")
    assert (found.fault, found.text, found.known) == (FaultClass.TRANSIENT, "HTTP 500 server_error", False)
    assert table.classify(Answer(500, b'{"error": "x"}')).code == "missing", "only a log-in is read so"
