"""Rows that are XML elements.

A path is names with slashes (`QuaTrinh/Buoc`, `@trang`, `NguoiNop/@loai`, `.`), which match whatever the namespace, or
any other XPath 1.0 expression, which matches strictly, with the prefixes of the mapping's `namespaces`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias, cast

from lxml import etree

from mappings.decode import xml
from mappings.decode.source import MAX_BYTES
from mappings.refusal import RefusalError
from mappings.shapes.path import PathError

Element: TypeAlias = "etree._Element"
View: TypeAlias = dict[str, Any]
"""By local name what a child holds: its text (None for none), the child itself where elements are in it, how often it
stands there where that is several times; the row itself under "" (no element has that name). Texts, since the garbage
collector has to look at elements that are kept."""

_SORTED = 500
"""The most attributes of an element, and namespaces of a row, that are brought into one order."""
_TOLD = 5
"""Of several values so many are quoted."""

_NAME = r"[^\W\d][\w.-]*"
_SIMPLE = re.compile(rf"(?:\.|{_NAME}(?:/{_NAME})*)?(?:/?@(?P<attribute>{_NAME}))?")


def simple(path: str) -> tuple[tuple[str, ...], str] | None:
    """Names and attribute of a simple path, None for an XPath expression."""
    found = _SIMPLE.fullmatch(path)
    if not path or found is None or ("/@" not in path and "@" in path[1:]):
        return None
    attribute = found["attribute"] or ""
    names = path[: len(path) - len(attribute) - 1].rstrip("/") if attribute else path
    return tuple(name for name in names.split("/") if name not in ("", ".")), attribute


def local(element: Element) -> str:
    tag: str = element.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def expression(path: str, namespaces: Mapping[str, str]) -> etree.XPath:
    """A compiled XPath. Raises: PathError, also for a prefix that is not declared."""
    try:
        compiled = etree.XPath(path, namespaces=dict(namespaces) or None, regexp=False, smart_strings=False)
        compiled(etree.Element("none"))
    except (etree.XPathError, ValueError) as error:
        mend = "declare the prefix in `from: namespaces`" if "prefix" in str(error).lower() else ""
        raise PathError(f"{path!r} is no XPath expression: {error}", mend) from None
    return compiled


class XmlShape:
    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = dict(namespaces)

    def getter(self, path: str) -> Callable[[View], Any]:
        if path.startswith("/"):
            raise PathError(f"{path!r} starts at the document, not at the row", "leave out the slash, or write .//")
        parts = simple(path)
        if parts is None:
            return _by_expression(expression(path, self._namespaces))
        names, attribute = parts
        if len(names) == 1 and not attribute:
            return _child(names[0])
        return _descendant(names, attribute)

    def member(self, path: str) -> str | None:
        parts = simple(path)
        return parts[0][0] if parts is not None and len(parts[0]) == 1 and not parts[1] else None

    def view(self, row: Element) -> View:
        view: View = {"": row}
        for child in row:
            name = child.tag
            if name[0] == "{":
                name = name.rpartition("}")[2]
            if name not in view:
                view[name] = child if len(child) else child.text
            else:
                held = view[name]
                view[name] = held + 1 if type(held) is int else 2
        return view

    def inner(self, path: str) -> Callable[[View], Sequence[Element]]:
        parts = simple(path)
        if parts is None or parts[1] or not parts[0]:
            raise PathError(f"{path!r} cannot lead to rows inside a row", "write names with slashes: QuaTrinh/Buoc")
        names = parts[0]

        def rows(view: View) -> Sequence[Element]:
            level: list[Element] = [view[""]]
            for depth, name in enumerate(names):
                below = [child for element in level for child in element if local(child) == name]
                # In the row itself anything may stand beside; further in, another name is a changed shape.
                if depth and len(below) != sum(map(len, level)):
                    odd = next(child for element in level for child in element if local(child) != name)
                    said = f"holds <{local(odd)}>, only <{name}> is expected"
                    raise RefusalError(said, verdict="park", path=path, found=told(odd))
                level = below
            return level

        return rows

    def canonical(self, row: Element) -> bytes:
        # It sorts names in a list, so that a million of them would take it a day.
        if len(row.nsmap) <= _SORTED and all(len(element.attrib) <= _SORTED for element in row.iter()):
            try:
                return etree.tostring(row, method="c14n", with_tail=False)
            except etree.C14NError:
                pass  # names of namespaces that are no whole address, which old systems do have: xmlns="motcua"
        return etree.tostring(row, encoding="UTF-8", with_tail=False)

    def only(self, view: View, outer: Collection[str], inner: str, part: Element) -> Element:
        row: Element = view[""]
        found = simple(inner)
        names = found[0] if found else ()
        paths = [simple(path) for path in outer]
        kept: list[Element] = []
        if all(paths):
            for name in dict.fromkeys(path[0][0] for path in paths if path and path[0]):
                if name not in names[:1]:
                    kept += [child for child in row if local(child) == name]
        else:
            # An expression may read anything in the row.
            kept += [child for child in row if local(child) not in names[:1]]
        new = _shell(row)
        new.extend([deepcopy(child) for child in kept])
        way = list(part.iterancestors())[: len(names) - 1]
        place = new
        for element in reversed(way):
            place.append(shell := _shell(element))
            place = shell
        place.append(deepcopy(part))
        return new

    def again(self, raw: bytes) -> Element:
        return xml.parse(raw, "utf-8", limit=MAX_BYTES)


def _shell(element: Element) -> Element:
    """The element without what is in it."""
    return etree.Element(element.tag, cast(Any, element.attrib), cast(Any, element.nsmap))


def _text(element: Element) -> str | None:
    if len(element):
        raise RefusalError(f"holds <{local(element[0])}>, not text", verdict="park", found=told(element))
    return element.text


def told(found: Any) -> str:
    """What was found, as an error quotes it: a text bare, several one after the other, of an element with others in it
    their names alone, since what is in them may be somebody's."""
    if isinstance(found, list):
        return "; ".join(told(one) for one in found[:_TOLD])
    if not isinstance(found, etree._Element):
        return str(found)
    if not len(found):
        return (found.text or "").strip()
    name, inside = local(found), dict.fromkeys(local(child) for child in found)
    return f"<{name}>{''.join(f'<{one}/>' for one in list(inside)[:_TOLD])}</{name}>"


