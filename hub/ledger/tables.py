"""The tables of the ledger, one definition for SQLite and PostgreSQL; `migrations/` builds them.

Layout (docs/architecture.md, "The ledger"): bodies are stored once per page, compressed whole, with an index into
them in `revision`; no index stands on a column that changes but the partial ones below. Times are integers,
microseconds since 1970-01-01 UTC, and end in `_us`; calendar days of the counts are ISO text in Asia/Ho_Chi_Minh.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.ledger.states import PHASE, Phase

metadata = sa.MetaData()

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Flag = sa.SmallInteger

OPEN = tuple(state.value for state, phase in PHASE.items() if phase in (Phase.WAITING, Phase.OUT))


def _column(name: str, kind: Any, default: object = None) -> sa.Column[Any]:
    if default is None:
        return sa.Column(name, kind)
    return sa.Column(name, kind, nullable=False, server_default=sa.text(repr(default)))


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    comment="The key of the digests and other facts of this ledger",
)

worker = sa.Table(
    "worker",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_us", Big, nullable=False),
    sa.Column("beat_us", Big, nullable=False),
    _column("delivers", Flag, 0),
    _column("ended_us", Big),
    _column("configuration", sa.Integer),
    _column("configured_us", Big),
    _column("heard", sa.Integer, 0),
    _column("refused", sa.Text),
    comment="Incarnations of hub processes; beat_us is on the database's clock (R7)",
)

source = sa.Table(
    "source",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _column("cursor", sa.Text, "{}"),
    _column("owner", sa.Text),
    _column("owner_until_us", Big, 0),
    _column("epoch", Big, 0),
    _column("page_digest", sa.Text),
    _column("polls", Big, 0),
    _column("polled_us", Big),
    _column("succeeded_us", Big),
    _column("failures", sa.Integer, 0),
    _column("failing_us", Big),
    _column("problem", sa.Text),
    _column("problem_us", Big),
    comment="Where each source stands, who reads it, and how the last poll went (R13)",
)

arrival = sa.Table(
    "arrival",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    _column("name", sa.Text),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("media", sa.Text, nullable=False),
    _column("charset", sa.Text),
    sa.Column("received_us", Big, nullable=False),
    sa.Column("poll_us", Big, nullable=False),
    sa.Column("settled_us", Big, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    _column("body", sa.LargeBinary),
    _column("records", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
    _column("cursor", sa.Text),
    _column("items", sa.Integer, 0),
    _column("accepted", sa.Integer, 0),
    _column("duplicate", sa.Integer, 0),
    _column("stale", sa.Integer, 0),
    _column("rejected", sa.Integer, 0),
    _column("parked", sa.Integer, 0),
    _column("no_route", sa.Integer, 0),
    _column("reads", sa.Integer, 1),
    _column("problem", sa.Text),
    comment="One page, file or request: settled, parked (could not be decoded) or reread (parked, later read whole)",
)
sa.Index(
    "arrival_name",
    arrival.c.source,
    arrival.c.name,
    unique=True,
    postgresql_where=arrival.c.name.isnot(None),
    sqlite_where=arrival.c.name.isnot(None),
)
sa.Index(
    "arrival_parked",
    arrival.c.source,
    postgresql_where=arrival.c.state == "parked",
    sqlite_where=arrival.c.state == "parked",
)

item = sa.Table(
    "item",
    metadata,
    sa.Column("arrival_id", Big, primary_key=True, autoincrement=False),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _column("head_id", Big),
    _column("number", sa.Integer),
    _column("key", sa.Text),
    _column("reason", sa.Text),
    _column("problems", sa.Text),
    _column("raw_digest", sa.Text),
    sqlite_with_rowid=False,
    comment="One record inside an arrival; key, reason, problems only where it was not accepted",
)
_refused = item.c.raw_digest.isnot(None)
sa.Index("item_refused", item.c.raw_digest, postgresql_where=_refused, sqlite_where=_refused)
_named = item.c.key.isnot(None)
sa.Index("item_key", item.c.key, postgresql_where=_named, sqlite_where=_named)

head = sa.Table(
    "head",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    _column("changed_us", Big),
    sa.Column("poll_us", Big, nullable=False),
    _column("tie", Flag, 0),
    _column("agency", sa.Text),
    _column("procedure", sa.Text),
    _column("status", sa.SmallInteger),
    _column("received_on", sa.Text),
    _column("due_on", sa.Text),
    _column("finished_on", sa.Text),
    comment="The newest revision of each (kind, key), its owner, and the columns that counts need (R16)",
)
sa.Index("head_key", head.c.key, head.c.kind, unique=True)
# A dossier's lane is its key, by which it is found already.
_lane_of_another = head.c.lane != head.c.key
sa.Index("head_lane", head.c.lane, postgresql_where=_lane_of_another, sqlite_where=_lane_of_another)

revision = sa.Table(
    "revision",
    metadata,
    sa.Column("head_id", Big, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("arrival_id", Big, nullable=False),
    sa.Column("offset_bytes", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    _column("changed_us", Big),
    sa.Column("poll_us", Big, nullable=False),
    _column("tie", Flag, 0),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("settled_us", Big, nullable=False),
    _column("configuration", sa.Integer),
    sqlite_with_rowid=False,
    comment="Every accepted state of a record; offset and size index into the arrival's records once unpacked",
)

lane = sa.Table(
    "lane",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    _column("standing", sa.SmallInteger, 0),
    _column("dead", sa.Integer, 0),
    postgresql_with={"fillfactor": "70"},
    sqlite_with_rowid=False,
    comment="Locked before a lane is promoted (R5). standing: 0 the portal has no such record, 1 it has, 2 not known, "
    "3 its events go without it",
)

_OF_STATE = " ".join(f"WHEN '{state}' THEN {int(phase)}" for state, phase in PHASE.items())

has_dead = lane.c.dead > sa.literal_column("0")
sa.Index("lane_dead", lane.c.destination, lane.c.lane, postgresql_where=has_dead, sqlite_where=has_dead)

dispatch = sa.Table(
    "dispatch",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("head_id", Big, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("event", Flag, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("phase", sa.SmallInteger, nullable=False),
    _column("gen", sa.Integer, 0),
    _column("due_us", Big),
    _column("queued_until_us", Big),
    _column("call_id", Big),
    _column("tries", sa.Integer, 0),
    _column("attempts", sa.Integer, 0),
    _column("orphans", sa.Integer, 0),
    _column("batch_limit", sa.Integer, 0),
    _column("possibly_twice", Flag, 0),
    _column("reason", sa.Text),
    sa.Column("created_us", Big, nullable=False),
    _column("aged_from_us", Big),
    _column("ended_us", Big),
    sa.CheckConstraint(f"phase = CASE state {_OF_STATE} END", name="dispatch_phase"),
    postgresql_with={"fillfactor": "50"},
    comment="One revision on its way to one destination; due_us is set on the front of a waiting lane only, "
    "aged_from_us where its age counts from a replay and not from its creation",
)


def phased(dispatches: Any, phase: Phase) -> sa.ColumnElement[bool]:
    """Spelt with a literal: with a bound value SQLite could not prove that a partial index serves."""
    test: sa.ColumnElement[bool] = dispatches.c.phase == sa.literal_column(str(int(phase)))
    return test


is_out, is_waiting, is_dead = (phased(dispatch, phase) for phase in (Phase.OUT, Phase.WAITING, Phase.DEAD))
sa.Index(
    "dispatch_out", dispatch.c.destination, dispatch.c.lane, unique=True, postgresql_where=is_out, sqlite_where=is_out
)
sa.Index(
    "dispatch_waiting",
    dispatch.c.destination,
    dispatch.c.lane,
    dispatch.c.id,
    postgresql_where=is_waiting,
    sqlite_where=is_waiting,
)
# Of no use to who looks for a lane: PostgreSQL, knowing nothing of a new table, took it for that.
_is_due = is_waiting & dispatch.c.due_us.isnot(None)
sa.Index("dispatch_due", dispatch.c.destination, dispatch.c.due_us, postgresql_where=_is_due, sqlite_where=_is_due)
sa.Index("dispatch_dead", dispatch.c.destination, dispatch.c.lane, postgresql_where=is_dead, sqlite_where=is_dead)
# By the head, not by the lane: rising numbers cost a fraction of what texts in no order do.
sa.Index("dispatch_head", dispatch.c.head_id)

call = sa.Table(
    "call",
    metadata,
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

fault = sa.Table(
    "fault",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("dispatch_id", Big, nullable=False),
    _column("call_id", Big),
    sa.Column("at_us", Big, nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    _column("code", sa.Text),
    _column("text", sa.Text),
    _column("path", sa.Text),
    _column("value", sa.Text),
    _column("until_us", Big),
    comment="Why a call did not deliver a dispatch; successes leave no row here",
)
sa.Index("fault_dispatch", fault.c.dispatch_id)

gate = sa.Table(
    "gate",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    _column("state", sa.Text, "open"),
    _column("reason", sa.Text),
    sa.Column("since_us", Big, nullable=False),
    _column("probe_dispatch", Big),
    _column("probe_until_us", Big, 0),
    _column("probe_last", Big, 0),
    comment="Whether a destination may be sent to: open, held, paused or maintenance (R2)",
)

gate_change = sa.Table(
    "gate_change",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("at_us", Big, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _column("reason", sa.Text),
    comment="Every opening and closing of a gate",
)

# --- what made it all -------------------------------------------------------------------------------------------------

configuration = sa.Table(
    "configuration",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("first_us", Big, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("parts", sa.Text, nullable=False),
    comment="Every version of the configuration that was in force: when it was first seen, where it came from, and "
    "the digests of its parts",
)

configuration_text = sa.Table(
    "configuration_text",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("text", sa.LargeBinary, nullable=False),
    comment="The texts of the parts of configurations, packed, each once; without what is secret",
)

# --- what people decide, and what they are told -----------------------------------------------------------------------

operation = sa.Table(
    "operation",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("at_us", Big, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    _column("why", sa.Text),
    _column("count", sa.Integer, 1),
    _column("detail", sa.Text),
    comment="What a person did to the hub: who, what, to what, why, to how many; never changed afterwards",
)

operation_dispatch = sa.Table(
    "operation_dispatch",
    metadata,
    sa.Column("dispatch_id", Big, primary_key=True, autoincrement=False),
    sa.Column("operation_id", Big, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
    comment="Which dispatches an operation was about, so that each can tell what people did to it",
)

dismissal = sa.Table(
    "dismissal",
    metadata,
    sa.Column("arrival_id", Big, primary_key=True, autoincrement=False),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("operation_id", Big, nullable=False),
    sqlite_with_rowid=False,
    comment="Refused items that a person has dealt with otherwise: their state stays, nobody is asked about them again",
)

answer_code = sa.Table(
    "answer_code",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("status", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("code", sa.Text, primary_key=True),
    _column("text", sa.Text),
    sa.Column("count", Big, nullable=False),
    sa.Column("first_us", Big, nullable=False),
    sa.Column("last_us", Big, nullable=False),
    sqlite_with_rowid=False,
    comment="Codes that a portal gave and its table of answers does not know; text is that of the last time",
)

pace = sa.Table(
    "pace",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("per_s", sa.Float, nullable=False),
    sa.Column("at_us", Big, nullable=False),
    sqlite_with_rowid=False,
    comment="How many dispatches a second each worker last brought to an end at a destination that had work for it",
)

look_up = sa.Table(
    "look_up",
    metadata,
    sa.Column("dispatch_id", Big, primary_key=True, autoincrement=False),
    sa.Column("call_id", Big, primary_key=True, autoincrement=False),
    _column("times", sa.Integer, 0),
    sa.Column("last_us", Big, nullable=False),
    sqlite_with_rowid=False,
    comment="How often a portal was asked in vain what became of a call, of which the outcome is not known",
)

register_state = sa.Table(
    "register_state",
    metadata,
    sa.Column("register", sa.Text, primary_key=True),
    _column("version", Big, 0),
    _column("entries", sa.Integer, 0),
    _column("tried_us", Big),
    _column("read_us", Big),
    _column("changed_us", Big),
    _column("failures", sa.Integer, 0),
    _column("problem", sa.Text),
    _column("owner", sa.Text),
    _column("owner_until_us", Big, 0),
    _column("uid", sa.Text),
    comment="How each register that is taken over from a portal stands, and who looks at the portal now",
)

register_entry = sa.Table(
    "register_entry",
    metadata,
    sa.Column("register", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("first_us", Big, nullable=False),
    _column("gone_on", sa.Text),
    sqlite_with_rowid=False,
    comment="Entries of a portal's catalogues; gone_on is the first day on which it no longer showed them",
)

register_change = sa.Table(
    "register_change",
    metadata,
    sa.Column("register", sa.Text, primary_key=True),
    sa.Column("version", Big, primary_key=True, autoincrement=False),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("change", sa.Text, nullable=False),
    _column("before", sa.Text),
    _column("after", sa.Text),
    sqlite_with_rowid=False,
    comment="What each version of a register added, changed, lost or got back",
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("trouble", sa.Text, nullable=False),
    sa.Column("opened_us", Big, nullable=False),
    _column("closed_us", Big),
    sa.Column("text", sa.Text, nullable=False),
    _column("end_text", sa.Text),
    _column("count", Big, 0),
    comment="One trouble of one destination, source or of the hub itself, from its start to its end",
)
_is_current = alert.c.closed_us.is_(None)
sa.Index(
    "alert_current",
    alert.c.subject,
    alert.c.trouble,
    unique=True,
    postgresql_where=_is_current,
    sqlite_where=_is_current,
)

message = sa.Table(
    "message",
    metadata,
    sa.Column("id", Big, primary_key=True, autoincrement=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False, unique=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("made_us", Big, nullable=False),
    _column("due_us", Big),
    _column("tries", sa.Integer, 0),
    _column("sent_us", Big),
    _column("problem", sa.Text),
    comment="What is to be told to people, by mail or webhook; about names it, so that nothing is told twice",
)
_is_to_send = message.c.due_us.isnot(None)
sa.Index("message_due", message.c.due_us, postgresql_where=_is_to_send, sqlite_where=_is_to_send)
