"""The names that a ledger knows: of destinations, sources, agencies and classes of fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from hub.ledger import tables as t

NAMED: Mapping[str, Sequence[sa.Column[Any]]] = MappingProxyType(
    {
        "destination": (t.gate.c.destination, t.dispatch.c.destination),
        "source": (t.source.c.name, t.arrival.c.source, t.head.c.source),
        "agency": (t.head.c.agency,),
        "fault": (t.fault.c.fault,),
    }
)
"""Where each kind of name stands."""


def names(connection: sa.Connection, what: str) -> list[str]:
    """All names of one kind (a key of `NAMED`), in order. Reads whole tables: for what a person mistyped."""
    found: set[str] = set()
    for column in NAMED[what]:
        found |= {name for name in connection.execute(sa.select(column).distinct()).scalars() if name}
    return sorted(found)
