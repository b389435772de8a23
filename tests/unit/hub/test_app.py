from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from hub import registry
from hub.app import App, run
from hub.configured import Configured
from hub.deliver import Deliver
from hub.ledger import Ledger
from hub.ledger.engine import open_engine
from hub.ledger.states import Phase
from hub.ports import AdapterContext, Arrival, Cursor, Outgoing, Receipt, Result, Unknown
from hub.sections import Deployment
from hub.settings import load
from schemas.agency import AgencyRegister
from schemas.errors import DestinationFault, LedgerFault
from tests.unit.hub.line import Portal, dossier, page, until

Write = Callable[..., Path]


class AnySettings(BaseModel):
    url: str
    password: str = ""


class Reads:
    """Shows three dossiers."""

    role: ClassVar[str] = "source"
    Settings = AnySettings
    summary: ClassVar[str] = "a source"

    def __init__(self, settings: AnySettings, context: AdapterContext) -> None:
        self.name = context.name

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        shown = page(*(dossier(f"H59-{n}") for n in (1, 2, 3)))
        yield Arrival(**{name: getattr(shown, name) for name in Arrival.__slots__} | {"source": self.name})

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """It is told nothing."""

    async def close(self) -> None:
        """Nothing is held open."""


class Writes(Portal):
    """A portal that takes one dossier at a time."""

    role: ClassVar[str] = "destination"
    Settings = AnySettings
    summary: ClassVar[str] = "a destination"

    def __init__(self, settings: AnySettings, context: AdapterContext) -> None:
        super().__init__(batch=1)

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        await super().deliver(batch, deadline_s)
        return [Receipt(one.dispatch_id) for one in batch]


@dataclass(frozen=True)
class Declared:
    """As much of an entry point as the registry uses."""

    value: str
    found: Any

    def load(self) -> Any:
        return self.found


