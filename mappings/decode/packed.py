"""ZIP archives, hostile or not, to the bytes of their members.

Nothing is ever written to a disk, so a name is only a name, however many `../` it has. A member is unpacked to at most
as many bytes as the caller allows, so what a bomb would unfold to does not matter. Only what Windows, Office and every
other writer of ZIP use is unpacked: members that are stored or deflated, not encrypted.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

from schemas.errors import UndecodableError

MAX_MEMBERS = 10_000
"""The most members of one archive, folders included."""
SIGNS = (b"PK\x03\x04", b"PK\x05\x06")
"""How an archive begins, and an empty one."""
_ENTRY = b"PK\x01\x02"
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError, KeyError,
    IndexError, UnicodeError,
)  # fmt: skip
"""What `zipfile` raises for an archive that is damaged; NotImplementedError is a RuntimeError."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    """With its folders, separated by `/`, as the archive says it."""
    size: int
    """Bytes when unpacked, as the archive says it; more is never unpacked."""
    number: int
    """Its place in the archive."""
    encrypted: bool

    @property
    def file(self) -> str:
        """The name without folders; empty for none."""
        return self.name.rpartition("/")[2]


class Archive:
    """A ZIP archive that is held in memory."""

    def __init__(self, body: bytes) -> None:
        """Raises: UndecodableError for what is no archive, is cut off, or has more than `MAX_MEMBERS` members."""
        # Each member has this sign once: they are counted before a list of them is made.
        if body.count(_ENTRY) > MAX_MEMBERS:
            raise UndecodableError(f"the archive has more than {MAX_MEMBERS:,} files — split it")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
            found = self._zip.infolist()
        except _BROKEN as error:
            raise UndecodableError(f"the archive cannot be read: {_said(error)} — send it again") from None
        self._found = found
        self.members = tuple(
            Member(_name(one), one.file_size, number, bool(one.flag_bits & 1))
            for number, one in enumerate(found)
            if not one.filename.endswith(("/", "\\"))
        )

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member. Raises: UndecodableError for one that is damaged, locked, or larger than `limit`."""
        info = self._found[member.number]
        if member.encrypted:
            raise UndecodableError(f"{shown(member.name)} is locked with a password — send it without one")
        if info.compress_type not in _READ:
            raise UndecodableError(
                f"{shown(member.name)} is packed in a way that is not read ({info.compress_type}) — make a plain ZIP"
            )
        try:
            with self._zip.open(info) as opened:
                content = opened.read(limit + 1)
                whole = len(content) > limit or not opened.read(1)
        except _BROKEN as error:
            raise UndecodableError(f"{shown(member.name)} cannot be unpacked: {_said(error)} — send it again") from None
        if len(content) > limit or not whole:
            raise UndecodableError(f"{shown(member.name)} has more than {limit:,} bytes when it is unpacked")
        return content


def shown(name: str) -> str:
    """A name as text for people: nothing in it can be taken for the end of a line."""
    kept = "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
    return kept if len(kept) <= 200 else f"{kept[:120]}…{kept[-60:]}"


def _name(info: zipfile.ZipInfo) -> str:
    """The name: UTF-8 where the archive says so; where it says nothing, UTF-8 if it can be, else the IBM PC's 437."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
