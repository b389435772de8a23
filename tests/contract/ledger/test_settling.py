"""R9 duplicate, stale, tie, flip; R10 senders' names; R13 cursors; R16 what outlives the bodies."""

from __future__ import annotations

import pickle
from datetime import date

import pytest

from hub.ledger.read import open_reader
from hub.ledger.states import ItemState
from hub.ledger.views import DeadFilter
from schemas.errors import LeaseLostError
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, dossier, refused, step

# --- R9


def test_r9_1_equal_time_and_digest_as_any_revision_is_a_duplicate(bench: Bench) -> None:
    bench.settle(dossier(at=1, content="A"))
    bench.settle(dossier(at=2, content="B"))
    bench.settle(dossier(at=1, content="A"), dossier(at=2, content="B"))
    assert bench.items() == ["accepted", "accepted", "duplicate", "duplicate"]


def test_r9_2_older_than_the_head_is_stale(bench: Bench) -> None:
    bench.settle(dossier(at=2, content="B"))
    settled = bench.settle(dossier(at=1, content="A"))
    assert settled.counts[ItemState.STALE] == 1
    assert settled.tickets == []
    assert bench.revisions() == 1


def test_r9_3_equal_time_and_other_content_is_a_tie(bench: Bench) -> None:
    bench.settle(dossier(at=1, content="A"))
    bench.settle(dossier(at=1, content="B"))
    assert bench.revisions() == 2
    assert [r.cause for r in bench.trace("H59-1").revisions] == ["new", "tie"]
    bench.settle(dossier(at=1, content="B"))
    assert bench.items()[-1] == "duplicate", "read again in the next overlap"


def test_r9_4_without_a_source_time_only_the_newest_is_compared(bench: Bench) -> None:
    for content in "ABA":
        bench.settle(dossier(at=None, content=content))
    assert bench.revisions() == 3
    bench.settle(dossier(at=None, content="A"))
    assert bench.items()[-1] == "duplicate"


def test_r9_4_without_a_source_time_the_order_is_that_of_the_polls_starts(bench: Bench) -> None:
    bench.settle(dossier(at=None, content="B"), poll_s=10)
    bench.settle(dossier(at=None, content="A"), poll_s=5)
    assert bench.items() == ["accepted", "stale"]


@pytest.mark.parametrize(("ahead_s", "orders"), [(600, True), (601, False)])
def test_r9_5_a_time_more_than_ten_minutes_ahead_orders_nothing(bench: Bench, ahead_s: float, orders: bool) -> None:
    bench.settle(dossier(at=ahead_s, content="A"))
    bench.settle(dossier(at=5, content="B"))
    assert bench.items() == ["accepted", "stale" if orders else "accepted"]


def test_r9_5_the_same_content_is_no_revision_when_its_time_has_come(bench: Bench) -> None:
    bench.settle(dossier(at=3600, content="A"))
    bench.clock.tick(3600)
    bench.settle(dossier(at=3600, content="A"))
    assert bench.items() == ["accepted", "duplicate"]


def test_r9_5_an_older_state_stays_a_duplicate_after_a_time_that_orders_nothing(bench: Bench) -> None:
    bench.settle(dossier(at=1, content="A"))
    bench.settle(dossier(at=3600, content="B"))
    bench.settle(dossier(at=1, content="A"))
    assert bench.items() == ["accepted", "accepted", "duplicate"]


def test_r9_6_a_revision_names_the_mapping_that_made_it(bench: Bench) -> None:
    bench.settle(dossier())
    (row,) = bench.rows("SELECT cause, mapping FROM revision")
    assert (row["cause"], row["mapping"]) == ("arrived", "mapping")


def test_r9_7_a_key_that_another_source_owns_is_parked_once(bench: Bench) -> None:
    bench.settle(dossier(at=1))
    settled = bench.settle(dossier(at=2, content="B"), source="other")
    assert settled.counts[ItemState.PARKED] == 1
    assert "belongs to the source s" in settled.problems[0]
    bench.settle(dossier(at=2, content="B"), source="other")
    assert bench.items() == ["accepted", "parked", "duplicate"]
    assert bench.revisions() == 1


