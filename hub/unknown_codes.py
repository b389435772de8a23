"""What `hub check` says of codes that portals gave and no answer table knows: a warning each, with the rule to add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from hub.answers import MISSING, OTHERS, UNREADABLE, AnswerTable
from hub.ledger.answer_codes import AnswerCode
from hub.ledger.engine import sqlite_path
from hub.ledger.read import open_reader
from schemas.errors import LedgerFault, Problem
from schemas.local_time import LOCAL


def unknown_codes(url: str, answers: Mapping[str, AnswerTable], *, offline: bool = False) -> list[Problem]:
    """Warnings about the codes in a ledger that its destinations' tables still do not know, the most frequent first.

    Empty where there is no ledger yet, where it cannot be reached, or where it could be reached by the network only and
    `offline` is set. Never raises for what a database does.
    """
    try:
        if offline and sqlite_path(url) is None:
            return []
        with open_reader(url) as reader:
            seen = reader.answer_codes()
    except (LedgerFault, sa.exc.SQLAlchemyError, ValueError):
        return []  # what is wrong with the address is told where it is looked at
    return [*warnings(seen, answers)]


def warnings(seen: Iterable[AnswerCode], answers: Mapping[str, AnswerTable]) -> Iterable[Problem]:
    """One warning for each code that the table in force does not know."""
    for one in seen:
        table = answers.get(one.destination)
        if table is None or table.knows(one.call, one.status, one.code, one.text):
            continue
        yield Problem("answer-code-unknown", _message(one), _mend(one), table.file, table.line)


def _message(one: AnswerCode) -> str:
    times = "once" if one.count == 1 else f"{one.count:,} times"
    last = f"the last on {one.last_at.astimezone(LOCAL):%d/%m/%Y at %H:%M:%S}"
    if one.code == OTHERS:
        return f"{one.destination} answered other codes that are not in its answer table, {times}, {last}"
    words = f": {one.text}" if one.text else ""
    what = {MISSING: "no code", UNREADABLE: "what cannot be read"}.get(one.code, f"code {one.code}")
    said = f"{one.destination} answered {what} with HTTP {one.status} to a {one.call}"
    return f"{said}, which is not in its answer table, {times}, {last}{words}"


def _mend(one: AnswerCode) -> str:
    if one.code == OTHERS:
        return "the portal's own documentation may list its codes; add them to the rules"
    when = f"status: {one.status}"
    if one.code == MISSING:
        when += ", code: null, message: …"
    elif one.code != UNREADABLE and "…" not in one.code and one.code != "malformed":
        when += f", code: {one.code}"
    if one.call != "send":
        when += f", call: {one.call}"
    return f"ask the portal what it means, then add to the rules: - {{when: {{{when}}}, is: …, say: …}}"
