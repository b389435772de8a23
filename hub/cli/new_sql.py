"""`hub new source --sql`: a source from a query of a legacy system's own database, run once to learn from its rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hub.cli.new_origin import Asked, Recording
from hub.cli.output import progress, refuse

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.service import QueryAnswer

LOOKED_AT = 200
"""So many rows of the query are looked at."""


@dataclass(frozen=True)
class SqlOrigin:
    """A query of a database."""

    asked: Asked
    url: str
    query: str | None

    @cached_property
    def password(self) -> str | None:
        """From the environment, where it is; not every database asks for one."""
        from hub.scaffold.source_files import variable

        return os.environ.get(f"{variable(self.asked.name)}_PASSWORD")

    @cached_property
    def answer(self) -> QueryAnswer:
        from hub.scaffold.service import ask_database

        asked = self.asked
        if self.query is None:
            mend = 'say what to ask: --query "SELECT …"'
            refuse("no-sample", "there is nothing to learn from", mend, as_json=asked.as_json)
        others = sorted(asked.arguments.keys() - {"since"})
        since = asked.arguments.get("since")
        if others or (since is not None and ":since" not in self.query):
            said = f"--argument {(others or ['since'])[0]}: the query has no such parameter"
            mend = "write :since in the query, where the database is to look for what changed"
            refuse("wrong-argument", said, mend, as_json=asked.as_json)
        with progress("asking the database"):
            return ask_database(
                self.url,
                self.query,
                password=self.password,
                since=since,
                folder=asked.into.parent,
                rows=LOOKED_AT,
                timeout_s=asked.timeout_s,
            )

    def recording(self) -> Recording:
        return Recording(self.answer.body, "query.json")

    def section(self, sample: Sample, guesses: Guesses) -> str:
        from hub.scaffold.source_files import mapping_name
        from hub.scaffold.sql_section import sql_section

        asked = self.asked
        return sql_section(
            asked.name,
            mapping_name(asked.name, guesses.kind),
            self.answer,
            self.query or "",
            guesses,
            told=asked.cursor,
            since=asked.arguments.get("since"),
            password=self.password is not None,
            agency_name=asked.agency_name,
        )
