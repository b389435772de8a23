"""Source `files`: a folder into which a legacy system drops CSV, XLSX, XML or JSON files, or ZIP archives of these.

A file is taken when it is complete: its size and time have not changed for `settle_s` while this process watched, or,
where `ready` is set, when its marker (`hoso-0003.csv.ok`) stands beside it. Files are read in the order of `pattern`
(the first pattern that matches), then of their names, numbers by value. After the commit a file goes to `done/`; one
that could not be decoded at all goes to `failed/`. What was wrong with it stands beside it in `<file>.errors.txt`, a
heading and a line per problem: also in `done/`, where a file goes of which some rows were refused, since the others
were taken and sending the file again would be wrong. Nothing is ever overwritten there: a name that is
taken gets a number (`hoso.2.csv`).

An archive whose name fits `archives` is opened: each file in it that fits `pattern` is an arrival of its own, and the
archive is moved when all of them are settled, to `failed/` where one could not be decoded. See `adapters.archives`.

A file that was committed but not yet moved when the hub died is read again and found to be a duplicate, row by row.
Links, pipes and devices are never opened, and nothing outside the folder is read or written.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from adapters.archives import Opened, UnfitError, judge
from hub.ports import AdapterContext, Arrival, Cursor, Media
from mappings.decode.packed import Member, shown
from schemas.errors import Problem, SourceFault, UndecodableError

DONE, FAILED = "done", "failed"
READ_BYTES = 1 << 20


class FilesSettings(BaseModel):
    """Settings of a source with `adapter: files`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """Where files are dropped; relative to the configuration file. `done/` and `failed/` are made inside it."""
    pattern: str | tuple[str, ...]
    """Names to take, with `*`, `?` and `[…]`; of several patterns the files of the first are read first."""
    media: Media = "csv"
    """What the files are; those inside an archive, where it is one."""
    settle_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 2.0
    """A file is complete when its size and time have been the same for so long; not used where `ready` is set."""
    ready: str | None = None
    """The suffix of the marker that says a file is complete, `.ok`; it is removed when the file is moved."""
    max_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 32 << 20
    """A larger file is moved to `failed/` unread, in an archive too."""
    archives: str | tuple[str, ...] = ()
    """Names of ZIP archives to open, `*.zip`; `pattern` then says which of their files are read."""
    max_unpacked_bytes: Annotated[int, Field(ge=1, le=1 << 32)] = 256 << 20
    """An archive whose files are larger together is moved to `failed/` unread."""

    @field_validator("pattern", "archives")
    @classmethod
    def _names(cls, value: str | tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        patterns = (value,) if isinstance(value, str) else value
        named = all(pattern and "/" not in pattern and "\\" not in pattern for pattern in patterns)
        if not named or (not patterns and info.field_name == "pattern"):
            raise ValueError("give names like hoso-*.csv, without folders")
        return patterns

    @field_validator("ready")
    @classmethod
    def _suffix(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[.\-_A-Za-z0-9]+", value):
            raise ValueError("give a suffix like .ok")
        return value


@dataclass(frozen=True, slots=True)
class _Seen:
    """What tells one state of one file from another."""

    inode: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> _Seen:
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class _Refused(Exception):  # noqa: N818 - a verdict on a file, caught where it is moved
    """A file that can never be read as it is; the text says why."""


class FilesSource:
    """A drop folder; see the module. One poll takes every file that is complete by then."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = FilesSettings
    summary: ClassVar[str] = "a drop folder of CSV, XLSX, XML, JSON or ZIP files, moved to done/ or failed/"

    def __init__(self, settings: FilesSettings, context: AdapterContext) -> None:
        self.settings = settings
        self.name = context.name
        self.folder = context.folder / settings.folder
        self._watched: dict[str, tuple[_Seen, float]] = {}
        """Per file name: what it looked like, and since when (monotonic)."""
        self._taken: dict[str, tuple[str, _Seen]] = {}
        """Per arrival that is not settled: the file's name and what it looked like when it was read."""
        self._inside: dict[str, tuple[Opened, Member]] = {}
        """Per arrival that is not settled and came out of an archive: the archive, and the file in it."""

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """Yield each complete file whole, with `cursor=None`: where the source stands is told by the folder itself.

        Waits at most `settle_s` for files that are still changing. Raises: SourceFault when the folder cannot be
        read, and, after all others were yielded, when a file cannot be read or was refused; each is named.
        """
        started = datetime.now(UTC)
        names = await asyncio.to_thread(self._complete)
        if self.settings.ready is None and self._unsettled(names):
            await asyncio.sleep(self.settings.settle_s)
            names = await asyncio.to_thread(self._complete)
        troubles: list[str] = []
        for name in names:
            try:
                read = await asyncio.to_thread(self._read, name)
                opened = None if read is None or not self._packed(name) else await self._opened(read[0])
            except _Refused as refused:
                try:
                    await asyncio.to_thread(self._move, name, FAILED, [str(refused)], None)
                    troubles.append(f"{_shown(name)}: {refused}; moved to {FAILED}/")
                except OSError as error:
                    troubles.append(f"{_shown(name)}: {refused}; it cannot be moved: {error.strerror}")
                continue
            except OSError as error:
                troubles.append(f"{_shown(name)}: {error.strerror}; it stays and is tried again")
                continue
            if read is None:
                continue
            body, seen = read
            self._forget(name)
            if opened is None:
                yield self._arrival(name, seen, body, started, _shown(name))
                continue
            for member in opened.members:
                try:
                    body = await asyncio.to_thread(opened.read, member)
                except UndecodableError as error:
                    troubles.append(f"{_shown(name)}: {error}; it stays and is tried again")
                    break
                arrival = self._arrival(name, seen, body, started, f"{_shown(name)}/{shown(member.name)}")
                self._inside[arrival.uid] = opened, member
                yield arrival
        if troubles:
            raise SourceFault(f"{self.folder}: " + "; ".join(troubles))

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """Move the file of an arrival that was committed; one that changed or vanished since it was read is left alone.

        Raises: SourceFault when it cannot be moved; it will be read again, and found to be a duplicate.
        """
        taken = self._taken.pop(arrival.uid, None)
        if taken is None:
            return
        name, seen = taken
        opened, member = self._inside.pop(arrival.uid, (None, None))
        heading = None
        if opened is not None and member is not None:
            if not opened.settled(member, problems, parked=parked):
                return
            problems, parked = opened.problems, opened.unread > 0
            if opened.unread < len(opened.members):
                heading = _HEADING_OF_ARCHIVE if parked else None
        try:
            await asyncio.to_thread(self._move, name, FAILED if parked else DONE, problems, seen, heading)
        except OSError as error:
            raise SourceFault(
                f"{self.folder}: {_shown(name)} was taken but cannot be moved: {error.strerror}; "
                "let the hub's user write in the folder"
            ) from error

    def _arrival(self, name: str, seen: _Seen, body: bytes, started: datetime, label: str) -> Arrival:
        uid = uuid.uuid4().hex
        self._taken[uid] = (name, seen)
        return Arrival(
            uid=uid,
            source=self.name,
            body=body,
            media=self.settings.media,
            received_at=datetime.now(UTC),
            poll_started_at=started,
            label=label,
        )

    def _forget(self, name: str) -> None:
        """A file is read again: what was read of it before and never settled is no longer waited for."""
        for uid in [uid for uid, taken in self._taken.items() if taken[0] == name]:
            del self._taken[uid]
            self._inside.pop(uid, None)

    def _packed(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.settings.archives)

    async def _opened(self, body: bytes) -> Opened:
        """Raises: _Refused."""
        settings = self.settings

        def judged() -> Opened:
            return judge(
                body,
                fits=self._fits,
                place=self._place,
                limit=settings.max_bytes,
                whole_limit=settings.max_unpacked_bytes,
            )

        try:
            return await asyncio.to_thread(judged)
        except UnfitError as error:
            raise _Refused(str(error)) from None

    async def probe(self) -> Sequence[Problem]:
        """Look whether the folder can be read and files moved in it, for `hub check`."""
        if not self.folder.is_dir():
            return [Problem("folder", f"the folder {self.folder} is not there", "make it, or mend `folder`")]
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            return [Problem("folder", f"{self.folder} cannot be written", "let the hub's user write in the folder")]
        return []

    async def put_back(self, since: datetime) -> int:
        """Move what was read since then back into the folder, to be read again; returns how many files that was.

        For a ledger that was restored from a backup and has forgotten them. A name that is taken by now stays in done/.
        Raises: SourceFault.
        """
        try:
            return await asyncio.to_thread(self._put_back_all, since.timestamp())
        except OSError as error:
            raise SourceFault(f"{self.folder / DONE}: cannot be moved back: {error.strerror}") from error

    def _put_back_all(self, since_s: float) -> int:
        done = self.folder / DONE
        if not done.is_dir():
            return 0
        moved = 0
        for path in sorted(done.iterdir()):
            # A move changes the inode's own time and leaves that of the content as the sender set it.
            if not self._wanted(path.name) or path.name.endswith(".errors.txt") or path.lstat().st_ctime < since_s:
                continue
            try:
                os.link(path, self.folder / path.name)
            except FileExistsError:
                continue
            os.unlink(path)
            if self.settings.ready is not None:
                (self.folder / (path.name + self.settings.ready)).touch()
            moved += 1
        return moved

    async def close(self) -> None:
        """Nothing is held open."""

    def _complete(self) -> list[str]:
        """The names of complete files in the order they are to be read; notes what it saw for the next look."""
        try:
            with os.scandir(self.folder) as entries:
                found = {entry.name: entry.stat(follow_symlinks=False) for entry in entries if self._wanted(entry.name)}
                there = {entry.name for entry in os.scandir(self.folder)} if self.settings.ready else set()
        except OSError as error:
            raise SourceFault(
                f"the folder {self.folder} cannot be read: {error.strerror}; create it, and let the hub's user read it",
                down=True,
            ) from error
        now = time.monotonic()
        watched: dict[str, tuple[_Seen, float]] = {}
        complete: list[str] = []
        for name, status in found.items():
            if stat.S_ISDIR(status.st_mode):
                continue
            seen = _Seen.of(status)
            before = self._watched.get(name)
            since = before[1] if before is not None and before[0] == seen else now
            watched[name] = (seen, since)
            if self.settings.ready is not None:
                if name + self.settings.ready in there:
                    complete.append(name)
            elif now - since >= self.settings.settle_s:
                complete.append(name)
        self._watched = watched
        return sorted(complete, key=self._place)

    def _wanted(self, name: str) -> bool:
        return not name.startswith(".") and (self._packed(name) or self._fits(name))

    def _fits(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.settings.pattern)

    def _unsettled(self, complete: Sequence[str]) -> bool:
        return len(complete) < len(self._watched)

    def _place(self, name: str) -> tuple[int, list[tuple[int, str]], str]:
        patterns = (*self.settings.pattern, *self.settings.archives)
        order = next(at for at, pattern in enumerate(patterns) if fnmatchcase(name, pattern))
        stem = name.rpartition(".")[0] or name
        parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", stem)]
        return order, parts, name

    def _read(self, name: str) -> tuple[bytes, _Seen] | None:
        """The bytes of a file; None when it vanished or is still being written. Raises: _Refused, OSError."""
        path = self.folder / name
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise _Refused("a link, pipe or device, not a file") from error
            raise
        with open(opened, "rb") as file:
            before = os.fstat(opened)
            if not stat.S_ISREG(before.st_mode):
                raise _Refused("a link, pipe or device, not a file")
            if before.st_size > self.settings.max_bytes:
                raise _Refused(
                    f"{before.st_size:,} bytes, more than max_bytes ({self.settings.max_bytes:,}); "
                    "split it or raise max_bytes"
                )
            body = file.read(self.settings.max_bytes + 1)
            seen = _Seen.of(os.fstat(opened))
        if seen != _Seen.of(before) or len(body) != seen.size_bytes:
            return None
        return body, seen

    def _move(
        self,
        name: str,
        where: str,
        problems: Sequence[str],
        seen: _Seen | None,
        heading: Sequence[str] | None = None,
    ) -> None:
        """Move a file out of the folder, its problems first, so that a crash between never leaves it without them."""
        path = self.folder / name
        try:
            if seen is not None and _Seen.of(path.lstat()) != seen:
                return
        except FileNotFoundError:
            return
        target = _free(self.folder / where, name)
        if problems:
            text = "".join(
                " ".join(line.split()) + "\n" for line in (*(heading or _heading(where, len(problems))), *problems)
            )
            target.with_name(f"{target.name}.errors.txt").write_text(text, encoding="utf-8")
        os.replace(path, target)
        if seen is not None and _Seen.of(target.lstat()) != seen:
            self._put_back(target, name)
            return
        self._watched.pop(name, None)
        if self.settings.ready is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.folder / (name + self.settings.ready))

    def _put_back(self, moved: Path, name: str) -> None:
        """Another file took the name between the look and the move: it was never read, so it goes back to be read."""
        try:
            os.link(moved, self.folder / name)
        except FileExistsError:
            os.replace(moved, _free(self.folder, name))
        else:
            os.unlink(moved)


_HEADING_OF_ARCHIVE = (
    "# Có tệp trong gói này không đọc được, các tệp khác đã được nhận. Sửa theo lý do dưới đây rồi gửi riêng tệp đó.",
    "# Some files in this archive could not be read, the others were taken. Mend what is said and send only them.",
)


def _heading(where: str, count: int) -> tuple[str, str]:
    """What a clerk does next, in Vietnamese and in English."""
    if where == FAILED:
        return (
            "# Không đọc được tệp này, chưa nhận dòng nào. Sửa theo lý do dưới đây rồi đặt tệp vào lại thư mục.",
            "# This file could not be read, no row was taken. Mend what is said below and drop the file again.",
        )
    return (
        f"# {count} dòng bị từ chối, các dòng khác đã được nhận. "
        "Sửa các dòng dưới đây và gửi riêng chúng trong một tệp mới; đừng gửi lại tệp này.",
        f"# {count} {'row was' if count == 1 else 'rows were'} refused, the others were taken. "
        "Mend the rows below and send only them, in a new file; do not send this file again.",
    )


def _free(folder: Path, name: str) -> Path:
    """A name in `folder` that nobody has: reserved by an empty file that the caller replaces."""
    folder.mkdir(exist_ok=True)
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "is a link, not a folder", str(folder))
    stem, dot, suffix = name.rpartition(".")
    number = 1
    while True:
        candidate = name if number == 1 else f"{stem}.{number}.{suffix}" if dot else f"{name}.{number}"
        path = folder / candidate
        try:
            if path.with_name(f"{candidate}.errors.txt").exists():
                raise FileExistsError
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
        except FileExistsError:
            number += 1
        else:
            return path


def _shown(name: str) -> str:
    """A file name as text, whatever bytes it has."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
