"""`function`: a Python function, the last resort.

    function: "travinh.names:tidy"                 called with (value, scope)

The function has to be importable when the mapping is read, pure and safe to call from several threads. `scope.values`
are the fields of the record that are known by now, `scope.agencies` and `scope.procedures` are the registers. None is
no value. Whatever it raises parks the row, with the function's name.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from types import MappingProxyType
from typing import Any
from unicodedata import normalize

from mappings.converters.converter import Compiled, Converter, Scope, Setting
from mappings.manual import Entry, Tried
from mappings.notation import Marked
from mappings.refusal import RefusalError

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def build(options: Marked, setting: Setting) -> Compiled | None:
    name = options.value
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        setting.problems.add(
            "function", options.line, f"function: {options.plain!r} names none", 'write function: "module:name"'
        )
        return None
    try:
        called = _load(name)
    except ImportError as error:
        mend = "install its package beside the hub, or put its folder into PYTHONPATH"
        setting.problems.add("function", options.line, f"function: {error}", mend)
        return None

    def convert(value: Any, scope: Scope) -> Any:
        try:
            known = MappingProxyType(dict(scope.values))
            given = called(value, Scope(scope.agencies, known, procedures=scope.procedures))
        except Exception as error:
            said = f"makes the function {name} fail: {type(error).__name__}: {str(error)[:200]}"
            raise RefusalError(said, verdict="park") from error
        return _checked(given, name, setting)

    return Compiled(convert, "code")


def _load(name: str) -> Callable[[Any, Scope], Any]:
    """Raises: ImportError that says what is missing, whatever the module itself raises."""
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ImportError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise ImportError(f"{module_name} has no function {attribute!r}")
    called: Callable[[Any, Scope], Any] = found
    return called


def _checked(given: Any, name: str, setting: Setting) -> Any:
    """What the function gave, as the field (or the payload) takes it. Raises: RefusalError where it takes it not."""
    if isinstance(given, str):
        given = normalize("NFC", given).strip() or None
    if given is None:
        return None
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise RefusalError(f"becomes a time without zone by the function {name}", verdict="park")
        given = given.astimezone(UTC)
    if not setting.last:
        return given
    if setting.direction == "in" and setting.target is not None:
        try:
            return setting.target.value(given.value if isinstance(given, Enum) else given)
        except ValueError as error:
            raise RefusalError(f"becomes what its field cannot hold by {name}: {error}", verdict="park") from None
    if setting.direction == "out" and not (
        type(given) in (str, int, bool) or (type(given) is float and isfinite(given))
    ):
        raise RefusalError(f"becomes {type(given).__name__} by {name}, which no payload can hold", verdict="park")
    return given


_EXAMPLE = """def tidy(value, scope):
    if value.isdigit():
        raise ValueError("no name")
    return value.title()
"""

MANUAL = Entry(
    (
        Tried('function: "example_names:tidy"', "  lê thị MAI", "Lê Thị Mai", files={"example_names.py": _EXAMPLE}),
        Tried(
            'function: "example_names:tidy"',
            "7",
            verdict="park",
            files={"example_names.py": _EXAMPLE},
            refused="makes the function example_names:tidy fail: ValueError: no name",
        ),
    ),
    refuses=("park: whatever the function raises, and what the field cannot hold",),
    notes=(
        "`module:name`, imported when the mapping is read and called with (value, scope); it has to be pure and "
        "safe in several threads. `scope.values` has the fields that are known by now, `scope.agencies` the "
        "register. None is no value. In the examples `example_names.py` is the file below.",
    ),
)

CONVERTER = Converter("function", "a Python function, the last resort", build, MANUAL)
