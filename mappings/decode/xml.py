"""XML, hostile or not, to an lxml tree.

No document type of any kind is read: it is refused before the parser sees it, so no entity exists that could expand, no
external file is asked for and no attribute gets a default. Comments and processing instructions are dropped, so that
they cannot split a text in two.
"""

from __future__ import annotations

import re

from lxml import etree

from mappings.decode import references
from mappings.decode.charset import position, utf8
from mappings.decode.source import MAX_DEPTH, MAX_PARTS
from schemas.errors import UndecodableError

_PREAMBLE = 64 * 1024
_OPENS, _CLOSES = re.compile(rb"<[A-Za-z]"), re.compile(rb"</|/>")
_TOO_DEEP = etree.XPath("/" + "/".join("*" * (MAX_DEPTH + 1)))


def parse(body: bytes, charset: str | None, *, own: str = "", limit: int) -> etree._Element:
    """The root element. Raises: UndecodableError for anything but one well-formed document without document type."""
    return parse_utf8(utf8(body, charset, own=own, xml=True, limit=limit))


def parse_utf8(body: bytes) -> etree._Element:
    """As `parse`, of valid UTF-8; what the XML declaration says about the encoding is not believed."""
    _refuse_document_type(body)
    if body.count(b"<") > MAX_PARTS:
        raise UndecodableError(f"the XML has more than {MAX_PARTS:,} tags")
    # `huge_tree` lifts the limit of 10 MB for one text (a page inside a string); what else it lifts is limited here.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        huge_tree=True,
    )
    markup = body.lstrip()
    try:
        root = etree.fromstring(markup, parser)
    except etree.XMLSyntaxError as error:
        said = (error.msg or "not well-formed").split(", line ")[0]
        if "xcessive depth" in said:
            said = f"nested deeper than {MAX_DEPTH} elements"
        if (before := _before(markup)) is not None:
            raise UndecodableError(f"not well-formed XML: before it stands {before!r}") from None
        line, column = error.position
        line += body.count(b"\n", 0, len(body) - len(markup))
        raise UndecodableError(f"not well-formed XML: {said}, line {line}, column {column}") from None
    if _TOO_DEEP(root) or (references.resolve(root, markup) and _TOO_DEEP(root)):
        raise UndecodableError(f"the XML is nested deeper than {MAX_DEPTH} elements")
    return root


def _before(markup: bytes) -> str | None:
    """The text of what an interpreter wrote before the document (PHP's warnings); None where nothing stands there."""
    at = markup.find(b"<?xml ", 1, _PREAMBLE)
    before = markup[: max(at, 0)]
    # A declaration inside an element or a text is another mistake.
    if not before or b"<![CDATA[" in before or len(_OPENS.findall(before)) != len(_CLOSES.findall(before)):
        return None
    return " ".join(re.sub(r"<[^>]*>", " ", before.decode("utf-8", "replace")).split())[:200] or "something else"


def _refuse_document_type(body: bytes) -> None:
    # A document type can stand only before the root, between comments and instructions; elsewhere it is malformed.
    at = 0
    while True:
        while body[at : at + 1].isspace():
            at += 1
        if body.startswith(b"<!--", at):
            end, size = body.find(b"-->", at), 3
        elif body.startswith(b"<?", at):
            end, size = body.find(b"?>", at), 2
        else:
            break
        if end < 0:
            return
        at = end + size
    start = body[at : at + 14].lower()
    if start.startswith(b"<!doctype"):
        before = body[:at].decode()
        where = position(before, len(before))
        page = " (this is a web page, not data)" if start == b"<!doctype html" else ""
        raise UndecodableError(f"a document type (DOCTYPE) at {where}; none is read, it can carry entities{page}")