@pytest.fixture
def deployment(write: Write, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    known = {"reads": Declared("tests:Reads", Reads), "writes": Declared("tests:Writes", Writes)}
    monkeypatch.setattr(registry, "declared", lambda: known)
    monkeypatch.setattr("hub.app.HEARTBEAT_S", 0.01)
    path = write(
        ("one-stop-soap/dossier, one-stop-soap/step", "one-stop-csv/dossier, one-stop-csv/step"),
        ("deadline_s: 20", "deadline_s: 20\n    parallel: 1"),
    )
    return load(path, environment={"HUB_PASSWORD": "x"})


def states(deployment: Deployment) -> list[str]:
    engine = open_engine(deployment.ledger.url, writer=False)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT state FROM dispatch ORDER BY id")).scalars().all()
    engine.dispose()
    return list(found)


def beats(app: App, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows with each heartbeat, by whether the hub is stopping then."""
    seen: list[bool] = []
    beat = app.ledger.beat

    async def noting() -> None:
        await beat()
        seen.append(app._stopping)

    monkeypatch.setattr(app.ledger, "beat", noting)
    return seen


def test_everything_is_polled_and_delivered_once(deployment: Deployment) -> None:
    asyncio.run(asyncio.wait_for(run(deployment, once=True), 60))
    assert states(deployment) == ["delivered"] * 3


def test_a_run_that_ends_by_itself_leaves_what_goes_to_nobody_any_more(deployment: Deployment) -> None:
    asyncio.run(asyncio.wait_for(run(deployment, once=True), 60))
    engine = open_engine(deployment.ledger.url, writer=True)
    with engine.begin() as connection:
        gone = "UPDATE dispatch SET destination = 'gone', state = 'waiting', phase = :waiting, due_us = 1 WHERE id = 2"
        connection.execute(sa.text(gone), {"waiting": int(Phase.WAITING)})
    engine.dispose()
    asyncio.run(asyncio.wait_for(run(deployment, once=True), 60))
    assert states(deployment) == ["delivered", "waiting", "delivered"]


class Silent(Writes):
    """A portal that says nothing of one dossier, and cannot be asked about it."""

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        return [
            Unknown(one.dispatch_id, "no answer") if one.lane == "H59-2" else Receipt(one.dispatch_id) for one in batch
        ]

    async def look_up(self, keys: Sequence[str], deadline_s: float) -> Mapping[str, bool]:
        raise DestinationFault("HTTP 500")


def test_a_run_that_ends_by_itself_leaves_what_a_portal_will_not_tell(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"reads": Declared("tests:Reads", Reads), "writes": Declared("tests:Silent", Silent)}
    monkeypatch.setattr(registry, "declared", lambda: known)
    asyncio.run(asyncio.wait_for(run(deployment, once=True, wait_s=1.5), 60))
    assert states(deployment) == ["delivered", "unknown", "delivered"]


def test_r7_at_a_stop_the_heartbeat_goes_on_until_what_is_on_the_wire_has_ended(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        app, stop = App(deployment), asyncio.Event()
        await app.open()
        seen = beats(app, monkeypatch)
        portal = cast(Writes, app.serving.portals["national"])
        portal.answers.clear()
        serving = asyncio.create_task(app.serve(stop))
        await until(lambda: portal.sent and states(deployment) == ["sending"] * 3)
        stop.set()
        await until(lambda: seen.count(True) >= 5)
        assert not serving.done(), "the portal has not answered yet"
        assert states(deployment) == ["sending"] * 3
        portal.answers.set()
        await asyncio.wait_for(serving, 60)
        # What was on the wire is delivered; the two that waited their turn were never sent and are nobody's now.
        assert portal.sent == [["H59-1"]]
        assert states(deployment) == ["delivered", "waiting", "waiting"]
        ended = len(seen)
        await app.close()
        assert len(seen) == ended
        engine = open_engine(deployment.ledger.url, writer=False)
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT attempts, possibly_twice FROM dispatch")).all()
            owner = connection.execute(sa.text("SELECT owner FROM source")).scalar_one()
        engine.dispose()
        assert {tuple(row) for row in rows} == {(0, 0)}
        assert owner is None, "the source was given back"

    asyncio.run(main())
    asyncio.run(asyncio.wait_for(run(deployment, once=True), 60))
    assert states(deployment) == ["delivered"] * 3


def test_a_portal_that_does_not_answer_holds_a_stop_no_longer_than_its_deadline(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = deployment.destinations["national"].model_copy(update={"deadline_s": 0.1})
    monkeypatch.setitem(cast(dict[str, Any], deployment.destinations), "national", section)
    monkeypatch.setattr("hub.deliver.GRACE_S", 60.0)

    async def main() -> None:
        app, stop = App(deployment), asyncio.Event()
        await app.open()
        portal = cast(Writes, app.serving.portals["national"])
        portal.answers.clear()
        serving = asyncio.create_task(app.serve(stop))
        await until(lambda: portal.sent and states(deployment) == ["sending"] * 3)
        stop.set()
        await asyncio.wait_for(serving, 60)
        assert states(deployment) == ["unknown"] * 3, "who had them is gone, so nobody knows"
        await app.close()

    asyncio.run(main())


class Dead:
    """A PostgreSQL ledger that cannot be written."""

    postgres = True

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = 0

    async def beat(self) -> None:
        self.asked += 1
        await self.answers.wait()

    async def reap(self) -> int:
        return 0


class LetGo:
    """As much of `Deliver` as a heartbeat needs."""

    def __init__(self) -> None:
        self.times = 0

    def let_go(self) -> None:
        self.times += 1


def test_r7_without_a_heartbeat_nothing_is_sent_and_the_sockets_are_closed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.app.SURE_S", 0.05)
    now_s = 0.0
    monkeypatch.setattr("hub.app._steady_s", lambda: now_s)

    async def main() -> None:
        nonlocal now_s
        app, ledger, held = App(deployment), Dead(), LetGo()
        app.ledger, app.serving.delivers = cast(Ledger, ledger), [cast(Deliver, held)]
        assert app._may_send()
        beating = asyncio.create_task(app._heartbeat())
        await until(lambda: ledger.asked >= 2)
        assert held.times == 0, "by the clock it is still surely ours"
        now_s = 0.051
        assert not app._may_send()
        await until(lambda: held.times >= 1)
        ledger.answers.set()
        await until(app._may_send)
        let_go, asked = held.times, ledger.asked
        await until(lambda: ledger.asked >= asked + 3)
        assert held.times == let_go
        app._stopping = True
        assert not app._may_send()
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)

    asyncio.run(main())


def test_what_a_loop_was_sending_when_it_failed_is_unknown_and_the_loop_starts_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.loops.RESTART_S", 0.01)
    monkeypatch.setattr("hub.deliver.ASK_AGAIN_S", 0.01)
    failing = True
    finish = Ledger.finish

    async def failed(self: Ledger, *rest: Any, **more: Any) -> Any:
        nonlocal failing
        if failing:
            failing = False
            raise ZeroDivisionError("a defect")
        return await finish(self, *rest, **more)

    monkeypatch.setattr(Ledger, "finish", failed)

    async def main() -> None:
        app, stop = App(deployment), asyncio.Event()
        await app.open()
        serving = asyncio.create_task(app.serve(stop))
        await until(lambda: not failing and states(deployment) == ["delivered"] * 3)
        stop.set()
        await asyncio.wait_for(serving, 60)
        await app.close()

    asyncio.run(main())


def test_other_rules_hold_for_all_sources_at_once_and_between_two_pages(deployment: Deployment) -> None:
    async def main() -> None:
        app, stop = App(deployment), asyncio.Event()
        await app.open()
        serving = asyncio.create_task(app.serve(stop))
        await until(lambda: states(deployment) == ["delivered"] * 3)
        [ingest] = app.serving.ingests
        before, after = app.rules, replace(app.rules, agencies=AgencyRegister.empty())

        async def renewed(found: Configured) -> Configured:
            return replace(found, rules=after)

        async with ingest.page:  # a page is being settled
            renewing = asyncio.create_task(app.renew(renewed))
            await asyncio.sleep(0)
            assert (app.rules, ingest.rules) == (before, before)
        await asyncio.wait_for(renewing, 10)
        assert ingest.rules == app.rules == replace(after, configuration=1)
        assert app.serving.delivers[0].context.agencies is after.agencies
        stop.set()
        await asyncio.wait_for(serving, 10)
        await app.close()

    asyncio.run(main())


def test_an_embedded_bus_serves_one_process_with_all_roles(deployment: Deployment) -> None:
    async def main() -> None:
        app = App(deployment, frozenset({"deliver"}))
        with pytest.raises(LedgerFault, match="leave out --roles, or use RabbitMQ"):
            await app.open()
        await app.close()

    asyncio.run(main())
