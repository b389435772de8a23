"""Operations: what people decide about the ledger's contents, and what they are told."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _operations()
    _observations()
    _messages()


def _operations() -> None:
    op.create_table(
        "operation",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("at_us", Big, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("count", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("detail", sa.Text),
        comment="What a person did to the hub: who, what, to what, why, to how many; never changed afterwards",
    )
    op.create_table(
        "operation_dispatch",
        sa.Column("dispatch_id", Big, primary_key=True, autoincrement=False),
        sa.Column("operation_id", Big, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
        comment="Which dispatches an operation was about, so that each can tell what people did to it",
    )
    op.create_table(
        "dismissal",
        sa.Column("arrival_id", Big, primary_key=True, autoincrement=False),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operation_id", Big, nullable=False),
        sqlite_with_rowid=False,
        comment="Refused items that a person has dealt with otherwise: their state stays, nobody is asked about them "
        "again",
    )


def _observations() -> None:
    op.create_table(
        "answer_code",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("status", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("text", sa.Text),
        sa.Column("count", Big, nullable=False),
        sa.Column("first_us", Big, nullable=False),
        sa.Column("last_us", Big, nullable=False),
        sqlite_with_rowid=False,
        comment="Codes that a portal gave and its table of answers does not know; text is that of the last time",
    )
    op.create_table(
        "pace",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("per_s", sa.Float, nullable=False),
        sa.Column("at_us", Big, nullable=False),
        sqlite_with_rowid=False,
        comment="How many dispatches a second each worker last brought to an end at a destination that had work for it",
    )
    op.create_table(
        "look_up",
        sa.Column("dispatch_id", Big, primary_key=True, autoincrement=False),
        sa.Column("call_id", Big, primary_key=True, autoincrement=False),
        sa.Column("times", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("last_us", Big, nullable=False),
        sqlite_with_rowid=False,
        comment="How often a portal was asked in vain what became of a call, of which the outcome is not known",
    )


def _messages() -> None:
    op.create_table(
        "alert",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.Column("opened_us", Big, nullable=False),
        sa.Column("closed_us", Big),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("end_text", sa.Text),
        sa.Column("count", Big, nullable=False, server_default=sa.text("0")),
        comment="One trouble of one destination, source or of the hub itself, from its start to its end",
    )
    op.create_index("alert_current", "alert", ["subject", "trouble"], unique=True, **_where("closed_us IS NULL"))
    op.create_table(
        "message",
        sa.Column("id", Big, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False, unique=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("made_us", Big, nullable=False),
        sa.Column("due_us", Big),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("sent_us", Big),
        sa.Column("problem", sa.Text),
        comment="What is to be told to people, by mail or webhook; about names it, so that nothing is told twice",
    )
    op.create_index("message_due", "message", ["due_us"], **_where("due_us IS NOT NULL"))


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
