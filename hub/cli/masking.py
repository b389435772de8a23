"""What of a record a terminal shows: personal data are masked unless the reader asks to see them.

A key or a portal's sentence may repeat a person's name: what is masked in the record is masked in every text beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.errors import CodeUnknownError
from schemas.sensitivity import MASKED, Sensitivity, mask

_SHORTEST = 3
"""Shorter values are left alone in texts: replacing every `An` in a sentence would say more than it hides."""


class Mask:
    """Hides the personal values of the records it was shown; `reveal` hides nothing."""

    def __init__(self, records: Iterable[tuple[str, Mapping[str, Any] | None]], *, reveal: bool) -> None:
        """`records`: kind and contents of every record whose personal values must not be seen anywhere."""
        self._reveal = reveal
        hidden = {
            str(content[name])
            for kind, content in records
            if content is not None and not reveal
            for name, shown in self.record(kind, content).items()
            if shown == MASKED
        }
        self._hidden = sorted((value for value in hidden if len(value) >= _SHORTEST), key=len, reverse=True)

    def record(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a record, personal ones as `•••`; all of them for a kind that is not known here."""
        if self._reveal:
            return dict(content)
        try:
            return mask(content, kind, Sensitivity.INTERNAL)
        except CodeUnknownError:
            return {name: None if value is None else MASKED for name, value in content.items()}

    def text(self, text: str) -> str:
        """A text without the personal values that stand in it."""
        for value in self._hidden:
            text = text.replace(value, MASKED)
        return text

    def key(self, kind: str, key: str) -> str:
        """A key without the person's name: a step's key is `number|time|person|status` (R6)."""
        parts = key.split("|")
        if self._reveal or len(parts) < 4 or not kind.startswith("dossier-step."):
            return self.text(key)
        return "|".join([*parts[:2], MASKED, parts[-1]])

    def value(self, kind: str | None, field: str | None, value: str | None) -> str | None:
        """A refused value: hidden where its field is personal, or where nobody knows what field it is."""
        if value is None or self._reveal or not value.strip():
            return value
        if kind is None or field is None:
            return MASKED
        return str(self.record(kind, {field: value})[field])
