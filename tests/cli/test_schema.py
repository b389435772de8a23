"""`hub schema export`: every YAML file that comes with the hub fits its schema, and a misspelt key does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from hub.schema_export import export
from hub.sections import DestinationSection
from hub.setting_words import attribute_docs
from mappings.converters import CONVERTERS
from tests.docs.pages import ROOT, blocks, pages


class Loader(yaml.SafeLoader):
    """YAML as editors read it (the core schema of 1.2): `yes` and `2017-01-01` are texts."""


def _core(resolvers: dict[str, Any]) -> dict[str, Any]:
    return {
        sign: [(tag, pattern) for tag, pattern in listed if not tag.endswith((":timestamp", ":bool"))]
        for sign, listed in resolvers.items()
    }


Loader.yaml_implicit_resolvers = _core(yaml.SafeLoader.yaml_implicit_resolvers)
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))

SCHEMAS = {name.partition(".")[0]: json.loads(body) for name, body in export().items()}


def read(text: str) -> Any:
    return _texts(yaml.load(text, Loader))


def _texts(value: Any) -> Any:
    """Keys as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else value


def errors(schema: str, data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMAS[schema])
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message[:300]}" for one in validator.iter_errors(data)]


def schema_of(data: Any) -> str | None:
    """By what stands in it which of the schemas a YAML text of the project is meant to fit; None for a part of one."""
    if isinstance(data, list):
        if not data or not isinstance(data[0], dict) or "code" not in data[0]:
            return None
        return "agencies" if "level" in data[0] else "procedures"
    if not isinstance(data, dict):
        return None
    if {"hub", "sources"} <= data.keys():
        return "hub"
    if {"mapping", "fields"} <= data.keys():
        return "mapping-out" if "record" in data["from"] else "mapping"
    if "cases" in data:
        return "mapping-test"
    return "answers" if {"answers", "rules"} <= data.keys() else None


WRONG_ON_PURPOSE = ("wrong.yaml", "mappings/wrong/step.yaml", "answers/sai.yaml")


def shipped() -> Iterator[tuple[str, str]]:
    for folder in ("config", "mappings/catalogue"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            if path.parent.name != "tables":
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for page in pages():
        for block in blocks(page):
            if block.language == "yaml" and block.directive == "file":
                yield f"{block} {block.argument}", block.text


ALL = {name: (schema, data) for name, text in shipped() if (schema := schema_of(data := read(text)))}
SHIPPED = {name: found for name, found in ALL.items() if not name.endswith(WRONG_ON_PURPOSE)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_kind_of_file_is_among_those_that_are_looked_at() -> None:
    assert {schema for schema, _ in SHIPPED.values()} == set(SCHEMAS)
    assert len(SHIPPED) > 30


@pytest.mark.parametrize("name", SHIPPED)
def test_what_comes_with_the_hub_fits(name: str) -> None:
    schema, data = SHIPPED[name]
    assert errors(schema, data) == []


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(("answers/sai.yaml", "wrong/step.yaml"))])
def test_what_the_pages_show_as_wrong_does_not(name: str) -> None:
    assert errors(*ALL[name]) != []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_misspelt_key_does_not(name: str) -> None:
    schema, data = SHIPPED[name]
    where = data[0] if isinstance(data, list) else data
    assert errors(schema, [{**where, "nmae": 1}] if isinstance(data, list) else {**where, "nmae": 1}) != []


def _spoilt(path: str, value: Any) -> tuple[str, Any]:
    name, _, rest = path.partition("#")
    schema, data = SHIPPED[name]
    copied = json.loads(json.dumps(data))
    *way, last = rest.split("/")
    at = copied
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[last] = value
    return schema, copied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("config/demo/hub.yaml#sources/so-tttt/settings/opration", "x"),
        ("config/demo/hub.yaml#sources/so-tttt/settings/operation_timeout_s", "soon"),
        ("config/demo/hub.yaml#sources/so-tttt/settings/rows/eahc", "x"),
        ("config/demo/hub.yaml#sources/so-tttt/adapter", "soup"),
        ("config/demo/hub.yaml#sources/so-tttt/adapter", "lgsp"),
        ("config/demo/hub.yaml#destinations/national/settings/bach", 1),
        ("config/demo/hub.yaml#destinations/national/retry/frist_s", 1),
        ("config/demo/hub.yaml#bus/url", 5),
        ("mappings/catalogue/one-stop-soap/dossier.yaml#fields/nubmer", "SoHoSo"),
        ("mappings/catalogue/one-stop-soap/dossier.yaml#fields/number", {"pth": "SoHoSo"}),
        ("mappings/catalogue/one-stop-soap/dossier.yaml#fields/number", {"path": "SoHoSo", "tabel": "x"}),
        ("mappings/catalogue/one-stop-soap/dossier.yaml#from/wihtin", "x"),
        ("mappings/catalogue/one-stop-soap/dossier.yaml#to", "dossier.v9"),
        ("mappings/catalogue/dvcqg/dossier.yaml#fields/MaHoSo", "nubmer"),
        ("mappings/catalogue/dvcqg/dossier.yaml#to/portal", "xlm"),
        ("mappings/catalogue/dvcqg/dossier_test.yaml#cases/0/paylod", {}),
        ("config/answers/lgsp.yaml#rules/0/is", "succes"),
        ("config/answers/lgsp.yaml#rules/0/when/staus", 200),
        ("config/demo/agencies.yaml#0/level", "provinse"),
    ],
)
def test_what_is_wrong_deeper_down_does_not_fit(path: str, value: Any) -> None:
    schema, data = _spoilt(path, value)
    assert errors(schema, data) != []


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("from/dataset", "HoSo", 1),
        ("from/sheet", 1, 0),
        ("from/header", 3, "3"),
        ("from/deleted", {"path": "Xoa", "is": ["1"]}, {"path": "Xoa", "iss": "1"}),
        ("ignore", {"NoiBo": "chỉ dùng nội bộ"}, {"NoiBo": ""}),
        ("fields/number", {"envelope": "/So"}, {"envelope": "/So", "path": "So"}),
        ("fields/number", {"label": {"pattern": "(a)", "take": 1}}, {"label": {"patern": "(a)"}}),
        ("fields/number", {"path": "a", "split": {"by": ",", "take": -1}}, {"path": "a", "split": {"by": ","}}),
        ("fields/number", {"path": "a", "replace": [["–", "-"]]}, {"path": "a", "replace": [["–"]]}),
        ("fields/number", {"path": "a", "number": "vi"}, {"path": "a", "number": "de"}),
        ("fields/number", {"path": "a", "working_days": {"add": 5}}, {"path": "a", "working_days": {"ad": 5}}),
        ("fields/number", {"path": "a", "function": "x.y:z"}, {"path": "a", "function": "x.y"}),
        ("fields/number", {"path": "a", "table": {"name": "t", "on": "at"}}, {"path": "a", "table": {"on": "t"}}),
    ],
)  # fmt: skip
def test_a_key_of_the_language_fits_and_its_misspelling_does_not(path: str, good: Any, bad: Any) -> None:
    name = "mappings/catalogue/one-stop-soap/dossier.yaml"
    assert errors(*_spoilt(f"{name}#{path}", good)) == []
    assert errors(*_spoilt(f"{name}#{path}", bad)) != []


