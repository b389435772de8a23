"""A portal that is down under load: one message at the start and one at the end, on every channel; in its maintenance
none; the other portal unaffected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from hub.bus.private_node import PrivateNode
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import QuickApp, Town, until
from tests.support.mail_server import MailServer, mail_server
from tests.support.web_server import Receiver, receiver

pytestmark = pytest.mark.usefixtures("impatient", "prompt")

TIMES = {"after_s": 0.8, "settle_s": 1.0}


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for messages and for troubles come quickly one after the other."""
    monkeypatch.setattr("hub.telling.LOOK_S", 0.1)
    monkeypatch.setattr("hub.watching.LOOK_S", 0.1)


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server(tls="starttls", login=("hub", "mật khẩu")) as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture(params=["sqlite-embedded", "postgresql-rabbitmq"])
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the ledger is and what carries the tickets."""
    if request.param == "sqlite-embedded":
        return {}
    broker: PrivateNode = request.getfixturevalue("broker")
    ledger: str = request.getfixturevalue("postgres_url")
    return {"ledger": ledger, "bus": broker.amqp_url, "prefix": request.getfixturevalue("prefix")}


def alerted(make_town: MakeTown, mails: MailServer, hook: Receiver, **settings: Any) -> Town:
    """A town whose hub tells one address and one webhook."""

    def changes(configuration: dict[str, Any]) -> None:
        configuration["mail"] = mails.settings()
        webhooks = [{"name": "phong", "url": hook.url, "secret": "bí mật"}]
        configuration["alerts"] = {"mail": ["truc@tinh.example.vn"], "webhooks": webhooks, **TIMES}

    return make_town(dossiers=6, ticks=4, changes=changes, **settings)


def state(mail: EmailMessage) -> tuple[str, bool]:
    subject = str(mail["Subject"])
    return subject.split("]")[1].split(":")[0].strip(), "over:" in subject


async def flow(town: Town, portal: str) -> int:
    """Release a tick and wait until a portal has all of it; returns how much that is."""
    before = len(town.log(portal))
    town.tick()
    await until(lambda: all(town.read_whole(one) for one in town.systems) and not town.open(portal), show=town.standing)
    return len(town.log(portal)) - before


def test_an_outage_under_load_is_told_once_at_its_start_and_once_at_its_end(
    make_town: MakeTown, mails: MailServer, hook: Receiver, place: dict[str, str]
) -> None:
    town = alerted(make_town, mails, hook, **place)

    async def main() -> None:
        second = QuickApp(town.deployment) if place else None
        async with town.hub():
            # With PostgreSQL two hubs see the same, and one of them tells.
            serving = asyncio.create_task(_beside(town, second)) if second is not None else None
            usual = await flow(town, "provincial")
            town.fault("national", "http-503")
            assert await flow(town, "provincial") == usual
            await until(lambda: mails.taken and hook.posted, show=town.standing)
            assert await flow(town, "provincial") == usual
            town.fault("national", "off")
            await town.all_arrived()
            await until(lambda: len(mails.taken) == 2 and len(hook.posted) == 2, show=town.standing)
            town.tick()
            await town.all_arrived()
            if serving is not None:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())
    town.leave()
    assert [state(mail) for mail in mails.taken] == [("national", False), ("national", True)]
    assert [(one["subject"], one["trouble"], one["state"]) for one in hook.alerts] == [
        ("national", "held", "opened"),
        ("national", "held", "ended"),
    ]
    assert hook.alerts[0]["since"] == hook.alerts[1]["since"] < hook.alerts[1]["until"]
    assert all(encrypted for _, _, encrypted in mails.envelopes)
    text = mails.taken[0].get_content()
    assert text.index("hệ thống đích không nhận hồ sơ") < text.index("the portal takes nothing")
    assert town.gates("provincial") == []
    rows = town.ask("SELECT closed_us, end_text FROM alert")
    assert len(rows) == 1
    assert rows[0].closed_us
    assert not town.ask("SELECT id FROM message WHERE sent_us IS NULL")
    town.leave()


async def _beside(town: Town, app: QuickApp) -> None:
    async with town.hub(app):
        await asyncio.Event().wait()


def test_in_maintenance_nobody_is_told(make_town: MakeTown, mails: MailServer, hook: Receiver) -> None:
    town = alerted(make_town, mails, hook)

    async def main() -> None:
        async with town.hub() as app:
            usual = await flow(town, "provincial")
            town.fault("national", "http-503")
            await app.ledger.set_gate("national", "maintenance", "bảo trì theo lịch")
            assert await flow(town, "provincial") == usual
            # Long enough for what would be told to be told: the other portal's trouble is.
            town.fault("provincial", "http-503")
            town.tick()
            await until(lambda: mails.taken and hook.posted, show=town.standing)
            for portal in town.portals:
                town.fault(portal, "off")
            await app.ledger.set_gate("national", "open", "bảo trì xong")
            await town.all_arrived()
            await until(lambda: len(mails.taken) == 2 and len(hook.posted) == 2, show=town.standing)

    asyncio.run(main())
    assert {state(mail)[0] for mail in mails.taken} == {"provincial"}
    assert {one["subject"] for one in hook.alerts} == {"provincial"}


def test_a_hub_that_was_stopped_in_an_outage_tells_its_end_after_its_start(
    make_town: MakeTown, mails: MailServer, hook: Receiver
) -> None:
    town = alerted(make_town, mails, hook)

    async def main() -> None:
        async with town.hub():
            await flow(town, "provincial")
            town.fault("national", "http-503")
            town.tick()
            await until(lambda: mails.taken and hook.posted, show=town.standing)
        town.fault("national", "off")
        async with town.hub():
            await until(lambda: len(mails.taken) == 2 and len(hook.posted) == 2, show=town.standing)

    asyncio.run(main())
    assert [state(mail) for mail in mails.taken] == [("national", False), ("national", True)]
