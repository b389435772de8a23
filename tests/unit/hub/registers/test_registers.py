"""A catalogue is read, compared and merged; the time to look is found; what is in force follows the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.configured import Configured
from hub.ledger import Ledger
from hub.ledger.registers import Change, Entry, RegisterState
from hub.ledger.values import Version
from hub.registers import Registers, merge
from hub.registers.catalogue import MOST, Catalogue, read
from hub.registers.comparing import compare
from hub.registers.in_force import registered
from hub.registers.keeping import Keeping
from hub.registers.syncing import due_at
from hub.reloading import Renewing
from hub.rulebook import Rulebook
from hub.sections import DestinationSection, RegistersSection
from schemas.agency import AgencyRegister
from schemas.errors import CodeUnknownError, ConfigError, DestinationFault
from schemas.local_time import LOCAL
from schemas.procedure import ProcedureRegister
from tests.unit.hub.registers.deployments import deployment

TODAY = date(2026, 3, 2)
NOTHING = Registers(AgencyRegister.empty(), ProcedureRegister.empty())


# --- reading


def test_an_entry_is_read_in_the_hubs_own_terms() -> None:
    rows = [{"code": " 1.001193.h59", "name": "Khai  sinh", "valid_to": "2025-06-30", "field_code": "", "level": None}]
    assert read("procedures", rows, ["H59"]).entries == {
        "1.001193.H59": {"name": "Khai sinh", "valid_to": "2025-06-30"}
    }
    shown = read("agencies", [{"code": "000.00.15.h59", "name": "Sở", "level": "province"}], ["H59"])
    assert shown.entries == {"000.00.15.H59": {"name": "Sở", "level": "province"}}


def test_other_provinces_are_left_out_and_ministries_are_not() -> None:
    codes = ["1.000001.H59", "1.000002.H12", "1.000003.000.00.00.H59", "1.000004.G15", "1.000005"]
    shown = read("procedures", [{"code": code, "name": "A"} for code in codes], ["H59"])
    assert (sorted(shown.entries), shown.others) == ([codes[0], codes[2], codes[3], codes[4]], 1)
    agencies = [{"code": code, "name": "A", "level": "province"} for code in ("H59.05", "H12.05", "000.00.05.H59")]
    assert sorted(read("agencies", agencies, ["H59"]).entries) == ["000.00.05.H59", "H59.05"]


def test_a_few_entries_that_are_none_are_left_as_they_were_known() -> None:
    rows: list[dict[str, Any]] = [{"code": f"1.{n:06}.H59", "name": "A"} for n in range(100)]
    rows += [{"code": "1.000007.H59", "name": "B"}, {"code": "1.900000.H59"}, {}]
    shown = read("procedures", rows, ["H59"])
    assert set(shown.wrong) == {"1.000007.H59", "1.900000.H59", "entry 103"}
    assert len(shown.entries) == 99
    known = [Entry("procedures", code, {"name": "A"}) for code in ("1.000007.H59", "1.900000.H59", "1.900001.H59")]
    changes = compare(known, shown, TODAY, largest_loss=0.5)
    assert [one.code for one in changes if one.change == "gone"] == ["1.900001.H59"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"code": "1.000001.H59", "name": "A\0"}, "control character"),
        ({"code": "1.000001.H59", "name": "A" * 1001}, "at most 1000 characters"),
        ({"code": "1.000001.H59", "name": ["A"]}, "valid string"),
        ({"code": "1.000001.H59", "name": "A", "valid_to": "30/06/2025"}, "a day like"),
        (
            {"code": "1.000001.H59", "name": "A", "valid_from": "2026-01-01", "valid_to": "2025-01-01"},
            "before it begins",
        ),
        ({"code": {"$ne": 1}, "name": "A"}, "valid string"),
    ],
)
def test_hostile_entries_are_none(row: dict[str, Any], why: str) -> None:
    with pytest.raises(DestinationFault, match="1 of 1 entries cannot be read") as caught:
        read("procedures", [row], ["H59"])
    assert why in str(caught.value)


def test_a_catalogue_without_end_is_not_believed() -> None:
    with pytest.raises(DestinationFault, match="are not believed"):
        read("fields", [{"code": "A", "name": "A"}] * (MOST + 1), ["H59"])


CODES = st.sampled_from([f"1.00000{n}.H59" for n in range(6)])
CONTENTS = st.sampled_from([{"name": "A"}, {"name": "B"}, {"name": "A", "valid_to": "2026-03-01"}])


@given(before=st.dictionaries(CODES, CONTENTS), after=st.dictionaries(CODES, CONTENTS, min_size=1), gone=st.sets(CODES))
def test_known_and_changes_make_what_is_shown(
    before: dict[str, Mapping[str, Any]], after: dict[str, Mapping[str, Any]], gone: set[str]
) -> None:
    known = {code: Entry("procedures", code, c, TODAY if code in gone else None) for code, c in before.items()}
    shown = Catalogue("procedures", after)
    changes = compare(list(known.values()), shown, TODAY, largest_loss=0.5, force=True)
    for one in changes:
        was = known.get(one.code)
        assert (was is None) == (one.change == "added")
        content = one.after if one.after is not None else known[one.code].content
        known[one.code] = Entry("procedures", one.code, content, TODAY if one.change == "gone" else None)
    assert {code: one.content for code, one in known.items() if one.gone_on is None} == after
    assert before.keys() <= known.keys()
    assert compare(list(known.values()), shown, TODAY, largest_loss=0.5) == []


# --- merging


def procedures(*entries: Entry, written: ProcedureRegister = NOTHING.procedures) -> ProcedureRegister:
    return merge(Registers(NOTHING.agencies, written), entries)[0].procedures


def test_what_is_gone_ended_the_day_before_and_held_until_then() -> None:
    known = procedures(Entry("procedures", "1.000001.H59", {"name": "A"}, TODAY))
    assert known.resolve("1.000001.H59", TODAY - timedelta(days=1)).name == "A"
    with pytest.raises(CodeUnknownError, match="until 2026-03-01"):
        known.resolve("1.000001.H59", TODAY)
    never = Entry("procedures", "1.000002.H59", {"name": "A", "valid_from": TODAY.isoformat()}, TODAY)
    assert not len(procedures(never))


def test_the_file_goes_before_and_what_differs_is_told() -> None:
    rows: list[dict[str, Any]] = [
        {"code": "1.000001.H59", "name": "A", "aliases": ["1.000001.000.00.00.H59"]},
        {"code": "2", "name": "B"},
    ]
    written = Registers(NOTHING.agencies, ProcedureRegister.from_rows(rows))
    entries = [
        Entry("procedures", "1.000001.000.00.00.H59", {"name": "C", "valid_to": "2025-06-30", "successor": "X"}),
        Entry("procedures", "2", {"name": "b"}),
        Entry("procedures", "3", {"name": "D"}),
    ]
    found, differ = merge(written, entries)
    assert [one.code for one in found.procedures] == ["1.000001.H59", "2", "3"]
    assert found.procedures.resolve("1.000001.000.00.00.H59", TODAY).name == "A"
    assert differ == [
        "procedures: 1.000001.H59 is called 'C' by the portal, 'A' by the file; ended on 2025-06-30 by the portal "
        "and was succeeded by X, never by the file; the file goes before"
    ]


def test_agencies_of_a_province_that_merged_lead_to_their_successors() -> None:
    file = AgencyRegister.from_rows(
        [{"code": "H61.17", "name": "Sở Y tế", "level": "province", "aliases": ["000.00.17.H61"]}]
    )
    ended = {"level": "province", "valid_to": "2025-06-30"}
    entries = [
        Entry("agencies", "000.00.17.H59", {"name": "Sở Y tế Trà Vinh", "successor": "000.00.17.H61", **ended}),
        Entry("agencies", "000.00.15.H59", {"name": "Sở TTTT", "successor": "000.00.99.H12", **ended}),
        Entry("agencies", "000.00.17.H61", {"name": "Sở Y tế", "level": "province"}),
    ]
    found, differ = merge(Registers(file, NOTHING.procedures), entries)
    assert found.agencies.resolve("000.00.17.H59", date(2025, 6, 30)).name == "Sở Y tế Trà Vinh"
    with pytest.raises(CodeUnknownError, match=r"its successor is H61\.17$"):
        found.agencies.resolve("000.00.17.H59", date(2025, 7, 1))
    # A successor that is no agency's is left out.
    successors = {one.code: one.successor for one in found.agencies}
    assert successors == {"H61.17": None, "000.00.17.H59": "H61.17", "000.00.15.H59": None}
    assert differ == []


def test_fields_give_procedures_their_names() -> None:
    known = procedures(
        Entry("fields", "HT", {"name": "Hộ tịch"}), Entry("procedures", "1", {"name": "A", "field_code": "HT"})
    )
    assert known.field_name(known.resolve("1", TODAY), TODAY) == "Hộ tịch"


# --- when it is time, and what is in force

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=LOCAL)


def section(**more: Any) -> RegistersSection:
    return RegistersSection.model_validate({"from": "national", "take": ["procedures"], **more})


@pytest.mark.parametrize(
    ("given", "tried_h", "failures", "due_h"),
    [
        ({}, None, 0, 0.0),
        ({}, 1, 0, 17.0),
        ({}, 8, 0, -7.0),
        ({"at": "10:00"}, 1, 0, 1.0),
        ({"every_s": 7200}, 1, 0, 1.0),
        ({"every_s": 7200}, 1, 3, -0.75),
        ({"every_s": 60}, 1, 3, -1 + 60 / 3600),
        ({"every_s": 7200}, -5, 0, 2.0),
    ],
)
def test_when_it_is_looked_next(given: dict[str, Any], tried_h: float | None, failures: int, due_h: float) -> None:
    tried_at = None if tried_h is None else NOW - timedelta(hours=tried_h)
    state = RegisterState("procedures", tried_at=tried_at, read_at=tried_at, failures=failures)
    assert due_at(section(**given), state, NOW) == NOW + timedelta(hours=due_h)


def test_a_look_that_came_to_no_end_is_made_again_soon() -> None:
    state = RegisterState("procedures", tried_at=NOW - timedelta(hours=1))
    for read_at in (None, NOW - timedelta(days=1)):
        assert due_at(section(), replace(state, read_at=read_at), NOW) == NOW - timedelta(minutes=45)


class KeptLedger:
    """As much of a ledger as keeping registers uses."""

    def __init__(self) -> None:
        self.states = RegisterState("procedures")
        self.entries: list[Entry] = []
        self.taken: list[int] = []

    async def register_versions(self) -> dict[str, int]:
        return {"procedures": self.states.version} if self.states.version else {}

    async def register_entries(self, register: str | None = None) -> list[Entry]:
        return list(self.entries)

    async def register_state(self, register: str) -> RegisterState:
        return self.states

    async def take_register(self, register: str, due_us: int, for_s: float) -> bool:
        self.taken.append(due_us)
        return True

    async def keep_register(
        self, register: str, version: int, changes: Sequence[Change], gone_on: date, by: Any = None
    ) -> bool:
        self.entries += [Entry(register, one.code, one.after or {}) for one in changes if one.change == "added"]
        self.states = RegisterState(register, version + bool(changes), tried_at=NOW, read_at=NOW)
        return True


class Shows:
    async def catalogue(
        self, register: str, provinces: Sequence[str], deadline_s: float
    ) -> Sequence[Mapping[str, Any]]:
        return [{"code": "1.000001.H59", "name": "A"}]


class Hub:
    """What a running hub goes by, and how often that was exchanged."""

    def __init__(self, given: RegistersSection | None) -> None:
        rules = Rulebook({}, {}, (), AgencyRegister.empty())
        self.runs = Configured(deployment(given), rules, Version("hub.yaml", "", ()))
        self.renewed = 0

    async def renew(self, renewing: Renewing) -> None:
        self.runs = await renewing(self.runs)
        self.renewed += 1

    def keeping(self, ledger: KeptLedger, portal: Any) -> Keeping:
        return Keeping(cast(Ledger, ledger), lambda: self.runs, lambda name: portal, self.renew, now=lambda: NOW)


def test_it_is_looked_when_it_is_time_and_what_changed_is_put_in_force_once() -> None:
    ledger, hub = KeptLedger(), Hub(section())

    async def main() -> None:
        keeping = hub.keeping(ledger, Shows())
        await keeping.put_in_force()
        assert hub.renewed == 0
        await keeping.turn()
        await keeping.turn()
        assert ledger.taken == [int(NOW.timestamp() * 1_000_000)], "it is time once"
        await keeping.put_in_force()
        await keeping.put_in_force()

    asyncio.run(main())
    assert (hub.renewed, [one.code for one in hub.runs.rules.procedures]) == (1, ["1.000001.H59"])
    assert [(one.role, one.name, one.text) for one in hub.runs.version.parts] == [
        ("register", "procedures", "version 1\n")
    ]


def test_a_look_that_was_cut_off_is_made_again_at_once() -> None:
    ledger, hub = KeptLedger(), Hub(section())
    asked, answers = asyncio.Event(), asyncio.Event()

    class Slow(Shows):
        async def catalogue(self, register: str, provinces: Sequence[str], deadline_s: float) -> Any:
            asked.set()
            await answers.wait()
            return await super().catalogue(register, provinces, deadline_s)

    async def main() -> None:
        keeping = hub.keeping(ledger, Slow())
        looking = asyncio.create_task(keeping.turn())
        await asyncio.wait_for(asked.wait(), 20)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        ledger.states = replace(ledger.states, tried_at=NOW)
        answers.set()
        await keeping.turn()

    asyncio.run(main())
    assert (len(ledger.taken), [one.code for one in ledger.entries]) == (2, ["1.000001.H59"])


def test_without_the_section_nothing_is_looked_at_nor_put_in_force() -> None:
    ledger, hub = KeptLedger(), Hub(None)
    ledger.states = RegisterState("procedures", 1)

    async def main() -> None:
        keeping = hub.keeping(ledger, Shows())
        await keeping.turn()
        await keeping.put_in_force()

    asyncio.run(main())
    assert (ledger.taken, hub.renewed) == ([], 0)


def test_a_portal_that_shows_no_catalogues_is_refused() -> None:
    found = Hub(section())
    named = {"national": DestinationSection.model_validate({"adapter": "lgsp", "mappings": {"dossier.v1": "x/y"}})}
    found.runs = replace(found.runs, deployment=replace(found.runs.deployment, destinations=named))
    with pytest.raises(ConfigError, match="the adapter lgsp of 'national' shows no catalogues"):
        found.keeping(KeptLedger(), object()).catalogues()


def test_what_is_taken_over_no_more_is_not_in_force() -> None:
    ledger, hub = KeptLedger(), Hub(section())
    ledger.entries = [Entry("agencies", "H59.05", {"name": "Sở", "level": "province"})]
    ledger.states = RegisterState("agencies", 1)
    rules, _ = asyncio.run(registered(cast(Ledger, ledger), hub.runs.deployment, hub.runs.rules))
    assert len(rules.agencies) == 0
