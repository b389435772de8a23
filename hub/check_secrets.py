"""Finds secrets that stand in the file where no adapter declares one: in headers, arguments and addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from hub.validation import Place

_FREE = frozenset({"headers", "header", "query", "arguments", "body", "parameters"})
"""Keys below which a configuration names members of its own."""
_WORDS = re.compile(
    r"authori[sz]ation|passw|mat.?khau|secret|token|api.?key|cookie|bearer|credential|access.?key", re.IGNORECASE
)
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]*:(?!\$\{)[^/@\s]+@", re.IGNORECASE)


def written_secrets(settings: Any, place: Place, known: Collection[Place] = ()) -> Iterator[Place]:
    """Yield the places of settings, as the file has them, that hold what looks like a secret and no variable.

    `known` are places about which something has been said already.
    """
    yield from (found for found in _walk(settings, place, free=False) if found not in known)


def _walk(value: Any, place: Place, *, free: bool) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, (*place, key), free=free or key in _FREE)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, (*place, number), free=free)
    elif isinstance(value, str) and value.strip():
        named = free and isinstance(place[-1], str) and _WORDS.search(place[-1]) is not None
        if (named and "${" not in value) or _IN_URL.search(value):
            yield place
