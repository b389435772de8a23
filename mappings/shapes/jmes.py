"""JMESPath expressions, for what names with dots do not say: filters, functions, projections. Compiled once.

An expression sees only what it is applied to, so what it makes grows with the data. By how much at most is worked out
when it is compiled, and one that copies its data a hundred times over is refused then: `[@,@][]|[@,@][]|…` would double
it with every step. A separator of `join` has to be written out for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, TypeAlias

import jmespath
from jmespath.functions import Functions

from mappings.notation import nearest
from mappings.refusal import RefusalError
from mappings.shapes.path import PathError

Search: TypeAlias = Callable[[Any], Any]
"""From a value to what the expression finds, None for nothing. Raises: RefusalError."""

MOST_CHARACTERS = 500
MOST_COPIES = 100
"""How many times larger than its data the work and the result of an expression may be."""

_MEND = 'write names with dots (nguoi_nop.ho_ten, "ma-ho-so", lien_he[0].email), or a JMESPath expression'
_ESCAPED = 6
"""Characters that one character of a text may take in JSON."""


def search(path: str) -> Search:
    """A compiled expression. Raises: PathError."""
    if len(path) > MOST_CHARACTERS:
        raise PathError(f"the expression has {len(path)} characters, at most {MOST_CHARACTERS} are read", "shorten it")
    try:
        compiled = jmespath.compile(path)
        copies = _copies(compiled.parsed)
    except (ValueError, RecursionError) as error:
        if isinstance(error, PathError):
            raise
        said = " ".join(str(error).split("\n")[0].split()).rstrip(":.")
        raise PathError(f"{path!r} is no path: {said or type(error).__name__}", _MEND) from None
    if copies > MOST_COPIES:
        raise PathError(
            f"{path!r} may make its data {copies} times as large, at most {MOST_COPIES}", "take fewer copies"
        )

    def find(value: Any) -> Any:
        try:
            return compiled.search(value)
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            said = " ".join(str(error).split())[:200]
            raise RefusalError(f"cannot be found by {path}: {said}", verdict="park") from None

    return find


def _copies(node: Mapping[str, Any]) -> int:
    """By what factor a part of an expression may enlarge what it is applied to. Raises: PathError."""
    below = [_copies(child) for child in node["children"] if isinstance(child, dict)]
    match node["type"]:
        case "literal":
            return 1 + len(str(node["value"]))
        case "multi_select_list" | "multi_select_dict":
            return sum(below)
        case "subexpression" | "index_expression" | "pipe" | "projection" | "value_projection":
            return prod(below)
        case "filter_projection":
            left, right, condition = below
            return left * max(right, condition)
        case "function_expression":
            return _of_function(node, below)
        case _:
            return max(below, default=1)


def _of_function(node: Mapping[str, Any], below: list[int]) -> int:
    name = node["value"]
    if name not in Functions.FUNCTION_TABLE:
        raise PathError(f"there is no function {name!r}", nearest(name, Functions.FUNCTION_TABLE))
    signature = Functions.FUNCTION_TABLE[name]["signature"]
    open_ended = bool(signature) and bool(signature[-1].get("variadic"))
    if len(below) < len(signature) or (len(below) > len(signature) and not open_ended):
        raise PathError(f"{name} takes {len(signature)} values, here it gets {len(below)}", _MEND)
    match name:
        case "map" | "sort_by" | "min_by" | "max_by":
            return prod(below)
        case "to_string":
            return _ESCAPED * sum(below)
        case "join" if node["children"] and node["children"][0]["type"] != "literal":
            raise PathError("the separator of join has to be written out", "write join(', ', …)")
        case "join":
            return prod(below)
        case _:
            return max(1, sum(below))
