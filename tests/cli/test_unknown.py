"""`hub unknown`: what is shown of outcomes that nobody knows, and what a person may say of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.ledger.read import open_reader
from hub.ledger.views import Event, Happened, UnknownDetail, UnknownOutcome
from tests.cli.conftest import NUMBER, at, dossier
from tests.contract.ledger.bench import Bench, sqlite_url, step
from tests.contract.ledger.bench import dossier as brought

STEP = f"{NUMBER}|2017-03-02T02:00:00Z|Trần Văn Sáu|4"
YOURS = UnknownOutcome(
    17, "national", "dossier-step.v1", STEP, 1, "H59.15", at(0), "its outcome is not known", "person", None, 0, 1,
    "event",
)  # fmt: skip
THEIRS = UnknownOutcome(
    18, "national", "dossier.v1", NUMBER, 2, "H59.15", at(60), "the portal cannot be asked: HTTP 500", "hub", at(90),
    3, 2, "new",
)  # fmt: skip


@pytest.fixture
def opened(reader: Any) -> Any:
    events = [Event(at(60), Happened.UNKNOWN, "answer about Nguyễn Thị Hồng Đào lost", 1, 18, "national")]
    reader.outcomes = [UnknownDetail(YOURS, None), UnknownDetail(THEIRS, dossier(), events, 2)]
    return reader


def test_they_are_listed_with_what_is_known_and_for_whom_they_wait(hub: Any, opened: Any) -> None:
    told = hub("unknown", "list").out
    assert "2 unknown outcomes, 1 waits for your word" in told
    assert "#17" in told
    assert "sent 02/03/2026 08:00:00 as event" in " ".join(told.split())
    assert "waits for your word: its outcome is not known" in told
    assert "sent 2 times, last 02/03/2026 08:01:00 as new" in " ".join(told.split())
    assert "the portal was asked 3 times in vain: the portal cannot be asked: HTTP 500" in " ".join(told.split())
    assert "Trần" not in told
    assert "Trần Văn Sáu" in hub("unknown", "list", "--reveal").out
    assert "#17" not in hub("unknown", "list", "--key", NUMBER).out
    assert "the oldest 1 unknown outcome, 1 waits" in hub("unknown", "list", "--limit", "1").out
    assert hub("unknown", "list", "--destination", "provincial").out == "no unknown outcomes\n"
    strange = hub("unknown", "list", "--destination", "nation")
    assert (strange.status, strange.out) == (1, "")
    assert "knows 'nation' [unknown-destination] — did you mean 'national'?" in strange.err
    assert hub("unknown", "discard", "--destination", "nation", "--why", "x").err == strange.err


def test_the_list_as_json(hub: Any, opened: Any) -> None:
    first, second = hub("unknown", "list", "--json").json["unknown"]
    assert first["key"] == f"{NUMBER}|2017-03-02T02:00:00Z|•••|4"
    assert (first["waits_for"], first["next_at"]) == ("person", None)
    assert (second["asked"], second["next_at"]) == (3, "2026-03-02T08:01:30+07:00")


def test_in_eighty_columns_no_line_is_longer(hub: Any, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (("list",), ("show", "18")):
        assert max(map(len, hub("unknown", *arguments).out.splitlines())) <= 80


def test_one_is_shown_with_its_record_and_what_to_do(hub: Any, opened: Any) -> None:
    ran = hub("unknown", "show", "18")
    told = " ".join(ran.out.split())
    assert f"record dossier.v1 {NUMBER}, revision 2" in told
    assert "behind it 2 of the same dossier" in told
    assert "answer about ••• lost" in told
    assert "Cấp giấy phép bưu chính" in told
    assert "if the portal has it: hub unknown delivered 18 --why TEXT" in told
    assert "Nguyễn" not in told
    assert "Nguyễn Thị Hồng Đào" in hub("unknown", "show", "18", "--reveal").out
    shown = hub("unknown", "show", "18", "--json").json
    assert (shown["followers"], shown["content"]["applicant_name"]) == (2, "•••")
    assert shown["events"][0]["why"] == "answer about ••• lost"
    assert "behind it" not in hub("unknown", "show", "17").out


def test_one_that_is_not_unknown_is_refused_with_the_mend(hub: Any, opened: Any) -> None:
    ran = hub("unknown", "show", "99")
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)
    assert "the outcome of #99 is not unknown [unknown-id] — `hub unknown list` has the numbers" in ran.err


# --- deciding, on a ledger


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """#1, #2 dossiers that the portal has; their steps #3, #4 wait for a person; #5, a create, for the hub itself."""
    url = sqlite_url(tmp_path / "hub.db")
    bench = Bench(url)
    bench.rule(resend_events=False)
    bench.deliver(bench.settle(brought("H59-1"), brought("H59-2")).tickets)
    bench.finish(bench.claim(bench.settle(step("H59-1", 1), step("H59-2", 1)).tickets), "unknown", due_s=0)
    bench.resolve()
    bench.finish(bench.claim(bench.settle(brought("H59-3")).tickets), "unknown", due_s=0)
    bench.close()
    return url


