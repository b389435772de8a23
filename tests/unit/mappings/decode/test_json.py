"""JSON that wants to harm, and JSON that is only broken, is refused with its place; what is sound is read."""

from __future__ import annotations

import pytest

from mappings.decode import json
from mappings.decode.source import MAX_BYTES, MAX_DEPTH
from schemas.errors import UndecodableError


def refused(body: bytes, charset: str | None = None) -> str:
    with pytest.raises(UndecodableError) as caught:
        json.parse(body, charset, limit=MAX_BYTES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "the body is empty (0 bytes)", id="empty"),
        pytest.param(b'{"a": 1', "line 1, column", id="truncated"),
        pytest.param(b'{"a": 1}\n{"b": 2}', "line 2, column 1", id="two documents"),
        pytest.param(b"{'a': 1}", "not JSON", id="wrong quotes"),
        pytest.param(b'{"a": NaN}', "not JSON", id="NaN"),
        pytest.param(b'{"a": "\x00"}', "a NUL character at line 1, column 8", id="NUL"),
        pytest.param(b'{"a": "\xff"}', "byte 8 (line 1, byte 8 of it) is not valid", id="not UTF-8"),
        pytest.param(b'"\\ud800"', "not JSON", id="half a character"),
        pytest.param(b"<html/>", "not JSON", id="a page"),
    ],
)
def test_broken_is_refused_with_its_place(body: bytes, said: str) -> None:
    assert said in refused(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 200_000, id="open brackets"),
        pytest.param(b"[" * 200_000 + b"]" * 200_000, id="brackets"),
        pytest.param(b'{"a":' * 200_000, id="open braces"),
        pytest.param(b'{"a":' * 201 + b"1" + b"}" * 201, id="one too deep"),
        pytest.param(b'["]]]]","\\"]",' + b"[" * 200 + b"]" * 200 + b"]", id="brackets in texts do not count"),
    ],
)
def test_nesting_has_a_limit(body: bytes) -> None:
    assert "nested deeper than 200 levels, at line 1, column" in refused(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert json.parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None, limit=MAX_BYTES)
    assert json.parse(b'["' + b"[" * 1_000 + b'"]', None, limit=MAX_BYTES) == ["[" * 1_000]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "a" : 2}',
        b'[{"b": {"a": 1,\n"a"\n: 2}}]',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": "x\\":", "a": 2}',
        b'{"b" :1, "x": "\\":", "a": 1, "a": 2}',
    ],
)
def test_a_key_twice_in_one_object_is_refused(body: bytes) -> None:
    assert "has the key 'a' twice in one object" in refused(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}',
        b'{"a" : 1, "b": "\\":\\":"}',
        '{"ạ": "\\":"}'.encode(),
        b"[]",
        b"7",
    ],
)
def test_a_key_once_per_object_is_read(body: bytes) -> None:
    json.parse(body, None, limit=MAX_BYTES)


def test_a_byte_order_mark_and_utf16_are_read() -> None:
    assert json.parse('{"a": "ạ"}'.encode("utf-8-sig"), None, limit=MAX_BYTES) == {"a": "ạ"}
    assert json.parse('{"a": "ạ"}'.encode("utf-16"), "utf-8", limit=MAX_BYTES) == {"a": "ạ"}
    assert json.parse('{"a": "ạ"}'.encode("utf-16-le"), None, limit=MAX_BYTES) == {"a": "ạ"}


def test_size_and_members_have_limits() -> None:
    with pytest.raises(UndecodableError, match="at most 10 are read"):
        json.parse(b"[1,2,3,4,5,6]", None, limit=10)
    assert "more than 2,000,000 members" in refused(b"[" + b"0," * 2_000_000 + b"0]")
