"""The `from` of an inbound mapping, compiled to a SourceSpec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from mappings.decode.charset import CHARSETS, known
from mappings.decode.source import MAX_BYTES, ErrorSign, Format, SourceSpec, Unwrap
from mappings.document import decoder, finder
from mappings.notation import Keys, Marked, Problems, text_of
from mappings.shapes.path import PathError

FORMATS = ("xml", "json", "csv", "xlsx")


_KNOWN = (
    *("within", "each", "inner", "unwrap", "error", "beside", "namespaces", "delimiter", "quote"),
    *("sheet", "header", "dataset"),
)
"""What a format other than the one at hand may have."""


def compile_source(node: Marked, problems: Problems) -> tuple[SourceSpec | None, str, str]:
    """The spec, the `inner` path and the `label` pattern; the spec is None where something in it cannot be used."""
    keys = Keys(node, "'from'", problems)
    keys.need("format", "write format: xml, json, csv or xlsx")
    format_ = cast(Format, keys.choice("format", FORMATS, "xml"))
    label, charset, most = keys.text("label"), keys.text("charset"), keys.number("max_bytes", least=1)
    before = len(problems.found)
    if charset and known(charset) is None:
        problems.add(
            "charset",
            (keys.get("charset") or node).line,
            f"{charset!r} is no encoding that is read",
            f"use one of: {', '.join(CHARSETS)}",
        )
    parts: dict[str, Any] = {"format": format_, "charset": charset, "max_bytes": most or MAX_BYTES}
    inner = ""
    if format_ == "csv":
        parts |= _csv(keys, problems)
    elif format_ == "xlsx":
        parts |= {"sheet": _sheet(keys, problems), "header": keys.number("header", least=1) or 0}
    else:
        parts |= _tree(keys, problems, format_)
        inner = keys.text("inner")
    for name in ("deleted", "renumbered"):
        keys.get(name)  # compiled with the fields, whose paths they have
    keys.done(also=_KNOWN)
    if len(problems.found) > before:
        return None, inner, label
    spec = SourceSpec(**parts)
    try:
        decoder(spec)
    except PathError as error:
        problems.add("path", keys.line, str(error), error.mend)
        return None, inner, label
    return spec, inner, label


def _csv(keys: Keys, problems: Problems) -> dict[str, Any]:
    delimiter, quote = keys.text("delimiter", ","), keys.text("quote", '"')
    for name, sign in (("delimiter", delimiter), ("quote", quote)):
        if len(sign) != 1 or sign.isalnum() or sign in "\r\n ":
            problems.add("csv", keys.line, f"{name!r} should be one sign, is {sign!r}", 'a tab is written "\\t"')
    if delimiter == quote:
        problems.add("csv", keys.line, "'delimiter' and 'quote' are the same sign")
    return {"delimiter": delimiter, "quote": quote}


def _tree(keys: Keys, problems: Problems, format_: str) -> dict[str, Any]:
    names = keys.get("namespaces")
    namespaces: tuple[tuple[str, str], ...] = ()
    if names is not None:
        declared = Keys(names, "'namespaces'", problems)
        namespaces = tuple((prefix, text_of(uri, f"the namespace {prefix!r}", problems)) for prefix, uri in declared)
    holds, unwraps = format_, []
    for item in _items(keys.get("unwrap")):
        unwrap = _unwrap(Keys(item, "'unwrap'", problems), problems, holds, namespaces)
        unwraps.append(unwrap)
        holds = unwrap.holds
    within, each = keys.text("within"), keys.text("each")
    dataset = keys.text("dataset") if holds == "xml" else ""
    if dataset and "each" in keys:
        mend = "leave out `each`: the rows are those of the table that `dataset` names"
        problems.add("path", keys.line, "'from' has both 'dataset' and 'each'", mend)
    if holds == "xml" and "each" not in keys and not dataset:
        problems.add("missing-key", keys.line, "'from' lacks 'each'", "name the element of one row: each: HoSo")
    if holds == "json" and each not in ("", "."):
        mend = (
            "leave out `each`: the rows are the members of the list at `within`; `.` makes what is there the only row"
        )
        problems.add("path", keys.line, f"'each' of a JSON source is {each!r}", mend)
    where = keys.get("within")
    if where is not None:
        _check(partial(finder, within, holds, namespaces), where, problems)
    return {
        "unwrap": tuple(unwraps),
        "within": within,
        "each": each,
        "dataset": dataset,
        "beside": tuple(keys.texts("beside")),
        "namespaces": namespaces,
        "error": _error(keys.get("error"), problems, format_, namespaces),
    }


def _items(node: Marked | None) -> list[Marked]:
    if node is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


def _unwrap(keys: Keys, problems: Problems, holds: str, namespaces: tuple[tuple[str, str], ...]) -> Unwrap:
    keys.need("path", "name the place whose text is a document")
    keys.need("holds", "write holds: xml or json")
    path = keys.get("path")
    if path is not None:
        _check(partial(finder, str(path.plain), holds, namespaces), path, problems)
    unwrap = Unwrap(
        path=keys.text("path"),
        holds="json" if keys.choice("holds", ("xml", "json"), "xml") == "json" else "xml",
        base64=keys.choice("encoding", ("text", "base64"), "text") == "base64",
        empty_is_none=keys.choice("empty", ("refuse", "no-rows"), "refuse") == "no-rows",
    )
    keys.done()
    return unwrap


def _error(
    node: Marked | None, problems: Problems, format_: str, namespaces: tuple[tuple[str, str], ...]
) -> ErrorSign | None:
    if node is None:
        return None
    keys = Keys(node, "'error'", problems)
    keys.need("path", "name the place that tells an error")
    sign = ErrorSign(keys.text("path"), tuple(keys.texts("ok")), keys.text("text"))
    for name in ("path", "text"):
        item = keys.get(name)
        if item is not None:
            _check(partial(finder, str(item.plain), format_, namespaces), item, problems)
    keys.done()
    return sign


def _check(compile_: Callable[[], object], item: Marked, problems: Problems) -> None:
    try:
        compile_()
    except PathError as error:
        problems.add("path", item.line, str(error), error.mend)


def _sheet(keys: Keys, problems: Problems) -> str:
    """The name of a sheet, or its number from 1."""
    item = keys.get("sheet")
    if item is None:
        return ""
    if isinstance(item.value, int) and not isinstance(item.value, bool):
        if item.value >= 1:
            return str(item.value)
    elif isinstance(item.value, str) and item.value.strip():
        return item.value
    problems.add(
        "xlsx", item.line, "'sheet' is the name of a sheet or its number from 1", "write sheet: 1, or sheet: Hồ sơ"
    )
    return ""
