"""A readable line of an answer that is no JSON: a gateway's page, a SOAP fault, plain text. Pure."""

from __future__ import annotations

import html
import re

_READ_BYTES = 16_384
_LIMIT = 200
_FAULT = re.compile(
    r"<(?:[\w.\-]+:)?(?:faultstring|Text|ExceptionMessage|Message)(?:\s[^<>]*)?>([^<]{1,2000})<", re.IGNORECASE
)
_SILENT = re.compile(r"<(?:script|style)\b|<!--", re.IGNORECASE)
_ENDS = {"<script": "</script", "<style": "</style", "<!--": "-->"}
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>([^<]{1,500})</title", re.IGNORECASE)
_WITHIN_A_LINE = re.compile(r"</?(?:a|b|i|u|em|strong|span|font|code|small)(?:\s[^<>]{0,2000})?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def excerpt(content: bytes, charset: str | None = None) -> str:
    """The first line of an answer's text: of a SOAP fault its reason, of a page its title, without tags. "" for
    none."""
    text = _decoded(content[:_READ_BYTES], charset)
    if "<" in text and ">" in text:
        text = _of_markup(text)
    lines = (_line(line) for line in text.splitlines())
    found = next((line for line in lines if line), "")
    return found if len(found) <= _LIMIT else found[:_LIMIT] + "…"


def _decoded(content: bytes, charset: str | None) -> str:
    for encoding in (charset, "utf-8-sig"):
        if encoding:
            try:
                return content.decode(encoding, "replace")
            except (LookupError, UnicodeError, ValueError):
                continue
    return content.decode("utf-8", "replace")


def _of_markup(text: str) -> str:
    for pattern in (_FAULT, _TITLE):
        found = pattern.search(text)
        if found and (said := _line(html.unescape(found[1]))):
            return said
    bare = _TAG.sub("\n", _WITHIN_A_LINE.sub("", _without_silent(text)))
    return html.unescape(bare)


def _without_silent(text: str) -> str:
    """A page without scripts, styles and comments; what is not closed reaches to the end."""
    kept, at = [], 0
    while (opened := _SILENT.search(text, at)) is not None:
        kept.append(text[at : opened.start()])
        end = re.compile(re.escape(_ENDS[opened[0].lower()]), re.IGNORECASE).search(text, opened.end())
        if end is None:
            return "\n".join(kept)
        at = end.start() if opened[0] != "<!--" else end.end()
    return "\n".join([*kept, text[at:]])


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
