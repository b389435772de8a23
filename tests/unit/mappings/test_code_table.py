"""Code tables in CSV files: how they are read, what is wrong with them, and which code counts on which day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import InboundMapping, OutboundMapping, ReadContext, RefusedRowError, RenderContext, RowOk, read_all
from mappings.catalogue import load
from mappings.code_table import from_csv
from mappings.notation import Problems
from schemas import DossierStep
from schemas.codes import DossierStatus
from schemas.errors import ConfigError

MAPPING = """
mapping: t/steps
from: {format: csv}
to: dossier-step.v1
tables: {status: tables/status.csv}
fields:
  number: SO
  at: {path: LUC, date: iso}
  person: {const: An}
  content: {const: x}
  status: {path: TT, table: %s}
"""
TABLE = """word,code,from,until,note
Đang,4,,,
Chờ,5,,30/06/2020,"theo quy trình cũ, khoản 2"

Chờ,6,2020-07-01,2025-06-30,
"""


def write(folder: Path, table: bytes, how: str = "status", mapping: str = MAPPING) -> Path:
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables/status.csv").write_bytes(table)
    path = folder / "steps.yaml"
    path.write_text(mapping % how, encoding="utf-8")
    return path


def statuses(folder: Path, context: ReadContext, rows: list[tuple[str, str]], how: str = "status") -> list[Any]:
    mapping = load(write(folder, TABLE.encode(), how))
    assert isinstance(mapping, InboundMapping)
    body = "SO,LUC,TT\n" + "".join(f"H-{number},{at},{word}\n" for number, (at, word) in enumerate(rows))
    found: list[Any] = []
    for row in read_all([mapping], body.encode(), None, context):
        if isinstance(row, RowOk):
            assert isinstance(row.record, DossierStep)
            found.append(int(row.record.status))
        else:
            found.append([(p.field, p.reason, p.verdict) for p in row.error.problems])
    return found


def test_the_code_of_the_day_of_the_event_counts(tmp_path: Path, context: ReadContext) -> None:
    rows = [
        ("2020-06-30T16:59:59Z", "Chờ"),
        ("2020-06-30T17:00:00Z", "Chờ"),
        ("2025-06-30T16:59:59Z", "Chờ"),
        ("1999-01-01T00:00:00Z", "Đang"),
        ("2025-06-30T17:00:00Z", "Chờ"),
        ("2020-01-01T00:00:00Z", "Cho"),
        ("31/12/2020", "Chờ"),
    ]
    *right, late, unknown, without = statuses(tmp_path, context, rows)
    assert right == [5, 6, 6, 4]
    assert late == [("status", "is in the table 'status', but not on 2025-07-01", "park")]
    assert unknown == [("status", "is not in the table 'status'; near: 'Chờ'", "park")]
    assert [field for field, _, _ in without] == ["at"]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("{name: status, else: 1}", 1),
        ("{name: status, unknown: reject}", [("status", "is in the table 'status', but not on 2025-07-01", "reject")]),
        ("{name: status, unknown: none}", [("status", "is required and empty", "reject")]),
    ],
)
def test_a_word_out_of_its_days_is_an_unknown_one(tmp_path: Path, context: ReadContext, how: str, found: Any) -> None:
    assert statuses(tmp_path, context, [("2025-06-30T17:00:00Z", "Chờ")], how) == [found]


@pytest.mark.parametrize(
    "table", [TABLE, TABLE.replace(",", ";"), TABLE.replace(",", "\t"), TABLE.replace("\n", "\r\n")]
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_it_is_read_as_spreadsheets_save_it(tmp_path: Path, table: str, bom: bytes) -> None:
    text = table.replace('"theo quy trình cũ; khoản 2"', "x")
    load(write(tmp_path, bom + text.encode()))


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ("word,code\na,4\nb,5\na,6\n", 4, r"has the word 'a' twice: line 2 always, here always"),
        (
            "word,code,from,until\na,4,,2020-06-30\na,5,2020-06-30,\n",
            3,
            "line 2 until 2020-06-30, here from 2020-06-30",
        ),
        ("word,code\na,44\n", 2, "status has no code '44'"),
        ("word,code\na,4\n,5\n", 3, "the word is empty"),
        ("word,code\na,\n", 2, "the code is empty"),
        ("word,from\na,2020-01-01\n", 1, "lacks the column code"),
        ("tu,ma\na,4\n", 1, "lacks the column word and code"),
        ("word,code,form\na,4,\n", 1, r"has a column 'form' \[csv\] — did you mean 'from'\?"),
        ("word,code,code\na,4,5\n", 1, "has the column 'code' twice"),
        ("word,code,\na,4,\n", 1, "a column has no name"),
        ("word,code\na,4,5\n", 2, "the line has 3 cells, the header 2"),
        ("word,code,from\na,4,2020-02-30\n", 2, "'2020-02-30' is no day"),
        ("word,code,from\na,4,31/02/2020\n", 2, "'31/02/2020' is no day"),
        ("word,code,from,until\na,4,2020-02-01,2020-01-01\n", 2, "2020-02-01 is after 2020-01-01"),
        ('word,code\n"a,4\n', 2, "is no CSV here"),
        ("", 1, "is empty"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_line(tmp_path: Path, table: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"status\.csv:{line}: .*{said}"):
        load(write(tmp_path, table.encode()))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"status\.csv:2: is not UTF-8"):
        load(write(tmp_path, "word,code\nĐang,4\n".encode("windows-1258", "replace") + b"\xff"))


def test_the_day_has_to_be_a_time_of_the_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'person' is no time of the record"):
        load(write(tmp_path, TABLE.encode(), "{name: status, on: person}"))


def test_the_wrong_code_of_a_yaml_file_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/status.yaml").write_text("a: 4\nb: 44\n", encoding="utf-8")
    path = tmp_path / "steps.yaml"
    path.write_text((MAPPING % "status").replace("status.csv", "status.yaml"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"status\.yaml:2: status has no code 44"):
        load(path)


WRITING = """
mapping: t/out
from: {record: dossier-step.v1}
to: {portal: json}
tables: {status: tables/status.csv}
fields:
  TrangThai: {field: status, table: %s}
