"""Versions of the configuration: numbered once, named by every revision, and what a process runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from hub.ledger.audit import By
from hub.ledger.configurations import Asked, ask_all, asked, refuses, remember, running, runs
from hub.ledger.ledger import WORKER_TTL_S
from hub.ledger.read import open_reader
from hub.ledger.values import Part, Version
from tests.contract.ledger.bench import Bench, dossier


def version(**texts: str) -> Version:
    parts = tuple(Part("mapping", name, text, f"digest of {text}", len(text)) for name, text in texts.items())
    return Version("/etc/hub/hub.yaml", "may-chu-1", parts)


def number(bench: Bench, wanted: Version) -> int:
    return bench.run(bench.ledger.commit(partial(remember, version=wanted)))


def test_a_version_is_numbered_once_and_its_texts_are_kept_once(bench: Bench) -> None:
    first, second = version(dossier="a", step="b"), version(dossier="c", step="b")
    assert [number(bench, one) for one in (first, second, first, second)] == [1, 2, 1, 2]
    assert len(bench.rows("SELECT digest FROM configuration_text")) == 3
    with open_reader(bench.url) as reader:
        known = reader.configurations()
        assert [(one.number, one.file, one.host) for one in known] == [
            (1, "/etc/hub/hub.yaml", "may-chu-1"),
            (2, "/etc/hub/hub.yaml", "may-chu-1"),
        ]
        texts = reader.configuration_texts([part.digest for part in known[1].parts])
        assert sorted(texts.values()) == ["b", "c"]


def test_every_revision_keeps_the_version_that_made_it(bench: Bench) -> None:
    for wanted in (number(bench, version(dossier="a")), number(bench, version(dossier="b"))):
        settlement = bench.settlement(dossier(at=wanted, content=str(wanted)))
        bench.run(bench.ledger.settle(replace(settlement, configuration=wanted)))
        bench.clock.tick(1)
    bench.settle(dossier(at=3, content="3"))
    traced = bench.trace("H59-1").revisions
    assert [one.configuration for one in traced] == [1, 2, None]
    assert [one.configured_at is None for one in traced] == [False, False, True]


def test_two_processes_number_one_version_once(on_postgres: Bench) -> None:
    other = on_postgres.start()
    try:
        found = []
        for at in range(20):
            made = version(dossier=str(at))

            async def both(made: Version = made) -> list[int]:
                one, two = on_postgres.ledger, other
                return list(
                    await asyncio.gather(*(each.commit(partial(remember, version=made)) for each in (one, two)))
                )

            found.append(on_postgres.run(both()))
        assert found == [[at, at] for at in range(1, 21)]
    finally:
        on_postgres.run(other.close())


def test_each_process_says_what_it_runs_and_why_it_runs_nothing_newer(bench: Bench) -> None:
    worker, one = bench.ledger.worker, number(bench, version(dossier="a"))
    commit = bench.ledger.commit
    bench.run(commit(partial(runs, worker=worker, number=one, heard=0)))
    two = number(bench, version(dossier="b"))
    assert bench.run(bench.ledger.ask(asked)) == Asked(0, 0)
    assert bench.run(commit(partial(ask_all, number=two, by=By("lan", "a new code")))) == 1
    assert bench.run(bench.ledger.ask(asked)) == Asked(1, two)
    bench.run(commit(partial(refuses, worker=worker, heard=1, why="hub.yaml:3: a mistake")))

    def says() -> list[tuple[int | None, int, str]]:
        found = bench.run(bench.ledger.ask(lambda tx: running(tx, WORKER_TTL_S)))
        return [(each.configuration, each.heard, each.refused) for each in found]

    assert says() == [(one, 1, "hub.yaml:3: a mistake")]
    bench.run(commit(partial(runs, worker=worker, number=two, heard=1)))
    assert says() == [(two, 1, "")]
    assert [done.subject for done in bench.run(bench.ledger.operations())] == ["configuration #2"]


@pytest.mark.parametrize("gone", ["ended", "dead"])
def test_who_has_ended_or_died_runs_nothing(bench: Bench, gone: str) -> None:
    worker, one = bench.ledger.worker, number(bench, version(dossier="a"))
    bench.run(bench.ledger.commit(partial(runs, worker=worker, number=one, heard=0)))
    with open_reader(bench.url) as reader:
        before = reader.configurations()
    if gone == "ended":
        bench.run(bench.ledger.leave())
    else:
        bench.execute("UPDATE worker SET beat_us = 0")
    with open_reader(bench.url) as reader:
        assert reader.running() == []
        assert [each.number for each in reader.configurations()] == [each.number for each in before] == [1]
