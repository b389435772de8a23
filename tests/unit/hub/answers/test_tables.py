"""What is wrong with a table is told; what no table knows is counted and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.answers import MOST, OTHERS, Answer, AnswerTable, UnknownCodes, excerpt, load_answers
from hub.answers.shadow import covers
from hub.ports import FaultClass, Mode
from schemas.errors import ConfigError

HEAD = "answers: cong\ncode: code\nmessage: message\nrules:\n  - {when: {status: 200, code: 0}, is: success}\n"


def problems(tmp_path: Path, rules: str) -> list[tuple[str, int, str, str]]:
    file = tmp_path / "cong.yaml"
    file.write_text(HEAD + rules, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_answers("cong.yaml", tmp_path)
    assert all(p.file == str(file) and p.mend for p in caught.value.problems)
    return [(p.rule, p.line, p.message, p.mend) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("field: MaTTHC", "found 'MaTTHC'"),
        ("field: {}", "one of at and in_message"),
        ("field: {at: a, in_message: '(?P<field>b)'}", "one of at and in_message"),
        ("field: {at: ''}", "is empty"),
        ("field: {in_message: '(?P<field>'}", "no regular expression"),
        ("field: {in_message: '(\\w+)'}", "no group named field"),
        ("field: {in_message: '(?P<field>a)(?P<wert>b)'}", "neither field nor value"),
    ],
)
def test_a_field_that_cannot_be_found_is_told(tmp_path: Path, rule: str, message: str) -> None:
    found = problems(tmp_path, f"  - when: {{code: 17}}\n    is: data\n    {rule}\n")
    assert [(name, line) for name, line, *_ in found] == [("answers-field", 8)]
    assert message in found[0][2]


def test_a_rule_that_fits_a_named_field_says_where_one_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, "  - {when: {names_field: true}, is: data}\n")
    assert [(name, line) for name, line, *_ in found] == [("answers-field", 6)]


def test_a_class_that_there_is_none_of_is_told_with_the_nearest(tmp_path: Path) -> None:
    found = problems(tmp_path, "  - {when: {code: 1}, is: trasient}\n  - {when: {code: 2, mode: updat}, is: data}\n")
    assert [(name, line, mend) for name, line, _, mend in found] == [
        ("answers-outcome", 6, "did you mean 'transient'?"),
        ("answers", 7, "did you mean 'update'?"),
    ]


@pytest.mark.parametrize(
    ("rules", "rule", "line"),
    [
        ("  - {when: {status: 200, code: 0, call: send}, is: data}\n", "answers-shadowed", 6),
        ("  - {when: {status: 200-299, code: 0}, is: data}\n", "", 0),
        ("  - {when: {status: 500-599}, is: down}\n  - {when: {status: 503}, is: throttled}\n", "answers-shadowed", 7),
        ("  - {when: {status: [500, 501-503]}, is: down}\n  - {when: {status: 500-503}, is: data}\n",
         "answers-shadowed", 7),
        ("  - {when: {message: lỗi}, is: down}\n  - {when: {message: [có LỖI, lỗi to]}, is: data}\n",
         "answers-shadowed", 7),
        ("  - {when: {message: lỗi to}, is: down}\n  - {when: {message: lỗi}, is: data}\n", "", 0),
        ("  - {when: {lacks: không có}, is: down}\n  - {when: {lacks: có}, is: data}\n", "answers-shadowed", 7),
        ("  - {when: {mode: [new, update]}, is: down}\n  - {when: {mode: new}, is: data}\n", "answers-shadowed", 7),
        ("  - {when: {mode: new}, is: down}\n  - {when: {code: 5}, is: data}\n", "", 0),
        ("  - {when: {code: [5, 6]}, is: down}\n  - {when: {code: [6, 7]}, is: data}\n", "answers-code-twice", 7),
        ("  - {when: {code: [5, '5']}, is: down}\n  - {when: {code: [8, 8]}, is: data}\n", "answers-code-twice", 7),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_fit_is_told(tmp_path: Path, rules: str, rule: str, line: int) -> None:
    if not rule:
        (tmp_path / "cong.yaml").write_text(HEAD + rules, "utf-8")
        load_answers("cong.yaml", tmp_path)
        return
    found = problems(tmp_path, rules)
    assert [(name, at) for name, at, *_ in found] == [(rule, line)]


_whens = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([200, "200-299", 500, [200, 500]]),
        "code": st.sampled_from([0, 1, [0, 1], "0", None]),
        "message": st.sampled_from(["a", "ab", ["b", "ba"]]),
        "lacks": st.sampled_from(["a", "ab", "c"]),
        "mode": st.sampled_from(["new", ["new", "update"]]),
    },
).filter(bool)


@given(_whens, _whens, st.sampled_from([200, 250, 500]), st.sampled_from([0, 1, "0", None]), st.text("abc", max_size=3))
def test_what_is_told_to_be_covered_never_decides(
    first: dict[str, Any], second: dict[str, Any], status: int, code: Any, message: str
) -> None:
    rules = [{"when": first, "is": "success"}, {"when": second, "is": "down"}]
    data = {"answers": "x", "code": "code", "message": "message", "rules": rules}
    try:
        table = AnswerTable.from_data(data, "x.yaml")
    except ConfigError as error:
        if all(problem.rule != "answers-shadowed" for problem in error.problems):
            return
        alone = [AnswerTable.from_data({**data, "rules": [{"when": w, "is": "success"}]}, "x") for w in (first, second)]
        assert covers(alone[0].rules[0], alone[1].rules[0])
        answer = Answer(status, orjson.dumps({"code": code, "message": message}))
        fits = [one.classify(answer, mode=Mode.NEW).known for one in alone]
        assert fits[0] or not fits[1]
    else:
        assert len(table.rules) == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1>nginx</body></html>", "502 Bad Gateway"),
        ("<p>Hệ thống&nbsp;đang <b>bảo trì</b></p>".encode(), "Hệ thống đang bảo trì"),
        (
            b"<s:Envelope><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>Sai &amp; thi\xe1\xba\xbfu"
            b"</faultstring></s:Fault></s:Body></s:Envelope>",
            "Sai & thiếu",
        ),
        (b"<env:Fault><env:Reason><env:Text xml:lang='vi'>Sai</env:Text></env:Reason></env:Fault>", "Sai"),
        (b"<style>a{}</style><script>alert(1)</script><!-- x -->Xin <i>l</i><p>x", "Xin l"),
        (b"\n\n  Loi he thong\r\n  at Foo.Bar()", "Loi he thong"),
        (b"\xef\xbb\xbfL\xe1\xbb\x97i", "Lỗi"),
        (b"", ""),
        (b"\x00\x01", ""),
        (b"x" * 5000, "x" * 200 + "…"),
    ],
)
def test_what_is_no_json_is_read_as_a_line(content: bytes, line: str) -> None:
    assert excerpt(content) == line


def test_a_gateway_s_page_is_told_by_its_title() -> None:
    verdict = load_answers("dvcqg").classify(Answer(502, b"<html><title>502 Bad Gateway</title></html>"))
    assert verdict.fault is FaultClass.DOWN
    assert verdict.text.endswith("(502 Bad Gateway)")


@given(
    st.binary(max_size=300) | st.text("<>/abc!-&; \n", max_size=300).map(str.encode), st.none() | st.text(max_size=6)
)
def test_an_excerpt_is_one_short_printable_line(content: bytes, charset: str | None) -> None:
    found = excerpt(content, charset)
    assert found.isprintable()
    assert len(found) <= 201


def test_unknown_codes_are_told_once_and_bounded() -> None:
    codes = UnknownCodes()
    sent = [{"ChuHoSo": "Trần Thị Lan"}]
    assert codes.note("send", 200, '"17"', 'Trần Thị Lan, số 084012345678, "phòng 3" ' + "x" * 300, sent)
    assert not codes.note("send", 200, '"17"', "again", sent)
    (one,) = codes.take()
    assert (one.call, one.status, one.code, one.count) == ("send", 200, '"17"', 2)
    assert one.text.startswith('•••, số •••, "•••" xxx')
    assert len(one.text) == 200
    assert not codes.take()
    codes.give_back([one])
    codes.note("send", 200, '"17"', "later", sent)
    assert [(seen.count, seen.text) for seen in codes.take()] == [(3, one.text)]
    for number in range(1000):
        codes.note("send", 200, str(number), "", personal=True)
    assert len(codes.counts) == MOST + 1
    assert codes.counts["", 0, OTHERS] == 1000 - MOST + 1
    assert {seen.text for seen in codes.take()} == {""}


def test_a_portal_whose_messages_name_persons_leaves_no_text() -> None:
    rules = [{"when": {"code": 0}, "is": "success"}]
    data = {"answers": "x", "code": "code", "message": "message", "personal": True, "rules": rules}
    table = AnswerTable.from_data(data, "x.yaml")
    table.classify(Answer(200, b'{"code": 9, "message": "Lan"}'))
    assert [(seen.code, seen.text) for seen in table.unknown.take()] == [("9", "")]


def test_a_long_code_is_cut_and_a_strange_one_hidden() -> None:
    table = load_answers("dvcqg")
    for code in ("X" * 60, "X" * 5000, "Nguyễn Văn A"):
        table.classify(Answer(200, f'{{"error_code": "{code}"}}'.encode()))
    assert [seen.code for seen in table.unknown.take()] == [f'"{"X" * 40}…"', "malformed"]


def test_a_code_that_the_table_has_learnt_is_unknown_no_more() -> None:
    rules = [
        {"when": {"code": "17"}, "is": "data"},
        {"when": {"message": "bận", "code": None}, "is": "transient"},
        {"when": {"code": 0}, "is": "success"},
    ]
    data = {"answers": "x", "code": "code", "message": "message", "rules": rules}
    table = AnswerTable.from_data(data, "x.yaml")
    assert table.knows("send", 200, '"17"', "")
    assert not table.knows("send", 200, "17", "")
    assert table.knows("send", 200, "missing", "Hệ thống BẬN")
    assert not table.knows("send", 200, "missing", "khác")
    assert not table.knows("", 0, OTHERS, "")
    assert not table.knows("send", 200, "malformed", "")


def test_a_package_may_bring_the_table_of_its_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "answers: so-noi-vu\ncode: ma\nmessage: loi\nrules:\n  - {when: {status: 200, code: OK}, is: success}\n"
    (tmp_path / "cua_so.py").write_text(
        "from pathlib import Path\nTABLE = Path(__file__).with_name('cua_so.yaml')\n", encoding="utf-8"
    )
    (tmp_path / "cua_so.yaml").write_text(table, encoding="utf-8")
    info = tmp_path / "cua_so-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cua-so\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hub.answers]\nso-noi-vu = cua_so:TABLE\nkhac = khong_co:TABLE\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_answers("so-noi-vu").file == str(tmp_path / "cua_so.yaml")
    with pytest.raises(ConfigError, match="did you mean 'so-noi-vu'"):
        load_answers("so-noi-v")
    with pytest.raises(ConfigError, match=r"of cua-so .khong_co:TABLE. cannot be found.*repair or reinstall cua-so"):
        load_answers("khac")
    own = tmp_path / "answers" / "so-noi-vu.yaml"
    own.parent.mkdir()
    own.write_text(table, encoding="utf-8")
    assert load_answers("so-noi-vu", tmp_path).file == str(own), "the deployment's own goes before it"


def test_in_xml_a_code_is_a_text_and_its_elements_are_read(tmp_path: Path) -> None:
    text = HEAD.replace("code: code\nmessage: message", "format: xml\ncode: A.Ma\nmessage: A.@loi")
    file = tmp_path / "cong.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_answers("cong.yaml", tmp_path)
    [problem] = caught.value.problems
    assert (problem.line, problem.mend) == (6, 'put it in quotes: "0"')
    file.write_text(text.replace("code: 0", 'code: "0"'), "utf-8")
    table = load_answers("cong.yaml", tmp_path)
    good = Answer(200, b"\xef\xbb\xbf <r:R xmlns:r='u'><r:A loi='x'><r:Ma t='1'> 0 </r:Ma></r:A></r:R>")
    assert table.classify(good).fault is None
    assert "(x)" in table.classify(Answer(500, good.content)).text
    for bad in (b"<R><A/></R>", b"<R>", b"<!DOCTYPE a [<!ENTITY e '0'>]><R><A><Ma>&e;</Ma></A></R>", b"0"):
        assert table.classify(Answer(200, bad)).fault is FaultClass.TRANSIENT
    assert table.classify(Answer(200, b'{"A": {"Ma": "0"}}')).fault is None, "JSON is read all the same"
    with pytest.raises(ConfigError, match="unknown format 'xlm'"):
        AnswerTable.from_data({"answers": "a", "code": "c", "message": "m", "format": "xlm", "rules": []}, "a.yaml")
