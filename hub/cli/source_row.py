"""One row of a page as it came, with every value hidden that is not known to be harmless.

A value is shown where a mapping of the source reads it into a field that is not personal; what is read into a personal
field, and what no mapping reads, is `•••`. Pure. A row in which nothing can be told apart is not shown at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import orjson
from lxml import etree

from mappings.document import Document
from mappings.inbound import InboundMapping, tidy
from mappings.refusal import RefusalError
from schemas.errors import UndecodableError
from schemas.sensitivity import MASKED, Sensitivity, sensitivity

_SHORTEST = 3
"""A personal value shorter than this is hidden where it stands alone, not wherever its letters appear."""


def source_row(
    mappings: Sequence[InboundMapping], body: bytes, charset: str | None, label: str, row: int, *, reveal: bool
) -> bytes | None:
    """The canonical bytes of a row; None where the page cannot be decoded, or has no such row, or nobody reads it."""
    documents: list[tuple[InboundMapping, Document]] = []
    for mapping in mappings:
        if mapping.applies(label):
            try:
                documents.append((mapping, mapping.decode(body, charset)))
            except UndecodableError:
                continue
    documents = [(mapping, document) for mapping, document in documents if row < len(document.rows)]
    if not documents:
        return None
    document = documents[0][1]
    if reveal:
        return document.shape.canonical(document.rows[row])
    shown: set[str] = set()
    hidden: set[str] = set()
    for mapping, page in documents:
        for value, personal in _values(mapping, page, row):
            (hidden if personal else shown).add(value)
    return _Veil(shown - hidden, hidden).row(document, row)


def _values(mapping: InboundMapping, document: Document, row: int) -> Iterator[tuple[str, bool]]:
    """What a mapping reads from a row, and whether it is personal."""
    try:
        outer = document.view(row)
        views = [outer] if mapping.parts is None else [document.shape.view(part) for part in mapping.parts(outer)]
    except RefusalError:
        return
    for view in views:
        for one in mapping.fields:
            if not one.path:
                continue
            try:
                value = one.get(outer if one.outer else view)
            except RefusalError:
                continue
            text = None if value is None else tidy(str(value))
            if text:
                yield text, sensitivity(mapping.model, one.name).rank > Sensitivity.INTERNAL.rank


class _Veil:
    """Hides values in a row of any format."""

    def __init__(self, shown: set[str], hidden: set[str]) -> None:
        self._shown = shown
        self._hidden = [value for value in hidden if len(value) >= _SHORTEST]

    def row(self, document: Document, row: int) -> bytes:
        found = document.rows[row]
        if isinstance(found, etree._Element):
            copy = deepcopy(found)
            copy.tail = None
            for element in copy.iter():
                self._element(element)
            return etree.tostring(copy, method="c14n")
        # A line of a CSV is written down as JSON too: names and cells.
        data = orjson.loads(document.shape.canonical(found))
        if isinstance(data, list) and data and isinstance(data[0], list):
            return orjson.dumps([data[0], *([MASKED] * len(cells) for cells in data[1:])])
        return orjson.dumps(self._json(data), option=orjson.OPT_INDENT_2)

    def _element(self, element: Any) -> None:
        if not isinstance(element.tag, str):  # a comment or an instruction
            element.text = MASKED
        else:
            element.text = self._text(element.text)
            for name, value in element.attrib.items():
                element.set(name, self._text(value) or "")
        element.tail = self._text(element.tail)

    def _json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._json(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._json(item) for item in value]
        if value is None or isinstance(value, bool):
            return value
        return self._text(value) if isinstance(value, str) else value if self._text(str(value)) != MASKED else MASKED

    def _text(self, text: str | None) -> str | None:
        plain = tidy(text) if text is not None else None
        if plain is None:
            return text
        harmless = plain in self._shown and not any(value in plain for value in self._hidden)
        return text if harmless else MASKED