def test_r9_8_a_page_that_was_not_read_is_never_the_identical_page_before(bench: Bench) -> None:
    def page_digest() -> object:
        return bench.rows("SELECT page_digest FROM source WHERE name = 's'")[0]["page_digest"]

    bench.settle(dossier())
    assert page_digest() is not None
    bench.settle(undecodable="no XML")
    assert page_digest() is None


def test_r9_a_b_a_are_three_revisions(bench: Bench) -> None:
    for at, content in enumerate("ABA"):
        bench.settle(dossier(at=at, content=content))
    assert bench.revisions() == 3
    bench.clock.tick(61)
    assert bench.drain() == [1, 3]


def test_r9_a_b_a_at_one_time_are_three_revisions(bench: Bench) -> None:
    for content in "ABA":
        bench.settle(dossier(at=1, content=content))
    assert bench.revisions() == 3
    bench.settle(dossier(at=1, content="A"))
    assert bench.items()[-1] == "duplicate"


def test_r9_a_b_a_within_one_page_are_three_revisions(bench: Bench) -> None:
    bench.settle(*(dossier(at=at, content=content) for at, content in enumerate("ABA")))
    assert bench.revisions() == 3


def test_r9_a_refused_row_read_again_with_equal_bytes_is_a_duplicate(bench: Bench) -> None:
    assert len(bench.settle(refusals=[refused(0, "bad"), refused(1, "other", ItemState.PARKED)]).problems) == 2
    bench.settle(refusals=[refused(0, "bad"), refused(1, "other again")])
    assert bench.items() == ["rejected", "parked", "duplicate", "rejected"]
    bench.settle(refusals=[refused(0, "bad")], source="other")
    assert bench.items()[-1] == "rejected", "another source's row is its own"


def test_r9_a_record_without_a_route_says_why(bench: Bench) -> None:
    settled = bench.settle(dossier(no_route="no route takes dossier.v1 from s"))
    assert settled.counts[ItemState.NO_ROUTE] == 1
    assert bench.trace("H59-1").problems[0].reason == "no route takes dossier.v1 from s"
    assert bench.revisions() == 0


# --- an arrival that cannot be decoded


def test_states_a_page_that_cannot_be_decoded_is_one_parked_arrival_and_moves_no_cursor(bench: Bench) -> None:
    bench.settle(dossier(), cursor={"page": 1})
    for _ in range(3):
        settled = bench.settle(undecodable="no XML", body=b"<x", cursor={"page": 2})
        assert settled.parked
        assert settled.problems == ["no XML"]
    assert bench.cursor() == {"page": 1}
    (row,) = bench.rows("SELECT state, reads FROM arrival WHERE problem IS NOT NULL")
    assert (row["state"], row["reads"]) == ("parked", 3)
    bench.settle(dossier(at=1, content="B"), cursor={"page": 2})
    assert bench.rows("SELECT state FROM arrival WHERE problem IS NOT NULL")[0]["state"] == "reread"


def test_states_one_file_does_not_close_another_that_was_parked(bench: Bench) -> None:
    bench.settle(undecodable="no CSV", label="a.csv")
    bench.settle(dossier(), label="b.csv")
    parked = "SELECT state FROM arrival WHERE label = 'a.csv' AND problem IS NOT NULL"
    assert bench.rows(parked)[0]["state"] == "parked"
    bench.settle(dossier(), label="a.csv")
    assert bench.rows(parked)[0]["state"] == "reread"


# --- R10


def test_r10_the_same_name_from_the_same_sender_is_the_same_message(bench: Bench) -> None:
    first = bench.settle(dossier(), name="M1")
    again = bench.settle(dossier(at=1, content="B"), dossier("H59-2"), name="M1")
    assert (again.arrival_id, again.again, again.tickets) == (first.arrival_id, True, ())
    assert again.counts[ItemState.ACCEPTED] == 1
    assert bench.revisions() == 1
    assert not bench.settle(dossier("H59-3"), name="M1", source="other").again
    assert not bench.settle(dossier("H59-4"), name="M2").again


# --- R13


