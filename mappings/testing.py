"""Runs the `_test.yaml` beside a mapping: what a body becomes, what a payload looks like, what is refused and why.

    agencies: [{code: H59.05, name: Sở Tư pháp, level: province, aliases: [000.00.05.H59]}]
    cases:
      - name: a dossier in progress
        body: |                       # or file: samples/page.xml; beside it charset, label, decomposed: true (NFD)
          <DanhSachHoSo>…</DanhSachHoSo>
        rows:                         # every row, in order
          - record: {number: …, …}    # every field that is not empty
          - refused: park             # or reject; all problems, `reason` by a part of it
            key: 000.00.05.H59-170320-0002
            problems: [{field: status, path: TrangThai, value: Đang ngủ, reason: not in the table}]
      - name: an error page
        body: "<html/>"
        undecodable: DanhSachHoSo     # a part of the error's text
      - name: outbound
        record: {number: …, …}
        payload: {MaHoSo: …, …}       # all of it; or problems: [...] where it cannot be written

Reads files, like `mappings.load`, and knows no test runner; pytest collects the same files by `mappings/conftest.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

from pydantic import ValidationError

from mappings.inbound import InboundMapping
from mappings.load import Mapping_, load, names, read
from mappings.notation import Keys, Marked, Problems, parse
from mappings.outbound import OutboundMapping
from mappings.rows import ReadContext, RefusedRowError, RenderContext, Row, RowOk
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, Problem, RefusedValueError, UndecodableError
from schemas.procedure import ProcedureRegister

SUFFIX = "_test"
_PROBLEM_KEYS = ("field", "path", "value", "reason", "verdict")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise than a case says."""

    said: str
    """The whole of it in a sentence, but for the row."""
    row: int | None = None
    """From 1; None for the body as a whole, and for a payload."""
    field: str | None = None
    """The record's field, or the payload's member, where it is one value that differs."""
    expected: Any = None
    got: Any = None
    refusals: tuple[RefusedValueError, ...] = ()
    """Why the row was refused, where it was; each with reason, path and value."""

    def __str__(self) -> str:
        return self.said if self.row is None else f"row {self.row}: {self.said}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case; without differences where it came out as expected."""

    file: Path
    line: int
    name: str
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def problems(self) -> tuple[str, ...]:
        """The differences in words."""
        return tuple(map(str, self.differences))


@dataclass(frozen=True, slots=True)
class _Suite:
    file: Path
    mapping: Mapping_
    agencies: AgencyRegister
    procedures: ProcedureRegister
    cases: list[tuple[int, Mapping[str, Any]]]


def place_of_test(mapping: Path) -> Path:
    """Where the test of a mapping file has to be."""
    return mapping.with_name(f"{mapping.stem}{SUFFIX}.yaml")


def run(file: Path, *, folders: Sequence[Path] = ()) -> list[CaseResult]:
    """Run every case of a test file. Raises: ConfigError where it, or its mapping, cannot be used."""
    suite = _suite(file, folders)
    return [CaseResult(file, line, str(case["name"]), tuple(_case(suite, case))) for line, case in suite.cases]


@dataclass(frozen=True, slots=True)
class Input:
    """The body of a case as it would come from a system."""

    body: bytes
    charset: str | None
    label: str
    name: str

    def __str__(self) -> str:
        return f"its test {self.name!r}"


def inputs(file: Path, *, folders: Sequence[Path] = ()) -> list[Input]:
    """The bodies of every case of a test file that reads something. Raises: ConfigError, as `run`."""
    suite = _suite(file, folders)
    cases = [case for _, case in suite.cases if "record" not in case and "undecodable" not in case]
    return [Input(_body(suite, case), case.get("charset"), str(case.get("label", "")), case["name"]) for case in cases]


def _body(suite: _Suite, case: Mapping[str, Any]) -> bytes:
    body = (suite.file.parent / case["file"]).read_bytes() if "file" in case else str(case["body"]).encode()
    return normalize("NFD", body.decode()).encode() if case.get("decomposed") else body


def _suite(file: Path, folders: Sequence[Path]) -> _Suite:
    problems = Problems(str(file))
    root = parse(read(file), problems)
    if root is None:
        raise ConfigError(problems.found)
    keys = Keys(root, "the test", problems)
    agencies, procedures = keys.get("agencies"), keys.get("procedures")
    cases = keys.need("cases", "write at least one case")
    keys.done()
    found = list(_cases(cases, problems))
    if cases is not None and not found and not problems.found:
        problems.add("no-case", cases.line, "there is no case", "write at least one")
    problems.stop()
    mapping = load(file.with_name(f"{file.stem.removesuffix(SUFFIX)}.yaml"), folders=folders)
    register = AgencyRegister.from_rows(agencies.plain) if agencies else AgencyRegister.empty()
    known = ProcedureRegister.from_rows(procedures.plain) if procedures else ProcedureRegister.empty()
    return _Suite(file, mapping, register, known, found)