"""


def test_codes_to_write_have_days_as_well(tmp_path: Path, portal: RenderContext) -> None:
    table = b"word,code,from,until\n4,cu,,2017-12-31\n4,moi,2018-01-01,2018-12-31\n"
    mapping = load(write(tmp_path, table, "{name: status, else: khac}", WRITING))
    strict = load(write(tmp_path, table, "{name: status, unknown: keep}", WRITING))
    assert isinstance(mapping, OutboundMapping)
    assert isinstance(strict, OutboundMapping)
    for year, code in ((2017, "cu"), (2018, "moi"), (2019, "khac")):
        at = datetime(year, 5, 1, tzinfo=UTC)
        record = DossierStep(number="1", at=at, person="B", content="x", status=DossierStatus.IN_PROGRESS)
        payload = {"TrangThai": code}
        assert mapping.render(record, portal) == mapping.render_body(record.to_json(), portal) == payload
    with pytest.raises(ConfigError, match="says nothing of status"):
        load(write(tmp_path, table, "status", WRITING))
    with pytest.raises(ConfigError, match=r"status\.csv:2: status has no code '11'"):
        load(write(tmp_path, b"word,code\n11,x\n", "{name: status, else: y}", WRITING))


def test_what_cannot_be_written_on_a_day_is_refused(tmp_path: Path, portal: RenderContext) -> None:
    rows = "".join(f"{status},x,,2017-12-31\n" for status in map(int, DossierStatus))
    mapping = load(write(tmp_path, f"word,code,from,until\n{rows}".encode(), "status", WRITING))
    assert isinstance(mapping, OutboundMapping)
    at = datetime(2018, 5, 1, tzinfo=UTC)
    record = DossierStep(number="1", at=at, person="B", content="x", status=DossierStatus.IN_PROGRESS)
    with pytest.raises(RefusedRowError, match="is in the table 'status', but not on 2018-05-01"):
        mapping.render_body(record.to_json(), portal)


@given(st.text(st.sampled_from('wordce,;\t"\n\r\0 0123456789-/\ufeffạ'), max_size=60), st.booleans())
def test_every_text_is_a_table_or_a_problem_with_a_line(text: str, headed: bool) -> None:
    problems = Problems("t.csv")
    found = from_csv(f"word,code,from,until\n{text}" if headed else text, "t", problems)
    assert all(problem.line for problem in problems.found)
    assert all(len(set(spans)) == len(spans) for spans in found.dated.values())
    assert all(span.first <= span.last for spans in found.dated.values() for span in spans)
