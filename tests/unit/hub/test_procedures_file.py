"""The file of procedures: YAML or CSV, every problem with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hub.procedures_file import read_procedures
from schemas.errors import ConfigError

HEADER = "code;name;field_code;aliases;valid_to;successor"
ROWS = "1.001193.H59;Khai sinh;HT;1.001193.000.00.00.H59 KS;2025-06-30;1.001193.H61\n\n1.001193.H61;Khai sinh;HT;;;"


@pytest.mark.parametrize("sign", [";", ",", "\t"])
def test_a_spreadsheet_is_read_as_it_is_saved(tmp_path: Path, sign: str) -> None:
    file = tmp_path / "procedures.csv"
    file.write_text(f"{HEADER}\n{ROWS}".replace(";", sign), encoding="utf-8-sig")
    found = read_procedures(file)
    assert len(found) == 2
    one = found.resolve("KS", date(2025, 6, 30))
    assert (one.code, one.field_code, one.successor) == ("1.001193.H59", "HT", "1.001193.H61")


def test_yaml_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "procedures.yaml"
    file.write_text(
        "- {code: 1.001193.H59, name: Khai sinh, aliases: [KS], valid_to: 2025-06-30}\n", encoding="utf-8"
    )  # fmt: skip
    assert read_procedures(file).resolve("ks", date(2025, 6, 30)).name == "Khai sinh"


@pytest.mark.parametrize(
    ("name", "text", "line", "rule", "said"),
    [
        ("p.csv", "code;nmae\n1;A", 1, "unknown-key", "procedures have no column 'nmae'"),
        ("p.csv", "code;name\n1;A\n\n2;", 4, "missing-key", "name is missing"),
        ("p.csv", "code;name;valid_to\n1;A;30/06/2025", 2, "wrong-value", "should be a day like 2025-07-01"),
        ("p.csv", "code;name\n1;A\n2;B\n1;C", 4, "procedure-twice", "in two rows at one time"),
        ("p.yaml", "code: 1\n", 1, "wrong-value", "does not hold a list of procedures"),
        ("p.yaml", "- {code: '1', name: A}\n- {code: '1', name: B}\n", 2, "procedure-twice", "in two rows at one time"),
        ("p.yaml", "- {code: '1', name: A, valid_from: 2025-01-02, valid_to: 2025-01-01}\n", 1, "procedure-days",
         "is valid on no day"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, name: str, text: str, line: int, rule: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_procedures(file)
    [problem] = caught.value.problems
    assert (problem.file, problem.line, problem.rule) == (str(file), line, rule)
    assert said in problem.message


@pytest.mark.parametrize(("content", "rule"), [(None, "unreadable-file"), (b"code;name\n1;\xff", "not-utf8")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, rule: str) -> None:
    file = tmp_path / "p.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_procedures(file)
    assert caught.value.problems[0].rule == rule
