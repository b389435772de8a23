"""What a drill tells the twin of a portal that is known by its configuration alone: numbers and answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.answers import AnswerTable
from hub.answers.example import busy, results, welcome
from mappings.outbound import OutboundMapping


@dataclass(frozen=True, slots=True)
class Known:
    """Of one destination; see adapters/sandbox/stand_in.py."""

    numbers: Mapping[str, Sequence[str]]
    welcome: Mapping[str, Any] | None
    busy: Mapping[str, Any] | None
    results: Mapping[str, Any] | None


def known_of(mappings: Mapping[str, OutboundMapping], table: AnswerTable) -> Known:
    """Of the mappings by kind and the answer table."""
    key = table.items.key if table.items is not None else ""
    numbers: dict[str, Sequence[str]] = {}
    for kind, mapping in mappings.items():
        named = [one.name for one in mapping.fields if one.name == key]
        named += [one.name for one in mapping.fields if one.reads == "number"]
        if named:
            numbers[kind] = mapping.places.get(named[0]) or (named[0],)
    return Known(numbers, welcome(table), busy(table), results(table))
