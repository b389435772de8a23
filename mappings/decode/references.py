"""References inside a SOAP envelope: what stands once and is meant in many places, put there.

With SOAP's encodings a value may stand once, with an `id`; elsewhere `href="#id"` (SOAP 1.1) or `enc:ref="id"` (1.2)
stands for it. PHP does so with an object that several rows share, Axis with every structure: its rows are empty, and
what they hold stands behind them as `multiRef`. Rows have to be whole by themselves, so each reference becomes a copy.
Hostile envelopes are refused: circles, and copies that would be more than a document may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from lxml import etree

from mappings.decode.source import MAX_BYTES, MAX_DEPTH, MAX_PARTS
from schemas.errors import UndecodableError

_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_ENCODING12 = "http://www.w3.org/2003/05/soap-encoding"
_ENVELOPES = (
    "{http://schemas.xmlsoap.org/soap/envelope/}Envelope",
    "{http://www.w3.org/2003/05/soap-envelope}Envelope",
)
_TOO_MUCH = "the references of the XML would make more of it than is read"
_NAMES = ("id", f"{{{_ENCODING12}}}id")
_PLACES = (*_NAMES, "href", f"{{{_ENCODING12}}}ref", f"{{{_ENCODING}}}root")


def resolve(root: etree._Element, markup: bytes) -> bool:
    """Put copies in place of references; True where there were any. `markup` is what `root` was parsed from.

    What refers to nothing in the envelope, or holds something itself, is left as it is. Raises: UndecodableError.
    """
    if root.tag not in _ENVELOPES or (b"href" not in markup and _ENCODING12.encode() not in markup):
        return False
    found = [one for one in root.iter() if isinstance(one.tag, str) and _meant(one) and not len(one) and not one.text]
    if not found:
        return False
    named: dict[str, list[etree._Element]] = {_meant(one): [] for one in found}
    for element in root.iter():
        for name in _NAMES if isinstance(element.tag, str) else ():
            if (value := element.get(name)) in named:
                named[value].append(element)
    twice = next((name for name, elements in named.items() if len(elements) > 1), None)
    if twice is not None:
        raise UndecodableError(f"the id {twice[:50]!r} stands twice, so what is meant by it is not certain")
    references = {one: named[_meant(one)][0] for one in found if named[_meant(one)]}
    if not references:
        return False
    _Copies(references).make()
    for element in references.values():
        above = element.getparent()
        if above is not None and above.getparent() is root:
            above.remove(element)  # stood behind the answer only to be referred to
        for name in _NAMES:
            element.attrib.pop(name, "")
    return True


def _meant(element: etree._Element) -> str:
    """The id that an element refers to; empty where it refers to none."""
    href = element.get("href")
    if href is not None:
        return href[1:] if href[:1] == "#" else ""
    return element.get(f"{{{_ENCODING12}}}ref") or ""


class _Copies:
    """Fills each reference from its target, the targets' own references first."""

    def __init__(self, references: Mapping[etree._Element, etree._Element]) -> None:
        self._references = references
        self._inside: dict[etree._Element, list[etree._Element]] = {target: [] for target in references.values()}
        for reference in references:
            for above in (reference, *reference.iterancestors()):
                if above in self._inside:
                    self._inside[above].append(reference)
        self._weights: dict[etree._Element, tuple[int, int]] = {}
        self._begun: set[etree._Element] = set()
        self._order: list[etree._Element] = []
        self._looked_at = 0

    def make(self) -> None:
        """Weigh everything before anything is copied. Raises: UndecodableError."""
        found = [self._weigh(target, 0) for target in self._references.values()]
        if sum(parts for parts, _ in found) > MAX_PARTS or sum(size for _, size in found) > MAX_BYTES:
            raise UndecodableError(_TOO_MUCH)
        for target in self._order:
            for reference in self._inside[target]:
                _fill(reference, self._references[reference])
        for reference, target in self._references.items():
            _fill(reference, target)

    def _weigh(self, target: etree._Element, depth: int) -> tuple[int, int]:
        """How many elements and characters a target is with all that it refers to; notes what is to be filled first."""
        if (known := self._weights.get(target)) is not None:
            return known
        if depth > MAX_DEPTH:
            raise UndecodableError(f"the XML is nested deeper than {MAX_DEPTH} elements by its references")
        if target in self._begun:
            raise UndecodableError(f"<{etree.QName(target).localname}> holds itself, by its references")
        self._begun.add(target)
        parts = size = 0
        for one in target.iter():
            parts += 1
            self._looked_at += 1
            if self._looked_at > MAX_PARTS:  # each target is copied once at least
                raise UndecodableError(_TOO_MUCH)
            size += len(one.text or "") + len(one.tail or "") + sum(map(len, map(str, one.attrib.values())))
        for inner in self._inside[target]:
            more, larger = self._weigh(self._references[inner], depth + 1)
            parts, size = parts + more, size + larger
        self._weights[target] = parts, size
        self._order.append(target)
        return parts, size


def _fill(reference: etree._Element, target: etree._Element) -> None:
    if _meant(reference) == "":
        return  # filled before
    attributes: dict[Any, Any] = {
        name: value for name, value in target.attrib.items() if name not in _PLACES and name not in reference.attrib
    }
    for name in _PLACES:
        if name not in _NAMES:
            reference.attrib.pop(name, "")
    reference.attrib.update(attributes)
    reference.text = target.text
    reference.extend([deepcopy(child) for child in target])
