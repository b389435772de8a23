"""The reference of the mapping language: every construct is in it, and every example on it is true."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mappings import (
    InboundMapping,
    OutboundMapping,
    ReadContext,
    RefusedRowError,
    RenderContext,
    Row,
    RowOk,
    converters,
    read_all,
)
from mappings.catalogue import load
from mappings.code_table import COLUMNS
from mappings.compile_inbound import compile_inbound
from mappings.compile_outbound import compile_outbound
from mappings.converters import CONVERTERS, Setting
from mappings.manual import Entry, Example, Shown, Tried, Written
from mappings.notation import Keys, Marked, Problems, parse
from mappings.reference import entries, page
from mappings.target import targets
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, UndecodableError
from schemas.procedure import ProcedureRegister
from schemas.record import KINDS, Record
from tests.support.workbook import workbook

PAGE = Path(__file__).parents[3] / "docs" / "mapping-reference.md"
REGISTER = AgencyRegister.from_rows(
    [{"code": "H59.12", "name": "Sở Tư pháp", "level": "province", "aliases": ["000.00.12.H59"]}]
)
PROCEDURES = ProcedureRegister.from_rows(
    [
        {"code": "1.001193.H59", "name": "Đăng ký khai sinh", "field_code": "HT", "field_name": "Hộ tịch",
         "aliases": ["1.001193.000.00.00.H59"], "valid_to": "2026-06-30", "successor": "1.001193.H61"},
        {"code": "1.001193.H61", "name": "Đăng ký khai sinh", "field_code": "HT", "valid_from": "2026-07-01"},
    ]
)  # fmt: skip
MOMENT = "2017-03-20T01:05:00Z"
NEEDED: dict[str, dict[str, Any]] = {
    "dossier-step.v1": {
        "number": {"const": "H-1"},
        "person": {"const": "An"},
        "content": {"const": "Nhận"},
        "status": {"const": 4},
        "at": {"label": ".*", "function": "reference_times:moment"},
    },
    "dossier.v1": {
        "number": {"const": "H-1"},
        "procedure_code": {"const": "1.000001"},
        "procedure_name": {"const": "Cấp phiếu"},
        "agency": {"const": "H59.12"},
        "agency_level": {"const": "province"},
        "applicant_kind": {"const": "citizen"},
        "applicant_name": {"const": "An"},
        "channel": {"const": "counter"},
        "status": {"const": 4},
        "received_at": {"label": ".*", "function": "reference_times:moment"},
    },
}
"""What fills the fields that an example does not name; times by a function, since no constant is one."""
MOMENTS = """from datetime import UTC, datetime

def moment(value, scope):
    return datetime(2017, 3, 20, 1, 5, tzinfo=UTC)
