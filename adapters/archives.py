"""ZIP archives in a drop folder: which of their files are read, in which order, and when the archive is done with.

An archive is judged whole before any of its files is handed on: one that is damaged, locked, too large when unpacked,
or that has an archive inside is refused as it is, so that what is sent again is the whole of it. Knows no folder;
nothing is unpacked but into memory, one file at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mappings.decode.packed import Archive, Member, shown
from schemas.errors import UndecodableError

NESTED = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".jar", ".cab")
"""How the names of archives end."""


class UnfitError(Exception):
    """An archive that is not read as it is; the text says why, and the mend."""


@dataclass
class Opened:
    """An archive of which the files that fit are read one after the other, and what became of those that were."""

    archive: Archive
    members: Sequence[Member]
    """The files that fit, in the order in which they are read."""
    limit: int
    waiting: set[int] = field(default_factory=set)
    """The numbers of members that are not settled."""
    problems: list[str] = field(default_factory=list)
    """A line per refused row of its files, each with the name of the file."""
    unread: int = 0
    """How many of its files could not be decoded."""

    def read(self, member: Member) -> bytes:
        """Raises: UndecodableError, for an archive that was judged before only where memory went bad."""
        return self.archive.read(member, self.limit)

    def settled(self, member: Member, problems: Sequence[str], *, parked: bool) -> bool:
        """Note what became of a member; True when it was the last one."""
        self.waiting.discard(member.number)
        self.problems += [f"{shown(member.name)}: {problem}" for problem in problems]
        if parked:
            self.unread += 1
            if not problems:
                self.problems.append(f"{shown(member.name)}: it could not be read")
        return not self.waiting


def judge(
    body: bytes, *, fits: Callable[[str], bool], place: Callable[[str], object], limit: int, whole_limit: int
) -> Opened:
    """Open an archive and unpack every file that fits once, to see that all can be.

    `fits` says of the bare name of a file whether it is read, `place` where it stands in the order; `limit` is the most
    bytes of one file, `whole_limit` of all of them together. Raises: UnfitError.
    """
    try:
        archive = Archive(body)
        found: list[Member] = []
        for member in archive.members:
            # Beside each file a Macintosh packs a hidden one of the same name that holds no data.
            if member.name.startswith("__MACOSX/") or member.file.startswith("."):
                continue
            if member.file.lower().endswith(NESTED):
                raise UnfitError(f"{shown(member.name)}: an archive inside an archive is not opened; send it by itself")
            if fits(member.file):
                found.append(member)
        if not found:
            names = ", ".join(shown(member.name) for member in archive.members[:5]) or "nothing"
            raise UnfitError(f"no file in it has a name that fits `pattern`; it holds {names}")
        left = whole_limit
        for member in found:
            left -= len(archive.read(member, limit))
            if left < 0:
                most = f"{whole_limit:,} bytes in all when unpacked"
                raise UnfitError(f"its files have more than {most}; split it or raise max_unpacked_bytes")
    except UndecodableError as error:
        raise UnfitError(str(error)) from None
    found.sort(key=lambda member: (place(member.file), member.name))
    return Opened(archive, found, limit, {member.number for member in found})
