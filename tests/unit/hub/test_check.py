"""`check`: what is wrong with adapters, mappings, answers and routes, all at once, and what is only a warning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from hub import registry
from hub.check import Findings, check
from hub.ports import AdapterContext
from mappings.load import CATALOGUE
from schemas.errors import ConfigError, Problem, SourceFault

Write = Callable[..., Path]


class ReadSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    password: SecretStr | None = None
    operation_timeout_s: float = 10
    answer: Literal["well", "late", "refuse", "wsdl"] = "well"


class Reads:
    """A source that can be probed."""

    role: ClassVar[str] = "source"
    Settings = ReadSettings
    summary: ClassVar[str] = "a source"
    closed: ClassVar[int] = 0

    def __init__(self, settings: ReadSettings, context: AdapterContext) -> None:
        self.settings = settings

    async def probe(self) -> Sequence[Problem]:
        if self.settings.answer == "late":
            await asyncio.Event().wait()
        if self.settings.answer == "refuse":
            raise SourceFault("nobody is there")
        if self.settings.answer == "wsdl":
            return [Problem("wsdl", "no WSDL there", "correct wsdl")]
        return []

    async def close(self) -> None:
        type(self).closed += 1


class WriteSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    connect_timeout_s: float = 60


class Writes:
    """A destination that cannot be probed."""

    role: ClassVar[str] = "destination"
    Settings = WriteSettings
    summary: ClassVar[str] = "a destination"


@dataclass(frozen=True)
class Declared:
    """As much of an entry point as the registry uses."""

    value: str
    found: Any

    def load(self) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture(autouse=True)
def adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "reads": Declared("tests:Reads", Reads),
        "writes": Declared("tests:Writes", Writes),
        "broken": Declared("tests:Broken", ModuleNotFoundError("No module named 'odbc'")),
        "empty": Declared("tests:Empty", object()),
    }
    monkeypatch.setattr(registry, "declared", lambda: known)


def look(path: Path, *, offline: bool = True, environment: Mapping[str, str] | None = None) -> Findings:
    known = {"HUB_PASSWORD": "x"} if environment is None else environment
    return asyncio.run(check(path, offline=offline, timeout_s=0.2, environment=known))


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_what_is_right_can_be_run(write: Write) -> None:
    found = look(write())
    assert found.problems == ()
    assert found.warnings == ()
    assert found.must_run().hub.name == "tra-vinh"


@pytest.mark.parametrize(
    ("before", "after", "rule", "said", "mend"),
    [
        ("adapter: reads", "adapter: read", "unknown-adapter", "no adapter 'read'", "did you mean 'reads'?"),
        ("adapter: reads", "adapter: broken", "broken-adapter", "No module named 'odbc'", "install"),
        ("adapter: reads", "adapter: empty", "broken-adapter", "declares no role", "hub.ports.Adapter"),
        ("adapter: reads", "adapter: writes", "wrong-adapter", "for a destination, not for a source", "destinations"),
        ("deadline_s: 20", "deadline_s: a", "wrong-value", "valid number", "number"),
        ("password: ${", "pasword: ${", "unknown-key", "sources.so-tttt.settings.pasword", "'password'"),
        ("[one-stop-soap/dossier,", "[one-stop-soap/dosier,", "no-mapping", "one-stop-soap/dosier", "dossier"),
        ("[one-stop-soap/dossier,", "[dvcqg/dossier,", "wrong-direction", "from a record to a portal", "to: <kind>"),
        ("step.v1: dvcqg/step}", "step.v1: dvcqg/dossier}", "wrong-kind", "is for dossier.v1", "dossier-step.v1"),
        ("step.v1: dvcqg/step}", "step.v1: one-stop-soap/step}", "wrong-direction", "to a record", "from: {record"),
        ("answers: dvcqg", "answers: dvcqh", "answers-missing", "dvcqh", "dvcqg"),
        ("to: [national]}", "to: [national], agencies: [H59.99]}", "unknown-agency", "H59.99", "agencies file"),
        ("to: [national]}", "to: [national], agencies: [000.00.15.H59]}", "alias-in-route", "alias", "write H59.15"),
        ("dossier-step.v1], to", "dossier-steps.v1], to", "unknown-kind", "dossier-steps.v1", "'dossier-step.v1'"),
    ],
)
def test_one_mistake_is_found_with_its_line_and_mend(
    write: Write, before: str, after: str, rule: str, said: str, mend: str
) -> None:
    path = write((before, after))
    found = look(path)
    problem = next(problem for problem in found.problems if problem.rule == rule or said in problem.message)
    assert said in problem.message
    assert mend in problem.mend
    assert (problem.file, problem.line) == (str(path), line_of(path, after))
    with pytest.raises(ConfigError):
        found.must_run()


def test_a_route_by_agency_takes_no_kind_that_names_none(write: Write) -> None:
    path = write(("to: [national]}", "to: [national], agencies: [H59.15]}"))
    [problem] = look(path).problems
    assert (problem.rule, problem.line) == ("unreachable-route", line_of(path, "agencies: [H59.15]"))
    assert "dossier-step.v1 names no agency" in problem.message
    assert "a route of its own" in problem.mend
    both = "kinds: [dossier.v1], to: [national], agencies: [H59.15]}\n  - {kinds: [dossier-step.v1], to: [national]}"
    assert look(write(("kinds: [dossier.v1, dossier-step.v1], to: [national]}", both))).problems == ()


def test_all_problems_are_told_at_once(write: Write) -> None:
    path = write(
        ("province: H59", "provinse: H59"),
        ("adapter: reads", "adapter: read"),
        ("one-stop-soap/step]", "one-stop-soap/steps]"),
        ("answers: dvcqg", "answers: dvcqh"),
        ("to: [national]", "to: [nation]"),
    )
    lines = {problem.line for problem in look(path).problems}
    wrong = ("provinse", "adapter: read", "one-stop-soap/steps", "dvcqh", "to: [nation]")
    assert lines == {line_of(path, text) for text in wrong}


def test_the_problems_of_a_mapping_name_its_own_file_and_line(write: Write) -> None:
    path = write(("one-stop-soap/step]", "own]"))
    mapping = path.parent / "mappings" / "own.yaml"
    mapping.parent.mkdir()
    text = "mapping: own\nfrom: {format: json, each: rows}\nto: dossier.v1\nfields:\n  nummer: {path: so}\n"
    mapping.write_text(text, encoding="utf-8")
    told = [problem for problem in look(path).problems if problem.file == str(mapping)]
    assert any(problem.line == 5 and "nummer" in problem.message for problem in told)


def test_two_mappings_must_not_make_one_kind_of_the_same_arrivals(write: Write) -> None:
    path = write(("one-stop-soap/step]", "one-stop-rest/dossier]"))
    assert [problem.rule for problem in look(path).problems] == ["same-kind-twice"]


def test_an_adapters_limit_that_can_never_strike_contradicts_the_deadline(write: Write) -> None:
    path = write(("    deadline_s: 20", "      connect_timeout_s: 30\n    deadline_s: 20"))
    [problem] = look(path).problems
    assert problem.rule == "contradicting-timeouts"
    assert problem.line == line_of(path, "connect_timeout_s")


def test_warnings_do_not_stop_it(write: Write) -> None:
    path = write(
        ("password: ${HUB_PASSWORD}", "password: in-the-file"),
        ('url: "embedded:"', "url: amqp://hub:in-the-file@mq/hub"),
        ("kinds: [dossier.v1, dossier-step.v1]", "kinds: [dossier.v1]"),
    )
    found = look(path)
    assert found.deployment is not None
    assert sorted(warning.rule for warning in found.warnings) == [
        "mapping-not-routed",
        "no-route",
        "plain-secret",
        "plain-secret",
    ]
    assert not any("in-the-file" in str(warning) for warning in found.warnings)
    for variable in ("${HUB_SO_TTTT_PASSWORD}", "${HUB_BUS_PASSWORD}"):
        assert any(variable in warning.mend for warning in found.warnings)


def test_a_destination_that_no_route_reaches_is_a_warning(write: Write) -> None:
    other = "{adapter: writes, mappings: {dossier.v1: lgsp/dossier}, answers: lgsp, settings: {url: x}}"
    [warning] = look(write(("routes:", f"  other: {other}\nroutes:"))).warnings
    assert warning.rule == "unused-destination"


def test_what_names_an_unset_variable_is_told_once(write: Write) -> None:
    assert [problem.rule for problem in look(write(), environment={}).problems] == ["undefined-variable"]


def test_an_unreadable_file_is_a_finding(tmp_path: Path) -> None:
    found = look(tmp_path / "hub.yaml")
    assert [problem.rule for problem in found.problems] == ["unreadable-file"]
    assert found.deployment is None


@pytest.mark.parametrize(
    ("answer", "rule", "said"),
    [
        ("late", "unreachable", "no answer in 0.2 s"),
        ("refuse", "unreachable", "nobody is there"),
        ("wsdl", "wsdl", "no WSDL"),
    ],
)
def test_what_an_adapter_finds_out_stands_where_its_settings_stand(
    write: Write, answer: str, rule: str, said: str
) -> None:
    path = write(
        ("      url: http://127.0.0.1:9\n      password", f"      answer: {answer}\n      url: x\n      password")
    )
    before = Reads.closed
    [problem] = look(path, offline=False).problems
    assert problem.rule == rule
    assert f"sources.so-tttt: {said}" in problem.message
    assert problem.line == line_of(path, "settings:")
    assert Reads.closed == before + 1
    assert look(path).problems == ()


def test_a_server_that_does_not_listen_is_a_problem(write: Write) -> None:
    path = write(
        ('url: "embedded:"', "url: amqp://127.0.0.1:9/hub"),
        ('url: "sqlite:///var/hub.db"', "url: postgresql+psycopg://127.0.0.1:9/hub"),
    )
    found = look(path, offline=False).problems
    assert [(problem.rule, problem.line) for problem in found] == [("unreachable", 2), ("unreachable", 3)]
    assert "nothing answers at 127.0.0.1:9" in found[0].message


def test_every_adapter_that_the_package_declares_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert {name: registry.adapter(name).role for name in registry.declared()} == {
        "soap": "source",
        "rest": "source",
        "files": "source",
        "sql": "source",
        "recorded": "source",
        "dvcqg": "destination",
        "lgsp": "destination",
        "http": "destination",
    }


FILES = (
    ("adapter: reads", "adapter: files"),
    (
        "      url: http://127.0.0.1:9\n      password: ${HUB_PASSWORD}\n",
        "      {folder: drop, pattern: '*', media: csv}\n",
    ),
)


def declare(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The real adapters of these names beside the tests' own."""
    found = {point.name: point for point in entry_points(group="hub.adapters") if point.name in names}
    known = {**registry.declared(), **found}
    monkeypatch.setattr(registry, "declared", lambda: known)


