"""How a ticket looks on the wire, whichever bus carries it; pure.

| on the wire    | holds                                                                                   |
|----------------|-----------------------------------------------------------------------------------------|
| `message_id`   | `<destination>:<dispatch id>`: the same for every generation, so a subscriber knows a repeat |
| `type`         | the record's kind, `dossier.v1`                                                         |
| headers        | `dispatch`, `gen`, `destination`, `key`, `lane`, `ledger`; where they are not 0 also \
                   `standing`, `batch_limit`, `tries`, `attempts`                                          |
| `content_type` | `application/json`, or `application/vnd.hub.reference` where the body stays in the ledger |
| body           | the canonical record as JSON, UTF-8; empty for a reference                              |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hub.ports import Ticket

BODY_LIMIT_BYTES = 256 * 1024
"""A larger record does not travel; its reference does, and the worker reads it from the ledger."""
JSON = "application/json"
REFERENCE = "application/vnd.hub.reference"
_SHORT = 255
_LARGEST = 2**63 - 1
_DIGITS = len(f":{_LARGEST}")
_PAST = ("standing", "batch_limit", "tries", "attempts")
"""Headers that are left out where they are 0, which they mostly are."""


class ForeignError(ValueError):
    """A message that this hub did not write, or did not write for this queue; `str()` says why and holds no content."""


@dataclass(slots=True)
class Letter:
    """One message as any AMQP client would see it."""

    message_id: str
    kind: str
    headers: Mapping[str, Any]
    content_type: str
    body: bytes


def as_it_arrives(ticket: Ticket) -> Ticket:
    """Return a ticket as a consumer gets it: `decode(encode(ticket))` without the writing and reading.

    Raises: ValueError naming the field that cannot travel (a defect).
    """
    _check(ticket)
    body = ticket.body
    if body is None or 0 < len(body) <= BODY_LIMIT_BYTES:
        return ticket
    return replace(ticket, body=None)


def encode(ticket: Ticket) -> Letter:
    """Return the message of a ticket. Raises: ValueError naming the field that cannot travel (a defect)."""
    _check(ticket)
    headers: dict[str, Any] = {
        "dispatch": ticket.dispatch_id,
        "gen": ticket.gen,
        "destination": ticket.destination,
        "key": ticket.key,
        "lane": ticket.lane,
        "ledger": ticket.ledger,
    }
    if ticket.standing or ticket.batch_limit or ticket.tries or ticket.attempts:
        headers |= {name: number for name in _PAST if (number := getattr(ticket, name))}
    body = ticket.body
    message_id = f"{ticket.destination}:{ticket.dispatch_id}"
    if body is None or not 0 < len(body) <= BODY_LIMIT_BYTES:
        return Letter(message_id, ticket.kind, headers, REFERENCE, b"")
    return Letter(message_id, ticket.kind, headers, JSON, body)


def _check(ticket: Ticket) -> None:
    """Raises: ValueError naming the field that cannot travel."""
    numbers = (
        ticket.dispatch_id, ticket.gen, ticket.standing, ticket.batch_limit, ticket.tries, ticket.attempts
    )  # fmt: skip
    for at, number in enumerate(numbers):
        if type(number) is not int or not 0 <= number <= _LARGEST:
            name = ("dispatch_id", "gen", *_PAST)[at]
            raise ValueError(f"ticket.{name}: must be a whole number from 0 to {_LARGEST} (found {number!r})")
    if not _named_well(ticket.destination, ticket.kind):
        for field, text in (("destination", ticket.destination), ("kind", ticket.kind)):
            if _bytes_of(field, text) > _SHORT or not text:
                raise ValueError(f"ticket.{field}: must have 1 to {_SHORT} bytes of UTF-8 (found {text!r})")
        raise ValueError(f"ticket.destination: is too long for a message id (found {ticket.destination!r})")
    for field, text in (("key", ticket.key), ("lane", ticket.lane), ("ledger", ticket.ledger)):
        # ASCII always travels, and asking is cheaper than writing.
        if not (type(text) is str and text.isascii()):
            _bytes_of(field, text)
    body = ticket.body
    if body is not None and not isinstance(body, bytes):
        raise ValueError(f"ticket.body: must be bytes or None (found {type(body).__name__})")


@lru_cache(maxsize=1024)
def _named_well(destination: object, kind: object) -> bool:
    """Whether both fit into AMQP's short strings, the destination with a number behind it (the message id)."""
    texts = [one for one in (destination, kind) if isinstance(one, str) and one]
    try:
        sizes = [len(text.encode()) for text in texts]
    except UnicodeEncodeError:
        return False
    return len(sizes) == 2 and sizes[0] + _DIGITS <= _SHORT and sizes[1] <= _SHORT


def decode(letter: Letter, destination: str) -> Ticket:
    """Return the ticket of a message found in the queue of `destination`. Raises: ForeignError."""
    dispatch_id, gen = _number(letter.headers, "dispatch"), _number(letter.headers, "gen")
    key, lane = _text(letter.headers, "key"), _text(letter.headers, "lane")
    meant_for = _text(letter.headers, "destination")
    if meant_for != destination:
        raise ForeignError(f"it is addressed to {meant_for!r}, not to {destination!r}")
    if not letter.kind:
        raise ForeignError("it has no type")
    if letter.content_type not in (JSON, REFERENCE):
        raise ForeignError(f"its content type is {letter.content_type!r}")
    if (letter.content_type == REFERENCE) != (not letter.body):
        raise ForeignError("its content type and its body disagree")
    return Ticket(
        dispatch_id=dispatch_id,
        gen=gen,
        destination=destination,
        kind=letter.kind,
        key=key,
        lane=lane,
        body=letter.body or None,
        ledger=_text(letter.headers, "ledger"),
        **{name: _number(letter.headers, name) for name in _PAST if name in letter.headers},
    )


def _number(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ForeignError(f"its header {name!r} is {'missing' if value is None else 'no number of ours'}")
    return int(value)  # AMQP libraries have integer types of their own


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str):
        raise ForeignError(f"its header {name!r} is {'missing' if value is None else 'no text'}")
    return value


def _bytes_of(field: str, text: object) -> int:
    """Return the length in UTF-8. Raises: ValueError where it is no text, or a lone surrogate hides in it."""
    if not isinstance(text, str):
        raise ValueError(f"ticket.{field}: must be text (found {type(text).__name__})")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(
            f"ticket.{field}: cannot be written as UTF-8, character {error.start} (found {text!r})"
        ) from None
