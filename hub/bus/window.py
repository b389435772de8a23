"""What has been published and not yet confirmed; pure: no sockets, no clocks.

The broker confirms one message, or all up to one ("multiple"), in any order; it returns an unroutable one before it
confirms it; and what a lost connection leaves unconfirmed may or may not have been taken, so that it counts as
returned (R1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.ports import Confirmed, Returned, Ticket


class Batch:
    """The answers of one call of `publish`, in the order of its tickets; calls `complete` when it has them all."""

    def __init__(self, tickets: Sequence[Ticket], complete: Callable[[], None]) -> None:
        self.tickets = tickets
        self.left = len(tickets)
        self._answers: list[Confirmed | Returned | None] = [None] * len(tickets)
        self._complete = complete

    def answer(self, index: int, reason: str | None) -> None:
        """Settle one ticket: confirmed, or returned for a reason; the first answer stays."""
        if self._answers[index] is not None:
            return
        ticket = self.tickets[index]
        self._answers[index] = Confirmed(ticket) if reason is None else Returned(ticket, reason)
        self.left -= 1
        if not self.left:
            self._complete()

    def refuse(self, start: int, reason: str) -> None:
        """Return every ticket from `start` on that has no answer yet."""
        for index in range(start, len(self.tickets)):
            self.answer(index, reason)

    @property
    def answers(self) -> list[Confirmed | Returned]:
        """The answers; complete once `left` is 0."""
        return [answer for answer in self._answers if answer is not None]


@dataclass(slots=True)
class _Flight:
    batch: Batch
    index: int
    size: int
    returned: str | None = None


class Window:
    """The unconfirmed messages of one channel, by delivery tag, which counts from 1 on each channel."""

    def __init__(self, messages: int, size_bytes: int) -> None:
        self._messages, self._size_bytes = messages, size_bytes
        self._flights: dict[int, _Flight] = {}
        self._last_tag = 0
        self._size = 0

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def full(self) -> bool:
        """No further message may be published until some are confirmed."""
        return len(self._flights) >= self._messages or self._size >= self._size_bytes

    @property
    def roomy(self) -> bool:
        """At least half is free again: the moment to wake who waits, so that they write many frames at a time."""
        return len(self._flights) * 2 <= self._messages and self._size * 2 <= self._size_bytes

    def sent(self, batch: Batch, index: int, size: int) -> None:
        """Note that the next message of the channel is this one, `size` bytes long."""
        self._last_tag += 1
        self._flights[self._last_tag] = _Flight(batch, index, size)
        self._size += size

    def confirmed(self, tag: int, *, multiple: bool, taken: bool) -> None:
        """The broker has settled the message `tag`, or with `multiple` all up to it (0: all there are)."""
        if not multiple:
            self._settle(tag, taken)
            return
        for each in list(self._flights):
            if tag and each > tag:
                break
            self._settle(each, taken)

    def bounced(self, dispatch_id: int, gen: int, reason: str) -> None:
        """The broker has returned this message as unroutable; its confirm is still to come."""
        for flight in self._flights.values():
            ticket = flight.batch.tickets[flight.index]
            if flight.returned is None and ticket.dispatch_id == dispatch_id and ticket.gen == gen:
                flight.returned = reason
                return

    def lost(self, reason: str) -> None:
        """The channel is gone: everything unconfirmed is returned, and the next channel counts from 1."""
        flights, self._flights = self._flights, {}
        self._last_tag = self._size = 0
        for flight in flights.values():
            flight.batch.answer(flight.index, flight.returned or reason)

    def forget(self, batch: Batch, reason: str) -> None:
        """Nobody waits for this batch any longer: return what is unconfirmed; a late confirm will find nothing."""
        for tag in [tag for tag, flight in self._flights.items() if flight.batch is batch]:
            flight = self._flights.pop(tag)
            self._size -= flight.size
            batch.answer(flight.index, flight.returned or reason)

    def _settle(self, tag: int, taken: bool) -> None:
        flight = self._flights.pop(tag, None)
        if flight is not None:
            self._size -= flight.size
            flight.batch.answer(flight.index, flight.returned if taken else "the broker refused it (nack)")
