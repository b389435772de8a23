"""`hub check` lists the codes that portals gave and no answer table knows, and never fails because of them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml
from typer.testing import CliRunner

from hub.answers import OTHERS, SeenCode, load_answers
from hub.check import check
from hub.cli import app
from hub.ledger import DestinationRules, Ledger
from hub.ledger.answer_codes import AnswerCode
from hub.unknown_codes import unknown_codes, warnings
from schemas.errors import Problem

DEMO = Path(__file__).parents[3] / "config" / "demo"
AT = datetime(2017, 3, 20, 1, 5, 9, tzinfo=UTC)


def code(code: str, text: str = "", call: str = "send", status: int = 200, count: int = 1) -> AnswerCode:
    return AnswerCode("national", call, status, code, text, count, AT, AT)


def told(*codes: AnswerCode) -> list[Problem]:
    return [*warnings(codes, {"national": load_answers("dvcqg")})]


def test_each_code_is_told_with_the_rule_to_add() -> None:
    (one,) = told(code('"17"', "Sai mã thủ tục", count=1234))
    assert one.rule == "answer-code-unknown"
    assert one.file.endswith("dvcqg.yaml")
    assert one.line > 1
    assert one.message == (
        'national answered code "17" with HTTP 200 to a send, which is not in its answer table, 1,234 times, '
        "the last on 20/03/2017 at 08:05:09: Sai mã thủ tục"
    )
    assert 'add to the rules: - {when: {status: 200, code: "17"}, is: …, say: …}' in one.mend


def test_the_rule_that_is_proposed_can_be_written() -> None:
    for one in (code('"17"'), code("17"), code("missing"), code("unreadable", status=500), code("x", call="log-in")):
        (problem,) = told(one)
        rule = yaml.safe_load(problem.mend.partition("add to the rules: ")[2].replace("…", "x"))[0]
        assert rule["when"]["status"] == one.status
        assert rule["when"].get("call") == (None if one.call == "send" else one.call)


def test_what_the_table_has_learnt_and_who_is_gone_is_not_told() -> None:
    assert told(code('"00"'), code("0"), code("missing", "Hồ sơ đã tồn tại")) == []
    assert [*warnings([code("17")], {})] == []
    (rest,) = told(code(OTHERS, call="", status=0, count=3))
    assert "other codes that are not in its answer table, 3 times" in rest.message


def ledger_with(url: str, seen: Sequence[SeenCode]) -> None:
    async def main() -> None:
        ledger = Ledger(url, {"national": DestinationRules()})
        await ledger.open(take_over=False)
        await ledger.saw_codes("national", seen)
        await ledger.close()

    asyncio.run(main())


def test_a_check_lists_them_where_there_is_a_ledger_and_stays_right(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    file, url = tmp_path / "demo" / "hub.yaml", f"sqlite:///{tmp_path / 'codes.db'}"
    overrides = {"ledger.url": url}
    before = asyncio.run(check(file, overrides, offline=True, ledger=True))
    assert not any(one.rule == "answer-code-unknown" for one in before.warnings), "there is no ledger yet"
    ledger_with(url, [SeenCode("send", 200, '"17"', "Sai", 3)])
    found = asyncio.run(check(file, overrides, offline=True, ledger=True))
    assert found.problems == before.problems
    assert [one.rule for one in found.warnings if one not in before.warnings] == ["answer-code-unknown"]
    unasked = asyncio.run(check(file, overrides, offline=True))
    assert unasked.warnings == before.warnings
    environment = {"HUB_LEDGER_URL": url}
    ran = CliRunner().invoke(app, ["check", str(file), "--offline", "--json"], env=environment)
    listed = [one for one in json.loads(ran.stdout)["warnings"] if one["rule"] == "answer-code-unknown"]
    assert [one["message"].partition(",")[0] for one in listed] == [
        'national answered code "17" with HTTP 200 to a send'
    ]


def test_a_ledger_that_is_none_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, and long enough to be read as one" * 100)
    for url in (
        f"sqlite:///{tmp_path / 'text.db'}",
        f"sqlite:///{tmp_path}",
        "nonsense",
        "postgresql+psycopg://x@[::1/",
    ):
        assert unknown_codes(url, {}, offline=True) == []
    assert unknown_codes("postgresql+psycopg://x@127.0.0.1:1/x", {}) == []
