"""The agencies' error files, once a day: when, by which process, and who gets them by mail.

Yesterday's files are made at the hour of the configuration, or as soon as the hub runs again after a stop across it. Of
several hubs on one ledger one makes them. Making them again changes nothing, so a kill in between only delays them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from hub.agency_errors import errors_of
from hub.agency_files import Line, Owner, file_name, files_of, kept_from, remove_old, write
from hub.ledger import Ledger
from hub.ledger.read import open_reader
from hub.rulebook import Rulebook
from hub.sections import AgencyFilesSection, Deployment
from schemas.errors import LedgerFault
from schemas.local_time import LOCAL

log = logging.getLogger(__name__)

TASK = "agency-files"
LOOK_S = 60.0
"""Between two looks at the clock, which may be set meanwhile; also until a folder that failed is tried again."""

TAKEN_S = 1800.0
"""For so long a process that makes the files has them for itself."""

Tell = Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
"""`Ledger.tell`: channel, what it is about (told once), content."""


def next_run(at: time, now: datetime, last: date | None) -> datetime:
    """When the files are to be made next: at or before `now` means at once. Pure.

    `now` is aware; `last` is the local day on which they were last due and made, None where they never were: then
    they are first made when the hour comes. A `last` in the future, of a clock that was wrong, counts as today.
    """
    today = now.astimezone(LOCAL).date()
    due = today if last is None else min(last, today) + timedelta(days=1)
    return datetime.combine(due, at, LOCAL)


def due_on(at: time, now: datetime) -> date:
    """The local day on which files were last due; they are those of the day before it. Pure."""
    local = now.astimezone(LOCAL)
    return local.date() if local.time() >= at else local.date() - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Made:
    """The files of one day."""

    day: date
    reports: Mapping[Owner, Sequence[Line]]
    files: Sequence[Path]
    """Absolute paths."""
    removed: Sequence[str] = ()
    """Folders of days that are kept no longer."""


def make(deployment: Deployment, rules: Rulebook | None, day: date, folder: Path | None = None) -> Made:
    """Make the files of a day, and remove the folders of days that are kept no longer. Blocks.

    With `folder` they are made there instead, and nothing of another day is removed. Raises: LedgerFault; OSError where
    the folder cannot be written.
    """
    section = deployment.agency_files or AgencyFilesSection()
    with open_reader(deployment.ledger.url) as reader:
        reports = errors_of(reader, deployment, rules, day)
    files = files_of(day, reports)
    if folder is not None:
        return Made(day, reports, write(folder, day, files))
    place = deployment.folder / section.folder
    written = write(place, day, files)
    return Made(day, reports, written, remove_old(place, kept_from(day, section.keep_days)))


@dataclass(slots=True)
class Daily:
    """The loop; `run` until it is cancelled."""

    ledger: Ledger
    deployment: Deployment
    section: AgencyFilesSection
    rules: Rulebook
    tell: Tell
    now: Callable[[], datetime] = lambda: datetime.now(LOCAL)

    async def run(self) -> None:
        """Make the files whenever they are due."""
        while True:
            wait_s = await self.turn()
            await asyncio.sleep(min(LOOK_S, wait_s))

    async def turn(self) -> float:
        """Make the files if they are due and nobody else does. Returns the seconds until it is worth looking again."""
        now = self.now()
        due = next_run(self.section.time, now, await self.ledger.daily_last(TASK))
        if due > now:
            return (due - now).total_seconds()
        on = due_on(self.section.time, now)
        if not await self.ledger.take_daily(TASK, on, TAKEN_S):
            return LOOK_S
        day = on - timedelta(days=1)
        try:
            made = await asyncio.to_thread(make, self.deployment, self.rules, day)
        except (OSError, LedgerFault) as error:
            log.error("the agencies' error files of %s cannot be made, tried again in %g s: %s", day, LOOK_S, error)
            return LOOK_S
        for message in messages(self.section, made):
            await self.tell(*message)
        await self.ledger.daily_done(TASK, on)
        log.info("error files of %s made for %d agencies", day, len(made.reports))
        return LOOK_S


def messages(section: AgencyFilesSection, made: Made) -> list[tuple[str, str, dict[str, Any]]]:
    """What is to be mailed: channel, what it is about, content without a single value of a dossier. Pure."""
    told = []
    by_name = {path.name: path for path in made.files}
    for owner, lines in sorted(made.reports.items(), key=lambda one: one[0].code):
        name = file_name(owner.code)
        attached = [str(by_name[file]) for file in (f"{name}.html", f"{name}.csv") if file in by_name]
        for address in dict.fromkeys(section.mail.get(owner.code, ())):
            about = f"{TASK} {made.day.isoformat()} {owner.code} {address}"
            told.append((f"mail:{address}", about, _mail(owner, made.day, lines, attached)))
    return told


def _mail(owner: Owner, day: date, lines: Sequence[Line], attached: Sequence[str]) -> dict[str, Any]:
    dossiers = len({line.dossier for line in lines if line.dossier})
    text = (
        f"Kính gửi {owner.name},\n\n"
        f"Đến hết ngày {day:%d/%m/%Y}, {len(lines)} lỗi của {dossiers} hồ sơ của đơn vị vẫn chưa được sửa, nên trục "
        "liên thông hoặc cổng dịch vụ công chưa nhận. Chi tiết từng hồ sơ (trường, giá trị, lỗi và cách sửa) có trong "
        "hai tệp đính kèm: tệp HTML để đọc, tệp CSV để mở bằng Excel.\n\n"
        "Xin sửa trong phần mềm của đơn vị rồi lưu lại; trục liên thông sẽ tự đọc lại, đơn vị không phải gửi lại.\n\n"
        "Thư này được gửi tự động.\n"
    )
    subject = f"Hồ sơ lỗi ngày {day:%d/%m/%Y} – {owner.name}: {len(lines)} lỗi"
    return {"subject": subject, "text": text, "attachments": list(attached)}