def test_a_mapping_of_another_format_than_the_sources_settings_is_found(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, "files")
    json = ("[one-stop-soap/dossier, one-stop-soap/step]", "[one-stop-rest/dossier]")
    path = write(*FILES, json)
    [problem] = look(path).problems
    assert problem.message == "sources.so-tttt: mapping one-stop-rest/dossier reads json, the source's settings say csv"
    assert problem.mend == "name a mapping that reads csv, or write media: json"
    assert (problem.rule, problem.line) == ("wrong-format", line_of(path, "one-stop-rest"))
    assert look(write(*FILES, json, ("media: csv", "media: json"))).problems == ()


@pytest.mark.parametrize(("adapter", "gives", "others"), [("soap", "xml", "rest"), ("rest", "json", "csv")])
def test_a_mapping_of_another_format_than_the_adapters_is_found(
    write: Write, monkeypatch: pytest.MonkeyPatch, adapter: str, gives: str, others: str
) -> None:
    known = {**registry.declared(), adapter: Declared("tests:Reads", Reads)}
    monkeypatch.setattr(registry, "declared", lambda: known)
    mapping = ("[one-stop-soap/dossier, one-stop-soap/step]", f"[one-stop-{others}/dossier]")
    [problem] = look(write(("adapter: reads", f"adapter: {adapter}"), mapping)).problems
    assert f"the adapter {adapter} gives {gives}" in problem.message
    assert problem.mend == f"name a mapping that reads {gives}"


