"""The XML part of an answer with attachments (MTOM, SOAP with Attachments; RFC 2387). Pure: bytes in, bytes out."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from dataclasses import dataclass

from schemas.errors import UndecodableError

_PARAMETER = re.compile(r';\s*([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))')


@dataclass(frozen=True, slots=True)
class Root:
    """The part that all others belong to, and how many bytes the others have, which nobody reads."""

    body: bytes
    content_type: str
    attachments: int
    attached_bytes: int


def is_multipart(content_type: str) -> bool:
    """Whether an answer of this content type has parts."""
    return content_type.lower().lstrip().startswith("multipart/")


def root_part(content_type: str, body: bytes) -> Root:
    """Find the root part: the one that `start` names, else the first. Raises: UndecodableError."""
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(content_type)}
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise UndecodableError("an answer in parts whose Content-Type names no boundary")
    marker = b"--" + boundary.encode("latin-1", "replace")
    # A boundary stands at the start of a line; what is before the first and behind the last belongs to nobody.
    pieces = re.split(rb"(?:^|\r?\n)" + re.escape(marker) + rb"(?=--|[ \t]*\r?\n)", body)
    whole = [_part(piece) for piece in pieces[1:] if not piece.startswith(b"--")]
    if not whole:
        raise UndecodableError(f"an answer in parts without a part: {boundary!r} bounds nothing in it")
    if not pieces[-1].startswith(b"--"):
        raise UndecodableError("an answer in parts that ends in the middle: the last boundary is missing")
    start = parameters.get("start", "").strip("<>")
    named = [part for part in whole if start and part[0].get("content-id", "").strip("<>") == start]
    if start and not named:
        raise UndecodableError(f"an answer in parts whose start {start!r} is none of its parts")
    headers, content = named[0] if named else whole[0]
    rest = sum(len(part[1]) for part in whole) - len(content)
    kind = headers.get("content-type", "")
    return Root(_decoded(headers.get("content-transfer-encoding", ""), content), kind, len(whole) - 1, rest)


def _part(piece: bytes) -> tuple[dict[str, str], bytes]:
    lines = re.sub(rb"^[ \t]*\r?\n", b"", piece)
    if re.match(rb"\r?\n", lines):
        return {}, re.sub(rb"^\r?\n", b"", lines)
    found = re.search(rb"\r?\n\r?\n", lines)
    head, content = (lines, b"") if found is None else (lines[: found.start()], lines[found.end() :])
    text = re.sub(r"\r?\n[ \t]+", " ", head.decode("latin-1"))
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, content


def _decoded(encoding: str, content: bytes) -> bytes:
    try:
        match encoding.lower():
            case "base64":
                return base64.b64decode(content)
            case "quoted-printable":
                return quopri.decodestring(content)
    except (binascii.Error, ValueError) as error:
        raise UndecodableError(f"an answer in parts whose first is no {encoding}: {error}") from None
    return content
