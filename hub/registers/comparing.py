"""What changed between what was kept of a register and what the portal shows now, and whether to believe it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from hub.ledger.registers import Change, Entry
from hub.registers.catalogue import Catalogue
from schemas.errors import DestinationFault


def compare(
    known: Sequence[Entry], shown: Catalogue, today: date, *, largest_loss: float, force: bool = False
) -> list[Change]:
    """The changes from `known` to `shown`, by code.

    Raises: DestinationFault where more than `largest_loss` of those that held today would be lost at once, unless
    `force`: gone, or ended without a word of what takes their place.
    """
    before = {entry.code: entry for entry in known}
    held = [entry for entry in known if entry.gone_on is None and not _ended(entry.content, today)]
    lost = [entry for entry in held if _lost(entry, shown, today)]
    if lost and len(lost) > largest_loss * len(held) and not force:
        few = ", ".join(entry.code for entry in lost[:5])
        raise DestinationFault(
            f"{shown.register}: {len(lost):,} of {len(held):,} entries would be lost at once ({few}…), which is not "
            "believed; look at the portal, then: hub registers sync --force"
        )
    changes: list[Change] = []
    for code, content in shown.entries.items():
        was = before.get(code)
        if was is None:
            changes.append(Change(shown.register, code, "added", None, content))
        elif was.gone_on is not None:
            changes.append(Change(shown.register, code, "back", was.content, content))
        elif dict(was.content) != dict(content):
            changes.append(Change(shown.register, code, "changed", was.content, content))
    changes += [
        Change(shown.register, entry.code, "gone", entry.content, None)
        for entry in known
        if entry.gone_on is None and entry.code not in shown.entries and entry.code not in shown.wrong
    ]
    return sorted(changes, key=lambda change: change.code)


def _lost(entry: Entry, shown: Catalogue, today: date) -> bool:
    if entry.code in shown.wrong:
        return False
    content = shown.entries.get(entry.code)
    return content is None or (_ended(content, today) and not content.get("successor"))


def _ended(content: Mapping[str, Any], today: date) -> bool:
    last = content.get("valid_to")
    return last is not None and date.fromisoformat(last) < today
