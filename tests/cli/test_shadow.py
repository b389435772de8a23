"""`hub shadow` on a real ledger: what a changed mapping would make otherwise of what was recorded."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.ledger import tables as t
from tests.cli.test_items import CONFIG, DATES, HEADER, KNOWN, MISSING, NAME, Office, row


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.delenv("HUB_LEDGER_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    made = Office(tmp_path)
    made.drop(row("A-1"), row("A-2"), row("A-3", agency="000.00.31.H59"), row("A-4", received="01/03/2017"))
    return made


@pytest.fixture
def changed(office: Office) -> Callable[[str, str], str]:
    """Write a copy of the office's mapping in which something is otherwise, and name it."""

    def change(was: str, now: str) -> str:
        text = (office.folder / "mappings/mine/dossier.yaml").read_text(encoding="utf-8")
        assert was in text
        (office.folder / "new").mkdir(exist_ok=True)
        shutil.copytree(office.folder / "mappings/mine/tables", office.folder / "new/tables", dirs_exist_ok=True)
        (office.folder / "new/dossier.yaml").write_text(text.replace(was, now), encoding="utf-8")
        return "new/dossier.yaml"

    return change


def kind(told: Any) -> Any:
    return told["kinds"]["dossier.v1"]


def counts(told: Any) -> dict[str, int]:
    return {name: number for name, number in kind(told)["rows"].items() if number}


def test_the_same_mapping_differs_in_nothing(office: Office, hub: Any) -> None:
    ran = hub("shadow", "mine/dossier", "mine/dossier", "--fail-on-difference")
    assert (ran.status, ran.err) == (0, "")
    assert "dossier.v1  4 rows: 2 the same, 2 refused by both" in ran.out
    assert ran.out.endswith("nothing differs\n")


def test_changed_values_are_counted_by_field_with_examples(hub: Any, changed: Any) -> None:
    new = changed("procedure_name: TEN_TTHC", "procedure_name: {path: TEN_TTHC, text: {case: upper}}")
    ran = hub("shadow", "mine/dossier", new)
    assert ran.status == 0
    assert "2 changed, 2 refused by both" in ran.out
    assert "'Đăng ký khai sinh' → 'ĐĂNG KÝ KHAI SINH'  (1.0.0)" in ran.out
    told = hub("shadow", "mine/dossier", new, "--json", "--fail-on-difference")
    assert told.status == 1
    assert counts(told.json) == {"changed": 2, "refused": 2}
    assert kind(told.json)["fields"]["procedure_name"]["changed"] == 2
    assert (told.json["sources"], told.json["pages"], told.json["differs"]) == (["cau-ngang"], 1, True)


def test_personal_values_are_masked_unless_asked_for(hub: Any, changed: Any) -> None:
    new = changed("applicant_name: HO_TEN", "applicant_name: {path: HO_TEN, text: {case: upper}}")
    for options in ((), ("--json",)):
        ran = hub("shadow", "mine/dossier", new, *options)
        assert "•••" in ran.out
        assert NAME not in ran.out
        assert NAME in hub("shadow", "mine/dossier", new, *options, "--reveal").out


def test_what_is_newly_refused_and_accepted_is_told_with_its_reasons(hub: Any, changed: Any) -> None:
    new = changed(
        "received_at: {path: NGAY_TIEP_NHAN, " + DATES, "received_at: {path: NGAY_TIEP_NHAN, date: dd/MM/yyyy"
    )
    ran = hub("shadow", "mine/dossier", new)
    assert "2 newly refused, 1 newly accepted, 1 refused for another reason" in ran.out
    assert "received_at: is no date written as dd/MM/yyyy" in ran.out
    assert "1.0.0  A-1 (found '20170301083000')" in ran.out
    told = hub("shadow", "mine/dossier", new, "--json").json
    assert counts(told) == {"newly-refused": 2, "newly-accepted": 1, "refused-otherwise": 1}
    [reason] = kind(told)["reasons"]["newly-accepted"]
    assert (reason["field"], reason["count"]) == ("received_at", 1)


def test_another_key_is_said_loudly(hub: Any, changed: Any) -> None:
    new = changed("number: {path: SO_HO_SO, required: true}", "number: {join: {parts: [SO_HO_SO, MUC_DO], with: /}}")
    ran = hub("shadow", "mine/dossier", new)
    assert "THE KEY CHANGES of 2 rows: every portal would take it for a new one" in ran.out
    assert "1.0.0  A-1 → A-1/2" in ran.out
    told = hub("shadow", "mine/dossier", new, "--json").json
    assert counts(told) == {"key-changed": 2, "refused": 2}
    assert kind(told)["keys"][0] == {"row": "1.0.0", "old": "A-1", "new": "A-1/2"}


