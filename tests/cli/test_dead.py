"""`hub dead list|show`: finding and understanding what a portal refused, on a real ledger and configuration."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from schemas.sensitivity import MASKED
from tests.cli.conftest import Hub
from tests.cli.dead_world import NAME, NUMBERS, PERSONAL, World


def nobody(text: str) -> bool:
    """Whether nothing personal stands in a text."""
    return [value for value in PERSONAL if value in text] == []


def test_nothing_dead_is_said(hub: Hub, world: World) -> None:
    world.read("csv")
    ran = hub("dead", "list")
    assert (ran.status, ran.out) == (0, "no dead letters\n")
    empty = hub("dead", "list", "--destination", "provincial", "--fault", "poison", "--json")
    assert (empty.status, empty.json) == (0, {"total": 0, "causes": [], "refused": 0, "dead": []})


def test_a_name_that_nothing_knows_is_refused_and_an_alias_means_its_agency(hub: Hub, world: World) -> None:
    dead = world.die("rest")
    for command in (("list",), ("replay",), ("discard", "--why", "x")):
        for option, wrong, rule, mend in (
            ("--destination", "provincal", "unknown-destination", "did you mean 'provincial'?"),
            ("--source", "rset", "unknown-source", "did you mean 'rest'?"),
            ("--fault", "dta", "unknown-fault", "did you mean 'data'?"),
            ("--agency", "000.00.14.H59", "unknown-agency", "a code, an alias or a name of the register"),
        ):
            ran = hub("dead", *command, option, wrong)
            assert (ran.status, ran.out) == (1, ""), ran
            assert repr(wrong) in ran.err
            assert mend in ran.err
            assert rule in ran.err
    for agency in ("000.00.15.H59", "h59.15", "H59.15"):
        assert [one["dispatch_id"] for one in hub("dead", "list", "--agency", agency, "--json").json["dead"]] == [dead]


def test_the_list_counts_causes_and_names_place_but_nobody(hub: Hub, world: World) -> None:
    world.die("csv", text=f"CitizenName '{NAME}' không hợp lệ", path="CitizenName")
    world.die("rest", text="bận", fault="transient", code="99")
    ran = hub("dead", "list")
    assert ran.status == 0
    assert "2 dead letters" in ran.out
    assert "1  provincial  data, code 17" in ran.out
    assert f"CitizenName '{MASKED}' không hợp lệ at CitizenName" in ran.out
    assert nobody(ran.out)
    assert NAME in hub("dead", "list", "--reveal").out
    as_json = hub("dead", "list", "--json")
    assert nobody(as_json.out)
    assert [one["code"] for one in as_json.json["dead"]] == ["17", "99"]
    world.change("UPDATE arrival SET records = NULL")
    assert nobody(hub("dead", "list").out)


def test_the_list_can_be_narrowed_and_cut(hub: Hub, world: World) -> None:
    first = world.die("csv", text="Mã ĐẶC BIỆT", path="a.b[0].ServiceCode")
    second = world.die("rest", fault="transient", code="99")
    for options, ids in (
        (("--text", "đặc biệt"), [first]),
        (("--field", "ServiceCode", "--fault", "data"), [first]),
        (("--source", "rest", "--agency", "H59.15", "--kind", "dossier.v1"), [second]),
        (("--code", "99", "--destination", "provincial", "--key", NUMBERS["rest"]), [second]),
        (("--since", "1h"), [first, second]),
        (("--until", "2d"), []),
        (("--since", "2016-11-20 08:00", "--until", "2016-11-20"), []),
        (("--limit", "1"), [first]),
    ):
        found = hub("dead", "list", *options, "--json")
        assert [one["dispatch_id"] for one in found.json["dead"]] == ids, options
    assert "2 dead letters, the oldest 1 below" in hub("dead", "list", "--limit", "1").out
    wrong = hub("dead", "list", "--since", "yesterday")
    assert (wrong.status, "'yesterday' is no time" in wrong.err) == (2, True)


def test_refused_rows_are_counted_and_where_they_are_is_said(hub: Hub, world: World) -> None:
    world.die("csv")
    world.change("INSERT INTO item (arrival_id, row, part, kind, state, reason, raw_digest) "
                 "VALUES (1, 7, 0, 'dossier.v1', 'rejected', 'a bad date', 'x')")  # fmt: skip
    assert "1 refused row: hub items list" in hub("dead", "list").out
    assert hub("dead", "list", "--json").json["refused"] == 1


def test_many_thousand_dead_letters_are_listed_in_little_memory(world: World) -> None:
    world.die("csv")
    world.change("""
        INSERT INTO dispatch (destination, lane, kind, head_id, number, event, state, phase, created_us, ended_us)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
        SELECT destination, lane, kind, head_id, number, event, state, phase, created_us, ended_us + i
        FROM dispatch, n WHERE id = 1""")
    world.change("""
        INSERT INTO fault (dispatch_id, at_us, fault, text)
        SELECT id, 1, 'data', hex(zeroblob(5000)) FROM dispatch WHERE id > 1""")
    code = (
        "import resource, sys\nfrom hub.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)\n"
    )
    peaks = []
    for limit in ("1", "3000"):
        command = [sys.executable, "-c", code, "dead", "list", "--json", "--limit", limit, "--config", str(world.file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
        assert done.stdout.count('"dispatch_id"') == int(limit)
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 16, f"{peaks} MB: every letter is held"


@pytest.mark.parametrize("source", ["soap", "rest", "csv"])
def test_one_letter_is_shown_whole_and_names_nobody(hub: Hub, world: World, source: str) -> None:
    id_ = world.die(source, text=f"'{NAME}': Mã thủ tục không có", path="CitizenName", value=NAME)
    ran = hub("dead", "show", str(id_))
    assert ran.status == 0
    for said in (
        f"Dead letter #{id_} for provincial",
        f"data 17: '{MASKED}': Mã thủ tục không có",
        "What is wrong, in the agency's own words",
        "1 call",
        "as new  alone",
        "The agency's row",
        "02/03/2017 09:00:00" if source == "soap" else NUMBERS[source],
        "DocTypeCode            1.003560.000.00.00.H59",
        "the same as was sent the last time",
        f"hub dead replay {id_}",
    ):
        assert said in ran.out, said
    assert nobody(ran.out)
    as_json = hub("dead", "show", str(id_), "--json")
    assert nobody(as_json.out)
    assert as_json.json["content"]["number"] == NUMBERS[source]
    assert as_json.json["payload"]["content"]["CitizenName"] == MASKED
    assert as_json.json["calls"][0]["code"] == "17"
    assert as_json.json["missing"] == ""
    revealed = hub("dead", "show", str(id_), "--reveal").out
    assert [value for value in PERSONAL[:2] if value not in revealed] == []
    assert "mật khẩu 1234" in revealed


def test_what_waits_behind_a_dossier_is_named_without_a_persons_name(hub: Hub, world: World) -> None:
    id_ = world.die("soap")
    shown = hub("dead", "show", str(id_))
    assert "1 dispatch of the same dossier wait" in shown.out
    assert "Behind it waits" in shown.out
    (follower,) = hub("dead", "show", str(id_), "--json").json["waiting"]
    assert follower["kind"] == "dossier-step.v1"
    assert MASKED in follower["key"]


@pytest.mark.parametrize("broken", ["absent", "no yaml", "no source", "no mapping", "other shape"])
def test_show_works_without_what_is_missing_and_shows_nothing_unmasked(hub: Hub, world: World, broken: str) -> None:
    id_ = world.die("soap", text=f"'{NAME}' không hợp lệ")
    text = world.file.read_text(encoding="utf-8")
    ledger = ("--ledger", world.ledger)
    if broken == "absent":
        world.file.unlink()
    elif broken == "no yaml":
        world.file.write_text("hub: [", encoding="utf-8")
    elif broken == "no source":
        world.file.write_text(text.replace("  soap:", "  other:"), encoding="utf-8")
    elif broken == "no mapping":
        world.file.write_text(text.replace("dossier.v1: lgsp/dossier", "{}").replace("{}", ""), encoding="utf-8")
    else:
        text = text.replace("- one-stop-soap/dossier\n    - one-stop-soap/step", "- one-stop-rest/dossier")
        world.file.write_text(text, encoding="utf-8")
    for as_json in ((), ("--json",)):
        ran = hub("dead", "show", str(id_), *ledger, *as_json)
        assert ran.status == 0, ran.err
        assert nobody(ran.out), broken
        assert NUMBERS["soap"] in ran.out
    told = hub("dead", "show", str(id_), *ledger, "--json").json
    if broken in ("absent", "no yaml"):
        assert "the configuration cannot be read" in told["missing"]
        assert told["payload"]["content"] is None
    if broken != "no mapping":
        assert told["row"]["text"] is None
        assert "--original --reveal" in told["row"]["note"]


def test_of_a_pruned_record_no_words_are_shown(hub: Hub, world: World) -> None:
    id_ = world.die("csv", text=f"'{NAME}' không hợp lệ")
    world.change("UPDATE arrival SET records = NULL, body = NULL")
    for as_json in ((), ("--json",)):
        ran = hub("dead", "show", str(id_), *as_json)
        assert ran.status == 0
        assert nobody(ran.out)
    assert "its record has been pruned" in ran.out
    assert NAME in hub("dead", "show", str(id_), "--reveal").out


def test_what_cannot_be_rendered_any_more_says_why(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    folder = world.folder / "mappings" / "own"
    folder.mkdir(parents=True)
    mapping = (
        "mapping: own/dossier\nfrom: {record: dossier.v1}\nto: {portal: json}\n"
        "fields:\n  DocCode: number\n  Fee: {field: applicant_email, required: true}\n"
    )
    (folder / "dossier.yaml").write_text(mapping, encoding="utf-8")
    text = world.file.read_text(encoding="utf-8").replace("dossier.v1: lgsp/dossier", "dossier.v1: own/dossier")
    world.file.write_text(text, encoding="utf-8")
    shown = hub("dead", "show", str(id_), "--json")
    assert shown.json["payload"]["content"] is None
    assert "Fee" in shown.json["payload"]["note"] or "applicant_email" in shown.json["payload"]["note"]


def test_a_changed_mapping_is_told(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    world.change("UPDATE call SET mapping = 'another', payload = 'another'")
    note = hub("dead", "show", str(id_), "--json").json["payload"]["note"]
    assert "has been changed since the last call" in note
    world.change("UPDATE call SET members = 12")
    assert "changed" in hub("dead", "show", str(id_)).out


def test_the_original_bytes_need_to_be_asked_for_twice(hub: Hub, world: World) -> None:
    id_ = world.die("csv")
    refused = hub("dead", "show", str(id_), "--original")
    assert (refused.status, refused.out) == (1, "")
    assert "add --reveal" in refused.err
    assert NAME in hub("dead", "show", str(id_), "--original", "--reveal").out
    world.change("UPDATE arrival SET body = NULL")
    pruned = hub("dead", "show", str(id_), "--original", "--reveal")
    assert (pruned.status, "have been pruned" in pruned.err) == (1, True)


@pytest.mark.parametrize("number", ["5", "0", str(2**63), str(2**70)])
def test_an_unknown_number_is_one_line(hub: Hub, world: World, number: str) -> None:
    world.die("csv")
    ran = hub("dead", "show", number)
    expected = f"error: there is no dead letter #{number} [unknown-id] — `hub dead list` has the numbers\n"
    assert (ran.status, ran.err) == (1, expected)


def test_a_number_in_another_state_says_which(hub: Hub, world: World) -> None:
    world.refuse(world.read("csv"), "delivered", fault="")
    ran = hub("dead", "show", "1")
    assert (ran.status, "#1 is delivered, not dead" in ran.err) == (1, True)


def test_the_help_of_each_has_an_example(hub: Any) -> None:
    for name in ("list", "show", "correct", "replay", "discard"):
        assert "Example: hub dead" in hub("dead", name, "--help").out