def _cases(node: Marked | None, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if node is None:
        return
    if not isinstance(node.value, list):
        problems.add("shape", node.line, f"'cases' should be a list, is {node.shape}")
        return
    for item in node.value:
        keys = Keys(item, "the case", problems)
        keys.need("name", "say in a few words what is shown")
        given = [key for key in ("body", "file", "record") if keys.get(key)]
        if len(given) != 1:
            problems.add("case", item.line, "a case has one of 'body', 'file' and 'record'")
        wanted = [key for key in ("rows", "undecodable", "payload", "problems") if keys.get(key)]
        if len(wanted) != 1:
            problems.add("case", item.line, "a case has one of 'rows', 'undecodable', 'payload' and 'problems'")
        for key in ("charset", "label", "decomposed", "written"):
            keys.get(key)
        keys.done()
        yield item.line, item.plain


def _case(suite: _Suite, case: Mapping[str, Any]) -> Iterator[Difference]:
    if isinstance(suite.mapping, InboundMapping):
        if "record" in case or not ("rows" in case or "undecodable" in case):
            yield Difference("the mapping reads: give it a body, and say the rows")
        else:
            yield from _inbound(suite, suite.mapping, case)
    elif "record" not in case or not ("payload" in case or "problems" in case):
        yield Difference("the mapping writes: give it a record, and say the payload")
    else:
        yield from _outbound(suite, suite.mapping, case)


def _inbound(suite: _Suite, mapping: InboundMapping, case: Mapping[str, Any]) -> Iterator[Difference]:
    body = _body(suite, case)
    context = ReadContext(suite.agencies, str(case.get("label", "")), suite.procedures)
    try:
        rows = list(mapping.read(body, charset=case.get("charset"), context=context))
    except UndecodableError as error:
        wanted = case.get("undecodable")
        if wanted is None:
            yield Difference(f"the body was refused: {error}")
        elif str(wanted) not in str(error):
            yield Difference(f"the body was refused for another reason: {error}", expected=wanted, got=str(error))
        return
    if "undecodable" in case:
        yield Difference(f"the body was read, {len(rows)} rows, and should have been refused")
        return
    if len(rows) != len(case["rows"]):
        said = f"{len(rows)} rows, {len(case['rows'])} expected"
        yield Difference(said, expected=len(case["rows"]), got=len(rows))
    for number, (row, expected) in enumerate(zip(rows, case["rows"], strict=False), 1):
        for difference in _row(row, expected):
            yield replace(difference, row=number)


def _row(row: Row, expected: Mapping[str, Any]) -> Iterator[Difference]:
    if isinstance(row, RowOk):
        if "record" not in expected:
            yield Difference(f"was taken, {expected.get('refused')} expected")
            return
        yield from _differences(_without_none(row.record.model_dump(mode="json")), _without_none(expected["record"]))
        return
    problems = row.error.problems
    if "record" in expected:
        yield Difference(f"was refused ({row.verdict}): {'; '.join(map(str, problems))}", refusals=problems)
        return
    if row.verdict != expected.get("refused"):
        said = f"the verdict is {row.verdict}, {expected.get('refused')} expected"
        yield Difference(said, expected=expected.get("refused"), got=row.verdict, refusals=problems)
    if "key" in expected and row.key != expected["key"]:
        yield Difference(f"the key is {row.key!r}, {expected['key']!r} expected", None, "key", expected["key"], row.key)
    yield from _refusals(row.error, expected.get("problems", []))


def _outbound(suite: _Suite, mapping: OutboundMapping, case: Mapping[str, Any]) -> Iterator[Difference]:
    try:
        record = mapping.model.model_validate_json(json.dumps(case["record"]))
    except ValidationError as error:
        yield Difference(f"the record of the case is none: {error}")
        return
    try:
        payload = mapping.render(record, RenderContext(suite.agencies, suite.procedures))
    except RefusedRowError as error:
        if "problems" in case:
            yield from _refusals(error, case["problems"])
        else:
            yield Difference(f"was refused: {'; '.join(map(str, error.problems))}", refusals=error.problems)
        return
    if "problems" in case:
        yield Difference("was written, and should have been refused")
    else:
        yield from _differences(payload, case["payload"])
        if "written" in case:
            body = mapping.body(payload).decode()
            if body != str(case["written"]).rstrip("\n"):
                yield Difference(f"is written as {body!r}, {case['written']!r} expected")


def _refusals(error: RefusedRowError, expected: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    if len(error.problems) != len(expected):
        said = f"{len(error.problems)} problems, {len(expected)} expected: {'; '.join(map(str, error.problems))}"
        yield Difference(said, expected=len(expected), got=len(error.problems), refusals=error.problems)
    for problem, wanted in zip(error.problems, expected, strict=False):
        yield from _refusal(problem, wanted)


def _refusal(problem: RefusedValueError, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    for key, value in wanted.items():
        if key not in _PROBLEM_KEYS:
            yield Difference(f"a problem has no {key!r}; it has {', '.join(_PROBLEM_KEYS)}")
            continue
        found = getattr(problem, key)
        if key == "reason":
            same = _composed(str(value)) in _composed(found)
        elif key == "value":  # as it came, perhaps decomposed; what people write is composed
            same = _composed(found) == _composed(None if value is None else str(value))
        else:
            same = found == (None if value is None else str(value))
        if not same:
            said = f"the {key} of a problem is {found!r}, {value!r} expected"
            yield Difference(said, None, f"{problem.field or ''}.{key}".lstrip("."), value, found)


def _composed(text: str | None) -> str:
    return "\0" if text is None else normalize("NFC", text)


def _differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Difference]:
    for name in {**expected, **found}:
        if name not in found:
            yield Difference(f"{name} is missing, {expected[name]!r} expected", None, name, expected[name])
        elif name not in expected:
            yield Difference(f"{name} is {found[name]!r}, none expected", None, name, None, found[name])
        elif found[name] != expected[name] or type(found[name]) is not type(expected[name]):
            said = f"{name} is {found[name]!r}, {expected[name]!r} expected"
            yield Difference(said, None, name, expected[name], found[name])


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def untested(folder: Path) -> list[Problem]:
    """The mappings of a folder that have no test beside them, as problems."""
    files = [folder / f"{name}.yaml" for name in names(folder)]
    mend = "write {} beside it"
    return [
        Problem("no-test", "the mapping has no test", mend.format(place_of_test(file).name), str(file))
        for file in files
        if not place_of_test(file).is_file()
    ]
