"""`hub alerts`: who was told what, what could not be told, and a test of every channel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.alerts import DestinationSeen, Observed
from hub.ledger import Ledger
from hub.ledger.alerts import Audience
from hub.ledger.ledger import wall_us
from hub.sections import AlertsSection
from tests.support.mail_server import MailServer, mail_server
from tests.support.web_server import Receiver, receiver

AUDIENCE = Audience("tra-vinh", ["mail:truc@tinh.example.vn", "webhook:phong"])


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def configured(folder: Path, **sections: Any) -> str:
    path = folder / "hub.yaml"
    path.write_text(yaml.safe_dump({"hub": {"name": "tra-vinh", "province": "H59"}, **sections}), encoding="utf-8")
    return str(path)


async def story(url: str) -> None:
    """One trouble that came and went, one that is there; a mail that went, a webhook that is tried again."""
    ledger = Ledger(url, {})
    await ledger.open(take_over=False)
    limits = AlertsSection(settle_s=0)
    dead = Observed([DestinationSeen("national", dead=3)])
    held = Observed([DestinationSeen("provincial", "held", wall_us() - 120_000_000, "down", "503")])
    for observed in (dead, held):
        await ledger.judge_and_tell(observed, limits, AUDIENCE)
    ids = {channel: id_ for id_, channel in reversed(await ledger.due_messages())}
    for message in await ledger.take_messages(list(ids.values()), 60):
        if message.channel == "webhook:phong":
            await ledger.message_failed(message, "webhook phong: HTTP 500", 30)
        else:
            await ledger.message_sent(message)
    await ledger.close()


@pytest.fixture
def told(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    asyncio.run(story(url))
    return url


def test_list_says_who_was_told_and_who_was_not(hub: Any, told: str) -> None:
    ran = hub("alerts", "list", "--ledger", told)
    assert ran.status == 0
    assert "Open: 1 alert" in ran.out
    assert "  provincial: the portal takes nothing, since " in ran.out
    assert "(down 503)" in ran.out
    assert "Ended: 1 alert" in ran.out
    assert "  national: dead letters: 3 dead letters, since " in ran.out
    assert "at most 3 dead letters at a time" in ran.out
    assert "start told to mail:truc@tinh.example.vn " in ran.out
    assert "webhook:phong (not yet)" in ran.out
    assert "Not told: 1 message" in ran.out
    assert "alert 1 start webhook:phong: webhook phong: HTTP 500 (1 try, again " in ran.out


def test_list_as_json(hub: Any, told: str) -> None:
    shown = hub("alerts", "list", "--ledger", told, "--json").json
    [one], [ended], [untold] = shown["open"], shown["ended"], shown["untold"]
    assert (one["subject"], one["trouble"], one["closed_at"]) == ("provincial", "held", None)
    assert (ended["count"], ended["start"][0]["problem"], ended["start"][0]["tries"]) == (3, "", 1)
    assert ended["start"][0]["sent_at"].endswith("+07:00")
    assert untold["channel"] == "webhook:phong"


def test_what_ended_long_ago_is_left_out(hub: Any, told: str) -> None:
    assert "Ended: none" in hub("alerts", "list", "--ledger", told, "--days", "0").out


def test_a_quiet_ledger_has_none(hub: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"

    async def make() -> None:
        ledger = Ledger(url, {})
        await ledger.open(take_over=False)
        await ledger.close()

    asyncio.run(make())
    assert hub("alerts", "list", "--ledger", url).out == "Open: none\nEnded: none\n"


def test_test_tells_every_channel(hub: Any, tmp_path: Path, mails: MailServer, hook: Receiver) -> None:
    config = configured(
        tmp_path,
        mail=mails.settings(),
        alerts={"mail": ["truc@tinh.example.vn"], "webhooks": [{"name": "phong", "url": hook.url}]},
    )
    ran = hub("alerts", "test", config)
    assert (ran.status, ran.out) == (0, "mail:truc@tinh.example.vn: told\nwebhook:phong: told\n")
    assert mails.taken[0]["Subject"] == "[hub tra-vinh] tin thử / test message"
    assert "Không có sự cố nào" in mails.taken[0].get_content()
    [alert] = hook.alerts
    assert (alert["state"], alert["hub"]) == ("test", "tra-vinh")


def test_test_fails_where_one_channel_does(hub: Any, tmp_path: Path, mails: MailServer, hook: Receiver) -> None:
    hook.status = 500
    config = configured(
        tmp_path,
        mail=mails.settings(),
        alerts={"mail": ["truc@tinh.example.vn"], "webhooks": [{"name": "phong", "url": hook.url}]},
    )
    ran = hub("alerts", "test", config, "--json")
    assert ran.status == 1
    assert ran.json == {
        "ok": False,
        "channels": [
            {"channel": "mail:truc@tinh.example.vn", "ok": True, "problem": ""},
            {"channel": "webhook:phong", "ok": False, "problem": "webhook phong: HTTP 500"},
        ],
    }
    assert len(mails.taken) == 1


def test_test_says_where_nobody_would_be_told(hub: Any, tmp_path: Path) -> None:
    ran = hub("alerts", "test", configured(tmp_path))
    assert ran.status == 1
    assert "[nobody-to-tell] — add 'alerts:" in ran.err
