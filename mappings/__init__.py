"""The mapping language: declarative YAML from a legacy shape to a canonical record, and from a record to a payload.

A mapping is compiled once to closures and is then pure, thread-safe and free of YAML. docs/mapping.md is its manual.

    from mappings import ReadContext, read_all
    from mappings.catalogue import load

It knows `schemas`; it must not know the ledger, the bus or any vendor's library. Only `mappings.load` reads files.
"""

from mappings.inbound import InboundMapping, read_all
from mappings.outbound import OutboundMapping
from mappings.rows import ReadContext, RefusedRowError, RenderContext, Row, RowOk, RowRefused

__all__ = [
    "InboundMapping",
    "OutboundMapping",
    "ReadContext",
    "RefusedRowError",
    "RenderContext",
    "Row",
    "RowOk",
    "RowRefused",
    "read_all",
]
