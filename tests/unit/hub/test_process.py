from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import orjson
import pytest

from hub.ledger.pages import unpack
from hub.ledger.states import ItemState
from hub.ledger.values import Refusal, Settlement, to_us
from hub.ports import Arrival
from hub.process import KEY_LIMIT, process
from hub.rulebook import Rulebook
from hub.sections import Route
from mappings.catalogue import load
from mappings.inbound import InboundMapping
from mappings.renumbering import Renumbering
from mappings.whence import Condition
from schemas.dossier import Dossier
from tests.unit.hub.line import BOTH, KEY, LEASE, arrival, dossier, page, rules, step


def processed(arrived: Arrival, by: Rulebook | None = None, key: bytes = KEY) -> Settlement:
    return process(arrived, by or rules(), LEASE, key)


def digest(settlement: Settlement) -> str:
    (candidate,) = settlement.candidates
    return candidate.digest


def refusal(number: str = "H59-1", **cells: str) -> Refusal:
    (refused,) = processed(page(dossier(number, **cells))).refusals
    return refused


def test_a_good_row_becomes_a_candidate_with_its_body_and_where_it_goes() -> None:
    arrived = page(dossier("H59-1"), dossier("H59-2", note="hai"))
    settlement = processed(arrived)
    assert (settlement.refusals, settlement.undecodable) == ([], "")
    assert unpack(settlement.packed_body) == arrived.body
    one, two = settlement.candidates
    assert (one.row, one.part, one.kind, one.key, one.lane, one.event) == (0, 0, "dossier.v1", "H59-1", "H59-1", False)
    assert (two.row, two.key, two.destinations, two.no_route) == (1, "H59-2", ("n",), "")
    assert one.mapping == rules().inbound["s"][0].digest[:16]
    assert one.counted is not None
    assert one.counted.agency == "H59.15"
    record = Dossier.from_json(two.body)
    assert record.note == "hai"
    assert record.changed_at is not None
    assert two.changed_us == to_us(record.changed_at)
    assert settlement.packed_records is not None
    records = unpack(settlement.packed_records)
    assert [records[c.offset_bytes : c.offset_bytes + len(c.body)] for c in (one, two)] == [one.body, two.body]


def test_a_kind_that_is_not_counted_keeps_its_agency() -> None:
    (candidate,) = processed(page(dossier("H59-1"))).candidates
    assert candidate.agency == "H59.15"
    (candidate,) = processed(page(step("H59-1"))).candidates
    assert candidate.agency is None


def test_an_event_has_the_time_of_its_own_and_its_dossiers_lane() -> None:
    (candidate,) = processed(page(step("H59-1"))).candidates
    assert (candidate.kind, candidate.lane, candidate.event) == ("dossier-step.v1", "H59-1", True)
    assert candidate.changed_us is not None
    assert candidate.counted is None


def test_a_row_of_the_sender_s_fault_is_rejected_and_one_of_ours_is_parked() -> None:
    rejected = refusal(NGAY_TIEP_NHAN="20170231080000")
    assert (rejected.state, rejected.kind, rejected.key) == (ItemState.REJECTED, "dossier.v1", "H59-1")
    assert "received_at" in rejected.reason
    (problem,) = orjson.loads(rejected.problems)
    assert (problem["path"], problem["value"], problem["verdict"]) == ("NGAY_TIEP_NHAN", "20170231080000", "reject")
    parked = refusal(TRANG_THAI="11")
    assert (parked.state, orjson.loads(parked.problems)[0]["verdict"]) == (ItemState.PARKED, "park")


def test_a_bad_row_stops_no_other() -> None:
    settlement = processed(page(dossier("H59-1"), dossier("H59-2", TRANG_THAI="99"), dossier("H59-3")))
    assert [c.key for c in settlement.candidates] == ["H59-1", "H59-3"]
    assert [(r.row, r.key) for r in settlement.refusals] == [(1, "H59-2")]


@pytest.mark.parametrize("number", ["9" * 6000, "H59-\x1b[2J", "x" * (KEY_LIMIT + 1)])
def test_a_refused_value_that_can_be_no_key_is_none(number: str) -> None:
    # Refused for its status, so that it is the number, whatever it is, that would name it.
    refused = refusal(number=number, TRANG_THAI="99")
    assert refused.key is None
    assert refused.state in (ItemState.REJECTED, ItemState.PARKED)


def test_a_nul_byte_that_json_spells_out_is_in_no_key_and_no_reason() -> None:
    by = replace(rules(), inbound={"s": [cast(InboundMapping, load("one-stop-rest/dossier"))]})
    body = orjson.dumps({"trang": 1, "tong_trang": 1, "du_lieu": [{"so_ho_so": "H59-\0-1", "trang_thai": "\0"}]})
    (refused,) = processed(arrival(body), by).refusals
    assert refused.key is None
    assert "\0" not in refused.reason + refused.problems