def states(url: str) -> list[str]:
    with open_reader(url) as reader:
        return [reader.trace(f"H59-{n}").dispatches[-1].state for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("verdict", "said", "state"),
    [
        ("resend", "to be sent again", "waiting"),
        ("delivered", "delivered", "delivered"),
        ("discard", "discarded", "discarded"),
    ],
)
def test_by_options_those_are_decided_that_wait_for_a_person(
    hub: Any, ledger: str, verdict: str, said: str, state: str
) -> None:
    ran = hub("unknown", verdict, "--destination", "n", "--why", "hỏi cổng", "--who", "lan", "--ledger", ledger)
    assert (ran.status, ran.out) == (0, f"2 shown = 2 {said} + 0 left as they are\n")
    assert states(ledger) == [state, state, "unknown"]
    again = hub("unknown", verdict, "--all", "--why", "hỏi cổng", "--ledger", ledger)
    assert again.status == 1
    assert "no such unknown outcome waits for a person's word [nothing-to-decide]" in again.err


def test_by_number_any_is_decided_and_what_is_known_by_then_is_named(hub: Any, ledger: str) -> None:
    ran = hub("unknown", "delivered", "5", "1", "99", "--why", "seen", "--ledger", ledger)
    assert ran.status == 1
    assert ran.out.splitlines() == [
        "3 shown = 1 delivered + 2 left as they are",
        "  #1 is delivered by now",
        "  #99 does not exist",
    ]
    assert states(ledger) == ["unknown", "unknown", "delivered"]
    ran = hub("unknown", "discard", "3", "5", "--why", "seen", "--ledger", ledger, "--json")
    assert (ran.status, ran.json) == (
        1,
        {"verdict": "discard", "decided": 1, "left": [{"dispatch_id": 5, "state": "delivered"}]},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("3",), "Missing option '--why'"),
        (("3", "--why", " "), "say why: --why 'the reason'"),
        (("--why", "x"), "say which: numbers, or --destination and --key, or --all"),
        (("3", "--all", "--why", "x"), "say which"),
    ],
)
def test_what_is_asked_wrongly_has_status_2(
    hub: Any, ledger: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ran = hub("unknown", "resend", *arguments, "--ledger", ledger)
    assert ran.status == 2
    assert said in ran.err
    assert states(ledger) == ["unknown"] * 3


def test_the_oldest_are_told_from_all(hub: Any, opened: Any) -> None:
    opened.outcomes = [UnknownDetail(replace(THEIRS, dispatch_id=n), None) for n in range(3)]
    assert "3 unknown outcomes, 0 wait for your word" in hub("unknown", "list").out


@pytest.mark.parametrize("command", [("dead", "show"), ("dead", "replay"), ("dead", "correct"), ("unknown", "show")])
def test_what_is_no_number_is_told_with_where_the_numbers_are(
    hub: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ran = hub(*command, "x")
    assert ran.status == 2
    assert f"'x' is no number; `hub {command[0]} list` has the numbers" in ran.err