def test_a_shipped_mapping_for_another_portal_is_found(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registry.declared(), "lgsp": Declared("tests:Writes", Writes)}
    monkeypatch.setattr(registry, "declared", lambda: known)
    path = write(("adapter: writes", "adapter: lgsp"), ("dossier-step.v1: dvcqg/step", "dossier-step.v1: lgsp/step"))
    [problem] = look(path).problems
    assert (problem.rule, problem.line) == ("wrong-portal", line_of(path, "dvcqg/dossier"))
    assert "dvcqg/dossier makes what dvcqg takes, the adapter is lgsp" in problem.message
    assert problem.mend == "write lgsp/dossier"
    own = path.parent / "mappings/dvcqg"
    own.mkdir(parents=True)
    shipped = (CATALOGUE / "dvcqg/dossier.yaml").read_text(encoding="utf-8")
    (own / "dossier.yaml").write_text(shipped, encoding="utf-8")
    assert look(path).problems == (), "a mapping of one's own may have any name"


def test_a_shipped_mapping_with_an_adapter_of_ones_own_is_doubted(write: Write) -> None:
    found = look(write(("answers: dvcqg", "answers: lgsp")))
    assert found.problems == ()
    assert [warning.rule for warning in found.warnings] == ["other-portal", "other-portal"]