"""
VALUES: dict[str, dict[str, Any]] = {
    "dossier-step.v1": {"number": "H-1", "at": MOMENT, "person": "An", "content": "Nhận", "status": 4},
    "dossier.v1": {
        "number": "H-1", "procedure_code": "1.000001", "procedure_name": "Cấp phiếu", "agency": "H59.12",
        "agency_level": "province", "applicant_kind": "citizen", "applicant_name": "An", "channel": "counter",
        "status": 4, "received_at": MOMENT,
    },
}  # fmt: skip
VERDICTS = {"park": "parked", "reject": "rejected"}
LISTED = [(part, entry) for part, found in entries().items() for entry in found]
EXAMPLES = [
    pytest.param(example, id=f"{part}: {entry.name} {number}")
    for part, entry in LISTED
    for number, example in enumerate(entry.examples, start=1)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a mapping and what stands beside it lie; its Python modules can be imported, and are forgotten again."""
    (tmp_path / "reference_times.py").write_text(MOMENTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in {"reference_times", "example_names"} - before:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_true(example: Example, folder: Path) -> None:
    if isinstance(example, Written) or (isinstance(example, Tried) and example.writing):
        writes(example, folder)
    else:
        reads(example if isinstance(example, Shown) else whole(example), folder, exact=isinstance(example, Shown))


def whole(example: Tried) -> Shown:
    """One value as a mapping of a row of JSON."""
    place = "" if re.match(r"(first|join|choose):", example.written) else "path: x, "
    row = {"x": example.given, **example.row}
    body = json.dumps([{name: value for name, value in row.items() if value is not None}])
    found: dict[str, Any] = {example.field: example.becomes}
    told = f"{VERDICTS[example.verdict]}: {example.field}: {example.refused}"
    outcome: Any = found if not example.refused else told
    tables = f"tables: {{{example.tables}}}\n" if example.tables else ""
    return Shown(
        f"from: {{format: json}}\n{tables}fields: {{{example.field}: {{{place}{example.written}}}}}", body, [outcome],
        kind=example.kind, files=example.files,
    )  # fmt: skip


def compiled(text: str, kind: str, files: Any, folder: Path, more: dict[str, Any]) -> Any:
    """Load a mapping of which only `more` and `text` are written."""
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    file = folder / "m.yaml"
    file.write_text(text + "".join(f"\n{key}: {json.dumps(value)}" for key, value in more.items()), encoding="utf-8")
    return load(file)


def reads(example: Shown, folder: Path, *, exact: bool) -> None:
    named = yaml.safe_load(example.written)
    more = {"mapping": "t/m", "to": example.kind}
    head, _, fields = example.written.partition("fields:")
    filled = {
        n: one for n, one in NEEDED[example.kind].items() if n not in named["fields"] and n in NEEDED[example.kind]
    }
    if fields.startswith(" {"):
        text = f"{head}fields:{fields.rstrip()[:-1]}{''.join(f', {n}: {json.dumps(v)}' for n, v in filled.items())}}}"
    else:
        text = example.written + "".join(f"\n  {n}: {json.dumps(v)}" for n, v in filled.items())
    more = {key: value for key, value in more.items() if key not in named}
    if example.problem:
        with pytest.raises(ConfigError, match=re.escape(example.problem)):
            compiled(text, example.kind, example.files, folder, more)
        return
    mapping = compiled(text, example.kind, example.files, folder, more)
    assert isinstance(mapping, InboundMapping)
    body = example.body.encode(example.charset or "utf-8") if isinstance(example.body, str) else workbook(example.body)
    context = ReadContext(REGISTER, example.label or "page 1", PROCEDURES)
    if example.undecodable:
        with pytest.raises(UndecodableError, match=re.escape(example.undecodable)):
            read_all([mapping], body, None, context)
        return
    found = [told for row in read_all([mapping], body, None, context) for told in said(row, set(named["fields"]))]
    wanted = [one if isinstance(one, str) else dict(one) for one in example.gives]
    if not exact and isinstance(wanted[0], str):
        # What was expected is the reason's; a refusal says where the value stood and what it was beside that.
        assert re.fullmatch(re.escape(wanted[0]) + r" at [\w +]+ \(found .+\)", found[0])
    else:
        assert found == wanted


def said(row: Row, named: set[str]) -> Iterator[Any]:
    """A row as the page tells it."""
    if not isinstance(row, RowOk):
        for problem in row.error.problems:
            yield f"{VERDICTS[problem.verdict]}: {str(problem).removeprefix('t/m: ')}"
        return
    values = json.loads(row.record.to_json())
    if row.deleted:
        yield "deleted"
        return
    moved = row.renumbered
    if moved is None or moved.old != row.record.lane:
        yield {name: values.get(name) for name in sorted(named, key=list(KINDS[row.record.kind].model_fields).index)}
    if moved is not None:
        yield f"renumbered: {moved.old} to {moved.new}"


def record(kind: str, values: dict[str, Any]) -> Record:
    given = {name: value for name, value in (VALUES[kind] | values).items() if value is not None}
    return KINDS[kind].from_json(json.dumps(given).encode())


def writes(example: Tried | Written, folder: Path) -> None:
    more = {"mapping": "t/m", "from": {"record": example.kind}}
    if isinstance(example, Written):
        more = {key: value for key, value in more.items() if not re.search(rf"^{key}:", example.written, re.MULTILINE)}
        text, values, files = example.written, dict(example.values), {}
    else:
        tables = f"tables: {{{example.tables}}}\n" if example.tables else ""
        text = f"to: {{portal: json}}\n{tables}fields: {{X: {{field: {example.field}, {example.written}}}}}"
        values, files = {example.field: example.given}, dict(example.files)
    mapping = compiled(text, example.kind, files, folder, more)
    assert isinstance(mapping, OutboundMapping)
    if example.refused:
        with pytest.raises(RefusedRowError) as refused:
            mapping.render(record(example.kind, values), RenderContext(REGISTER, PROCEDURES))
        told = str(refused.value)
        assert example.refused in told
        if isinstance(example, Tried):
            assert f"at X (found {str(example.given)!r})" in told
        return
    payload = mapping.render(record(example.kind, values), RenderContext(REGISTER, PROCEDURES))
    if isinstance(example, Written):
        assert mapping.body(payload).decode() == example.body
    else:
        assert payload == {"X": example.becomes}


def test_the_page_is_what_the_code_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: hub schema reference docs/mapping-reference.md"


def names() -> dict[str, Entry]:
    return {entry.name: entry for _, entry in LISTED}


def shown_in(example: Example) -> str:
    return " ".join([example.written, *getattr(example, "files", {}).values()])


@pytest.mark.parametrize("name", names())
def test_every_construct_has_an_example_of_each_of_its_options(name: str) -> None:
    entry = names()[name]
    assert entry.examples
    assert entry.summary
    told = [shown_in(example) for example in entry.examples]
    lacking = [
        option.name
        for option in entry.options
        if not any(re.search(rf"(?<![\w.]){re.escape(option.name)}\b", one) for one in told)
    ]
    assert lacking == []


@pytest.mark.parametrize("name", CONVERTERS)
def test_every_converter_documents_the_options_that_it_asks_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = CONVERTERS[name].manual
    assert manual is not None, f"{name} says nothing of itself: give its Converter a `manual`"
    build = CONVERTERS[name].build
    asked = asked_by(monkeypatch, lambda: build(Marked({}, 1), setting()), also_contains=True)
    assert {option.name for option in manual.options} == asked
    refused = [example for example in manual.examples if isinstance(example, Tried) and example.refused]
    assert bool(refused) is not all(one.startswith("nothing") for one in manual.refuses)


def test_every_key_of_a_source_a_field_a_table_and_a_payload_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [entry for part, entry in LISTED if part != "Converters"]
    listed = {option.name for entry in others for option in entry.options}
    headings = {name for entry in others for name in re.findall(r"`(\w+)", entry.name)}
    of_converters = {option.name for part, entry in LISTED if part == "Converters" for option in entry.options}
    known = asked_by(monkeypatch, all_kinds_of_mappings) | set(COLUMNS)
    assert known - of_converters - set(CONVERTERS) - listed - headings == set()
    assert listed - known == set()


def asked_by(
    monkeypatch: pytest.MonkeyPatch, compiling: Callable[[], object], *, also_contains: bool = False
) -> set[str]:
    """The keys that the code looks for while it compiles something."""
    asked: set[str] = set()
    plain = Keys.get

    def get(keys: Keys, key: str) -> Marked | None:
        asked.add(key)
        return plain(keys, key)

    def contains(keys: Keys, key: str) -> bool:
        asked.add(key)
        return key in dict(keys)

    with monkeypatch.context() as patched:
        patched.setattr(Keys, "get", get)
        if also_contains:
            patched.setattr(Keys, "__contains__", contains)
        compiling()
    return asked


def setting() -> Setting:
    fields = targets(KINDS["dossier.v1"])
    problems = Problems("m.yaml")
    return Setting("in", "note", fields["note"], fields, True, True, {}, set(), "changed_at", problems)


def all_kinds_of_mappings() -> None:
    """Compile every example, whatever comes of it."""
    for _, entry in LISTED:
        for example in entry.examples:
            text = whole(example).written if isinstance(example, Tried) else example.written
            problems = Problems("m.yaml")
            more = "from: {record: dossier-step.v1}\n" if isinstance(example, Written) else "to: dossier-step.v1\n"
            node = parse(text if more[:5] in text else more + text, problems)
            if node is None:
                continue
            keys = Keys(node, "the mapping", problems)
            for name in ("mapping", "tables", "summary"):
                keys.get(name)
            source = keys.get("from")
            reading = source is not None and "record" not in cast(dict[str, Marked], source.value)
            compile_ = compile_inbound if reading else compile_outbound
            compile_(keys, "t/m", "", {}, problems, set())


REFUSED_ELSEWHERE = {
    "needs the row": "cannot happen: whoever compiles the field gives the row",
    "is no time, so": "cannot happen where the type is checked, but behind a function",
    "cannot be counted from": "a year that no calendar has: tests/unit/mappings/test_more_converters.py",
    "becomes what its field": "what functions give: tests/unit/mappings/test_more_converters.py",
    "becomes a time without": "as above",
    ", which no payload": "as above",
    "cannot be looked up": "a value that depends on one that is refused itself, which is then told",
}
"""How the reasons begin that stand in no example."""


def test_every_reason_for_which_a_converter_refuses_is_in_an_example() -> None:
    told = [example.refused for _, entry in LISTED for example in entry.examples if isinstance(example, Tried)]
    lacking = []
    for file in sorted(Path(converters.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("RefusalError", "MootError")):
                continue
            parts = [one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant)]
            words = max((part for part in parts if isinstance(part, str)), key=len, default="")
            known = any(words in one for one in told) or any(words.startswith(one) for one in REFUSED_ELSEWHERE)
            if words and not known:
                lacking.append(f"{file.name}:{node.lineno}: {words}")
    assert lacking == []
