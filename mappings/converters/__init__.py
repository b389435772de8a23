"""The registry of converters: what a field of a mapping can say about its value, applied from left to right as written.

To add one: a module with a `Converter` and its `manual` for docs/mapping-reference.md, a line here (a test walks them).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mappings.converters import (
    agency,
    date,
    decimal_text,
    flag,
    font,
    function,
    match,
    number,
    period,
    procedure,
    replace,
    split,
    table,
    text,
    working_days,
)
from mappings.converters.converter import Compiled, Convert, Converter, Scope, Setting

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        converter.name: converter
        for converter in (
            text.CONVERTER,
            date.CONVERTER,
            number.CONVERTER,
            flag.BOOL,
            flag.PRESENT,
            table.CONVERTER,
            agency.CONVERTER,
            procedure.CONVERTER,
            match.CONVERTER,
            font.CONVERTER,
            split.CONVERTER,
            replace.CONVERTER,
            decimal_text.CONVERTER,
            working_days.CONVERTER,
            period.CONVERTER,
            function.CONVERTER,
        )
    }
)

__all__ = ["CONVERTERS", "Compiled", "Convert", "Converter", "Scope", "Setting"]
