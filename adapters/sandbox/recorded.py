"""Source `recorded`: what a legacy system once answered, shown again page by page when whoever drills says so.

`pages.jsonl` in its folder is the list of what is shown: a line {"file", "label", "media", "charset"} per page, its
bytes in the file of that name beside it. Whoever drills writes the file first and appends the line then; a line
without its end is not there yet. The cursor is the number of lines that were read, so a page comes again only where its
commit did not.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from hub.ports import AdapterContext, Arrival, Cursor, Media
from schemas.errors import Problem, SourceFault

PAGES = "pages.jsonl"


class RecordedSettings(BaseModel):
    """Settings of a source with `adapter: recorded`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """Where `pages.jsonl` and the pages lie; relative to the configuration file."""
    media: Media = "xml"
    """What the pages are, for `hub check`; each page says its own."""


class RecordedSource:
    """Implements hub.ports.Source."""

    role: ClassVar[Literal["source"]] = "source"
    Settings: ClassVar[type[BaseModel]] = RecordedSettings
    summary: ClassVar[str] = "recorded pages of another source, shown again when told: for drills"

    def __init__(self, settings: RecordedSettings, context: AdapterContext) -> None:
        self.name = context.name
        self.folder = context.folder / settings.folder

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """Yield each page beyond the cursor, `{"pages": n}`. Raises: SourceFault when the list or a page is no such."""
        started = datetime.now(UTC)
        read = int(cursor.get("pages", 0))
        shown = await asyncio.to_thread(self._shown, read)
        for number, page in enumerate(shown, read + 1):
            body = await asyncio.to_thread(self._body, page)
            yield Arrival(
                uid=uuid.uuid4().hex,
                source=self.name,
                body=body,
                media=page["media"],
                received_at=datetime.now(UTC),
                poll_started_at=started,
                label=page["label"],
                cursor={"pages": number},
                charset=page.get("charset"),
                last=number == read + len(shown),
            )

    async def settled(self, arrival: Arrival, problems: Sequence[str], *, parked: bool) -> None:
        """Nobody waits for an answer."""

    async def probe(self) -> Sequence[Problem]:
        """Look whether the folder is there, for `hub check`."""
        if not self.folder.is_dir():
            return [Problem("folder", f"the folder {self.folder} is not there", "let `hub drill` make it")]
        return []

    async def close(self) -> None:
        """Nothing is held open."""

    def _shown(self, after: int) -> list[dict[str, Any]]:
        try:
            text = (self.folder / PAGES).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise SourceFault(f"{self.folder / PAGES}: {error}") from error
        lines = text[: text.rfind("\n") + 1].splitlines()
        try:
            pages = [json.loads(line) for line in lines[after:]]
            return [{**page, "media": page["media"], "label": page["label"], "file": page["file"]} for page in pages]
        except (ValueError, KeyError, TypeError) as error:
            raise SourceFault(f"{self.folder / PAGES}: not a list of pages: {error}") from error

    def _body(self, page: dict[str, Any]) -> bytes:
        try:
            return (self.folder / str(page["file"])).read_bytes()
        except OSError as error:
            raise SourceFault(f"{self.folder}: {page['file']}: {error.strerror}") from error
