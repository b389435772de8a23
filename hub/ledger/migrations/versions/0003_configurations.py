"""Configurations: which version of the configuration made a revision, which one each process runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("first_us", Big, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        comment="Every version of the configuration that was in force: when it was first seen, where it came from, and "
        "the digests of its parts",
    )
    op.create_table(
        "configuration_text",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("text", sa.LargeBinary, nullable=False),
        comment="The texts of the parts of configurations, packed, each once; without what is secret",
    )
    op.add_column("revision", sa.Column("configuration", sa.Integer))
    op.add_column("worker", sa.Column("configuration", sa.Integer))
    op.add_column("worker", sa.Column("configured_us", Big))
    op.add_column("worker", sa.Column("heard", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("worker", sa.Column("refused", sa.Text))
