"""What a converter is: how one key of a field's specification becomes a function from a value to a value.

Compiled once with everything it needs (tables, formats, patterns); at run time it sees a value and a `Scope`, no YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from mappings.manual import Entry
from mappings.notation import Marked, Problems
from mappings.refusal import RefusalError
from mappings.target import Target
from schemas.agency import AgencyRegister
from schemas.procedure import ProcedureRegister

NO_PROCEDURES = ProcedureRegister.empty()

Gives: TypeAlias = Literal["text", "number", "flag", "time", "code"]
"""What comes out: `code` is the value of a table, checked against the target, entry by entry, when it is compiled."""


@dataclass(slots=True)
class Scope:
    """What converters may look at beside the value: the registers, and the record's fields that are known by now."""

    agencies: AgencyRegister
    values: Mapping[str, Any]
    around: Mapping[str, Any] | None = None
    """Of the fields whose values stand around the rows, what was found: a value, or the RefusalError of it."""
    procedures: ProcedureRegister = NO_PROCEDURES


Convert: TypeAlias = Callable[[Any, Scope], Any]
"""Never called with None (but see `sees_none`); None means "no value". Raises: RefusalError."""


class Beside(Protocol):
    """Another place of the row that a converter asks."""

    @property
    def get(self) -> Callable[[Any], Any]:
        """From the view of the row to what stands there. Raises: RefusalError."""

    @property
    def paths(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What a converter is compiled with."""

    direction: Literal["in", "out"]
    field: str
    """The field of the record: filled by an inbound mapping, read by an outbound one."""
    target: Target | None
    """What that field holds; None where an outbound value comes from no field."""
    fields: Mapping[str, Target]
    """All fields of the record."""
    last: bool
    """True where what comes out is what the field (or the payload) gets."""
    first: bool
    tables: Mapping[str, Mapping[str, Marked]]
    used: set[str]
    """Names of the tables that some field uses."""
    day_field: str
    """The field as of whose day registers and dated tables are asked, where the mapping names no other."""
    problems: Problems
    place: Callable[[str, int, str], Beside | None] | None = None
    """Compiles another path of the row (path, line, what it is for); None where there is no row."""
    requires: set[str] = attribute(default_factory=set)
    """Registers without which the mapping cannot do its work: `procedures`."""

    def tells_day(self, field: str) -> bool:
        """Whether a field of the record says a day: a time does, and so does what its kind names for it, a period."""
        known = self.fields.get(field)
        return known is not None and (known.holds is datetime or field == self.day_field)


@dataclass(frozen=True, slots=True)
class Compiled:
    convert: Convert
    gives: Gives
    needs: str | None = None
    """A field of the record that has to be known before."""
    sees_none: bool = False
    beside: Beside | None = None
    """Another place of the row; then `with_beside` does the work, its third argument being what stands there."""
    with_beside: Callable[[Any, Scope, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Converter:
    """One entry of the registry. `build` notes what is wrong with its options and returns None then."""

    name: str
    summary: str
    build: Callable[[Marked, Setting], Compiled | None]
    manual: Entry | None = None
    """What docs/mapping-reference.md says of it; a test fails for one that has none."""


def text_in(value: Any) -> str:
    """The text of a scalar. Raises: RefusalError for what has no certain text (true, 1.0)."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    what = "true or false" if isinstance(value, bool) else "a number with a fraction, or too large to be exact"
    raise RefusalError(f"is {what}; text is expected")
