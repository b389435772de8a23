"""How rows of each format are found, looked into and written down; one module per format, one class each.

To add a format: a decoder in `mappings.decode`, a class here with the methods of `Shape`, a line in `shape_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeAlias

from mappings.decode.source import SourceSpec
from mappings.shapes.csv import CsvShape
from mappings.shapes.json import JsonShape
from mappings.shapes.xlsx import XlsxShape
from mappings.shapes.xml import XmlShape

Getter: TypeAlias = Callable[[Any], Any]
"""From a view of a row to the value at a path, text or a JSON scalar, None for none. Raises: RefusalError."""


class Shape(Protocol):
    """What a mapping needs to know of a format. Paths are compiled once; a path that is no path raises PathError."""

    def getter(self, path: str) -> Getter: ...

    def member(self, path: str) -> str | None:
        """The key under which every view, a dict, holds what is at the path, where it has one: text (None for none)
        is then the value itself, anything else is for the getter."""
        ...

    def view(self, row: Any) -> Any:
        """The row, made quick to look into. Raises: RefusalError for a row that has not the shape of one."""
        ...

    def inner(self, path: str) -> Callable[[Any], Sequence[Any]]:
        """From a view to the rows inside it, none for an absent or empty list. Raises: RefusalError for no list."""
        ...

    def canonical(self, row: Any) -> bytes:
        """Bytes that are equal for equal rows."""
        ...

    def only(self, view: Any, outer: Collection[str], inner: str, part: Any) -> Any:
        """A new row with what the `outer` paths read and the one inner row; the rest is not copied on the way."""
        ...

    def again(self, raw: bytes) -> Any:
        """The row that `canonical` wrote. Raises: UndecodableError."""
        ...


def shape_of(spec: SourceSpec) -> Shape:
    """The shape of the rows of a source."""
    if spec.holds == "xml":
        return XmlShape(dict(spec.namespaces))
    if spec.holds == "json":
        return JsonShape()
    return XlsxShape() if spec.holds == "xlsx" else CsvShape()
