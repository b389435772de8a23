"""A `sql` source from a query that was run once: by which column what changed is found, and which tells rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.scaffold.guess import Guesses
from hub.scaffold.names import fold
from hub.scaffold.service import QueryAnswer, QueryColumn
from hub.scaffold.source_files import people, variable
from hub.scaffold.yaml_text import flow, scalar
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem

_VERSIONS = ("rowversion", "version", "phienban", "rowver", "scn", "seq", "sequence", "stt", "id")
_BY_ID = "a number like this grows with new rows only: a row that changes later is not read again"
_BY_TIME = "is it set again when a row changes? Else what changes later is not read again"


def cursor(answer: QueryAnswer, guesses: Guesses, told: str | None) -> tuple[QueryColumn, str]:
    """The column that grows with every change, as told or the likeliest, and what is doubtful of it.

    Raises: ConfigError where there is none.
    """
    known = {one.name: one for one in answer.columns}
    growing = [one for one in answer.columns if one.holds is not None and one.filled]
    if told is not None:
        if told not in known:
            said = f"--cursor {told}: the query gives no such column"
            raise ConfigError([Problem("no-cursor", said, nearest(told, known))])
        if known[told] not in growing:
            why = "is empty in a row" if not known[told].filled else "has values that are neither times nor numbers"
            mend = "fill or convert it in the query: COALESCE(…), CAST(…)"
            raise ConfigError([Problem("no-cursor", f"--cursor {told}: {why}", mend)])
        return known[told], ""
    changed = _column_of(guesses, "changed_at")
    for one in growing:
        if one.name == changed and one.holds == "time":
            return one, ""
    numbers = [one for one in growing if one.holds == "number" and one.unique and _rank(one.name) is not None]
    if numbers:
        best = min(numbers, key=lambda one: _rank(one.name) or 0)
        return best, _BY_ID if fold(best.name) in ("id", "stt") else ""
    times = [one for one in growing if one.holds == "time"]
    received = _column_of(guesses, "received_at") or _column_of(guesses, "at")
    times.sort(key=lambda one: one.name != received)
    if times:
        return times[0], _BY_TIME
    said = "no column of the query grows with every change: none is a time, or a number like a version or an id"
    mend = f"add one to the query, or name it by --cursor (there are {', '.join(known)})"
    raise ConfigError([Problem("no-cursor", said, mend)])


def key(answer: QueryAnswer, guesses: Guesses, cursor_column: str) -> str | None:
    """The column that tells rows of one moment apart; None where none is different in each row."""
    fit = [one.name for one in answer.columns if one.unique and one.filled and one.name != cursor_column]
    number = _column_of(guesses, "number")
    if number in fit:
        return number
    ids = sorted((one for one in fit if _rank(one) is not None), key=lambda one: _rank(one) or 0)
    return ids[-1] if ids else None


def sql_section(
    name: str,
    mapping: str,
    answer: QueryAnswer,
    query: str,
    guesses: Guesses,
    *,
    told: str | None,
    since: str | None,
    password: bool,
    agency_name: str = "",
) -> str:
    """The entry of `sources`; `since` is where its first poll begins. Raises: ConfigError where no column grows."""
    column, doubt = cursor(answer, guesses, told)
    start: Any = since
    if since is not None and column.holds == "number" and since.isdecimal():
        start = int(since)
    grows = {"column": column.name} | ({"type": "number"} if column.holds == "number" else {})
    grows |= {"start": start} if start is not None else {}
    apart = key(answer, guesses, column.name)
    return "\n".join(
        [
            f"  {name}:",
            "    adapter: sql  # a query of a database, only ever read",
            *people(agency_name),
            "    every_s: 60  # from the end of one poll to the start of the next",
            f"    mappings: [{mapping}]",
            f"    samples: samples/{name}-*.json  # the recorded rows, without the people in them",
            "    settings:",
            f"      url: {scalar(answer.url)}",
            *([f'      password: "${{{variable(name)}_PASSWORD}}"'] if password else []),
            *_query(query),
            f"      cursor: {flow(grows)}{f'  # ? {doubt}' if doubt else '  # grows with every change'}",
            f"      key: {scalar(apart)}  # tells rows of one moment apart"
            if apart is not None
            else "      # ? key: no column is different in each row, so no more rows than a page may share one moment",
            "      timeout_s: 60  # one page in all",
        ]
    )


def _query(query: str) -> Sequence[str]:
    """On one line where it is one, else as it was written."""
    text = query.strip()
    lines = text.splitlines()
    if len(lines) == 1 or not all(line.isprintable() for line in lines):
        return [f"      query: {scalar(text)}"]
    return ["      query: |-", *(f"        {line.rstrip()}" if line.strip() else "" for line in lines)]


def _column_of(guesses: Guesses, field: str) -> str | None:
    found = next((one.column for one in guesses.fields if one.field == field and one.column is not None), None)
    return None if found is None else found.name


def _rank(name: str) -> int | None:
    folded = fold(name)
    return _VERSIONS.index(folded) if folded in _VERSIONS else None
