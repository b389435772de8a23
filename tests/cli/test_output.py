"""Times, spans, JSON and one-line errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import typer

from hub.cli.output import clock, fail, guarded, lasted, moment, print_json, progress
from schemas.codes import DossierStatus
from schemas.errors import ConfigError, LedgerFault, Problem

AT = datetime(2017, 12, 31, 18, 30, 1, 250_999, UTC)


def test_times_are_those_of_viet_nam() -> None:
    assert moment(AT) == "01/01/2018 01:30:01"
    assert clock(AT) == "01:30:01.250"
    assert moment(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0351, "35 ms"),
        (4.25, "4.2 s"),
        (725, "12 min"),
        (11_100, "3 h 05 min"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_spans_have_the_unit_that_suits_them(seconds: float, expected: str) -> None:
    assert lasted(timedelta(seconds=seconds)) == expected


@dataclass(frozen=True)
class Sample:
    at: datetime
    day: date
    status: DossierStatus
    path: Path
    raw: bytes
    inside: tuple[int, ...]


def test_json_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"một": Sample(AT, AT.date(), DossierStatus.FILED, Path("a/b"), b"\xc4\x91", (1, 2))})
    out = capsys.readouterr().out
    for said in ('"một"', '"2018-01-01T01:30:01.250999+07:00"', '"2017-12-31"', '"status": 1', '"a/b"', '"đ"'):
        assert said in out


def test_each_problem_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("a", "wrong", "mend it", "hub.yaml", 3), Problem("b", "also wrong")]
    with pytest.raises(typer.Exit) as ended:
        fail(ConfigError(problems))
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "error: hub.yaml:3: wrong [a] — mend it\nerror: also wrong [b]\n"


def test_a_fault_of_the_other_side_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def command(*, as_json: bool) -> None:
        raise LedgerFault("nobody answers")

    with pytest.raises(typer.Exit):
        command(as_json=True)
    captured = capsys.readouterr()
    assert captured.err == "error: nobody answers [ledger-fault]\n"
    assert '"ok": false' in captured.out


def test_a_defect_keeps_its_traceback() -> None:
    @guarded
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_without_a_terminal_there_is_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading") as steps:
        steps.say("half", 1, 2)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_on_a_terminal_there_is_one_after_a_moment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("hub.cli.output._PATIENCE_S", 3600)
    with progress("reading") as steps:
        steps.say("half", 1, 2)
    assert capsys.readouterr().out == ""
