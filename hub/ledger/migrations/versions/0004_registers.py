"""Registers: what was taken over from a portal's catalogues, and how it changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "register_state",
        sa.Column("register", sa.Text, primary_key=True),
        sa.Column("version", Big, nullable=False, server_default=_ZERO),
        sa.Column("entries", sa.Integer, nullable=False, server_default=_ZERO),
        sa.Column("tried_us", Big),
        sa.Column("read_us", Big),
        sa.Column("changed_us", Big),
        sa.Column("failures", sa.Integer, nullable=False, server_default=_ZERO),
        sa.Column("problem", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("owner_until_us", Big, nullable=False, server_default=_ZERO),
        sa.Column("uid", sa.Text),
        comment="How each register that is taken over from a portal stands, and who looks at the portal now",
    )
    op.create_table(
        "register_entry",
        sa.Column("register", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("first_us", Big, nullable=False),
        sa.Column("gone_on", sa.Text),
        sqlite_with_rowid=False,
        comment="Entries of a portal's catalogues; gone_on is the first day on which it no longer showed them",
    )
    op.create_table(
        "register_change",
        sa.Column("register", sa.Text, primary_key=True),
        sa.Column("version", Big, primary_key=True, autoincrement=False),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sqlite_with_rowid=False,
        comment="What each version of a register added, changed, lost or got back",
    )
