"""What stands around the rows of an arrival: values of the document outside of them, and parts of its label.

envelope: /DanhSach/DonVi                          in the document that holds the rows, or in one around it
label: "hoso-(?P<unit>[0-9]+)-.*"                  of the arrival's label, the whole of it; as the converter `match`

They are found once for all rows of a document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from unicodedata import normalize

from lxml import etree

from mappings.converters.match import Part, compile_part
from mappings.decode import SourceSpec
from mappings.document import Finder, finder
from mappings.notation import Keys, Problems
from mappings.refusal import RefusalError
from mappings.shapes.json import kind, outline
from mappings.shapes.path import PathError
from mappings.shapes.xml import local, told

AROUND = ("envelope", "label")
"""The keys of a field whose value stands around the rows; of these and the ways of a row it has one."""

Around: TypeAlias = Callable[[Sequence[Any], str], Any]
"""From the documents of an arrival, the outermost first, and its label to the value. Raises: RefusalError."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a value around the rows is found, and how people are told of its place."""

    find: Around
    told: str


def compile_around(keys: Keys, spec: SourceSpec | None, problems: Problems) -> Standing | None:
    """Compile the one of AROUND that is written. None where a problem was noted, or the source has one."""
    item = keys.get("label")
    if item is not None:
        part = compile_part(item, "label", problems)
        return None if part is None else Standing(lambda roots, label: _part(part, label), "the label")
    path = keys.text("envelope")
    if spec is None or not path:
        if not path:
            problems.add("missing-path", keys.line, f"{keys.what} should have one source", "write envelope: …")
        return None
    holds = [spec.format, *(unwrap.holds for unwrap in spec.unwrap)]
    finders: list[Finder | None] = []
    error: PathError | None = None
    for one in holds:
        try:
            finders.append(finder(path, one, spec.namespaces) if one in ("xml", "json") else None)
        except PathError as found:
            # A path of the document inside need not be one of that around it.
            finders.append(None)
            error = found
    if not any(finders):
        said = str(error) if error else f"around the rows of a {spec.format} file stands nothing"
        problems.add("path", keys.line, f"{keys.what}: {said}", error.mend if error else "write label: …, or const: …")
        return None
    return Standing(lambda roots, label: _first(finders, roots), path)


def _part(part: Part, label: str) -> str | None:
    name = normalize("NFC", label.replace("\\", "/").rpartition("/")[2])
    try:
        return part(name)
    except RefusalError as error:
        raise RefusalError(error.reason, found=name) from None


def _first(finders: Sequence[Finder | None], roots: Sequence[Any]) -> Any:
    """What stands at the path in the innermost document that has it."""
    for root, find in reversed(list(zip(roots, finders, strict=False))):
        found = find(root) if find is not None else []
        if len(found) > 1:
            said = f"stands {len(found)} times around the rows, so its value is not certain"
            raise RefusalError(said, found=told(found))
        if found:
            return _one(found[0])
    return None


def _one(value: Any) -> Any:
    if isinstance(value, etree._Element):
        if len(value):
            raise RefusalError(f"holds <{local(value[0])}>, not text", verdict="park", found=told(value))
        return value.text
    if isinstance(value, dict | list):
        raise RefusalError(f"is {kind(value)}, one value is expected", verdict="park", found=outline(value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, str) else value
