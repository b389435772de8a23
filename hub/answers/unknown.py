"""The codes that a portal gave and its answer table does not know: counted, bounded, and told to the ledger in lots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.answers.naming import Sent, without_values

MOST = 200
"""Codes that are told apart; the rest is counted together."""
OTHERS = "…others"
"""The code under which the rest is counted."""
TEXT_LIMIT = 200
_CODE_LIMIT = 40
_CODE_SHAPE = re.compile(r"[\w.\-]+")
_QUOTED = re.compile(r"(['\"“‘«])[^'\"”’»]{1,200}(['\"”’»])")


@dataclass(slots=True)
class SeenCode:
    """One unknown code since the last time it was told: how often, and what the portal said with it."""

    call: str
    status: int
    code: str
    """As a table writes it: `"17"` for text, `17` for a number, `missing`, `unreadable`, `malformed`."""
    text: str
    count: int


@dataclass(slots=True)
class UnknownCodes:
    """Counts unknown codes in memory. Bounded, whatever a portal answers."""

    counts: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Since the start: by call, HTTP status and code."""
    _news: dict[tuple[str, int, str], SeenCode] = field(default_factory=dict)

    def note(self, call: str, status: int, code: str, text: str, sent: Sent = (), *, personal: bool = False) -> bool:
        """Count one; True where it is the first of its kind. `personal` keeps no text."""
        key = (call, status, code)
        first = key not in self.counts
        if first and len(self.counts) >= MOST:
            key, first = ("", 0, OTHERS), ("", 0, OTHERS) not in self.counts
        self.counts[key] = self.counts.get(key, 0) + 1
        known = self._news.get(key)
        if known is not None:
            known.count += 1
        else:
            kept = "" if personal or key[2] == OTHERS else impersonal(text, sent)
            self._news[key] = SeenCode(*key, kept, 1)
        return first

    def take(self) -> Sequence[SeenCode]:
        """What was counted since the last time; it is then forgotten here, so the caller has to keep it."""
        if not self._news:
            return ()
        news, self._news = list(self._news.values()), {}
        return news

    def give_back(self, seen: Sequence[SeenCode]) -> None:
        """Take back what could not be kept."""
        for one in seen:
            known = self._news.setdefault((one.call, one.status, one.code), one)
            if known is not one:
                known.count += one.count


def impersonal(text: str, sent: Sent = (), keep: Iterable[str] = ()) -> str:
    """A portal's words without what was sent, without quotations, without long numbers; at most 200 characters.

    What is in `keep` stays, but in a quotation.
    """
    bare = without_values(_QUOTED.sub(r"\1•••\2", text), sent, keep)
    line = " ".join("".join(c if c.isprintable() else " " for c in bare).split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def code_text(shown: str, *, text: bool) -> str:
    """A code as a table writes it: what was text in quotes, for `"0"` and `0` are two codes."""
    return f'"{shown}"' if text else shown


def shape(text: str) -> str | None:
    """A code that is one word, cut where it is longer than any; None for anything else."""
    if not _CODE_SHAPE.fullmatch(text[: _CODE_LIMIT * 2]):
        return None
    return text if len(text) <= _CODE_LIMIT else text[:_CODE_LIMIT] + "…"
