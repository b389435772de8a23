"""What people see of alerts: what is open, what was, who was told, and what could not be told. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.ledger import tables as t
from hub.ledger.values import from_us, to_us


@dataclass(frozen=True, slots=True)
class Told:
    """How it went to tell one message."""

    channel: str
    """`mail:ADDRESS` or `webhook:NAME`."""
    about: str
    made_at: datetime
    sent_at: datetime | None
    problem: str
    """Why the last try failed; empty where none did, or it went since."""
    tries: int
    next_at: datetime | None
    """When it is tried (again); None where it went, or was given up."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert, and who was told of it."""

    subject: str
    trouble: str
    opened_at: datetime
    closed_at: datetime | None
    text: str
    end_text: str
    count: int
    start: Sequence[Told] = ()
    end: Sequence[Told] = ()


@dataclass(frozen=True, slots=True)
class AlertHistory:
    """What `hub alerts list` shows, the newest first."""

    open: Sequence[AlertView]
    ended: Sequence[AlertView]
    untold: Sequence[Told]
    """Messages of any kind that have not gone and had a problem."""


def alert_history(connection: sa.Connection, since: datetime, at_most: int = 200) -> AlertHistory:
    """Read what is open, what ended since, and what could not be told: of what is still tried, or was made since."""
    a, m = t.alert.c, t.message.c
    since_us = to_us(since)
    newest = sa.select(t.alert).order_by(a.opened_us.desc(), a.id.desc()).limit(at_most)
    is_open, ended = (
        connection.execute(newest.where(which)).mappings().all()
        for which in (a.closed_us.is_(None), a.closed_us >= since_us)
    )
    told = _by_alert(connection) if is_open or ended else {}
    failed = sa.select(t.message).where(m.problem.isnot(None), m.sent_us.is_(None))
    recent = failed.where(sa.or_(m.due_us.isnot(None), m.made_us >= since_us)).order_by(m.id.desc()).limit(at_most)
    return AlertHistory(
        [_view(row, told) for row in is_open],
        [_view(row, told) for row in ended],
        [_as_told(row) for row in connection.execute(recent).mappings()],
    )


def _by_alert(connection: sa.Connection) -> Mapping[tuple[str, str], list[Told]]:
    """The messages of all alerts, by the alert's id and which part of it they tell."""
    m = t.message.c
    found: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in connection.execute(sa.select(t.message).where(m.about.like("alert %")).order_by(m.id)).mappings():
        _, id_, part, *_ = row["about"].split(" ")
        found[id_, part].append(_as_told(row))
    return found


def _view(row: sa.RowMapping, told: Mapping[tuple[str, str], list[Told]]) -> AlertView:
    return AlertView(
        row["subject"], row["trouble"], from_us(row["opened_us"]), _at(row["closed_us"]), row["text"],
        row["end_text"] or "", row["count"], told.get((str(row["id"]), "start"), []),
        told.get((str(row["id"]), "end"), []),
    )  # fmt: skip


def _as_told(row: sa.RowMapping) -> Told:
    return Told(
        row["channel"], row["about"], from_us(row["made_us"]), _at(row["sent_us"]), row["problem"] or "",
        row["tries"], _at(row["due_us"]),
    )  # fmt: skip


def _at(value_us: int | None) -> datetime | None:
    return None if value_us is None else from_us(value_us)