@pytest.mark.parametrize(
    ("to", "fits"),
    [
        ({"portal": "xml", "root": "s:A", "namespaces": {"s": "urn:x"}, "empty": "null"}, True),
        ({"portal": "form", "empty": "text"}, True),
        ({"portal": "query"}, True),
        ({"portal": "xml"}, False),
        ({"portal": "json", "root": "A"}, False),
        ({"portal": "form", "empty": "null"}, False),
    ],
)
def test_the_form_of_a_payload(to: dict[str, Any], fits: bool) -> None:
    assert (errors(*_spoilt("mappings/catalogue/dvcqg/dossier.yaml#to", to)) == []) is fits


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("sources/so-tttt/quiet", ["07:00-08:00"], "07:00-08:00"),
        ("sources/so-tttt/rate_per_s", 0.5, "fast"),
        ("sources/so-tttt/start_from", "2017-01-01", 2017),
        ("sources/so-tttt/samples", "samples/*.xml", []),
        ("destinations/national/personal", ["applicant_name"], "some"),
        ("destinations/national/maintenance", [{"daily": True, "from": "22:00", "to": "23:00"}], [{"form": "22:00"}]),
        ("destinations/national/retry", {"classes": {"throttled": {"first_s": 9}}}, {"classes": {"throtled": {}}}),
        ("routes/0/only", {"agencies": ["H59.05"]}, {"agencis": ["H59.05"]}),
        ("mail", {"host": "mail", "sender": "hub@travinh.gov.vn"}, {"hots": "mail"}),
        ("alerts", {"mail": ["hub@travinh.gov.vn"]}, {"mial": []}),
        ("agency_files", {"at": "07:00"}, {"fodler": "x"}),
    ],
)
def test_a_key_of_the_configuration_fits_and_its_misspelling_does_not(path: str, good: Any, bad: Any) -> None:
    assert errors(*_spoilt(f"config/demo/hub.yaml#{path}", good)) == []
    assert errors(*_spoilt(f"config/demo/hub.yaml#{path}", bad)) != []


def test_what_the_language_knows_is_known_to_the_schema() -> None:
    field = next(
        one["then"]["properties"]["fields"]["properties"]["number"]["anyOf"][1]
        for one in SCHEMAS["mapping"]["allOf"]
        if one["if"]["properties"]["to"]["const"] == "dossier.v1"
    )
    assert set(CONVERTERS) <= field["properties"].keys()


def test_settings_are_explained_by_the_words_in_the_code() -> None:
    [destination] = SCHEMAS["hub"]["properties"]["destinations"]["patternProperties"].values()
    assert destination["properties"]["deadline_s"]["description"].startswith("The whole of one request")
    assert attribute_docs(DestinationSection)["parallel"] == "Requests at a time."


def test_a_value_may_come_from_the_environment() -> None:
    schema, data = _spoilt("config/demo/hub.yaml#destinations/national/deadline_s", "${DEADLINE_S:-30}")
    assert errors(schema, data) == []


def test_the_command_writes_them_and_what_is_new_names_them(hub: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    told = hub("schema", "export", "schemas", "--json").json
    assert [Path(one).name for one in told["written"]] == list(export())
    assert "wrote schemas/hub.schema.json" in hub("schema", "export", "schemas").out
    assert hub("init", "p").status == 0
    named = {}
    for file in Path("p").rglob("*.yaml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        target = (file.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
        assert target.is_file(), first
        named[file.name] = target.name.partition(".")[0]
        assert errors(named[file.name], read(file.read_text(encoding="utf-8"))) == []
    assert named == {"hub.yaml": "hub", "agencies.yaml": "agencies", "dossier.yaml": "mapping",
                     "dossier_test.yaml": "mapping-test"}  # fmt: skip


def test_a_place_that_takes_no_files_is_said(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "schemas").write_text("", encoding="utf-8")
    ran = hub("schema", "export", str(tmp_path / "schemas"))
    assert ran.status == 1
    assert "cannot be written" in ran.err
