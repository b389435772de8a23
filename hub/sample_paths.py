"""Notes which paths of a mapping lead to anything in rows that a system once sent, and what stands there instead. Pure.

A place that is there and empty counts as found. Formats whose rows have fixed columns need none of this: their header
is compared with the mapping when they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from hub.scaffold.names import fold
from mappings.inbound import InboundMapping
from mappings.notation import nearest
from mappings.refusal import RefusalError
from mappings.shapes import json as json_shape
from mappings.shapes import shape_of
from mappings.shapes import xml as xml_shape
from mappings.shapes.path import PathError

_DEEP = 4
_NAMES = 500


class Seen:
    """What the rows of all samples of one mapping have."""

    def __init__(self, mapping: InboundMapping) -> None:
        self._mapping = mapping
        self._holds = mapping.spec.holds
        self._shape = shape_of(mapping.spec)
        self._left = {(f.name, path): f.outer for f in mapping.fields for path in f.paths}
        """Field and path, of those that were not found yet; True where the row around the row is read."""
        self._names: set[str] = set()
        self._parts = 0
        self.rows = 0

    def add(self, view: Any) -> None:
        """Look into one row of a page."""
        if self._holds not in ("xml", "json"):
            return
        self.rows += 1
        insides = [view]
        if self._mapping.parts is not None:
            try:
                insides = [self._shape.view(part) for part in self._mapping.parts(view)]
            except RefusalError:
                return
            self._parts += len(insides)
        for inside in insides:
            self._note(inside)
        for one, outer in list(self._left.items()):
            if any(self._stands(one[1], where) for where in ([view] if outer else insides)):
                del self._left[one]

    def nowhere(self) -> Iterator[tuple[str, str, str]]:
        """Yield field, path and mend (perhaps "") of what was found in no row; nothing where there was no row."""
        if not self.rows:
            return
        if self._mapping.parts is not None and not self._parts:
            yield "inner", self._mapping.inner, ""
            return
        for name, path in self._left:
            # `soHoSo` is `so_ho_so`, whatever the distance of the letters.
            alike = sorted(one for one in self._names if fold(one) == fold(path))
            near = f"did you mean {alike[0]!r}?" if alike else nearest(path, self._names)
            yield name, path, near if near.startswith("did you mean") else ""

    def _stands(self, path: str, view: Any) -> bool:
        try:
            return _in_xml(path, view, self._mapping) if self._holds == "xml" else _in_json(path, view)
        except (RefusalError, PathError, etree.XPathError):
            return True

    def _note(self, view: Any) -> None:
        if len(self._names) < _NAMES:
            row = view[""] if self._holds == "xml" else view
            self._names.update(_xml_names(row, "", 0) if self._holds == "xml" else _json_names(row, "", 0))


def _in_xml(path: str, view: Any, mapping: InboundMapping) -> bool:
    row: Any = view[""]
    parts = xml_shape.simple(path)
    if parts is None:
        found = xml_shape.expression(path, dict(mapping.spec.namespaces))(row)
        return bool(found) if isinstance(found, list) else True
    names, attribute = parts
    level = [row]
    for name in names:
        level = [child for element in level for child in element if xml_shape.local(child) == name]
    return any(attribute in element.attrib for element in level) if attribute else bool(level)


def _in_json(path: str, view: Any) -> bool:
    steps = json_shape.steps(path)
    if steps is None:
        try:
            return json_shape.JsonShape().getter(path)(view) is not None
        except RefusalError:  # something stands there
            return True
    value = view
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list):
                return False
            # A shorter list than this is an ordinary one.
            if step >= len(value):
                return True
            value = value[step]
        else:
            if not (isinstance(value, dict) and step in value):
                return False
            value = value[step]
    return True


def _xml_names(element: Any, before: str, depth: int) -> Iterator[str]:
    for name in element.attrib:
        yield f"{before}@{name}"
    for child in element if depth < _DEEP else ():
        name = before + xml_shape.local(child)
        yield name
        yield from _xml_names(child, f"{name}/", depth + 1)


def _json_names(value: Any, before: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and depth < _DEEP:
        for key, below in value.items():
            yield f"{before}{key}"
            yield from _json_names(below, f"{before}{key}.", depth + 1)
