"""The YAML of mappings says what it seems to say, and every problem has its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mappings import notation
from mappings.notation import Keys, Problems, nearest, parse
from schemas.errors import ConfigError

ROOT = Path(__file__).parents[3]


def problems_of(text: str) -> list[tuple[int, str]]:
    problems = Problems("m.yaml")
    parse(text, problems)
    return [(problem.line, problem.message) for problem in problems.found]


def plain(text: str) -> object:
    problems = Problems("m.yaml")
    node = parse(text, problems)
    problems.stop()
    assert node is not None
    return node.plain


def test_scalars_are_what_they_look_like() -> None:
    text = "{a: 1, b: -7, c: 010, d: yes, e: on, f: 1.5, g: true, h: null, i: ~, j: '1'}"
    assert plain(text) == {
        "a": 1, "b": -7, "c": "010", "d": "yes", "e": "on", "f": "1.5", "g": True, "h": None, "i": None, "j": "1",
    }  # fmt: skip


def test_keys_are_the_text_as_written() -> None:
    assert plain("{01: a, yes: b, null: c, 2017-01-01: d, 1.0: e}") == {
        "01": "a", "yes": "b", "null": "c", "2017-01-01": "d", "1.0": "e",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands here twice"),
        ("a: 1\nb: [1, 2\n", 3, "not readable as YAML"),
        ("a: 1\n\tb: 2\n", 2, "not readable as YAML"),
        ("a: &x 1\nb: *x\n", 1, "anchors and aliases are not part of the language"),
        ("a: !!python/object:os.system x\n", 1, "explicit tags are not part of the language"),
        ("a: 1\n---\nb: 2\n", 2, "not readable as YAML"),
        ("a: 1\nb: \x00\n", 2, "not readable as YAML"),
        ("? [a]\n: 1\n", 1, "a key should be one word"),
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("[" * 30, 1, "nested deeper than 20 levels"),
    ],
)
def test_a_problem_has_its_line(text: str, line: int, said: str) -> None:
    assert [(at, said in message) for at, message in problems_of(text)] == [(line, True)]


def test_deep_brackets_are_refused_not_followed() -> None:
    assert "nested deeper" in problems_of("[" * 200_000)[0][1]


def test_every_duplicate_is_told() -> None:
    assert [line for line, _ in problems_of("a: 1\na: 2\nb: {c: 1, c: 2}\n")] == [2, 3]


def test_unknown_keys_are_told_with_the_nearest() -> None:
    problems = Problems("m.yaml")
    node = parse("foramt: xml\nwithin: x\n", problems)
    assert node is not None
    keys = Keys(node, "'from'", problems)
    keys.text("format")
    keys.text("within")
    keys.done()
    with pytest.raises(ConfigError) as caught:
        problems.stop()
    assert str(caught.value) == "m.yaml:1: 'from' has an unknown key 'foramt' [unknown-key] — did you mean 'format'?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n: x", "should be a whole number"),
        ("n: -1", "should be a whole number from 0 on"),
        ("n: true", "should be a whole number"),
    ],
)
def test_numbers_are_numbers(text: str, said: str) -> None:
    problems = Problems("m.yaml")
    node = parse(text, problems)
    assert node is not None
    assert Keys(node, "it", problems).number("n") is None
    assert said in problems.found[0].message


def test_the_nearest_word_or_all_of_them() -> None:
    assert nearest("statsu", ["status", "number"]) == "did you mean 'status'?"
    assert nearest("zzz", ["status", "number"]) == "use one of: number, status"
    assert nearest("zzz", []) == "there are none"


# --- the quick parser


def read_plainly(text: str) -> tuple[object, list[tuple[int, str]]]:
    problems = Problems("m.yaml")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(notation, "_quick", notation._Loader)
        return parse(text, problems), [(problem.line, problem.message) for problem in problems.found]


def read_quickly(text: str) -> tuple[object, list[tuple[int, str]]]:
    problems = Problems("m.yaml")
    return parse(text, problems), [(problem.line, problem.message) for problem in problems.found]


def test_pyyaml_has_the_quick_parser() -> None:
    assert yaml.__with_libyaml__, "pip install --force-reinstall pyyaml: its wheel has libyaml"


@pytest.mark.parametrize("folder", ["mappings", "config"])
def test_both_parsers_read_every_shipped_file_alike(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.yaml"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert read_quickly(text) == read_plainly(text), file


WORDS = [
    "a",
    "b: ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "#",
    "|\n",
    "01",
    "~",
    "ế",
    "&x",
    "*x",
    "!t ",
    "\t",
]


@given(st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
@example("a: 'b")
@example("a: [b")
@example("a: b\n c: d")
def test_what_one_parser_refuses_is_told_in_the_words_of_the_plain_one(text: str) -> None:
    quick, plain = read_quickly(text), read_plainly(text)
    assert quick[1] == plain[1] or not quick[1]
    if not plain[1]:
        assert quick == plain
