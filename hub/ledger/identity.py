"""Whether a record that was read is new, a revision, a duplicate or stale (R9). Pure; decided under the lock of the
head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

AHEAD_US = 10 * 60 * 1_000_000
"""A source time further ahead of now than this orders nothing (R9, 5)."""


class Identity(StrEnum):
    """What a record that was read is to the ledger."""

    REVISION = "revision"
    TIE = "tie"
    DUPLICATE = "duplicate"
    STALE = "stale"
    FOREIGN = "foreign"


@dataclass(slots=True)
class Head:
    """The newest revision of a key, as far as identity needs it; changes while one page is settled."""

    source: str
    digest: str
    changed_us: int | None
    poll_us: int
    tie: bool


def ordering_time_us(changed_us: int | None, now_us: int) -> int | None:
    """Return the source time where it may order, None where there is none or it is too far ahead."""
    return None if changed_us is None or changed_us > now_us + AHEAD_US else changed_us


def identify(
    head: Head | None,
    source: str,
    digest: str,
    changed_us: int | None,
    poll_us: int,
    known: Callable[[int | None, str], bool],
) -> Identity:
    """Decide for one record; `changed_us` is the ordering time, `known(time, digest)` asks all earlier revisions of
    the key.

    The numbers are those of R9: (7) a key has one owner; (4) without a time the newest alone is compared, in the
    order of the polls' starts; (1) the same time and digest is a duplicate, of the head alone where the head is a
    tie; (2) older is stale; (3) equal time and other content is a tie.
    """
    if head is None:
        return Identity.REVISION
    if head.source != source:
        return Identity.FOREIGN
    if changed_us is None or head.changed_us is None:
        if poll_us < head.poll_us:
            return Identity.STALE
        again = digest == head.digest or (changed_us is not None and not head.tie and known(changed_us, digest))
        return Identity.DUPLICATE if again else Identity.REVISION
    if changed_us == head.changed_us:
        if digest == head.digest:
            return Identity.DUPLICATE
        if not head.tie and known(changed_us, digest):
            return Identity.DUPLICATE
        return Identity.TIE
    if known(changed_us, digest):
        return Identity.DUPLICATE
    return Identity.STALE if changed_us < head.changed_us else Identity.REVISION
