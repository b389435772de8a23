"""OpenAPI files, hostile or not: bounded reading, references, and the answers that schemas let expect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.openapi import OpenApiService
from adapters.openapi_document import MAX_BYTES, Document
from schemas.errors import ConfigError


def service(document: Any, address: str = "api.json") -> OpenApiService:
    return OpenApiService(Document(json.dumps(document).encode(), address), address)


def describing(schema: Any, **others: Any) -> dict[str, Any]:
    """A file of one address that gives this."""
    content = {"application/json": {"schema": schema}}
    get = {"responses": {"2XX": {"description": ""}, "200": {"description": "", "content": content}}}
    return {"openapi": "3.1.0", "paths": {"/a": {"get": get}}, **others}


def sample(schema: Any, **others: Any) -> Any:
    made = service(describing(schema, **others)).sample("GET /a")
    return None if made is None else json.loads(made[0])


NODE = {"properties": {"ma": {"type": "integer"}, "con": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": "string"}, "mẫu 1"),
        ({"properties": {"ten": {"type": "string", "maxLength": 2}, "so": {"type": ["null", "number"]}}},
         {"ten": "te", "so": 1}),
        ({"type": "array", "items": {"properties": {"a": {"enum": ["x", "y", "z"]}}}},
         [{"a": "x"}, {"a": "y"}, {"a": "z"}]),
        ({"items": {"format": "date", "type": "string"}}, ["2026-03-01", "2026-03-02"]),
        ({"oneOf": [{"properties": {"a": {"const": 7}}}, {"type": "string"}]}, {"a": 7}),
        ({"allOf": [{"properties": {"a": {"default": False}}}], "properties": {"b": {"examples": ["m", "n"]}}},
         {"a": False, "b": "m"}),
        ({"properties": {"a": {"type": "string", "writeOnly": True}, "b": {"type": "boolean"}}}, {"b": False}),
        ({"$ref": "#/$defs/node"}, {"ma": 1, "con": [None, None]}),
        (True, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_schema_lets_an_answer_be_expected(schema: Any, shown: Any) -> None:
    assert sample(schema, **{"$defs": {"node": NODE}}) == shown


def test_what_the_file_shows_goes_before_its_schema() -> None:
    made = describing({"type": "string"})
    answer = made["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]
    answer["examples"] = {"mot": {"$ref": "#/components/examples/mot"}}
    made["components"] = {"examples": {"mot": {"value": [{"a": 1}]}}}
    assert service(made).sample("GET /a") == (b'[{"a":1}]', "an example of the description")
    answer["example"] = ["khac"]
    assert service(made).sample("GET /a") == (b'["khac"]', "an example of the description")


@pytest.mark.parametrize(
    ("parts", "address", "base"),
    [
        ({"servers": [{"url": "/api/"}]}, "https://h:8/d/x.json", "https://h:8/api"),
        ({"servers": [{"url": "https://{v}.x/{p}", "variables": {"v": {"default": "a"}}}]}, "f", "https://a.x/{p}"),
        ({}, "http://h/d/x.json", "http://h"),
        ({}, "x.json", ""),
        ({"servers": [{"url": "ftp://h"}]}, "x.json", ""),
        ({"swagger": "2.0", "host": "h", "basePath": "/v", "schemes": ["http", "https"]}, "x", "https://h/v"),
        ({"swagger": "2.0", "schemes": ["ws"]}, "http://h:1/x.json", "http://h:1"),
        ({"swagger": "2.0"}, "x.json", ""),
    ],
)
def test_the_base_is_as_the_file_says_it(parts: dict[str, Any], address: str, base: str) -> None:
    made = describing({}, **parts)
    if "swagger" in parts:
        del made["openapi"]
    assert service(made, address).base == base


def test_what_little_makes_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    below = {
        f"s{n}": {"properties": {f"a{m}": {"items": {"$ref": f"#/x/s{n + 1}"}} for m in range(9)}} for n in range(9)
    }
    monkeypatch.setattr("adapters.openapi_document.MAX_VALUES", 20_000)
    with pytest.raises(ConfigError, match=r"makes more than 20,000 values out of what it holds"):
        sample({"$ref": "#/x/s0"}, x={**below, "s9": {"type": "string"}})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"x" * (MAX_BYTES + 1), "at most 8,388,608 are read"),
        (b"paths: {" + b"a: {" * 500, "nested deeper than 100 levels"),
        (b"a: 1\n" * 3000, "it has more than 5,000 values"),
        (b"paths: {? [a] : 1}", "a key is a list or a mapping"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "has no `paths`"),
        (b"openapi: 3.0.0\npaths: []", "has no `paths`"),
        (b"paths: {}", "does not say its version"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_too_much_or_no_description_is_refused(body: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.openapi_document.MAX_VALUES", 5000)
    with pytest.raises(ConfigError) as raised:
        Document(body, "api.yaml")
    [problem] = raised.value.problems
    assert (problem.rule, problem.file) == ("openapi", "api.yaml")
    assert said in f"{problem.message} {problem.mend}"


def test_yaml_is_read_as_it_is_written() -> None:
    text = "swagger: '2.0'\npaths: {}\nx: {200: 2026-03-02, no: no, <<: &m {a: 010}, b: [*m, 1.5, ~, !!str 7, -3]}\n"
    assert Document(text.encode(), "f").root["x"] == {
        "200": "2026-03-02", "no": "no", "<<": {"a": "010"}, "b": [{"a": "010"}, 1.5, None, "7", -3],
    }  # fmt: skip


WORDS = st.sampled_from(
    ["get", "post", "/a", "/b/{c}", "200", "default", "$ref", "schema", "parameters", "responses", "content", "name",
     "application/json", "items", "properties", "allOf", "enum", "type", "in", "servers", "components", "required",
     "securitySchemes", "example", "examples", "value", "url", "variables", "flows", "host", "basePath"]
)  # fmt: skip
LEAVES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False, allow_infinity=False) | st.just([])
    | st.sampled_from(["#/paths", "#/paths/~1a", "#", "#/x", "query", "path", "c", "object", "array", "string", "["])
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=30
)


@given(TREES, TREES, TREES, st.sampled_from(["2.0", "3.0.1"]))
@settings(max_examples=100, deadline=None)
def test_whatever_a_file_holds_is_read_or_refused(paths: Any, answer: Any, others: Any, version: str) -> None:
    own = {"/a": {"get": {"responses": {"200": answer}, "parameters": others}}}
    document = {**others, "paths": paths} if isinstance(others, dict) else {"paths": {**own, "/b": paths}}
    document["swagger" if version == "2.0" else "openapi"] = version
    refused: list[str] = []
    try:
        made = service(document, "http://h/x.json")
        for one in made.operations:
            assert str(one)
            made.sample(one.name)
        assert made.left_out >= 0
    except ConfigError as error:
        refused = [problem.rule for problem in error.problems]
    assert set(refused) <= {"openapi"}
