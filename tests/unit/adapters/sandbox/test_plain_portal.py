"""The twin of a portal that is known by its settings: what it reads, what it answers, what a drill makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from adapters.sandbox import plain_portal, plain_records
from adapters.sandbox.twin import running
from hub.answers import Answer, load_answers
from hub.answers.example import busy, results, welcome
from hub.drill.known import Known
from hub.ports import Mode

ENVELOPE = "<e:E xmlns:e='urn:e'><e:H/><e:B><Ds loai='1'><Dau/>{records}</Ds></e:B></e:E>"


@pytest.mark.parametrize(
    ("content", "form", "wrap", "found"),
    [
        ('{"a": {"b": 1}}', "json", None, [{"a": {"b": 1}}]),
        ('{"d": "x", "l": [{"a": 1}, {"a": 2}]}', "json", '{"d": "x", "l": [{records}]}', [{"a": 1}, {"a": 2}]),
        ('[0, {"a": 1}, 9]', "json", "[0, {records}, 9]", [{"a": 1}]),
        ("<r xmlns='urn:x' so='1'><a>x</a><b/><b>2</b></r>", "xml", None, [{"@so": "1", "a": "x", "b": ["", "2"]}]),
        (ENVELOPE.replace("{records}", "<r><a>1</a></r><r/>"), "xml", ENVELOPE, [{"a": "1"}, {}]),
        ("a=1&b=%C4%91&a=2&c=", "form", None, [{"a": ["1", "2"], "b": "đ", "c": ""}]),
    ],
)
def test_records_are_found_in_what_stands_around_them(
    content: str, form: str, wrap: str | None, found: list[dict[str, Any]]
) -> None:
    assert plain_records.records(content.encode(), form, wrap) == found


@pytest.mark.parametrize(
    ("content", "form", "wrap"),
    [
        ("{", "json", None),
        ("[1]", "json", "[{records}]"),
        ('{"b": []}', "json", '{"a": [{records}]}'),
        ("<a>", "xml", None),
        ("<a><r/></a>", "xml", "<b>{records}</b>"),
    ],
)
def test_what_is_no_such_request_is_told(content: str, form: str, wrap: str | None) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain_records.records(content.encode(), form, wrap)


def test_it_takes_records_in_every_form_where_they_belong(tmp_path: Path) -> None:
    services = {
        "dossier.v1": {"path": "/ho-so", "update_method": "PUT", "update_path": "/ho-so/{number}"},
        "dossier-step.v1": {"method": "GET", "path": "/buoc?v=1"},
    }
    with running(plain_portal.create, log=tmp_path / "log", options={"services": services, "auth": "none"}) as twin:
        url, json = twin.url, {"MaHoSo": "a/1"}
        assert httpx.put(f"{url}/ho-so/a%2F1", json={}).status_code == 422, "an update of what is not there"
        assert httpx.post(f"{url}/ho-so", json=json).status_code == 201
        assert httpx.post(f"{url}/ho-so", json=json).status_code == 409
        assert httpx.put(f"{url}/ho-so/a%2F1", json={"Ghi": "x"}).status_code == 200
        assert httpx.get(f"{url}/buoc", params={"v": "1", "MaHoSo": "a/1"}).status_code == 200
        assert httpx.post(f"{url}/ho-so", data={"MaHoSo": "b"}).status_code == 201
        assert httpx.post(f"{url}/ho-so", content=b"x").status_code == 400
        assert httpx.post(f"{url}/khac").status_code == 404
        assert [httpx.get(f"{url}/ho-so/{number}").status_code for number in ("b", "c")] == [200, 404]
    lines = [orjson.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert [(line["service"], line["number"], line["updating"], line["data"]) for line in lines] == [
        ("dossier.v1", "a/1", False, {"MaHoSo": "a/1"}),
        ("dossier.v1", "a/1", True, {"Ghi": "x"}),
        ("dossier-step.v1", "a/1", None, {"MaHoSo": "a/1"}),
        ("dossier.v1", "b", False, {"MaHoSo": "b"}),
    ]


@pytest.mark.parametrize("name", ["http", "lgsp", "dvcqg"])
def test_it_answers_as_a_table_would_have_it(name: str) -> None:
    table = load_answers(name)
    good, bad = welcome(table), busy(table)
    assert good is not None
    for mode in Mode:
        assert table.classify(Answer(good["status"], orjson.dumps(good["body"])), mode=mode).fault is None
    assert (bad is None) is (name == "lgsp"), "there every 200 is taken"
    if bad is not None:
        assert table.classify(Answer(200, orjson.dumps(bad["body"])), mode=Mode.NEW).fault is not None


def test_a_drill_tells_it_what_it_has_to_be() -> None:
    said = plain_portal.STAND_IN
    given = {
        "url": "https://portal.example.vn/api",
        "requests": {"dossier.v1": {"path": "/hs", "wrap": "[{records}]", "batch": 5, "update": {"path": "/hs/{So}"}}},
        "auth": {"type": "oauth2", "client_secret": "${SECRET}"},
        "look_up": {"path": "/co/{number}", "at": "a.b"},
    }
    assert said.settings(given, "http://127.0.0.1:1")["auth"]["type"] == "login"
    table = load_answers("dvcqg")
    assert said.learns is not None
    learned = said.learns(given, Known({"dossier.v1": ("So",)}, welcome(table), busy(table), results(table)))
    options = {**said.options(given), **learned.options}
    assert learned.cannot == {}
    with running(plain_portal.create, options=options) as twin:
        token = httpx.post(f"{twin.url}/dang-nhap", json={"username": "truc-lien-thong", "password": "mat-khau-thu"})
        who = {"Authorization": f"Bearer {token.json()['token']}"}
        answer = httpx.post(f"{twin.url}/hs", json=[{"So": "1"}, {"So": "2"}], headers=who)
        assert [one["MaHoSo"] for one in answer.json()["result"]] == ["1", "2"]
        assert httpx.put(f"{twin.url}/hs/1", json=[{"So": "1"}], headers=who).status_code == 200
        found = [httpx.get(f"{twin.url}/co/{number}", headers=who).json() for number in ("1", "9")]
        assert [bool(one["a"]["b"]) for one in found] == [True, False]
    without = said.learns({**given, "requests": {}}, Known({}, None, None, None))
    assert set(without.cannot) == {"200-with-error", "result-missing"}
    assert isinstance(said.faults({}, 1.0)["expired-session"], str)
