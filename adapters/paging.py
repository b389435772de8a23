"""One poll of a source that answers in pages: where it stands, what it asks for next, and what it may never skip.

Shared by sources; it speaks no protocol. A poll asks for rows changed at or after `since` less the overlap, page by
page.

The cursor, opaque to the hub: `{"since": time}` between polls; inside one also `page` (the next page's number) or
`next` (the source's own token for it), `high` (the latest change seen), `began` (when the poll began) and `edge` (see
below). Times are ISO 8601 in UTC with whole seconds, since a change of the same second may still come: it is asked
for again, and the ledger knows a duplicate. A change time more than ten minutes ahead of now moves nothing (R9), and
`since` never goes backwards.

When rows change while a poll of several pages runs, they leave their page, all rows behind them move up, and a row at a
page's start is skipped. Then the next poll begins at the `edge` of this one, the latest change on its first page: all
that is older was read in one piece.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from hub.ports import Arrival, Cursor
from schemas.errors import SourceFault, UndecodableError
from schemas.local_time import LOCAL

AHEAD = timedelta(minutes=10)
"""How far ahead of now a source's clock is believed (R9)."""
SHORTEST = timedelta(minutes=1)
"""No time window is cut into shorter ones."""
STEPS_BACK = 5
"""How often a poll goes back for rows that have moved from under its offset."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of one page, and the encoding that the transport declared."""

    body: bytes
    charset: str | None = None
    following: str | None = None
    """Where the next page is, as the transport said."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What paging needs to know of a page; `changed` are the change times that could be read, in the page's order."""

    rows: int
    changed: Sequence[datetime]
    pages: int | None = None
    """How many pages the source says there are."""
    following: str | None = None
    """The source's token for the next page, where it pages by tokens."""
    instead: str = ""
    """What a row has where no change time could be read, for people."""
    marks: Sequence[bytes] = ()
    """What tells each row from others, where pages overlap."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a poll stands: what it will ask for next."""

    since: datetime | None
    began: datetime
    page: int
    token: str | None = None
    high: datetime | None = None
    edge: datetime | None = None
    until: datetime | None = None
    """The end of a time window that lies in the past; None where what is asked for goes up to now."""
    resumed: bool = False
    """True for the first page asked of a poll that an earlier process began."""

    @classmethod
    def of(cls, cursor: Cursor, *, now: datetime, start: datetime | None, first: int) -> Stand:
        """Read a cursor; `start` stands in for an empty one. Raises: SourceFault for one that was not made here."""
        try:
            since = _time(cursor, "since") or start
            page, token = cursor.get("page"), cursor.get("next")
            if page is None and token is None:
                return cls(since=since, began=now, page=first, high=since)
            if not isinstance(page, int) or isinstance(page, bool) or not (token is None or isinstance(token, str)):
                raise ValueError(f"page {page!r}, next {token!r}")
            return cls(
                since=since,
                began=_time(cursor, "began") or now,
                page=page,
                token=token,
                high=_time(cursor, "high") or since,
                edge=_time(cursor, "edge"),
                until=_time(cursor, "until"),
                resumed=True,
            )
        except (TypeError, ValueError) as error:
            raise SourceFault(
                f"the stored cursor {dict(cursor)!r} cannot be read: {error}; reset the cursor"
            ) from error

    def after(self, facts: PageFacts, *, first: int, now: datetime) -> Stand:
        """Where the poll stands once this page is settled and another follows."""
        believed = [at for at in facts.changed if at <= now + AHEAD]
        high = max(believed, default=None)
        edge = self.edge
        if self.page == first and not self.resumed:
            edge = high if list(facts.changed) == sorted(facts.changed) else None
        return replace(
            self,
            page=self.page + 1,
            token=facts.following,
            high=_latest(self.high, _whole(high)),
            edge=_whole(edge),
            resumed=False,
        )

    def cursor(self) -> dict[str, Any]:
        """The cursor inside a poll: it goes on with the page that this stands at."""
        return _written(
            since=self.since,
            page=self.page,
            next=self.token,
            high=self.high,
            began=self.began,
            edge=self.edge,
            until=self.until,
        )

    def window(self, span: timedelta, overlap: timedelta) -> Stand:
        """As this, in the window of `span` that begins here; still up to now where that is not surely over."""
        if self.since is None or self.until is not None:
            return self
        end = self.since - overlap + span
        return replace(self, until=end if end <= self.began - AHEAD else None)

    def half(self) -> Stand | None:
        """As this at the beginning of the window's first half; None where it is too short to be cut."""
        if self.since is None or self.until is None or self.until - self.since <= 2 * SHORTEST:
            return None
        return replace(self, until=_whole(self.since + (self.until - self.since) / 2))

    def beyond(self, *, first: int) -> Stand:
        """Where the poll stands once this window is read to its end."""
        return Stand(since=self.until, began=self.began, page=first, high=_latest(self.high, self.until))

    def end(self, *, overlap_s: float, first: int, shrunk: bool) -> dict[str, Any]:
        """The cursor after the last page, standing behind it; `shrunk` when pages that were there are gone."""
        several = self.page - first > 1
        margin = max(timedelta(seconds=overlap_s), AHEAD)
        moved = several and self.high is not None and self.high >= self.began - margin
        return _written(since=_latest(self.since, self.edge) if moved or shrunk else self.high)


