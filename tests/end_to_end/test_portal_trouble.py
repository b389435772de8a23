"""A portal in trouble in mid-flow: everything arrives by itself once it is over, in order, and nothing is told twice
that the ledger does not call possibly twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox import national_portal
from adapters.sandbox.portal_log import json_answer
from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import SERVICES, Town, until

pytestmark = pytest.mark.usefixtures("impatient")

BOTH = ("national", "provincial")
FAULTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    # mode: how it is ordered, and of which classes the faults are that the ledger notes
    "refuse": ({}, {"down", "unknown"}),
    "down": ({}, {"down", "unknown"}),
    "http-503": ({}, {"down"}),
    "500": ({}, {"transient", "down"}),
    "429": ({"retry_after_s": 0.3}, {"throttled"}),
    "drip": ({"interval_s": 0.2}, {"unknown"}),
    "hang": ({}, {"unknown", "down"}),
    "accept-drop": ({}, {"unknown"}),
    "expire-session": ({}, {"session"}),
    "200-error": ({}, {"transient"}),
}


def struck(town: Town, portals: tuple[str, ...]) -> bool:
    return all(town.faults(portal) for portal in portals)


@pytest.fixture(params=["sqlite-embedded", "postgresql-rabbitmq"])
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the ledger is and what carries the tickets."""
    if request.param == "sqlite-embedded":
        return {}
    broker: PrivateNode = request.getfixturevalue("broker")
    ledger: str = request.getfixturevalue("postgres_url")
    return {"ledger": ledger, "bus": broker.amqp_url, "prefix": request.getfixturevalue("prefix")}


@pytest.mark.parametrize("mode", FAULTS)
def test_what_a_portal_does_in_mid_flow_loses_nothing(make_town: MakeTown, mode: str) -> None:
    in_trouble(make_town(ticks=3), mode)


def test_an_answer_that_is_lost_is_no_dossier_lost(make_town: MakeTown, place: dict[str, str]) -> None:
    in_trouble(make_town(dossiers=8, ticks=3, **place), "accept-drop")


def in_trouble(town: Town, mode: str) -> None:
    """Both portals begin to do `mode` when they have taken something, and stop when all of it was read."""
    order, classes = FAULTS[mode]
    # On the provincial platform a 200 is "taken".
    portals = BOTH[:1] if mode == "200-error" else BOTH

    async def main() -> None:
        async with town.hub():
            town.tick()
            await until(lambda: all(town.log(portal) for portal in BOTH))
            for portal in portals:
                town.fault(portal, mode, **order)
            town.tick()
            await until(lambda: struck(town, portals), show=town.standing)
            town.tick()
            await until(lambda: all(town.read_whole(one) for one in town.systems))
            assert town.open()
            for portal in portals:
                town.fault(portal, "off")
            await town.all_arrived()

    asyncio.run(main())
    for portal in portals:
        assert set(town.faults(portal)) <= classes, mode
        assert town.gates(portal)[-1:] in ([], ["open"])
    assert not town.ask("SELECT id FROM dispatch WHERE state = 'dead'")
    if mode in ("http-503", "500", "429", "expire-session", "200-error"):
        # Surely not taken, so nothing is possibly twice.
        assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1")
    town.balance()


def test_an_answer_that_comes_twice_is_one_answer(make_town: MakeTown) -> None:
    town = make_town()

    async def main() -> None:
        for portal in BOTH:
            town.fault(portal, "duplicate-answer")
        async with town.hub():
            town.tick()
            await town.all_arrived()
            town.tick()
            await town.all_arrived()

    asyncio.run(main())
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1")
    town.balance()


class Locked(national_portal.NationalPortal):
    """A portal whose password was changed without a word to us."""

    locked = False

    async def log_in(self, request: Request) -> Response:
        if Locked.locked:
            return json_answer({"session": None, "message": "Tên đăng nhập hoặc mật khẩu không đúng"})
        return await super().log_in(request)

    async def integrate(self, request: Request) -> Response:
        if Locked.locked:
            self.sessions.clear()
        return await super().integrate(request)


def test_a_refused_log_in_kills_no_dossier_and_delays_nobody_else(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(national_portal, "NationalPortal", Locked)
    monkeypatch.setattr("adapters.portal.PAUSE_AFTER_REFUSAL_S", 0.1)
    monkeypatch.setattr(Locked, "locked", False)
    town = make_town()

    async def main() -> None:
        async with town.hub():
            town.tick()
            await town.all_arrived()
            monkeypatch.setattr(Locked, "locked", True)
            town.tick()
            # The provincial platform gets everything meanwhile.
            await until(
                lambda: all(town.read_whole(one) for one in town.systems) and not town.open("provincial"),
                show=town.standing,
            )
            await until(lambda: town.gates("national")[-1:] == ["held"], show=town.standing)
            reason = town.one("SELECT reason FROM gate WHERE destination = 'national'")
            assert "Tên đăng nhập hoặc mật khẩu không đúng" in reason
            waiting = town.ask(
                "SELECT state, attempts FROM dispatch WHERE destination = 'national' AND ended_us IS NULL"
            )
            assert {row.state for row in waiting} <= {"waiting", "queued", "sending"}
            assert {row.attempts for row in waiting} == {0}
            # One probe at a time asks whether it is over.
            await until(lambda: town.faults("national")["session"] >= 3, show=town.standing)
            monkeypatch.setattr(Locked, "locked", False)
            await town.all_arrived()

    asyncio.run(main())
    assert town.gates("national")[-1] == "open"
    assert not town.ask("SELECT id FROM dispatch WHERE state = 'dead' OR possibly_twice = 1 OR attempts > 0")
    town.balance()


@pytest.mark.parametrize("portal", BOTH)
def test_a_portal_that_is_away_does_not_delay_the_other(make_town: MakeTown, portal: str) -> None:
    town = make_town()
    (other,) = set(BOTH) - {portal}

    async def main() -> None:
        async with town.hub():
            town.fault(portal, "refuse")
            for _ in range(2):
                town.tick()
                await until(
                    lambda: all(town.read_whole(one) for one in town.systems) and not town.open(other),
                    show=town.standing,
                )
            assert not town.log(portal)
            assert {row["service"] for row in town.log(other)} == set(SERVICES[other])
            town.fault(portal, "off")
            await town.all_arrived()

    asyncio.run(main())
    assert set(town.gates(portal)) == {"held", "open"}
    assert not town.gates(other)
    # What waited was overtaken by newer states where no step stands between them: nothing was sent in vain.
    town.balance()
