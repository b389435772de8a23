"""`renumbered` of a source: by what a row says that its dossier got another number.

    renumbered: {from: SoHoSoCu}               the row is the new dossier and tells its old number
    renumbered: {to: SoHoSoMoi}                the row is the old dossier, a tombstone, and tells the new number

The number goes the way of the field `number`, through the same converters, so that both are written alike. It stands in
the row of the page. An empty one, and one that is the number itself, says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from mappings.converters import Scope
from mappings.notation import Keys, Marked, Problems
from mappings.refusal import RefusalError
from mappings.rows import Renumbered
from mappings.shapes import Getter
from schemas.record import Record

_WAYS = ("from", "to")
PLACES = frozenset({"path", "outer", "first", "join", "choose", "const", "envelope", "label", "required", "default"})
"""What of the field `number` is about its own place."""


@dataclass(frozen=True, slots=True)
class Renumbering:
    """`renumbered`, compiled."""

    way: Literal["from", "to"]
    path: str
    get: Getter
    fill: Callable[[Any, Scope], Any]

    def other(self, view: Any, scope: Scope) -> str | None:
        """The other number that a row tells, None for none. Raises: RefusalError."""
        try:
            value = self.fill(view, scope)
        except RefusalError as error:
            error.path = error.path or self.path
            if error.found is None:
                with suppress(RefusalError):
                    error.found = self.get(view)
            raise
        return None if value is None else str(value)

    def of(self, record: Record, other: str | None) -> Renumbered | None:
        """What a row with that other number says of one of its records; None for nothing.

        An event of the new number says nothing: it follows its dossier.
        """
        number = record.lane
        if other is None or other == number:
            return None
        if self.way == "to":
            return Renumbered(number, other)
        return None if record.event else Renumbered(other, number)


def written(
    node: Marked, number: Marked | None, problems: Problems
) -> tuple[Literal["from", "to"], str, Marked] | None:
    """The way, the path and, as a field that reads there, what converts it. None where a problem was noted."""
    keys = Keys(node, "'renumbered'", problems)
    said = [way for way in _WAYS if way in keys]
    paths = [keys.text(way) for way in said]
    keys.done(also=_WAYS)
    mend = "write renumbered: {from: SoHoSoCu}, or {to: SoHoSoMoi}"
    if number is None:
        problems.add("renumbered", node.line, "'renumbered' is for records that have a number", "leave it out")
        return None
    if len(said) != 1 or not paths[0]:
        problems.add("renumbered", node.line, "'renumbered' should have one of from and to", mend)
        return None
    fields = number.value if isinstance(number.value, dict) else {}
    kept = {name: item for name, item in fields.items() if name not in PLACES}
    field = Marked({"path": Marked(paths[0], node.line), **kept}, node.line)
    return ("from" if said[0] == "from" else "to"), paths[0], field
