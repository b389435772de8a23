"""Bytes to valid UTF-8, by what the mapping, a byte order mark, the transport or the document says, in that order."""

from __future__ import annotations

import codecs
import re
import unicodedata

from schemas.errors import UndecodableError

CHARSETS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252", "cp1258")
"""The encodings that are read, by Python's names; nothing that compresses or executes is among them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
_DECLARED = re.compile(rb"""\s{0,20}<\?xml[^>]{0,200}?encoding\s{0,5}=\s{0,5}["']([A-Za-z0-9._-]{1,40})["']""")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def known(name: str) -> str | None:
    """Python's name of an encoding that is read, None for any other."""
    if not _NAME.fullmatch(name):
        return None
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if found in CHARSETS else None


def utf8(body: bytes, charset: str | None, *, own: str = "", xml: bool = False, limit: int) -> bytes:
    """The body as valid UTF-8 without a byte order mark.

    `own` is the mapping's encoding, `charset` the transport's. Raises: UndecodableError, with the position, for a
    body that is empty, larger than `limit` bytes, in an unknown encoding, invalid in its encoding, or that has a NUL.
    """
    size = len(body)
    if size > limit:
        raise UndecodableError(f"the body has {size:,} bytes, at most {limit:,} are read")
    mark, marked = next(((mark, name) for mark, name in _MARKS if body.startswith(mark)), (b"", ""))
    declared = _DECLARED.match(body) if xml else None
    said = declared[1].decode("ascii") if declared else "utf-8"
    # A declaration that could be read as ASCII is not in UTF-16, whatever it says (.NET strings say so).
    name = own or marked or charset or _unmarked_utf16(body) or ("utf-8" if said.lower().startswith("utf-16") else said)
    codec = known(name)
    if codec is None:
        raise UndecodableError(f"the body is said to be in the encoding {name!r}, which is not read here")
    if marked and codec in (marked, "utf-16"):
        body, codec = body[len(mark) :], marked
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise UndecodableError(
            f"byte {error.start + 1} (line {line}, byte {column} of it) is not valid in the encoding {name}: "
            f"0x{body[error.start]:02X}, {error.reason}{_likely(body) if codec == 'utf-8' else ''}"
        ) from None
    if not text or text.isspace():
        raise UndecodableError(f"the body is empty ({size} bytes)")
    # Looked for in the bytes where these are UTF-8: in a wide text every other byte is one.
    nul = -1 if codec == "utf-8" and b"\0" not in body else text.find("\0")
    if nul >= 0:
        raise UndecodableError(f"a NUL character at {position(text, nul)}; the body is no text in the encoding {name}")
    return body if codec == "utf-8" else text.encode()


def of_text(text: str, *, limit: int) -> bytes:
    """As `utf8`, of what was decoded already; what it says of its own encoding is history. Raises: UndecodableError."""
    body = text.encode()
    plain = len(body) <= limit and b"\0" not in body and not text.startswith("\ufeff") and not text.isspace()
    return body if plain and text else utf8(body, "utf-8", limit=limit)


def position(text: str, index: int) -> str:
    """Where in a text, for people: `line 3, column 7`, both from 1."""
    return f"line {text.count(chr(10), 0, index) + 1}, column {index - text.rfind(chr(10), 0, index)}"


def _unmarked_utf16(body: bytes) -> str:
    # Only markup begins with a lone ASCII character in every encoding, so a NUL beside the first one tells UTF-16.
    if body[:2] in (b"<\0", b"{\0", b"[\0"):
        return "utf-16-le"
    return "utf-16-be" if body[:2] in (b"\0<", b"\0{", b"\0[") else ""


def _likely(body: bytes) -> str:
    """The encoding that a body which is not UTF-8 has in all likelihood, as the end of an error; empty for none."""
    try:
        text = body.decode("cp1258")
    except UnicodeDecodeError:
        return ""
    high = {char for char in text if ord(char) > 0x7F}
    if not all(char.isalpha() or unicodedata.combining(char) for char in high):
        return ""
    viet = any(unicodedata.combining(char) or char in "ăĂđĐơƠưƯ₫" for char in high)
    name = "windows-1258" if viet else "windows-1252"
    return f"; it looks like {name} — save it as UTF-8 (in Excel: CSV UTF-8), or name its encoding in the mapping"
