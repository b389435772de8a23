"""Codes that no answer table knows: added up, told apart up to a number, the rest counted together."""

from __future__ import annotations

import asyncio

from hub.answers import MOST, OTHERS, SeenCode
from hub.ledger.answer_codes import AnswerCode
from hub.ledger.read import open_reader
from tests.contract.ledger.bench import Bench


def seen(code: str, count: int = 1, text: str = "", call: str = "send", status: int = 200) -> SeenCode:
    return SeenCode(call, status, code, text, count)


def codes(bench: Bench) -> list[AnswerCode]:
    with open_reader(bench.url) as reader:
        return reader.answer_codes()


def test_counts_add_up_and_the_last_words_are_kept(bench: Bench) -> None:
    bench.run(bench.ledger.saw_codes("n", [seen('"17"', 2, "Sai"), seen("17", 5)]))
    bench.clock.tick(60)
    bench.run(bench.ledger.saw_codes("n", [seen('"17"', 1, "Sai mã"), seen("missing", 1, "", "log-in", 500)]))
    bench.run(bench.ledger.saw_codes("n", [seen('"17"', 1)]))
    bench.run(bench.ledger.saw_codes("m", [seen('"17"', 1)]))
    found = codes(bench)
    assert [(c.destination, c.call, c.status, c.code, c.count, c.text) for c in found] == [
        ("m", "send", 200, '"17"', 1, ""),
        ("n", "send", 200, "17", 5, ""),
        ("n", "send", 200, '"17"', 4, "Sai mã"),
        ("n", "log-in", 500, "missing", 1, ""),
    ]
    assert (found[2].last_at - found[2].first_at).total_seconds() == 60


def test_a_portal_that_invents_codes_fills_no_ledger(bench: Bench) -> None:
    for lot in range(4):
        invented = [seen(str(lot * 100 + n), 1, "x") for n in range(100)]
        bench.run(bench.ledger.saw_codes("n", invented))
    bench.run(bench.ledger.saw_codes("n", [seen("0", 1), seen(OTHERS, 7, call="", status=0)]))
    found = codes(bench)
    assert len(found) == MOST + 1
    rest = next(c for c in found if c.code == OTHERS)
    assert (rest.call, rest.status, rest.count, rest.text) == ("", 0, 200 + 7, "")
    assert next(c for c in found if c.code == "0").count == 2


def test_several_workers_count_the_same_codes_at_once(bench: Bench) -> None:
    async def main() -> None:
        lots = [[seen(code, 1, "x") for code in ("a", "b", "c")[:: (-1) ** n]] for n in range(20)]
        await asyncio.gather(*(bench.ledger.saw_codes("n", lot) for lot in lots))

    bench.run(main())
    assert [(c.code, c.count) for c in codes(bench)] == [("a", 20), ("b", 20), ("c", 20)]
