"""Alembic's environment: the connection is handed over by `hub.ledger.migrations.upgrade`."""

from __future__ import annotations

from alembic import context

from hub.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
