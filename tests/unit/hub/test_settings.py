"""The configuration file: what it becomes, and every way in which it is refused, with file, line and mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.draft import Draft, substitute
from hub.settings import Deployment, load, locate_bus, locate_ledger
from hub.yaml_lines import parse
from schemas.errors import ConfigError, Problem

Write = Callable[..., Path]
ENVIRONMENT: Mapping[str, str] = MappingProxyType({"HUB_PASSWORD": "mật khẩu"})


def problems_of(path: Path, environment: Mapping[str, str] = ENVIRONMENT) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        load(path, environment=environment)
    return raised.value.problems


def the_problem(path: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Problem:
    [problem] = problems_of(path, environment)
    return problem


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_configuration_becomes_a_deployment(write: Write) -> None:
    path = write()
    made = load(path, environment=ENVIRONMENT)
    assert isinstance(made, Deployment)
    assert (made.hub.name, made.hub.province) == ("tra-vinh", "H59")
    assert made.sources["so-tttt"].every_s == 1.5
    assert made.sources["so-tttt"].settings["password"] == "mật khẩu"
    assert made.destinations["national"].window == 2000
    assert made.destinations["national"].retry.limit == 20
    assert made.destinations["national"].unknown_events == "resend"
    assert made.routes[0].to == ["national"]
    assert made.agencies.get("H59.15") is not None
    assert made.folder == path.parent


def test_a_relative_sqlite_file_lies_beside_the_configuration(write: Write, tmp_path: Path) -> None:
    assert load(write(), environment=ENVIRONMENT).ledger.url == f"sqlite:///{tmp_path / 'var' / 'hub.db'}"


@pytest.mark.parametrize(
    ("overrides", "environment", "expected"),
    [
        ({"ledger.url": "sqlite:///a.db"}, {"HUB_LEDGER_URL": "sqlite:///b.db"}, "sqlite:///a.db"),
        ({}, {"HUB_LEDGER_URL": "sqlite:///b.db"}, "sqlite:///b.db"),
        ({"ledger.url": "sqlite:////c/d.db"}, {}, "sqlite:////c/d.db"),
    ],
)
def test_options_go_before_the_environment_and_that_before_the_file(
    write: Write, overrides: dict[str, str], environment: dict[str, str], expected: str
) -> None:
    made = load(write(), overrides, environment={**ENVIRONMENT, **environment})
    assert made.ledger.url == expected


def test_an_override_makes_the_variable_in_the_file_needless(write: Write) -> None:
    path = write(('url: "embedded:"', 'url: "amqp://hub:${NOT_SET}@mq/hub"'))
    assert load(path, {"bus.url": "embedded:"}, environment=ENVIRONMENT).bus.url == "embedded:"


def test_no_secret_is_shown(write: Write) -> None:
    path = write(('url: "embedded:"', 'url: "amqp://hub:bí-mật@mq/hub"'))
    made = load(path, environment=ENVIRONMENT)
    for text in (repr(made), str(made), repr(made.bus), repr(made.sources)):
        assert "mật khẩu" not in text
        assert "bí-mật" not in text
    assert made.bus.shown == "amqp://hub:***@mq/hub"


def test_every_problem_is_told_at_once_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        ("province: H59", "provinse: H59"),
        ("every_s: 1.5", "every_s: fast"),
        ("deadline_s: 20", "deadlines_s: 20"),
        ("to: [national]", "to: [nation, national]"),
    )
    found = problems_of(path)
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)
    expected = ["missing-key", "unknown-destination", "unknown-key", "unknown-key", "wrong-value"]
    assert sorted(problem.rule for problem in found) == expected
    by_rule = {(problem.rule, problem.line): problem for problem in found}
    assert by_rule["wrong-value", line_of(path, "every_s: fast")].message.startswith("sources.so-tttt.every_s: ")
    assert by_rule["unknown-key", line_of(path, "deadlines_s")].mend == "did you mean 'deadline_s'?"
    assert by_rule["unknown-destination", line_of(path, "to: [nation")].mend == "did you mean 'national'?"
    assert all(problem.file == str(path) and problem.mend for problem in found)


@pytest.mark.parametrize(
    ("before", "after", "rule", "said"),
    [
        ("  national:\n", "  National Portal:\n", "bad-name", "destinations.National Portal"),
        ("deadline_s: 20", "deadline_s: 0", "wrong-value", "greater than 0"),
        ("deadline_s: 20", "window: 1.5", "wrong-value", "destinations.national.window"),
        ("deadline_s: 20", "unknown_events: perhaps", "wrong-value", "'resend' or 'ask-operator'"),
        ("deadline_s: 20", "retry: {first_s: 10, cap_s: 1}", "retry-cap", "cap_s (1) is below first_s (10)"),
        ("mappings: [one-stop-soap/dossier, one-stop-soap/step]", "mappings: []", "wrong-value", "at least 1 item"),
        ('url: "sqlite:///var/hub.db"', 'url: "mysql://x"', "wrong-value", "neither sqlite"),
        ('url: "embedded:"', 'url: "kafka://x"', "wrong-value", "neither 'embedded:'"),
        ("routes:\n", "extra: 1\nroutes:\n", "unknown-key", "extra is not a setting"),
        ("agencies: agencies.yaml", "agencies: [agencies.yaml]", "wrong-value", "not a file name"),
        ("agencies: agencies.yaml", "agencies: other.yaml", "unreadable-file", "agencies: other.yaml cannot be read"),
        ("to: [national]}", "to: [national], sources: [so-tttx]}", "unknown-source", "'so-tttx' is not among"),
        ("password: ${HUB_PASSWORD}", "password: ${HUB-PASSWORD}", "bad-variable", "is not a variable"),
    ],
)
def test_one_mistake_is_one_problem(write: Write, before: str, after: str, rule: str, said: str) -> None:
    path = write((before, after), *([("to: [national]", "to: ['National Portal']")] if "Portal" in after else []))
    problem = the_problem(path)
    assert problem.rule == rule
    assert said in problem.message
    assert problem.mend
    assert problem.file == str(path)
    assert problem.line == line_of(path, after.splitlines()[0].strip())


def test_a_routed_kind_needs_a_mapping_at_its_destination(write: Write) -> None:
    path = write((", dossier-step.v1: dvcqg/step}", "}"))
    problem = the_problem(path)
    assert problem.rule == "no-mapping"
    assert problem.line == line_of(path, "- {kinds:")
    assert f"(line {line_of(path, 'mappings: {')})" in problem.mend


@pytest.mark.parametrize("section", ["hub", "sources", "destinations", "routes"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    path = tmp_path / "hub.yaml"
    path.write_text("ledger: {}\n", encoding="utf-8")
    missing = [problem for problem in problems_of(path) if problem.rule == "missing-key"]
    assert any(problem.message.startswith(section) for problem in missing)


def test_a_secret_is_not_quoted_in_a_problem(write: Write) -> None:
    path = write(('url: "embedded:"', 'url: "amkp://hub:bí-mật@mq/hub"'))
    assert "bí-mật" not in str(the_problem(path))


def test_an_unset_variable_is_told_with_its_name_and_nothing_else_is_said_about_the_value(write: Write) -> None:
    path = write(("province: H59", 'province: "${PROVINCE}"'))
    problem = the_problem(path)
    assert (problem.rule, problem.line) == ("undefined-variable", 1)
    assert problem.mend == "set PROVINCE, or write ${PROVINCE:-default}"


@pytest.mark.parametrize(
    ("written", "expected"),
    [("${A}", "1"), ("x${A}y${B:-2}z", "x1y2z"), ("${B:-}", ""), ("$${A}", "${A}"), ("$A {A}", "$A {A}")],
)
def test_variables_are_replaced(written: str, expected: str) -> None:
    assert substitute(written, (), Draft(parse("a: 1", "f"), []), {"A": "1"}) == expected


@given(st.text())
def test_a_text_without_variables_stays_what_it_is(text: str) -> None:
    made = Draft(parse("a: 1", "f"), [])
    if "${" not in text:
        assert substitute(text, (), made, {}) == text
    assert isinstance(substitute(text, (), made, {}), str)


def test_a_variable_may_hold_a_number(write: Write) -> None:
    path = write(("deadline_s: 20", 'deadline_s: "${DEADLINE_S:-12.5}"'))
    assert load(path, environment=ENVIRONMENT).destinations["national"].deadline_s == 12.5


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        (b"", "empty-file", 1),
        (b"- a\n- b\n", "not-a-mapping", 1),
        (b"hub: {name: a\nledger: b\n", "yaml", 2),
        (b"hub: 1\nhub: 2\n", "duplicate-key", 2),
        (b"hub: 1\nx: \xff\n", "not-utf8", 2),
        (b"hub: &a 1\n", "yaml", 1),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, rule: str, line: int) -> None:
    path = tmp_path / "hub.yaml"
    path.write_bytes(content)
    problem = the_problem(path)
    assert (problem.rule, problem.line, problem.file) == (rule, line, str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    problem = the_problem(tmp_path / "hub.yaml")
    assert (problem.rule, problem.mend) == ("unreadable-file", "check the path")


def test_every_row_of_the_agencies_is_looked_at(write: Write, tmp_path: Path) -> None:
    rows = ["{code: H59.15, name: A, level: province}", "{code: H59.16, nam: B, level: county}"]
    rows += ["{code: '?', name: C, level: district}"]
    found = problems_of(write(agencies="".join(f"- {row}\n" for row in rows)))
    assert {problem.line for problem in found} == {2, 3}
    assert {problem.file for problem in found} == {str(tmp_path / "agencies.yaml")}
    assert any(problem.mend == "did you mean 'name'?" for problem in found)


def test_clashing_agencies_are_told_with_their_line(write: Write) -> None:
    rows = "- {code: H59.15, name: A, level: province}\n- {code: H59.15, name: B, level: province}\n"
    problem = the_problem(write(agencies=rows))
    assert (problem.rule, problem.line) == ("agency-twice", 2)


def test_the_ledger_is_found_in_a_file_that_is_otherwise_wrong(write: Write, tmp_path: Path) -> None:
    path = write(("province: H59", "provinse: 1"))
    assert locate_ledger(path, environment={}) == f"sqlite:///{tmp_path / 'var' / 'hub.db'}"
    assert locate_ledger(path, "sqlite:///x.db", environment={}) == "sqlite:///x.db"
    assert locate_ledger(path, environment={"HUB_LEDGER_URL": "sqlite:///y.db"}) == "sqlite:///y.db"
    assert locate_bus(path, environment={}).url == "embedded:"
    assert locate_bus(path, "amqp://mq", environment={}).url == "amqp://mq"


def test_a_wrong_ledger_section_is_told(write: Write) -> None:
    with pytest.raises(ConfigError, match="did you mean 'url'"):
        locate_ledger(write(('ledger: {url: "', 'ledger: {urll: "')), environment={})
