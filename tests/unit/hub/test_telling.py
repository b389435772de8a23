"""The sender of messages: over a real ledger, real SMTP and real HTTP; in trouble, for a day, and from two hubs."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.alert_words import trial
from hub.ledger import Ledger
from hub.retry import RetryPolicy
from hub.sections import AlertsSection, MailSection
from hub.telling import GIVE_UP_S, SIGNATURE, Telling, channel_kind, signature
from tests.support.mail_server import MailServer, mail_server
from tests.support.web_server import Receiver, receiver
from tests.unit.hub.line import until

MAIL = "mail:truc@tinh.example.vn"
HOOK = "webhook:phong"
CONTENT = trial("tra-vinh", 0)


class Clock:
    """Of the ledger and the sender: goes when it is told to."""

    def __init__(self) -> None:
        self.us = 1_772_413_200_000_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.telling.LOOK_S", 0.02)


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


class Place:
    """A ledger with its clock, a mail server and a webhook."""

    def __init__(self, ledger: Ledger, clock: Clock, mails: MailServer, hook: Receiver) -> None:
        self.ledger, self.clock, self.mails, self.hook = ledger, clock, mails, hook

    @asynccontextmanager
    async def telling(self, timeout_s: float = 5.0, **webhook: Any) -> AsyncIterator[None]:
        alerts = AlertsSection.model_validate(
            {"webhooks": [{"name": "phong", "url": self.hook.url, "timeout_s": timeout_s, **webhook}]}
        )
        mail = MailSection.model_validate(self.mails.settings(timeout_s=timeout_s))
        task = asyncio.create_task(Telling(self.ledger, mail, alerts, self.clock, lambda: 0.5).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def rows(self) -> dict[str, Any]:
        """Every message by its name."""
        import sqlalchemy as sa

        from hub.ledger import tables as t

        found = await self.ledger._read(lambda tx: tx.execute(sa.select(t.message)).all())
        return {row.about: row for row in found}


@asynccontextmanager
async def placed(tmp_path: Path, mails: MailServer, hook: Receiver) -> AsyncIterator[Place]:
    clock = Clock()
    ledger = Ledger(f"sqlite:///{tmp_path / 'hub.db'}", {}, now_us=clock)
    await ledger.open(take_over=False)
    try:
        yield Place(ledger, clock, mails, hook)
    finally:
        await ledger.close()


async def sent(place: Place, about: str) -> None:
    await until_row(place, about, lambda row: row.sent_us is not None)


async def failed(place: Place, about: str, said: str) -> None:
    await until_row(place, about, lambda row: said in (row.problem or ""))


async def until_row(place: Place, about: str, holds: Callable[[Any], bool]) -> None:
    give_up_at = time.monotonic() + 90
    while not holds((await place.rows())[about]):
        assert time.monotonic() < give_up_at, await place.rows()
        await asyncio.sleep(0.02)


def test_both_channels_are_told(tmp_path: Path, mails: MailServer, hook: Receiver) -> None:
    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell(MAIL, "a", CONTENT)
            await place.ledger.tell(HOOK, "b", CONTENT)
            await place.ledger.tell(HOOK, "c", {"subject": "Tệp lỗi", "text": "…"})
            async with place.telling(bearer="chìa khoá".encode().hex(), secret="bí mật"):
                for about in ("a", "b", "c"):
                    await sent(place, about)

    asyncio.run(main())
    [mail] = mails.taken
    assert (mail["To"], mail["Subject"]) == ("truc@tinh.example.vn", CONTENT["subject"])
    bodies = {orjson.loads(body)["about"]: (headers, body) for headers, body in hook.posted}
    headers, body = bodies["b"]
    assert orjson.loads(body) == {"about": "b", "alert": CONTENT["alert"]}
    assert headers["authorization"] == f"Bearer {'chìa khoá'.encode().hex()}"
    # As a receiver would see whether it is ours.
    expected = hmac.new("bí mật".encode(), body, "sha256").hexdigest()
    assert headers[SIGNATURE.lower()] == f"sha256={expected}" == signature("bí mật", body)
    assert orjson.loads(bodies["c"][1])["message"] == {"subject": "Tệp lỗi", "text": "…"}


def test_what_fails_is_told_later_and_under_the_same_name(
    tmp_path: Path, mails: MailServer, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.telling.AGAIN", RetryPolicy(first_s=20, cap_s=20))

    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            mails.trouble, hook.status = "drop", 503
            await place.ledger.tell(MAIL, "a", CONTENT)
            await place.ledger.tell(HOOK, "b", CONTENT)
            async with place.telling():
                for about in ("a", "b"):
                    await until_row(place, about, lambda row: row.problem is not None)
                rows = await place.rows()
                assert rows["b"].problem == "webhook phong: HTTP 503"
                assert [row.due_us - place.clock() for row in rows.values()] == [10_000_000] * 2
                mails.trouble, hook.status = "", 200
                place.clock.us += 10_000_000
                for about in ("a", "b"):
                    await sent(place, about)
            rows = await place.rows()
            assert [(row.tries, row.problem, row.due_us) for row in rows.values()] == [(2, None, None)] * 2

    asyncio.run(main())
    # The server had taken it, and its word was lost: the repeat can be recognised.
    first, second = mails.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_after_a_day_a_message_is_given_up_and_its_problem_kept(
    tmp_path: Path, mails: MailServer, hook: Receiver
) -> None:
    hook.status = 302

    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell(HOOK, "b", CONTENT)
            place.clock.us += int(GIVE_UP_S * 1_000_000)
            async with place.telling():
                await until_row(place, "b", lambda row: row.due_us is None)
            row = (await place.rows())["b"]
            assert (row.sent_us, row.problem) == (None, "webhook phong: HTTP 302")

    asyncio.run(main())
    assert len(hook.posted) == 1


@pytest.mark.parametrize("hanging", ["mail", "webhook"])
def test_a_channel_that_hangs_delays_no_other(tmp_path: Path, mails: MailServer, hook: Receiver, hanging: str) -> None:
    slow, quick = (MAIL, HOOK) if hanging == "mail" else (HOOK, MAIL)

    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            if hanging == "mail":
                mails.trouble = "hang"
            else:
                hook.status = 0
            for number in range(6):
                await place.ledger.tell(slow, f"slow {number}", CONTENT)
            for number in range(6):
                await place.ledger.tell(quick, f"quick {number}", CONTENT)
            async with place.telling(timeout_s=1.5):
                for number in range(6):
                    await sent(place, f"quick {number}")
                assert not any(row.sent_us for about, row in (await place.rows()).items() if about.startswith("slow"))
                await failed(place, "slow 0", "within 1.5 s")

    asyncio.run(main())


def test_a_channel_that_is_not_configured_any_more_is_said(tmp_path: Path, mails: MailServer, hook: Receiver) -> None:
    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell("webhook:gone", "a", CONTENT)
            await place.ledger.tell("pigeon:x", "b", CONTENT)
            await place.ledger.tell("mail:a b@c.vn", "c", CONTENT)
            async with place.telling():
                for about, said in (("a", "no channel 'webhook:gone'"), ("b", "no channel"), ("c", "no mail address")):
                    await failed(place, about, said)

    asyncio.run(main())


def test_a_content_that_cannot_be_told_stops_nobody(
    tmp_path: Path, mails: MailServer, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell(MAIL, "a", {"no": "subject"})
            await place.ledger.tell(MAIL, "b", CONTENT)
            async with place.telling():
                await sent(place, "b")
                await failed(place, "a", "a defect of the hub")

    asyncio.run(main())
    assert "cannot be told" in caplog.text


def test_a_stop_lets_what_is_under_way_come_to_its_end(tmp_path: Path, mails: MailServer, hook: Receiver) -> None:
    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell(MAIL, "a", CONTENT)
            async with place.telling():
                await until(lambda: mails.connections == 1)
            assert (await place.rows())["a"].sent_us is not None

    asyncio.run(main())
    assert len(mails.taken) == 1


def test_a_stop_does_not_wait_for_who_hangs(
    tmp_path: Path, mails: MailServer, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.telling.END_S", 0.05)
    mails.trouble = "hang"

    async def main() -> None:
        async with placed(tmp_path, mails, hook) as place:
            await place.ledger.tell(MAIL, "a", CONTENT)
            async with place.telling(timeout_s=60):
                await until(lambda: mails.connections == 1)
            # It stays taken: whoever comes next tells it once the lease is over.
            row = (await place.rows())["a"]
            assert (row.sent_us, row.problem, row.tries) == (None, None, 1)
            assert row.due_us > place.clock()

    asyncio.run(main())


def test_all_mails_share_a_way() -> None:
    assert [channel_kind(one) for one in ("mail:a@b", "mail:c@d", "webhook:x")] == ["mail", "mail", "webhook:x"]
