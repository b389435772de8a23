"""Alerts, and what people are told, as the ledger keeps both.

An alert that begins or ends and the messages that tell it are one transaction, made by one hub at a time: each is told
once, whatever dies. A message is named by `about`, so that whoever wants it told may say so twice. It is due at a time;
who sends it takes it first, which moves that time ahead, so that no other process sends it meanwhile and a kill only
delays it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.alert_rules import Trouble
from hub.alert_words import end_line, ended, line, started
from hub.alerts import Alert, Judgement, Limits, Observed, judge
from hub.ledger import tables as t
from hub.ledger.bulk import Tx, insert_many
from hub.ledger.sources import database_now_us
from hub.ledger.values import SECOND_US

LEAD_S = 30.0
"""A hub that has judged goes on to judge; another does once it has not for so long."""

_LEADER = "alerts"
"""The row of `meta` that says who judges, and that whoever does holds locked."""


# --- alerts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told."""

    hub: str
    """The hub's name, for people who hear of several."""
    channels: Sequence[str]
    """`mail:ADDRESS`, `webhook:NAME`."""


def known_alerts(tx: Tx, settle_s: float, channels: Sequence[str]) -> list[Alert]:
    """Return what is open and what ended less than `settle_s` ago."""
    a, m = t.alert.c, t.message.c
    since_us = tx.now_us - int(settle_s * SECOND_US)
    # Two questions: each has an index, or little to look at, of its own.
    rows = [*tx.execute(sa.select(t.alert).where(a.closed_us.is_(None))).mappings()]
    rows += tx.execute(sa.select(t.alert).where(a.closed_us > since_us)).mappings()
    ends = {about: row["id"] for row in rows if row["closed_us"] for about in _abouts(row["id"], "end", channels)}
    begun = sa.select(m.about).where(m.about.in_(list(ends)), sa.or_(m.tries > 0, m.sent_us.isnot(None)))
    told = {ends[about] for about in tx.execute(begun).scalars()} if ends else set()
    known = {one.value for one in Trouble}
    return [_alert(row, row["id"] in told) for row in rows if row["trouble"] in known]


def _alert(row: sa.RowMapping, told: bool) -> Alert:
    return Alert(
        row["id"], row["subject"], row["trouble"], row["opened_us"], row["closed_us"], row["count"], end_told=told
    )


def _abouts(alert_id: int, part: str, channels: Sequence[str]) -> list[str]:
    """The names of the messages that tell the start or the end of an alert."""
    return [f"alert {alert_id} {part} {channel}" for channel in channels]


def judge_and_tell(tx: Tx, worker: str, observed: Observed, limits: Limits, audience: Audience) -> Judgement | None:
    """Judge a look, write down what follows, and have it told. None where another hub judges."""
    if not _leads(tx, worker):
        return None
    made = judge(observed, known_alerts(tx, limits.settle_s, audience.channels), limits, tx.now_us)
    a = t.alert.c
    for sign in made.opened:
        columns = ("subject", "trouble", "opened_us", "text", "count")
        text = line(sign.trouble, sign.since_us, sign.count, sign.detail)
        insert_many(tx, t.alert, columns, [(sign.subject, sign.trouble.value, sign.since_us, text, sign.count)])
        mine = sa.select(a.id).where(a.subject == sign.subject, a.trouble == sign.trouble.value, a.closed_us.is_(None))
        _tell_all(tx, tx.execute(mine).scalar_one(), "start", audience, started(audience.hub, sign))
    for alert in made.closed:
        over = sa.update(t.alert).where(a.id == alert.id)
        tx.execute(over.values(closed_us=tx.now_us, end_text=end_line(alert, tx.now_us)))
        later_us = tx.now_us + int(limits.settle_s * SECOND_US)
        _tell_all(tx, alert.id, "end", audience, ended(audience.hub, alert, tx.now_us), later_us)
    for alert in made.reopened:
        untold = t.message.c.about.in_(_abouts(alert.id, "end", audience.channels))
        tx.execute(sa.delete(t.message).where(untold, t.message.c.tries == 0))
        again = {"closed_us": None, "end_text": None, "count": alert.count}
        tx.execute(sa.update(t.alert).where(a.id == alert.id).values(**again))
    for alert in made.updated:
        text = line(alert.trouble, alert.opened_us, alert.count)
        tx.execute(sa.update(t.alert).where(a.id == alert.id).values(count=alert.count, text=text))
    return made


