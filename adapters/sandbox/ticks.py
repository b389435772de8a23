"""The tables of the legacy systems: what each agency holds at each tick, its pages, and whether they were all read.

The data file is JSON: `{"agencies": {slug: {"name", "code", "system": "soap"|"rest"|"csv", "ticks": [[row, …], …]}},
"repeat_page": {"agency": slug, "tick": n} | null}`. A row has the legacy system's own field names. A tick's rows
replace or join those of the table by dossier number; a row without a number needs an `_id`, and is shown until the
next tick or until a row with its `_id` replaces it. Keys that start with `_` are never shown. It knows no wire
format.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.sandbox.twin import TwinOptions

ALWAYS = float("inf")
"""The change time of a row that has none that can be read: after all others, shown to every poll."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one system's rows are read and shown."""

    system: str
    number: str
    """The field of the dossier number."""
    changed: Callable[[Mapping[str, Any]], float]
    """The change time in epoch seconds, `ALWAYS` where it cannot be read."""
    render: Callable[[Mapping[str, Any]], str]
    """The row as it stands inside a page."""


@dataclass(slots=True)
class Agency:
    """One agency's table now, and how far it has been polled since the last tick."""

    name: str
    ticks: list[list[dict[str, Any]]]
    shown: dict[str, tuple[float, str, str]] = field(default_factory=dict)
    """By number (or `_id`): change time, number, rendered row."""
    ordered: list[tuple[float, str, str]] = field(default_factory=list)
    repeating: bool = False
    """The next poll gets its first page twice."""
    _nameless: set[str] = field(default_factory=set)
    _asked: float | None = None
    _since: float | None = None
    """What the poll asked for that last reached its end since the tick."""
    _ends: int = 0
    settled: bool = False
    _shifted: bool = False

    def release(self, rows: list[dict[str, Any]], shape: Shape) -> None:
        """Put one tick's rows into the table."""
        for key in self._nameless:
            self.shown.pop(key, None)
        self._nameless.clear()
        for row in rows:
            number = str(row.get(shape.number) or "").strip()
            key = number or f"_{row['_id']}"
            self.shown.pop(f"_{row.get('_id')}", None)
            self.shown[key] = (shape.changed(row), number, shape.render({k: v for k, v in row.items() if k[0] != "_"}))
            if not number:
                self._nameless.add(key)
        self.ordered = sorted(self.shown.values())
        self._asked, self._since, self._ends, self.settled, self._shifted = None, None, 0, False, False

    def page(self, since: float, number: int, size: int) -> tuple[list[str], int]:
        """Return the rendered rows of page `number` (from 1) changed at or after `since`, and the number of pages."""
        first = bisect_left(self.ordered, (since, "", ""))
        pages = max(1, -(-(len(self.ordered) - first) // size))
        if number == 1:
            self._shifted, self.repeating = self.repeating, False
        if self._shifted:
            pages += 1
            number = max(1, number - 1)
        start = first + (number - 1) * size
        return [row[2] for row in self.ordered[start : start + size]], pages

    def polled(self, since: float, number: int, pages: int) -> None:
        """Count an answer that was given.

        A poll is known to be settled when a later one asks from a later time (its cursor was committed), or, since a
        tick need not move the cursor, when it was the second to reach the end and another has begun.
        """
        if number == 1:
            moved = self._since is not None and since > self._since
            self.settled = self.settled or moved or self._ends >= 2
            self._asked = since
        if number >= pages and self._asked is not None:
            self._ends += 1
            self._since = self._asked if self._since is None else min(self._since, self._asked)
            self._asked = None


class Ticks:
    """All agencies of one system in a data file."""

    def __init__(self, options: TwinOptions, shape: Shape) -> None:
        """Raises: ValueError naming the file and what is wrong with it."""
        if options.data is None:
            raise ValueError("needs --data FILE")
        self._data = options.data
        self.shape = shape
        self.now = 0
        self.agencies, self._repeat = self._read()

    def _read(self) -> tuple[dict[str, Agency], tuple[Any, Any]]:
        """What the data file has: the agencies, and the agency and tick of the repeated page. Raises: ValueError."""
        data, shape = self._data, self.shape
        try:
            content = orjson.loads(data.read_bytes())
            held = {slug: agency for slug, agency in content["agencies"].items() if agency["system"] == shape.system}
            agencies = {slug: Agency(agency["name"], list(agency["ticks"])) for slug, agency in held.items()}
            repeat = content.get("repeat_page") or {}
            for slug, agency in agencies.items():
                for at, rows in enumerate(agency.ticks, 1):
                    for row in rows:
                        if not (row.get(shape.number) or row.get("_id") or shape.system == "csv"):
                            raise ValueError(f"{slug}, tick {at}: a row without {shape.number} needs an _id")
        except OSError as error:
            raise ValueError(f"{data}: {error.strerror}") from error
        except ValueError as error:
            raise ValueError(f"{data}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{data}: not a data file of ticks: {error!r}") from error
        return agencies, (repeat.get("agency"), repeat.get("tick"))

    @property
    def last(self) -> int:
        return max((len(agency.ticks) for agency in self.agencies.values()), default=12)

    def advance(self, tick: int) -> list[tuple[int, str, list[dict[str, Any]], bool]]:
        """Move to `tick` and return what was released: tick, slug, its rows, whether a page of it is to be repeated.

        Going to where it is changes nothing. Ticks may be added to the file while the twin runs. Raises: ValueError for
        a tick that is over or that is not there.
        """
        if tick > self.last:
            for slug, agency in self._read()[0].items():
                if slug in self.agencies:
                    held = self.agencies[slug].ticks
                    held += agency.ticks[len(held) :]
        if not self.now <= tick <= self.last:
            raise ValueError(f"tick {tick} cannot be released: it is {self.now} now, and {self.last} is the last")
        released = [
            (at, slug, agency.ticks[at - 1], self._repeat == (slug, at))
            for at in range(self.now + 1, tick + 1)
            for slug, agency in self.agencies.items()
            if at <= len(agency.ticks)
        ]
        self.now = tick
        return released

    async def tick(self, tick: int) -> None:
        """Release a tick into the tables."""
        for _, slug, rows, repeat in self.advance(tick):
            agency = self.agencies[slug]
            agency.release(rows, self.shape)
            agency.repeating = agency.repeating or repeat

    def state(self) -> dict[str, Any]:
        """`{"tick": n, "agencies": {slug: {"polled_to_end": bool, "rows": N}}}`."""
        return {
            "tick": self.now,
            "agencies": {
                slug: {"polled_to_end": agency.settled, "rows": len(agency.shown)}
                for slug, agency in self.agencies.items()
            },
        }