def test_r13_a_poller_that_lost_its_lease_writes_nothing(bench: Bench) -> None:
    mine = bench.settlement(dossier(), cursor={"page": 1})
    bench.execute("UPDATE source SET epoch = epoch + 1, owner = 'somebody'")
    with pytest.raises(LeaseLostError, match="another worker reads it now; page 1 was not settled"):
        bench.run(bench.ledger.settle(mine))
    assert bench.items() == []
    assert bench.rows("SELECT * FROM arrival") == bench.rows("SELECT * FROM head") == []
    assert bench.cursor() == {}


def test_r13_a_page_is_settled_from_one_cursor_once(bench: Bench) -> None:
    first = bench.settlement(dossier(), cursor={"page": 1})
    second = bench.settlement(dossier("H59-2"), cursor={"page": 1})
    bench.run(bench.ledger.settle(first))
    with pytest.raises(LeaseLostError):
        bench.run(bench.ledger.settle(second))
    assert bench.items() == ["accepted"]
    assert bench.cursor() == {"page": 1}


def test_r13_a_lease_excludes_others_until_it_ends_and_a_new_owner_has_a_new_epoch(on_postgres: Bench) -> None:
    bench = on_postgres
    other = bench.start()
    mine = bench.run(bench.ledger.lease_source("s"))
    assert mine is not None
    renewed = bench.run(bench.ledger.lease_source("s"))
    assert renewed == mine
    assert bench.run(other.lease_source("s")) is None
    bench.execute("UPDATE source SET owner_until_us = 1")
    theirs = bench.run(other.lease_source("s"))
    assert theirs is not None
    assert theirs.epoch == mine.epoch + 1
    bench.run(bench.ledger.polled(mine, "too late"))
    assert bench.rows("SELECT polls FROM source WHERE name = 's'")[0]["polls"] == 0
    bench.run(other.release_source("s"))
    assert bench.run(bench.ledger.lease_source("s")) is not None
    bench.run(other.close())


def test_r13_polls_are_counted_and_the_failures_in_a_row(bench: Bench) -> None:
    lease = bench.run(bench.ledger.lease_source("s"))
    assert lease is not None
    for problem in ("refused", "timed out", ""):
        bench.run(bench.ledger.polled(lease, problem))
        lease = bench.run(bench.ledger.lease_source("s"))
        assert lease is not None
        assert lease.failures == {"refused": 1, "timed out": 2, "": 0}[problem]


# --- R16


def counted(status: int, due_on: date | None, finished_on: date | None) -> Counted:
    return Counted("H59.01", "1.004194", status, date(2017, 3, 1), due_on, finished_on)


def test_r16_digests_are_keyed_by_the_ledger(bench: Bench) -> None:
    key = bench.ledger.digest_key
    assert len(key) == 32
    bench.die()
    assert bench.ledger.digest_key == key, "it is this ledger's for ever"


def test_r16_counts_trace_and_report_outlive_the_bodies(bench: Bench) -> None:
    late = counted(9, date(2017, 3, 10), date(2017, 3, 12))
    early = counted(9, date(2017, 3, 10), date(2017, 3, 9))
    first = bench.settle(dossier("H59-1", counted=late), dossier("H59-2", counted=early), step("H59-1", at=1))
    bench.finish(bench.claim(first.tickets[:1]), "dead")
    with open_reader(bench.url) as reader:
        before = pickle.dumps(reader.report(date(2017, 4, 1)))
        assert reader.trace("H59-1").revisions[0].content == {"dossier.v1": "A"}
    bench.execute("UPDATE arrival SET body = NULL, records = NULL")
    with open_reader(bench.url) as reader:
        assert pickle.dumps(reader.report(date(2017, 4, 1))) == before
        trace = reader.trace("H59-1")
        assert [r.content for r in trace.revisions] == [None, None]
        assert [d.state for d in trace.dispatches] == ["dead", "waiting"]
        assert reader.dead(DeadFilter())[0].key == "H59-1"
        detail = reader.dead_letter(1)
        assert (detail.content, detail.original, detail.followers) == (None, None, 1)
        (figures,) = reader.report(date(2017, 4, 1))
    assert (figures.figures.received, figures.figures.late, figures.figures.early) == (2, 1, 1)
    bench.settle(dossier("H59-1", counted=late))
    assert bench.items()[-1] == "duplicate", "identity needs no body"
