"""The ledger's schema, version by version (Alembic). `upgrade()` is run when a ledger is opened."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

HEAD = "0003"
"""The newest revision; a test holds it equal to Alembic's own idea of it."""


def upgrade(engine: sa.Engine) -> None:
    """Run all migrations that are missing, in one transaction. Raises: LedgerFault where the schema is newer than
    this."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    from schemas.errors import LedgerFault

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two hubs that start at once: the second waits here and then finds nothing left to do.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7401993128)")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerFault(
                f"the ledger was written by a newer hub ({error}); run that version or restore a backup"
            ) from error