def test_r9_equal_refused_rows_have_equal_digests() -> None:
    assert refusal(TRANG_THAI="99").raw_digest == refusal(TRANG_THAI="99").raw_digest
    assert refusal(TRANG_THAI="99").raw_digest != refusal(TRANG_THAI="98").raw_digest


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"<html>bao tri</html>", b"", b'{"a": 1}'])
def test_bytes_that_are_no_page_come_back_whole_and_undecodable(body: bytes) -> None:
    settlement = processed(arrival(body))
    assert settlement.undecodable
    assert (settlement.candidates, settlement.refusals, settlement.packed_records) == ((), (), None)
    assert unpack(settlement.packed_body) == body


def test_a_record_that_no_route_takes_says_so() -> None:
    elsewhere = rules(Route(kinds=["dossier-step.v1"], to=["n"]))
    (candidate,) = processed(page(dossier()), elsewhere).candidates
    assert candidate.destinations == ()
    assert candidate.no_route == "no route takes dossier.v1 from s"


def test_a_record_is_routed_by_its_agency() -> None:
    by = rules(Route(kinds=BOTH, to=["n"], agencies=["H59.34"]))
    settlement = processed(page(dossier("H59-1"), dossier("H59-2", MA_DON_VI="H59.34")), by)
    assert [c.destinations for c in settlement.candidates] == [(), ("n",)]


def test_r9_the_source_s_time_is_no_content() -> None:
    one = processed(page(dossier(changed="20170320090000")))
    later = processed(page(dossier(changed="20170321090000")))
    assert digest(one) == digest(later)
    assert one.candidates[0].changed_us != later.candidates[0].changed_us
    assert digest(one) != digest(processed(page(dossier(note="B"))))


def test_r9_the_time_of_an_event_is_content() -> None:
    assert digest(processed(page(step(at="20170320100000")))) != digest(processed(page(step(at="20170320110000"))))


def test_r16_digests_differ_by_the_ledger_s_key() -> None:
    arrived, other = page(dossier(), dossier("H59-2", TRANG_THAI="99")), b"o" * 32
    mine, theirs = processed(arrived), processed(arrived, key=other)
    assert mine.digest != theirs.digest
    assert digest(mine) != digest(theirs)
    assert mine.refusals[0].raw_digest != theirs.refusals[0].raw_digest
    assert processed(arrived).digest == mine.digest


def test_r9_a_poll_counts_as_later_than_the_one_before() -> None:
    lease = replace(LEASE, polled_us=1_490_000_000_000_000)
    for arrived in (page(dossier()), arrival(b"garbage")):
        assert process(arrived, rules(), lease, KEY).poll_floor_us == lease.polled_us + 1


def test_a_row_that_is_deleted_at_its_source_goes_to_nobody() -> None:
    sign = Condition(lambda view: view["GHI_CHU"] == "xóa", ("GHI_CHU",))
    by = rules()
    mappings = [replace(one, deleted=sign) if one.kind == "dossier.v1" else one for one in by.inbound["s"]]
    settlement = processed(
        page(dossier("H59-1", note="xóa"), dossier("H59-2")), replace(by, inbound={**by.inbound, "s": mappings})
    )
    told = [(c.key, c.destinations, c.no_route) for c in settlement.candidates]
    assert told == [("H59-1", (), "deleted at its source"), ("H59-2", ("n",), "")]


def test_a_row_that_is_renumbered_at_its_source_tells_both_numbers() -> None:
    def said(way: Literal["from", "to"]) -> list[tuple[str, tuple[str, ...], str, tuple[str, str] | None]]:
        by = rules()
        number = Renumbering(way, "GHI_CHU", lambda view: None, lambda view, scope: view["GHI_CHU"])
        mappings = [replace(one, renumbered=number) if one.kind == "dossier.v1" else one for one in by.inbound["s"]]
        read = page(dossier("H59-1", note="H59-9"), dossier("H59-2", note="H59-2"))
        settlement = processed(read, replace(by, inbound={**by.inbound, "s": mappings}))
        assert all(len(c.renumbered.digest) > 64 for c in settlement.candidates if c.renumbered)
        return [
            (c.key, c.destinations, c.no_route, (c.renumbered.old, c.renumbered.new) if c.renumbered else None)
            for c in settlement.candidates
        ]

    assert said("from") == [("H59-1", ("n",), "", ("H59-9", "H59-1")), ("H59-2", ("n",), "", None)]
    gone = ("H59-1", (), "renumbered to H59-9", ("H59-1", "H59-9"))
    assert said("to") == [gone, ("H59-2", ("n",), "", None)]
