"""Rows that are lines of a CSV file; a path is the name of a column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import orjson

from mappings.decode import json
from mappings.decode.csv import Line
from mappings.decode.source import MAX_BYTES
from mappings.refusal import RefusalError
from mappings.shapes.path import PathError
from schemas.errors import UndecodableError


@dataclass(frozen=True, slots=True)
class CsvRow:
    header: tuple[str, ...]
    line: Line


class CsvShape:
    def getter(self, path: str) -> Callable[[dict[str, str]], str | None]:
        return lambda view: view.get(path)

    def member(self, path: str) -> str | None:
        return path

    def view(self, row: CsvRow) -> dict[str, str]:
        cells = row.line.cells
        if len(cells) != len(row.header):
            raise RefusalError(f"line {row.line.number} has {len(cells)} cells, the header {len(row.header)}")
        return dict(zip(row.header, cells, strict=True))

    def inner(self, path: str) -> Callable[[dict[str, str]], Sequence[CsvRow]]:
        raise PathError("a line of a CSV has no rows inside", "leave out `inner`")

    def canonical(self, row: CsvRow) -> bytes:
        if len(row.header) == len(row.line.cells):
            return orjson.dumps(dict(zip(row.header, row.line.cells, strict=True)))
        return orjson.dumps([list(row.header), list(row.line.cells)])

    def only(self, view: dict[str, str], outer: Collection[str], inner: str, part: CsvRow) -> CsvRow:
        return part

    def again(self, raw: bytes) -> CsvRow:
        found = json.parse(raw, "utf-8", limit=MAX_BYTES)
        if isinstance(found, dict):
            return CsvRow(tuple(found), Line(1, tuple(map(str, found.values()))))
        if isinstance(found, list) and len(found) == 2 and all(isinstance(part, list) for part in found):
            return CsvRow(tuple(map(str, found[0])), Line(1, tuple(map(str, found[1]))))
        raise UndecodableError("the bytes are no row of a CSV")