@dataclass(frozen=True, slots=True)
class Paging:
    """How one source is paged.

    What keeps a poll from going on is said, never passed over. A page that `read` refuses is yielded with
    `cursor=None`, so that its rows are settled or its bytes parked; where the hub's mapping could read it, it is the
    source's `rows` that do not fit, and the poll ends in a SourceFault. So does a poll of which no row at all had a
    change time that can be read: all its pages are yielded, none moves the cursor.
    """

    source: str
    media: Literal["xml", "json"]
    what: str
    """What is asked, for people: the operation, the path."""
    start: datetime | None
    overlap_s: float
    first: int
    style: Literal["pages", "token", "offset", "single"]
    """By page number, by the source's own token for the next page, by how many rows are passed over, or one answer that
    has everything."""
    ask: Callable[[Stand, datetime | None], Awaitable[Answer]]
    """Fetch the page of a stand, of rows changed at or after a time. Raises: SourceFault."""
    read: Callable[[Answer], PageFacts]
    """Raises: UndecodableError for a page that cannot be understood; its text names the setting and the mend."""
    dated: str = ""
    """The path of a row's change time, where rows are to have one."""
    overlap: int = 0
    """With `offset`: how many rows of a page are asked for again with the next. Where none of them comes, rows have
    moved and the poll goes back."""
    window: timedelta | None = None
    """What lies back is asked for in time windows of at most this. One that has several pages is read again in halves,
    since a row that changes leaves it, and those behind it move up; halves of one page cannot lose a row."""
    _parked: set[str] = field(default_factory=set)
    """The arrivals, of those that `read` refused, that the hub could not read either."""

    def settled(self, arrival: Arrival, *, parked: bool) -> None:
        """To be told of each arrival what became of it: one that was parked has been said by the hub."""
        if parked and arrival.last and arrival.cursor is None:
            self._parked.add(arrival.uid)

    async def poll(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        """One poll. A page that cannot be understood ends it, with `cursor=None`, so that the hub parks it.

        A source that says how many pages there are (or names the next) is believed; otherwise the first page without
        rows is the last, or one that repeats the page before, as of a source that ignores the page asked for.
        Raises: SourceFault.
        """
        started = _whole(datetime.now(UTC)) or datetime.now(UTC)
        stand = Stand.of(cursor, now=started, start=self.start, first=self.first)
        before: bytes | None = None
        dated = not self.dated or (stand.resumed and (stand.edge is not None or stand.high != stand.since))
        rows, back = 0, 0
        tail: Sequence[bytes] = ()
        span = self.window
        overlap = timedelta(seconds=self.overlap_s)
        while True:
            if span is not None and stand.page == self.first and stand.token is None:
                stand = stand.window(span, overlap)
            answer = await self.ask(stand, None if stand.since is None else stand.since - overlap)
            received = datetime.now(UTC)
            number = stand.page
            try:
                facts = await asyncio.to_thread(self.read, answer)
            except UndecodableError as error:
                arrival = self._arrival(answer, started, received, number, cursor=None, last=True)
                yield arrival
                if arrival.uid not in self._parked:
                    raise SourceFault(f"{arrival.label}: {error}") from None
                self._parked.discard(arrival.uid)
                return
            if self.style == "offset":
                facts, moved = self._offset(facts, stand, tail)
                if moved and (back := back + 1) > STEPS_BACK:
                    raise SourceFault(f"{self.what}: rows move faster than they are read — raise `page.overlap`")
                if moved:
                    stand, tail = replace(stand, token=facts.following), ()
                    continue
                tail = facts.marks
            repeated = answer.body == before
            half = stand.half() if self._several(facts, stand, repeated) else None
            if half is not None and self.window is not None:
                stand = replace(half, page=self.first, token=None, edge=None)
                span = (stand.until or stand.began) - (stand.since or stand.began) + overlap
                before, tail = None, ()
                continue
            rows += facts.rows
            dated = dated or bool(facts.changed)
            # Rows without a time move nothing, and neither does a poll that has only such rows.
            undated = rows > 0 and not dated
            last, shrunk = self._last(facts, stand, repeated=repeated)
            over = last and stand.until is not None and self.window is not None
            stand = stand.after(facts, first=self.first, now=received)
            if over and self.window is not None and span is not None:
                # This window is read; the next begins where it ends, twice as long where it was cut.
                stand, last, span, tail = stand.beyond(first=self.first), False, min(span * 2, self.window), ()
            following = stand.end(overlap_s=self.overlap_s, first=self.first, shrunk=shrunk) if last else stand.cursor()
            cursor_now = None if undated else following
            yield self._arrival(answer, started, received, number, cursor=cursor_now, last=last)
            if last and undated:
                raise SourceFault(f"{self.what}: {self.undated(facts, rows)}")
            if last:
                return
            before = None if over else answer.body

    def _offset(self, facts: PageFacts, stand: Stand, tail: Sequence[bytes]) -> tuple[PageFacts, bool]:
        """The facts with the offset of the next page, none behind the last; True where rows have moved, then with the
        offset to go back to."""
        here = int(stand.token or 0)
        if facts.rows and tail and self.overlap and not set(tail) & set(facts.marks):
            return replace(facts, following=str(max(0, here - len(tail)))), True
        new = facts.rows if not self.overlap else len(set(facts.marks) - set(tail))
        step = max(facts.rows - self.overlap, 1)
        return replace(facts, following=str(here + step) if new else None), False

    def _several(self, facts: PageFacts, stand: Stand, repeated: bool) -> bool:
        """Whether a window surely has more than one page."""
        if self.style == "single" or repeated:
            return False
        if facts.pages is not None:
            return facts.pages > 1
        if self.style == "token" and facts.following:
            return True
        return stand.page > self.first and facts.rows > 0 and (self.style != "offset" or facts.following is not None)

    def undated(self, facts: PageFacts, rows: int) -> str:
        """What is said where not one of `rows` rows has a change time that can be read."""
        return (
            f"rows.changed: none of {rows} rows has a time at {self.dated!r} that can be read"
            f"{'; ' + facts.instead if facts.instead else ''} — mend `rows.changed` or `rows.changed_format`"
        )

    def _last(self, facts: PageFacts, stand: Stand, *, repeated: bool) -> tuple[bool, bool]:
        if self.style == "single":
            return True, False
        if self.style in ("token", "offset"):
            return not facts.following, False
        if facts.pages is not None:
            return stand.page - self.first + 1 >= facts.pages, stand.page - self.first >= max(facts.pages, 1)
        return facts.rows == 0 or repeated, stand.resumed and facts.rows == 0

    def _arrival(
        self, answer: Answer, started: datetime, received: datetime, page: int, *, cursor: Cursor | None, last: bool
    ) -> Arrival:
        return Arrival(
            uid=uuid.uuid4().hex,
            source=self.source,
            body=answer.body,
            media=self.media,
            received_at=received,
            poll_started_at=started,
            label=f"{self.what} page {page}",
            cursor=cursor,
            charset=answer.charset,
            last=last,
        )


def whole_number(found: Sequence[Any], path: str, held: str = "") -> int:
    """How many pages there are, as a source writes it; `held` is what the page has instead, for people.

    Raises: UndecodableError where it is no number or not there.
    """
    value = found[0] if len(found) == 1 else None
    value = getattr(value, "text", value)
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,9}(\.0)?", text):
        raise UndecodableError(
            f"rows.pages: how many pages there are cannot be read at {path!r}: found {str(value)[:100]!r}"
            f"{held and '; ' + held} — mend `rows.pages`"
        )
    return int(text.removesuffix(".0"))


def _start(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        at = value
    elif isinstance(value, date):
        at = datetime(value.year, value.month, value.day, tzinfo=LOCAL)
    else:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is None:
            raise ValueError("give an ISO date or time, like 2017-01-01 or 2017-01-01T08:00:00")
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=LOCAL)).astimezone(UTC)


Start = Annotated[datetime | None, BeforeValidator(_start)]
"""A setting that is a time: an ISO date or time, local time of Viet Nam where it has no zone."""


def _time(cursor: Cursor, name: str) -> datetime | None:
    value = cursor.get(name)
    if value is None:
        return None
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{name} has no zone")
    return at.astimezone(UTC)


def _whole(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(microsecond=0)


def _latest(*times: datetime | None) -> datetime | None:
    return max((at for at in times if at is not None), default=None)


def _written(**parts: datetime | int | str | None) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in parts.items()
        if value is not None
    }
