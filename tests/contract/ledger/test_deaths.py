"""Whose a dead dispatch is, and where in its page its record was read."""

from __future__ import annotations

from datetime import date

import pytest

from hub.ledger.deaths import Died
from hub.ledger.read import open_reader
from schemas.record import Counted
from tests.contract.ledger.bench import Bench, dossier, step

OF = Counted("H59.01", "1.004194", 4, date(2017, 3, 1), None, None)


def test_the_dead_among_some_dispatches_are_told_a_step_with_its_dossier_s_agency(bench: Bench) -> None:
    bench.deliver(bench.settle(dossier("H59-1", counted=OF), dossier("H59-2", counted=OF)).tickets)
    settled = bench.settle(step("H59-1"), step("H59-3"), dossier("H59-4"), source="s")
    ids = [ticket.dispatch_id for ticket in settled.tickets]
    bench.finish(bench.claim(settled.tickets), "dead")
    found = bench.run(bench.ledger.died([*ids, 1, 2, 999]))
    assert found == [
        Died(ids[0], "H59-1", "dossier-step.v1", "s", "H59.01", "mapping", "page 1"),
        Died(ids[1], "H59-4", "dossier.v1", "s", None, "mapping", "page 1"),
    ]
    assert bench.run(bench.ledger.died([])) == []


@pytest.mark.parametrize("nth", [0, 2])
def test_a_dead_letter_knows_its_row_and_its_page(bench: Bench, nth: int) -> None:
    made = [dossier(f"H59-{n}") for n in range(3)]
    settled = bench.settle(*made, body=b"<page/>", charset="utf-16")
    bench.finish(bench.claim([settled.tickets[nth]]), "dead")
    with open_reader(bench.url) as reader:
        detail = reader.dead_letter(settled.tickets[nth].dispatch_id)
    assert (detail.row, detail.media, detail.charset, detail.mapping) == ((nth, 0), "xml", "utf-16", "mapping")
    assert detail.original == b"<page/>"
