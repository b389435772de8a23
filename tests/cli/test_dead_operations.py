"""`hub dead replay|discard|correct` on a real ledger and configuration, with no hub running."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.cli import dead_operations, operating
from tests.cli.conftest import Hub
from tests.cli.dead_world import BODIES, CSV_HEADER, CSV_ROW, NAME, NUMBERS, World

WHY = ("--why", "đã sửa danh mục")


def many(count: int) -> bytes:
    """A file of so many dossiers."""
    rows = [CSV_ROW.replace(NUMBERS["csv"], f"{NUMBERS['csv']}-{n}") for n in range(count)]
    return "\n".join([CSV_HEADER, *rows]).encode()


def states(world: World) -> list[str]:
    return [row.state for row in world.ask("SELECT state FROM dispatch ORDER BY id")]


def deeds(world: World) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in world.ask("SELECT who, what, subject, why, count FROM operation ORDER BY id")]


# --- replay


def test_a_replay_says_what_became_of_each_and_names_the_superseded(hub: Hub, world: World) -> None:
    ids = world.refuse(world.read("csv", many(4)))
    world.change("UPDATE dispatch SET possibly_twice = 0")
    newer = CSV_ROW.replace(NUMBERS["csv"], f"{NUMBERS['csv']}-2").replace("20170302090000", "20170302100000")
    (delivered,) = world.refuse(world.read("csv", f"{CSV_HEADER}\n{newer}".encode()), fault="data")
    # As when a newer revision was delivered while the old one was dying elsewhere.
    world.change(f"UPDATE dispatch SET state = 'delivered', phase = 3 WHERE id = {delivered}")
    ran = hub("dead", "replay", "--code", "17", "--per-s", "0", *WHY)
    assert ran.status == 0
    assert "4 shown = 3 enqueued + 1 superseded\n" in ran.out
    assert f"#{ids[2]} is superseded by #{delivered}" in ran.out
    assert states(world) == ["waiting", "waiting", "superseded", "waiting", "delivered"]
    assert deeds(world) == [("lan", "replay", "4 dead letters at provincial", "đã sửa danh mục", 4)]


def test_3418_dead_letters_of_which_18_were_overtaken(hub: Hub, world: World) -> None:
    """3,400 go again, and each of the 18 is named with the newer one that the portal has."""
    ids = [ticket.dispatch_id for ticket in world.read("csv", many(3418))]
    world.change("UPDATE dispatch SET state = 'dead', phase = 2, ended_us = 1")
    world.change("UPDATE lane SET dead = 1")
    old = range(0, 3418, 190)
    rows = [CSV_ROW.replace(NUMBERS["csv"], f"{NUMBERS['csv']}-{n}").replace("0302090000", "0302100000") for n in old]
    newer = world.read("csv", "\n".join([CSV_HEADER, *rows]).encode())
    world.change(f"UPDATE dispatch SET state = 'delivered', phase = 3 WHERE id > {ids[-1]}")
    ran = hub("dead", "replay", "--destination", "provincial", "--per-s", "0", *WHY)
    assert ran.status == 0, ran.err
    first, *named = ran.out.splitlines()
    assert first == "3,418 shown = 3,400 enqueued + 18 superseded"
    assert [line.split(":")[0].split() for line in named] == [
        [f"#{ids[n]}", "is", "superseded", "by", f"#{ticket.dispatch_id}"] for n, ticket in zip(old, newer, strict=True)
    ]
    assert sum(deed[-1] for deed in deeds(world)) == 3418


def test_on_postgresql_the_ledger_is_written_to_directly(
    hub: Hub, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_url)
    monkeypatch.setenv("HUB_CONFIG", str(world.file))
    first, second, third = world.die("soap"), world.die("rest"), world.die("csv")
    assert hub("dead", "replay", str(first)).out == "1 shown = 1 enqueued + 0 superseded\n"
    assert hub("dead", "discard", str(second), *WHY).status == 0
    assert hub("dead", "correct", str(third), "--set", "status=5", *WHY).status == 0
    assert hub("dead", "list", "--text", "mã", "--json").json["total"] == 0
    assert [deed[1] for deed in deeds(world)] == ["replay", "discard", "correct"]
    world.close()


def test_replay_as_json(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    ran = hub("dead", "replay", str(id_), str(id_), "--json")
    nothing = {"shown": 1, "enqueued": 1, "superseded": [], "pruned": [], "gone": 0, "left": 0}
    assert (ran.status, ran.json) == (0, nothing)
    again = hub("dead", "replay", "--all", "--json")
    assert (again.status, again.json["shown"]) == (0, 0)


def test_a_filter_that_finds_nothing_replays_nothing(hub: Hub, world: World) -> None:
    world.die("csv")
    assert "0 shown = 0 enqueued + 0 superseded" in hub("dead", "replay", "--fault", "poison").out
    assert "0 dead letters discarded" in hub("dead", "discard", "--fault", "poison", *WHY).out
    assert states(world) == ["dead"]
    assert deeds(world) == []


@pytest.mark.parametrize("command", [("replay",), ("discard", *WHY), ("correct", *WHY, "--set", "note=a")])
def test_a_number_that_is_none_stops_all_before_it_begins(hub: Hub, world: World, command: Sequence[str]) -> None:
    id_ = world.die("csv")
    world.refuse(world.read("rest"), "delivered", fault="")
    extra = () if command[0] == "correct" else (str(id_),)
    for number, said in (
        ("99", "there is no dead letter #99"),
        (str(2**63), f"there is no dead letter #{2**63}"),
        ("0", "there is no dead letter #0"),
        ("2", "#2 is delivered, not dead"),
    ):
        for as_json in ((), ("--json",)):
            ran = hub("dead", command[0], number, *extra, *command[1:], *as_json)
            assert (ran.status, said in ran.err) == (1, True), ran.err
    assert states(world) == ["dead", "delivered"]


@pytest.mark.parametrize("command", ["replay", "discard"])
@pytest.mark.parametrize("arguments", [(), ("17", "--all"), ("17", "--code", "12"), ("--limit", "3")])
def test_it_must_be_told_which(hub: Hub, world: World, command: str, arguments: tuple[str, ...]) -> None:
    world.die("csv")
    ran = hub("dead", command, *arguments, *WHY)
    assert (ran.status, "say which" in ran.err) == (2, True)


def test_what_the_portal_may_have_is_asked_about_before_anything_is_done(
    hub: Hub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = world.die("csv", fault="unknown", text="the connection broke")
    for as_json in ((), ("--json",)):
        refused = hub("dead", "replay", "--all", *as_json)
        assert refused.status == 1
        assert "1 of them may have been taken by the portal already" in refused.err
        assert "--yes" in refused.err
    assert states(world) == ["dead"]

    asked: list[str] = []
    answers = iter([False, True])

    def confirm(text: str) -> bool:
        asked.append(text)
        return next(answers)

    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr(dead_operations, "sys", type("sys", (), {"stdin": Terminal}))
    assert hub("dead", "replay", str(id_)).status == 1
    assert states(world) == ["dead"]
    assert hub("dead", "replay", str(id_)).status == 0
    assert len(asked) == 2
    assert states(world) == ["waiting"]


def test_with_yes_it_is_sent_unasked(hub: Hub, world: World) -> None:
    world.die("csv", fault="poison")
    assert hub("dead", "replay", "--all", "--yes").status == 0
    assert states(world) == ["waiting"]


def test_what_was_pruned_is_named_and_the_exit_status_says_so(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    world.change("UPDATE arrival SET records = NULL")
    ran = hub("dead", "replay", str(id_))
    assert ran.status == 1
    assert "0 shown = 0 enqueued + 0 superseded" in ran.out
    assert f"#{id_} was not shown: its record has been pruned" in ran.out
    refused = hub("dead", "correct", str(id_), "--set", "note=a", *WHY)
    assert (refused.status, "has been pruned" in refused.err) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_batch_under_way(
    hub: Hub, world: World, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    world.refuse(world.read("csv", many(7)))
    perform = operating.perform
    batches = 0

    def told(*args: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2:
            os.kill(os.getpid(), number)
        return perform(*args)

    monkeypatch.setattr(dead_operations, "perform", told)
    before = signal.getsignal(number)
    ran = hub("dead", "replay", "--all", "--per-s", "3", "--json")
    assert signal.getsignal(number) is before
    assert ran.status == 1
    assert (ran.json["shown"], ran.json["left"]) == (6, 1)
    assert "stopped: 6 are done, 1 is left" in ran.err
    assert states(world) == ["waiting"] * 6 + ["dead"]


def test_a_failure_in_the_middle_says_what_was_done_before_it(
    hub: Hub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas.errors import LedgerFault

    world.refuse(world.read("csv", many(4)))
    perform = operating.perform
    batches = 0

    def failing(*args: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise LedgerFault("the database is away")
        return perform(*args)

    monkeypatch.setattr(dead_operations, "perform", failing)
    monkeypatch.setattr(dead_operations, "AT_ONCE", 3)
    ran = hub("dead", "discard", "--all", *WHY)
    assert ran.status == 1
    assert "3 of 4 were done before this" in ran.err
    assert "the database is away" in ran.err
    assert states(world).count("discarded") == 3


# --- discard


def test_a_discard_needs_a_reason_and_releases_what_waits(hub: Hub, world: World) -> None:
    id_ = world.die("soap")
    for why in ((), ("--why", "  ")):
        ran = hub("dead", "discard", str(id_), *why)
        assert (ran.status, "say why" in ran.err) == (2, True)
    assert states(world) == ["dead", "waiting"]
    ran = hub("dead", "discard", str(id_), "--why", "nhập tay tại cổng", "--who", "minh")
    assert (ran.status, ran.out) == (0, "1 dead letter discarded; 1 that waited behind goes now\n")
    assert deeds(world) == [("minh", "discard", f"#{id_} at provincial", "nhập tay tại cổng", 1)]
    trace = hub("trace", NUMBERS["soap"])
    assert "by minh: nhập tay tại cổng" in trace.out
    again = hub("dead", "discard", str(id_), *WHY, "--json")
    assert (again.status, "is discarded, not dead" in again.err) == (1, True)


# --- correct


def test_a_correction_is_a_revision_of_its_own_with_who_and_why(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    values = ("--set", "status=9", "--set", "finished_at=08/03/2017 10:00", "--set", "procedure_code= 2.000001 ")
    ran = hub("dead", "correct", str(id_), *values, "--set", "due_at=", "--why", "sai trạng thái")
    assert ran.status == 0, ran.err
    assert f"#{id_} is corrected as revision 2: procedure_code, status, due_at, finished_at" in ran.out
    assert f"superseded by it: #{id_}" in ran.out
    assert states(world) == ["superseded", "waiting"]
    trace = hub("trace", NUMBERS["csv"], "--json").json
    content = trace["revisions"][1]["content"]
    assert (content["status"], content["finished_at"], content["procedure_code"]) == (
        9, "2017-03-08T03:00:00Z", "2.000001",
    )  # fmt: skip
    assert "due_at" not in content
    assert trace["revisions"][1]["cause"] == "corrected"
    told = {one["what"]: one["why"] for one in trace["events"]}
    assert told["corrected"].startswith("by lan: sai trạng thái")
    (detail,) = world.ask("SELECT detail FROM operation")
    assert "2.000001" not in detail[0]
    # The old row, read again, changes nothing.
    assert world.read("csv", many(1).replace(b"-0003-0;", b"-0003;")) == []
    states_of_items = [row.state for row in world.ask("SELECT state FROM item ORDER BY arrival_id")]
    assert states_of_items == ["accepted", "accepted", "duplicate"]


def test_a_personal_value_stands_nowhere_but_in_the_record(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    ran = hub("dead", "correct", str(id_), "--set", "applicant_name=Lê Thị Bưởi", *WHY)
    assert ran.status == 0
    assert "Bưởi" not in ran.out + str(deeds(world)) + hub("trace", NUMBERS["csv"]).out
    assert "Bưởi" not in str(world.ask("SELECT detail FROM operation"))
    assert "Bưởi" in hub("trace", NUMBERS["csv"], "--reveal").out


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("statsu=9",), "dossier.v1 has no field 'statsu': did you mean 'status'?"),
        (("status=90",), "status: '90' is none of the codes 1, 2"),
        (("status=9",), "needs its finish time"),
        (("number=H59-1",), "would make another record of it"),
        (("changed_at=2017-03-02 10:00",), "the source's own time of change"),
        (("due_at=soon",), "due_at: 'soon' is no time; write 2026-11-20 08:00"),
        (("service_level=two",), "service_level: 'two' is no whole number"),
        (("service_level=9",), "service_level"),
        (("applicant_name=",), "applicant_name: is required, it cannot be taken away"),
        (("agency=H59.99",), "agency: unknown agency 'H59.99'"),
        (("agency=000.00.15.H59",), "write 'H59.15'"),
        (("status=4",), "nothing would change"),
        (("status=99", "nothere=1"), "has no field 'nothere'"),
    ],
)
def test_a_correction_that_is_not_right_is_refused_by_name(
    hub: Hub, world: World, values: Sequence[str], said: str
) -> None:
    id_ = world.die("csv")
    ran = hub("dead", "correct", str(id_), *[part for value in values for part in ("--set", value)], *WHY)
    assert ran.status == 1
    assert said in ran.err
    assert states(world) == ["dead"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what is right"),
        (("--remap", "--set", "status=9"), "say what is right"),
        (("--set", "status"), "write field=value"),
        (("--set", "status=9", "--set", "status=8"), "given twice"),
    ],
)
def test_a_correction_is_asked_for_in_one_way(hub: Hub, world: World, options: Sequence[str], said: str) -> None:
    id_ = world.die("csv")
    ran = hub("dead", "correct", str(id_), *options, *WHY)
    assert (ran.status, said in ran.err) == (2, True)
    assert (hub("dead", "correct", str(id_), "--set", "status=9").status, states(world)) == (2, ["dead"])


def test_a_step_keeps_its_key(hub: Hub, world: World) -> None:
    world.refuse(world.read("soap"), "delivered", fault="")
    world.change("UPDATE dispatch SET state = 'queued', phase = 1, gen = gen + 1 WHERE event = 1 AND state = 'waiting'")
    world.change("UPDATE dispatch SET state = 'sending' WHERE event = 1 AND state = 'queued'")
    world.change("UPDATE dispatch SET state = 'dead', phase = 2, ended_us = 1 WHERE event = 1")
    world.change("UPDATE lane SET dead = 1")
    (step,) = [row.id for row in world.ask("SELECT id FROM dispatch WHERE event = 1")]
    refused = hub("dead", "correct", str(step), "--set", "person=Lê Văn Bảy", *WHY)
    assert (refused.status, "time, person and status" in refused.err) == (1, True)
    ran = hub("dead", "correct", str(step), "--set", "unit=Phòng Bưu chính", *WHY, "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["sends"], ran.json["superseded"], ran.json["fields"]) == ([step], [], ["unit"])
    assert states(world) == ["delivered", "waiting"]


@pytest.mark.parametrize("source", ["soap", "rest", "csv"])
def test_the_row_is_mapped_again_with_the_mapping_now_in_force(hub: Hub, world: World, source: str) -> None:
    id_ = world.die(source)
    refused = hub("dead", "correct", str(id_), "--remap", *WHY)
    assert refused.status == 1
    assert "the mapping now in force makes the same record" in refused.err
    system = {"soap": "one-stop-soap", "rest": "one-stop-rest", "csv": "one-stop-csv"}[source]
    name = {"soap": "TenThuTuc", "rest": "ten_thu_tuc", "csv": "TEN_TTHC"}[source]
    mend(world, system, f"procedure_name: {name}", "procedure_name: {const: Thủ tục đã sửa}")
    shown = hub("dead", "show", str(id_), "--json").json
    assert NAME not in str(shown)
    ran = hub("dead", "correct", str(id_), "--remap", *WHY, "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["cause"], ran.json["fields"], ran.json["revision"]) == ("remapped", ["procedure_name"], 2)
    newest = ran.json["sends"][0]
    # It can be refused again, and still knows the row that it was made of.
    world.change(f"UPDATE dispatch SET state = 'queued', phase = 1 WHERE id = {newest}")
    world.change(f"UPDATE dispatch SET state = 'sending' WHERE id = {newest}")
    world.change(f"UPDATE dispatch SET state = 'dead', phase = 2 WHERE id = {newest}")
    again = hub("dead", "show", str(newest), "--json").json
    assert (again["cause"], again["original_label"]) == ("remapped", BODIES[source][1])
    assert NUMBERS[source] in again["row"]["text"]
    assert "remapped by lan" in hub("dead", "show", str(newest)).out


def test_a_row_that_makes_no_record_any_more_says_why(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    mend(world, "one-stop-csv", "1: counter, ", "")
    ran = hub("dead", "correct", str(id_), "--remap", *WHY)
    assert ran.status == 1
    assert "does not make this record" in ran.err
    assert "KENH" in ran.err


def mend(world: World, system: str, old: str, new: str) -> None:
    """Give the configuration a mapping of its own, which differs from the shipped one."""
    from importlib.resources import files

    shipped = files("mappings") / "catalogue" / system
    folder = world.folder / "mappings" / "own"
    (folder / "tables").mkdir(parents=True)
    text = (shipped / "dossier.yaml").read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new).replace(f"mapping: {system}/dossier", "mapping: own/dossier")
    (folder / "dossier.yaml").write_text(text, encoding="utf-8")
    for table in (shipped / "tables").iterdir():
        (folder / "tables" / table.name).write_text(table.read_text(encoding="utf-8"), encoding="utf-8")
    configuration = world.file.read_text(encoding="utf-8")
    world.file.write_text(configuration.replace(f"- {system}/dossier", "- own/dossier"), encoding="utf-8")