def _child(name: str) -> Callable[[View], Any]:
    def get(view: View) -> Any:
        value = view.get(name)
        if value is None or type(value) is str:
            return value
        if type(value) is int:
            several = told([child for child in view[""] if local(child) == name])
            raise RefusalError(f"stands {value} times in the row, so its value is not certain", found=several)
        return _text(value)

    return get


def _descendant(names: tuple[str, ...], attribute: str) -> Callable[[View], Any]:
    def get(view: View) -> Any:
        element: Element = view[""]
        for name in names:
            found = [child for child in element if local(child) == name]
            if not found:
                return None
            if len(found) > 1:
                raise RefusalError(
                    f"<{name}> stands {len(found)} times, so the value is not certain", found=told(found)
                )
            element = found[0]
        return element.get(attribute) if attribute else _text(element)

    return get


def _by_expression(compiled: etree.XPath) -> Callable[[View], Any]:
    def get(view: View) -> Any:
        found: Any = compiled(view[""])
        if isinstance(found, list):
            if len(found) > 1:
                said = f"the path finds {len(found)} values, so which one is not certain"
                raise RefusalError(said, found=told(found))
            if not found:
                return None
            found = found[0]
        if isinstance(found, etree._Element):
            return _text(found)
        if isinstance(found, float):
            return None if found != found else int(found) if found.is_integer() else found
        if isinstance(found, str | bool):
            return found
        raise RefusalError("the path finds a namespace, not a value", verdict="park")

    return get
