"""The reference of the mapping language: every construct is in it, and every example on it is true."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from mappings import InboundMapping, OutboundMapping, ReadContext, RefusedRowError, RenderContext, Row, RowOk, read_all
from mappings.catalogue import load
from mappings.converters import CONVERTERS
from mappings.manual import Entry, Example, Shown, Tried, Written
from mappings.notation import Keys
from mappings.reference import entries, page
from schemas.agency import AgencyRegister
from schemas.errors import ConfigError, UndecodableError
from schemas.record import KINDS, Record
from tests.support.workbook import workbook

PAGE = Path(__file__).parents[3] / "docs" / "mapping-reference.md"
REGISTER = AgencyRegister.from_rows(
    [{"code": "H59.12", "name": "Sở Tư pháp", "level": "province", "aliases": ["000.00.12.H59"]}]
)
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
MOMENTS = "from datetime import UTC, datetime\n\n\ndef moment(value, scope):\n    return datetime(2017, 3, 20, 1, 5, tzinfo=UTC)\n"
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
    filled = {n: one for n, one in NEEDED[example.kind].items() if n not in named["fields"] and n in NEEDED[example.kind]}
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
    context = ReadContext(REGISTER, example.label or "page 1")
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
            mapping.render(record(example.kind, values), RenderContext(REGISTER))
        told = str(refused.value)
        assert example.refused in told
        if isinstance(example, Tried):
            assert f"at X (found {str(example.given)!r})" in told
        return
    payload = mapping.render(record(example.kind, values), RenderContext(REGISTER))
    if isinstance(example, Written):
        assert mapping.body(payload).decode() == example.body
    else:
        assert payload == {"X": example.becomes}


def test_the_page_is_what_the_code_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: hub schema reference docs/mapping-reference.md"