def _tell_all(
    tx: Tx, alert_id: int, part: str, audience: Audience, content: Mapping[str, Any], due_us: int | None = None
) -> None:
    for channel, about in zip(audience.channels, _abouts(alert_id, part, audience.channels), strict=True):
        tell(tx, channel, about, content, due_us=due_us)


def _leads(tx: Tx, worker: str) -> bool:
    """Whether this worker judges; it is locked until the transaction ends, so that no other does at the same time.

    Nobody waits for the lock: a worker that stands still with it would hold up the other's whole writer.
    """
    if not tx.postgres:
        return True
    m = t.meta.c
    insert_many(tx, t.meta, ("name", "value"), [(_LEADER, "")], ignore=True)
    value = tx.execute(tx.lock(sa.select(m.value).where(m.name == _LEADER), skip=True)).scalar()
    owner, _, until_us = (value or "").partition(" ")
    now_us = database_now_us(tx)
    if value is None or (owner not in ("", worker) and int(until_us) > now_us):
        return False
    tx.execute(sa.update(t.meta).where(m.name == _LEADER).values(value=f"{worker} {now_us + int(LEAD_S * SECOND_US)}"))
    return True


# --- messages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was taken to be sent; `due_us` is the end of the lease and names it."""

    id: int
    channel: str
    """`mail:ADDRESS` or `webhook:NAME`."""
    about: str
    content: Mapping[str, Any]
    made_us: int
    due_us: int
    tries: int
    """Tries before this one."""


def tell(tx: Tx, channel: str, about: str, content: Mapping[str, Any], *, due_us: int | None = None) -> bool:
    """Write a message down, due at once or at `due_us`; returns False where one of this name is there already."""
    columns = ("channel", "about", "content", "made_us", "due_us")
    row = (channel, about, orjson.dumps(content).decode(), tx.now_us, tx.now_us if due_us is None else due_us)
    return insert_many(tx, t.message, columns, [row], ignore=True) == 1


def due_messages(tx: Tx, at_most: int = 500) -> list[tuple[int, str]]:
    """Return the ids and channels of what is due, the longest due first."""
    m = t.message.c
    query = sa.select(m.id, m.channel).where(m.due_us <= tx.now_us).order_by(m.due_us, m.id).limit(at_most)
    return [(row.id, row.channel) for row in tx.execute(query)]


def take_messages(tx: Tx, ids: Sequence[int], for_s: float) -> list[Message]:
    """Take those of `ids` that are due and that nobody else took; nobody else does for `for_s`."""
    m = t.message.c
    query = sa.select(t.message).where(m.id.in_(list(ids)), m.due_us <= tx.now_us).order_by(m.id)
    rows = tx.execute(tx.lock(query, skip=True)).all()
    until_us = tx.now_us + int(for_s * SECOND_US)
    taken = sa.update(t.message).where(m.id.in_([row.id for row in rows]))
    tx.execute(taken.values(due_us=until_us, tries=m.tries + 1))
    return [
        Message(row.id, row.channel, row.about, orjson.loads(row.content), row.made_us, until_us, row.tries)
        for row in rows
    ]


def message_sent(tx: Tx, message: Message) -> None:
    """Record that a message went, whoever holds it by now."""
    m = t.message.c
    tx.execute(sa.update(t.message).where(m.id == message.id).values(due_us=None, sent_us=tx.now_us, problem=None))


def message_failed(tx: Tx, message: Message, problem: str, again_in_s: float | None) -> bool:
    """Record why a message did not go, and when it is tried again; None gives it up. False where the lease was lost."""
    m = t.message.c
    again_us = None if again_in_s is None else tx.now_us + int(again_in_s * SECOND_US)
    mine = sa.update(t.message).where(m.id == message.id, m.due_us == message.due_us)
    return tx.execute(mine.values(due_us=again_us, problem=problem[:1000])).rowcount == 1
