"""The destinations that come with the hub, held against the contract, and what the twins of their portals log."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, ClassVar

import pytest

from hub.contract import DestinationContract, Portal
from hub.contract.destination import send as send_by
from hub.ports import Destination, Fault, Mode, Outgoing, Receipt, Result

if TYPE_CHECKING:
    from tests.contract.destinations.conftest import Stand


class TestDvcqg(DestinationContract):
    adapter = "dvcqg"

    @pytest.fixture
    def portal(self, national_stand: Stand) -> Portal:
        return national_stand


class TestLgsp(DestinationContract):
    adapter = "lgsp"
    lacks: ClassVar[dict[str, str]] = {
        "200-error": "HTTP 200 is taken here, whatever the body says",
        "look-up": "the platform has none",
    }

    @pytest.fixture
    def portal(self, provincial_stand: Stand) -> Portal:
        return provincial_stand


class TestHttp(DestinationContract):
    adapter = "http"

    @pytest.fixture
    def portal(self, plain_stand: Stand) -> Portal:
        return plain_stand


def test_the_suite_walks_every_destination_that_is_registered() -> None:
    sources = ("soap", "rest", "files", "sql", "recorded")
    destinations = {point.name for point in entry_points(group="hub.adapters") if point.name not in sources}
    assert destinations == {each.adapter for each in (TestDvcqg, TestLgsp, TestHttp)}


def send(destination: Destination, *outgoing: Outgoing) -> list[Result]:
    """Deliver in batches, one after another, and close."""

    async def main() -> list[Result]:
        results = await send_by(destination, *outgoing)
        await destination.close()
        return results

    return asyncio.run(main())


def test_dossiers_then_steps_are_taken_and_logged_in_order(stand: Stand) -> None:
    records = [*(stand.dossier(n) for n in range(1, 6)), *(stand.step(n) for n in range(1, 6))]
    results = send(stand.destination(), *records)
    assert results == [Receipt(each.dispatch_id) for each in records]
    assert stand.logged() == [each.lane for each in records]
    assert [line["service"] for line in stand.log()] == [stand.kind.dossiers] * 5 + [stand.kind.steps] * 5
    assert [line["n"] for line in stand.log()] == list(range(1, 11))
    assert stand.state()["numbers"] == {stand.kind.dossiers: 5, stand.kind.steps: 5}
    assert stand.state()["log_ins"] == 1


def test_a_step_of_an_unknown_dossier_is_refused_and_not_logged(stand: Stand) -> None:
    [result] = send(stand.destination(), stand.step(7))
    assert isinstance(result, Fault)
    assert stand.log() == []
    assert stand.refused()[-1]["numbers"] == ["H59.12-170301-0007"]


def test_a_twin_that_is_started_again_knows_what_it_knew(stand: Stand) -> None:
    assert send(stand.destination(), stand.dossier(1)) == [Receipt(1)]
    stand.again()
    assert send(stand.destination(), stand.step(1)) == [Receipt(1001)]
    assert [line["n"] for line in stand.log()] == [1, 2]


def test_a_repeat_and_an_older_state_are_logged_and_not_hidden(stand: Stand) -> None:
    destination = stand.destination()
    send(destination, stand.dossier(1, GhiChu="a"))
    for note in ("b", "b", "a"):
        send(destination, stand.dossier(1, Mode.UPDATE, GhiChu=note))
    for _ in range(2):
        send(destination, stand.step(1))
    assert [line["data"].get("GhiChu") for line in stand.log()] == ["a", "b", "b", "a", None, None]
