"""Tells a column that a page has nowhere from a value that a row lacks: there the mapping or the system has changed.

Looked for only where a whole page was refused: then each row would say the same, and nobody would see why. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.sample_paths import Seen
from mappings.inbound import InboundMapping
from mappings.refusal import RefusalError
from mappings.rows import RefusedRowError, Row, RowOk, RowRefused
from schemas.errors import RefusedValueError, UndecodableError

EMPTY = "is required and empty"
NOWHERE = "stands in no row of the page"


def told_nowhere(mappings: Sequence[InboundMapping], body: bytes, charset: str | None, rows: list[Row]) -> list[Row]:
    """The rows of a page, their refusals saying which required columns it has nowhere, and what is near."""
    taken = {row.record.kind for row in rows if isinstance(row, RowOk)}
    lacking = {
        problem.mapping
        for row in rows
        if isinstance(row, RowRefused)
        for problem in row.error.problems
        if problem.reason == EMPTY and problem.value is None
    }
    said: dict[tuple[str, str], str] = {}
    for mapping in mappings:
        if mapping.name in lacking and mapping.kind not in taken:
            said |= {(mapping.name, field): text for field, text in _nowhere(mapping, body, charset).items()}
    return [_told(row, said) if isinstance(row, RowRefused) else row for row in rows] if said else rows


def _nowhere(mapping: InboundMapping, body: bytes, charset: str | None) -> dict[str, str]:
    """By field the reason, of fields all of whose places are nowhere."""
    try:
        document = mapping.decode(body, charset)
    except UndecodableError:
        return {}
    seen = Seen(mapping)
    for index in range(len(document.rows)):
        try:
            seen.add(document.view(index))
        except RefusalError:
            continue
    left = {(field, path): near for field, path, near in seen.nowhere()}
    found = {}
    for field in mapping.fields:
        if field.paths and all((field.name, path) in left for path in field.paths):
            near = next((left[field.name, path] for path in field.paths if left[field.name, path]), "")
            found[field.name] = f"{EMPTY}: {' or '.join(field.paths)} {NOWHERE}{f'; {near}' if near else ''}"
    return found


def _told(row: RowRefused, said: dict[tuple[str, str], str]) -> RowRefused:
    problems = [
        RefusedValueError(
            said[one.mapping, one.field], mapping=one.mapping, field=one.field, path=one.path, verdict=one.verdict
        )
        if one.reason == EMPTY and one.value is None and (one.mapping, one.field) in said
        else one
        for one in row.error.problems
    ]
    return replace(row, error=RefusedRowError(problems))
