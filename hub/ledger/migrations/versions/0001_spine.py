"""The spine: every table of the ledger as it first was. What it says is never changed; a later revision alters it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _facts()
    _records()
    _dispatches()
    _gates()


def _facts() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        comment="The key of the digests and other facts of this ledger",
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started_us", Big, nullable=False),
        sa.Column("beat_us", Big, nullable=False),
        sa.Column("delivers", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("ended_us", Big),
        comment="Incarnations of hub processes; beat_us is on the database's clock (R7)",
    )
    op.create_table(
        "source",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("owner", sa.Text),
        sa.Column("owner_until_us", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("page_digest", sa.Text),
        sa.Column("polls", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("polled_us", Big),
        sa.Column("succeeded_us", Big),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("failing_us", Big),
        sa.Column("problem", sa.Text),
        sa.Column("problem_us", Big),
        comment="Where each source stands, who reads it, and how the last poll went (R13)",
    )


def _records() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("uid", sa.Text, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("media", sa.Text, nullable=False),
        sa.Column("charset", sa.Text),
        sa.Column("received_us", Big, nullable=False),
        sa.Column("poll_us", Big, nullable=False),
        sa.Column("settled_us", Big, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("records", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("items", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("accepted", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("duplicate", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("stale", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("rejected", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("parked", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("no_route", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("reads", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("problem", sa.Text),
        comment="One page, file or request: settled, parked (could not be decoded) or reread (parked, "
        "later read whole)",
    )
    op.create_index("arrival_name", "arrival", ["source", "name"], unique=True, **_where("name IS NOT NULL"))
    op.create_index("arrival_parked", "arrival", ["source"], **_where("state = 'parked'"))
    op.create_table(
        "item",
        sa.Column("arrival_id", Big, primary_key=True, autoincrement=False),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("head_id", Big),
        sa.Column("number", sa.Integer),
        sa.Column("key", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("problems", sa.Text),
        sa.Column("raw_digest", sa.Text),
        sqlite_with_rowid=False,
        comment="One record inside an arrival; key, reason, problems only where it was not accepted",
    )
    op.create_index("item_key", "item", ["key"], **_where('"key" IS NOT NULL'))
    op.create_index("item_refused", "item", ["raw_digest"], **_where("raw_digest IS NOT NULL"))
    op.create_table(
        "head",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("changed_us", Big),
        sa.Column("poll_us", Big, nullable=False),
        sa.Column("tie", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("agency", sa.Text),
        sa.Column("procedure", sa.Text),
        sa.Column("status", sa.SmallInteger),
        sa.Column("received_on", sa.Text),
        sa.Column("due_on", sa.Text),
        sa.Column("finished_on", sa.Text),
        comment="The newest revision of each (kind, key), its owner, and the columns that counts need (R16)",
    )
    op.create_index("head_key", "head", ["key", "kind"], unique=True)
    op.create_index("head_lane", "head", ["lane"], **_where('lane != "key"'))
    op.create_table(
        "revision",
        sa.Column("head_id", Big, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("arrival_id", Big, nullable=False),
        sa.Column("offset_bytes", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("changed_us", Big),
        sa.Column("poll_us", Big, nullable=False),
        sa.Column("tie", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("mapping", sa.Text, nullable=False),
        sa.Column("settled_us", Big, nullable=False),
        sqlite_with_rowid=False,
        comment="Every accepted state of a record; offset and size index into the arrival's records once unpacked",
    )


def _dispatches() -> None:
    op.create_table(
        "lane",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("standing", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("dead", sa.Integer, nullable=False, server_default=sa.text("0")),
        postgresql_with={"fillfactor": "70"},
        sqlite_with_rowid=False,
        comment="Locked before a lane is promoted (R5). standing: 0 the portal has no such record, 1 it "
        "has, 2 not known, 3 its events go without it",
    )
    op.create_index("lane_dead", "lane", ["destination", "lane"], **_where("dead > 0"))
    op.create_table(
        "dispatch",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("head_id", Big, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("event", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phase", sa.SmallInteger, nullable=False),
        sa.Column("gen", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("due_us", Big),
        sa.Column("queued_until_us", Big),
        sa.Column("call_id", Big),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("orphans", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("batch_limit", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("possibly_twice", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("reason", sa.Text),
        sa.Column("created_us", Big, nullable=False),
        sa.Column("aged_from_us", Big),
        sa.Column("ended_us", Big),
        sa.CheckConstraint(
            "phase = CASE state WHEN 'waiting' THEN 0 WHEN 'queued' THEN 1 WHEN 'sending' THEN 1 WHEN 'unknown' THEN 1 "
            "WHEN 'dead' THEN 2 WHEN 'delivered' THEN 3 WHEN 'superseded' THEN 3 WHEN 'discarded' THEN 3 END",
            name="dispatch_phase",
        ),
        postgresql_with={"fillfactor": "50"},
        comment="One revision on its way to one destination; due_us is set on the front of a waiting lane only, "
        "aged_from_us where its age counts from a replay and not from its creation",
    )
    op.create_index("dispatch_dead", "dispatch", ["destination", "lane"], **_where("phase = 2"))
    op.create_index("dispatch_due", "dispatch", ["destination", "due_us"], **_where("phase = 0 AND due_us IS NOT NULL"))
    op.create_index("dispatch_head", "dispatch", ["head_id"])
    op.create_index(
        "dispatch_out",
        "dispatch",
        ["destination", "lane"],
        unique=True,
        **_where("phase = 1"),
    )
    op.create_index("dispatch_waiting", "dispatch", ["destination", "lane", "id"], **_where("phase = 0"))
    op.create_table(
        "call",
        sa.Column("id", Big, primary_key=True, autoincrement=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_us", Big, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("members", sa.Integer, nullable=False),
        sa.Column("mapping", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        comment="One request to a portal, written before it is sent: after a kill the only trace of `perhaps sent`",
    )
    op.create_table(
        "fault",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("dispatch_id", Big, nullable=False),
        sa.Column("call_id", Big),
        sa.Column("at_us", Big, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("until_us", Big),
        comment="Why a call did not deliver a dispatch; successes leave no row here",
    )
    op.create_index("fault_dispatch", "fault", ["dispatch_id"])


def _gates() -> None:
    op.create_table(
        "gate",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'open'")),
        sa.Column("reason", sa.Text),
        sa.Column("since_us", Big, nullable=False),
        sa.Column("probe_dispatch", Big),
        sa.Column("probe_until_us", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("probe_last", Big, nullable=False, server_default=sa.text("0")),
        comment="Whether a destination may be sent to: open, held, paused or maintenance (R2)",
    )
    op.create_table(
        "gate_change",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("at_us", Big, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        comment="Every opening and closing of a gate",
    )


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