def test_a_start_in_the_future_and_a_canary_of_nobody_are_said(write: Write) -> None:
    future = write(("    every_s: 1.5", "    start_from: 2999-01-01"))
    findings = look(future)
    assert [(w.rule, w.line) for w in findings.warnings if w.rule == "future-start"] == [("future-start", 8)]
    assert findings.deployment is not None
    route = "to: [national]}"
    for code, rule in (("H59.99", "unknown-agency"), ("000.00.15.H59", "alias-in-route")):
        findings = look(write((route, f"to: [national], only: {{agencies: [{code}]}}}}")))
        assert [p.rule for p in findings.problems] == [rule]
    assert not look(write((route, "to: [national], only: {agencies: [H59.15]}}"))).problems


def test_a_start_is_local_unless_it_says_otherwise(write: Write) -> None:
    for text, told in (
        ("2026-03-01", "2026-03-01T00:00:00+07:00"),
        ("2026-03-01T08:30:00", "2026-03-01T08:30:00+07:00"),
        ("2026-03-01T01:30:00+00:00", "2026-03-01T01:30:00+00:00"),
    ):
        deployment = look(write(("    every_s: 1.5", f"    start_from: {text}"))).must_run()
        start = deployment.sources["so-tttt"].start_from
        assert start is not None
        assert start.isoformat() == told
    (problem,) = look(write(("    every_s: 1.5", "    start_from: gestern"))).problems
    assert "2025-07-01" in problem.mend


def test_a_payload_that_the_adapter_does_not_send_is_told(write: Write) -> None:
    path = write(("step.v1: dvcqg/step}", "step.v1: own}"))
    mapping = path.parent / "mappings" / "own.yaml"
    mapping.parent.mkdir()
    text = "mapping: own\nfrom: {record: dossier-step.v1}\nto: {portal: form}\nfields:\n  so: number\n"
    mapping.write_text(text, encoding="utf-8")
    [problem] = [problem for problem in look(path).problems if problem.rule == "wrong-format"]
    assert "own makes form, the adapter sends json" in problem.message
    assert "{portal: json}" in problem.mend