def test_a_page_that_can_no_longer_be_read_is_said_loudly(hub: Any, changed: Any) -> None:
    new = changed("applicant_name: HO_TEN", "applicant_name: TEN_KHAC")
    ran = hub("shadow", "mine/dossier", new)
    assert "UNREADABLE NOW  1 page (1): the header lacks TEN_KHAC" in ran.out
    assert counts(hub("shadow", "mine/dossier", new, "--json").json) == {"newly-refused": 2, "refused": 2}
    back = hub("shadow", new, "mine/dossier", "--json").json
    assert (back["newly_readable"], counts(back)) == (1, {"newly-accepted": 2, "refused": 2})


def test_two_configurations_are_compared_with_their_registers(office: Office, hub: Any, tmp_path: Path) -> None:
    shutil.copytree(office.folder / "mappings", tmp_path / "next" / "mappings")
    (tmp_path / "next/hub.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "next/agencies.yaml").write_text(KNOWN + MISSING, encoding="utf-8")
    told = hub("shadow", ".", "next", "--json")
    assert told.status == 0, told.err
    assert counts(told.json) == {"same": 2, "newly-accepted": 1, "refused": 1}
    (tmp_path / "next/hub.yaml").write_text(CONFIG.replace("cau-ngang:", "duyen-hai:"), encoding="utf-8")
    other = hub("shadow", ".", "next")
    assert "the source cau-ngang is in . only" in other.err
    assert "0 pages of no source" in other.out
    assert hub("shadow", ".", "next", "--source", "cau-ngang").status == 1


def test_the_same_page_counts_once_and_the_newest_go_first(office: Office, hub: Any) -> None:
    office.drop(row("A-1"), row("A-2"), row("A-3", agency="000.00.31.H59"), row("A-4", received="01/03/2017"))
    office.drop(row("B-1"), label="hoso-0002.csv")
    told = hub("shadow", "mine/dossier", "mine/dossier", "--json").json
    assert (told["pages"], told["repeats"], told["rows"]) == (2, 1, 5)
    told = hub("shadow", "mine/dossier", "mine/dossier", "--limit", "1", "--json").json
    assert (told["pages"], told["rows"]) == (1, 1)
    assert hub("shadow", "mine/dossier", "mine/dossier", "--since", "2199-01-01", "--json").json["pages"] == 0
    assert hub("shadow", "mine/dossier", "mine/dossier", "--since", "1h", "--json").json["pages"] == 2


def test_what_retention_has_pruned_is_said(office: Office, hub: Any) -> None:
    async def prune() -> None:
        async with office.ledger():
            engine = sa.create_engine(office.url)
            with engine.begin() as connection:
                connection.execute(sa.update(t.arrival).values(body=None))
            engine.dispose()

    asyncio.run(prune())
    assert "1 page left out: retention has pruned the bytes" in hub("shadow", "mine/dossier", "mine/dossier").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mine/dossier", "mine/dosier"), "did you mean 'mine/dossier'?"),
        (("mine/dossier", "one-stop-csv/step"), "mine/dossier makes dossier.v1, and one-stop-csv/step makes"),
        (("mine/dossier", "lgsp/dossier"), "leads from a record to a portal"),
        (("mine/dossier", "mappings"), "is a folder, the other is none"),
        (("mine/dossier", "mine/dossier", "--source", "cau-ngan"), "did you mean 'cau-ngang'?"),
        (("mine/dossier", "mine/dossier", "--ledger", "sqlite:///none.db"), "there is no ledger here yet"),
    ],
)
def test_what_cannot_be_compared_is_one_line(office: Office, hub: Any, arguments: tuple[str, ...], said: str) -> None:
    ran = hub("shadow", *arguments)
    assert ran.status == 1
    [line] = ran.err.splitlines()
    assert said in line


def test_a_mapping_that_no_source_names_is_for_the_only_source_there_is(office: Office, hub: Any) -> None:
    ran = hub("shadow", "one-stop-csv/dossier", "mine/dossier", "--json")
    assert ran.json["sources"] == ["cau-ngang"]
    assert HEADER not in ran.out
