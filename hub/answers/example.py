"""Answers as a table would have them: for a twin that stands in for a portal of which only the table is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from hub.answers.reading import Answer
from hub.answers.rules import Rule
from hub.answers.table import AnswerTable
from hub.ports import Mode

_STRANGE = "E-THU"
"""A code that no table has."""
_BUSY = "Hệ thống đang bận, vui lòng thử lại sau"


def welcome(table: AnswerTable, modes: Sequence[Mode] = tuple(Mode)) -> dict[str, Any] | None:
    """{status, form, body} that the table takes for a success in all of these modes, with the result of one item where
    it has `items`; None where there is none."""
    item = next((one for one in _items(table) if _of_item(table, one, modes)), None)
    if table.items is not None and item is None:
        return None
    for rule in (rule for rule in table.rules if rule.fault is None):
        body = _body(rule, table.code, table.message)
        if table.items is not None:
            _put(body, table.items.at, [item])
        status = rule.statuses[0][0] if rule.statuses else 200
        answer = Answer(status, orjson.dumps(body))
        if 200 <= status <= 299 and all(table.classify(answer, mode=mode).fault is None for mode in modes):
            return {"status": status, "form": table.format, "body": body}
    return None


def busy(table: AnswerTable) -> dict[str, Any] | None:
    """{status, form, body} with HTTP 200 that no rule of the table knows, so that it is no success; None where a rule
    takes every 200."""
    body: dict[str, Any] = {}
    if table.message != table.code:
        _put(body, table.message, _BUSY)
    _put(body, table.code, _STRANGE)
    if table.knows("send", 200, f'"{_STRANGE}"', _BUSY):
        return None
    return {"status": 200, "form": table.format, "body": body}


def results(table: AnswerTable) -> dict[str, Any] | None:
    """{at, key, refused}: where the result of each item stands, and one of an item that is refused."""
    if table.items is None:
        return None
    refused: dict[str, Any] = {}
    _put(refused, table.items.code, _STRANGE)
    return {"at": table.items.at.split("."), "key": table.items.key.split("."), "refused": refused}


def _items(table: AnswerTable) -> Iterator[dict[str, Any]]:
    if table.items is not None:
        for rule in (rule for rule in table.rules if rule.fault is None):
            yield _body(rule, table.items.code, table.items.message)


def _of_item(table: AnswerTable, item: Mapping[str, Any], modes: Sequence[Mode]) -> bool:
    answer = Answer(200, b"{}")
    return all(table.classify_item(item, answer, mode=mode).fault is None for mode in modes)


def _body(rule: Rule, code: str, message: str) -> dict[str, Any]:
    """A body that fits a rule, as far as one can be made."""
    body: dict[str, Any] = {}
    values = [value for _, value in rule.codes]
    if values and values[0] is not None:
        _put(body, code, values[0])
    if rule.contains and message != code:
        _put(body, message, rule.contains[0])
    return body


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        body = body.setdefault(step, {})
    body[last] = value
