"""What a construct of the mapping language says of itself: its options, what it refuses, examples that are tried.

Plain data, beside the code that it is about. `mappings.reference` makes docs/mapping-reference.md of it, and a test
runs every example; an entry without one, or an option that stands in none, fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as with_
from typing import Any, Literal, TypeAlias

NEEDED = "needed"
"""The default of an option that has to be written."""


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a construct."""

    name: str
    takes: str
    """What is written there, for people: `text`, `a number`, `park`, `reject`."""
    default: str
    """What counts where it is not written; NEEDED where it has to be."""
    says: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One value through one field: what is written beside its place, the value there, and what becomes of it."""

    written: str
    """YAML, as it stands in the field beside `path` (or, when writing, beside `field`)."""
    given: Any
    """The value at the place; when writing, that of the record's field, as JSON has it. None for none."""
    becomes: Any = None
    """The value as JSON has it; None for no value."""
    refused: str = ""
    """The reason, where it is refused; what was found and where is told beside it."""
    verdict: Literal["reject", "park"] = "reject"
    field: str = "content"
    """The record's field that it fills or, when writing, that it reads."""
    kind: str = "dossier-step.v1"
    row: Mapping[str, Any] = with_(default_factory=dict)
    """Other members of the row."""
    tables: str = ""
    """YAML of `tables`."""
    files: Mapping[str, str] = with_(default_factory=dict)
    """Files beside the mapping, by name."""
    writing: bool = False
    beside: str = ""
    """YAML of other fields, where one of them counts."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A whole mapping that reads: what is written, a body, and every row of it, in order.

    `gives` has per row the fields that `written` names, or a text: `rejected: …`, `parked: …`, `deleted`, `renumbered:
    OLD to NEW`. Instead `undecodable` is a part of why the body is refused, or `problem` of why the mapping is. Fields
    that the kind needs and `written` does not name are filled with constants.
    """

    written: str
    """YAML from `from` to `fields`, without `mapping` and `to`."""
    body: str | Sequence[Sequence[Any]] = ""
    """The text of the body; for a workbook its cells."""
    gives: Sequence[Mapping[str, Any] | str] = ()
    undecodable: str = ""
    problem: str = ""
    says: str = ""
    """What it shows, in a few words."""
    kind: str = "dossier-step.v1"
    label: str = ""
    charset: str = ""
    """In which encoding the body is sent; UTF-8 where it is not said."""
    files: Mapping[str, str] = with_(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A whole mapping that writes: what is written, the record's values, and the payload as it travels."""

    written: str
    """YAML of `to` and `fields`, and of `tables` where there are any."""
    values: Mapping[str, Any]
    body: str
    refused: str = ""
    says: str = ""
    kind: str = "dossier-step.v1"


Example: TypeAlias = Tried | Shown | Written


@dataclass(frozen=True, slots=True)
class Entry:
    """One construct."""

    examples: Sequence[Example]
    options: Sequence[Option] = ()
    short: str = ""
    """What its short form means; "" where it has none."""
    refuses: Sequence[str] = ()
    notes: Sequence[str] = ()
    """Paragraphs."""
    name: str = ""
    """Its heading; a converter has its own."""
    summary: str = ""
