"""Each stage of the floor alone, over the same data: what the whole may cost at most is judged by their sum."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.carrier import Rabbit
from benchmarks.dossiers import PAGE
from benchmarks.line import BATCH
from benchmarks.straight import DESTINATIONS, Page, Ticket, decode, pack, render, validate

if TYPE_CHECKING:
    from benchmarks.floor import Floor

CALLS = 2
"""Requests per claim: a group of leases makes so many."""

Group = tuple[str, list[tuple[int, list[Ticket]]]]
"""A destination and the calls that are claimed together."""


class Costs:
    """Wall clock and processor per stage, in µs per dossier; a stage may be entered again and adds up."""

    def __init__(self, dossiers: int) -> None:
        self._each = 1e6 / dossiers
        self.of: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        cost = self.of.setdefault(name, {"cpu_us": 0.0, "wall_us": 0.0})
        cost["cpu_us"] += (time.process_time() - cpu) * self._each
        cost["wall_us"] += (time.perf_counter() - wall) * self._each


async def stages(floor: Floor) -> dict[str, Any]:
    """Run every stage to its end before the next begins; costs are of a dossier, for both portals together.

    What a stage makes is kept only as bytes: keeping it as objects would burden the next with the collector's work.
    """
    costs = Costs(floor.job.dossiers)
    with costs.stage("fetch"):
        bodies = [await floor.source.fetch(number + 1) for number in range(-(-floor.job.dossiers // PAGE))]
    with costs.stage("decode"):
        for body in bodies:
            decode(body)
    records = []
    for body in bodies:
        rows, _ = decode(body)
        with costs.stage("validate"):
            records.append(validate(rows))
    with costs.stage("pack"):
        pages = [pack(number, body, *records[number - 1]) for number, body in enumerate(bodies, 1)]
    del bodies, records
    stored = await _store(floor, costs, pages)
    if isinstance(floor.carrier, Rabbit):
        await _carry(floor, costs, stored)
    groups = list(_groups(floor, stored))
    with costs.stage("render"):
        for _, calls in groups:
            for _, members in calls:
                for ticket in members:
                    render(ticket.body)
    await _send(floor, costs, groups)
    return {"stages": costs.of}


async def _store(floor: Floor, costs: Costs, pages: list[Page]) -> list[dict[str, list[Ticket]]]:
    from benchmarks.floor import settling

    store, writer = floor.writer.store, floor.writer
    with costs.stage("store"):
        return [await writer.run(settling(store, page)) for page in pages]


async def _carry(floor: Floor, costs: Costs, stored: list[dict[str, list[Ticket]]]) -> None:
    assert isinstance(floor.carrier, Rabbit)
    with costs.stage("publish"):
        for tickets in stored:
            await floor.carrier.publish(tickets)
    with costs.stage("consume"):
        await floor.carrier.consume()
        for name in DESTINATIONS:
            left = floor.job.dossiers
            while left:
                taken = await floor.carrier.take(name, BATCH * CALLS)
                floor.carrier.ack(name, [tag for tag, _ in taken])
                left -= len(taken)


def _groups(floor: Floor, stored: list[dict[str, list[Ticket]]]) -> Iterator[Group]:
    for name in DESTINATIONS:
        mine = [ticket for tickets in stored for ticket in tickets[name]]
        calls = [(next(floor.calls), mine[at : at + BATCH]) for at in range(0, len(mine), BATCH)]
        for at in range(0, len(calls), CALLS):
            yield name, calls[at : at + CALLS]


async def _send(floor: Floor, costs: Costs, groups: list[Group]) -> None:
    store, writer = floor.writer.store, floor.writer
    with costs.stage("claim"):
        for name, calls in groups:
            claims = [(call, [ticket.id for ticket in members]) for call, members in calls]
            await writer.run(partial(store.claim, name, claims))
    for name, calls in groups:
        payloads = [[render(ticket.body) for ticket in members] for _, members in calls]
        with costs.stage("call"):
            await asyncio.gather(*(floor.portals[name].send(each) for each in payloads))
    with costs.stage("finish"):
        for _, calls in groups:
            for call, members in calls:
                await writer.run(partial(store.finish, call, [ticket.id for ticket in members]))
