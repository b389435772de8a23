"""Finds rules of an answer table that can never decide anything, because an earlier one always fits first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.answers.rules import Rule


def covers(earlier: Rule, later: Rule) -> bool:
    """Whether `earlier` fits every answer that `later` fits; where that is not certain, no."""
    return not (earlier.codes and not _within(later.codes, earlier.codes)) and _covers_but_codes(earlier, later)


def codes_twice(earlier: Rule, later: Rule) -> list[Any]:
    """The codes of `later` that `earlier` takes first, where all else that `later` asks for `earlier` asks for too."""
    if not earlier.codes or not _covers_but_codes(earlier, later):
        return []
    return [value for kind, value in later.codes if (kind, value) in earlier.codes]


def _covers_but_codes(earlier: Rule, later: Rule) -> bool:
    if earlier.statuses and not (later.statuses and all(_reached(one, earlier.statuses) for one in later.statuses)):
        return False
    for name in ("calls", "modes"):
        wide, narrow = getattr(earlier, name), getattr(later, name)
        if wide and not _within(narrow, wide):
            return False
    if earlier.contains and not (
        later.contains and all(any(part in text for part in earlier.contains) for text in later.contains)
    ):
        return False
    # What lacks a word lacks every text that the word is a part of.
    if not all(any(word in text for word in later.lacks) for text in earlier.lacks):
        return False
    return not earlier.names_field or (later.names_field and later.naming == earlier.naming)


def _within(narrow: Collection[Any], wide: Collection[Any]) -> bool:
    return bool(narrow) and all(one in wide for one in narrow)


def _reached(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether every status of a span is in one of the spans."""
    at = span[0]
    for low, high in sorted(spans):
        if low <= at <= high:
            at = high + 1
    return at > span[1]
