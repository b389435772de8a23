"""How `hub shadow` tells what differs: as text with the loudest first, and for machines. Masks what is personal."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hub.cli.output import console, counted, moment

if TYPE_CHECKING:
    from hub.cli.masking import Mask
    from hub.shadow import Example, KindTally, Outcome, Tally

_SAID: dict[Outcome, str] = {
    "same": "the same",
    "changed": "changed",
    "key-changed": "with another key",
    "newly-refused": "newly refused",
    "newly-accepted": "newly accepted",
    "refused": "refused by both",
    "refused-otherwise": "refused for another reason",
    "gone": "no longer read",
    "new": "not read before",
}
_REASONS: tuple[tuple[Outcome, str], ...] = (
    ("newly-refused", "newly refused, because"),
    ("newly-accepted", "newly accepted, refused until now because"),
    ("refused-otherwise", "refused by both, now because"),
)


def _masked(mask: Mask, kind: str, name: str | None, one: Example) -> dict[str, str | None]:
    return {
        "row": one.row,
        "key": None if one.key is None else mask.key(kind, one.key),
        "old": mask.value(kind, name, one.old),
        "new": mask.value(kind, name, one.new),
    }


def _keys(mask: Mask, kind: str, one: Example) -> dict[str, str | None]:
    return {"row": one.row, "old": mask.key(kind, one.old or ""), "new": mask.key(kind, one.new or "")}


def as_json(tally: Tally, mask: Mask) -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for kind, found in tally.kinds.items():
        fields = {
            name: {**counts, "examples": [_masked(mask, kind, name, one) for one in found.examples[name]]}
            for name, counts in found.fields.items()
        }
        reasons = {
            outcome: [
                {
                    "field": reason.field,
                    "reason": reason.reason,
                    "count": count,
                    "examples": [
                        _masked(mask, kind, reason.field, one) for one in found.reason_examples[outcome, reason]
                    ],
                }
                for reason, count in counts.most_common()
            ]
            for outcome, counts in found.reasons.items()
        }
        kinds[kind] = {
            "rows": {outcome: found.rows[outcome] for outcome in _SAID},
            "fields": fields,
            "keys": [_keys(mask, kind, one) for one in found.keys],
            "reasons": reasons,
            "other_reasons": dict(found.other_reasons),
        }
    pages = {"newly_unreadable": tally.newly_unreadable, "newly_readable": tally.newly_readable}
    return {"rows": tally.rows, "kinds": kinds, **pages, "unreadable": tally.unreadable}


def show(
    names: tuple[str, str],
    chosen: list[str],
    tally: Tally,
    seen: Counter[str],
    span: tuple[datetime, datetime] | None,
    mask: Mask,
) -> None:
    out = console()
    when = "" if span is None else f", read from {moment(span[0])} to {moment(span[1])}"
    out.print(Text(f"{names[0]} → {names[1]}", style="bold"), soft_wrap=True)
    out.print(
        f"{counted(tally.pages, 'page')} of {', '.join(chosen) or 'no source'}{when}", markup=False, soft_wrap=True
    )
    if seen["repeats"]:
        out.print(f"{counted(seen['repeats'], 'time')} the same page again, counted once", markup=False)
    if seen["pruned"]:
        out.print(f"{counted(seen['pruned'], 'page')} left out: retention has pruned the bytes", markup=False)
    for why, pages in tally.newly_unreadable.items():
        which = ", ".join(map(str, pages[:5]))
        said = f"UNREADABLE NOW  {counted(len(pages), 'page')} ({which}): {why}"
        out.print(Text(said, style="bold red"), soft_wrap=True)
    if tally.newly_readable:
        out.print(f"{counted(tally.newly_readable, 'page')} can be read now", markup=False)
    if tally.unreadable:
        out.print(f"{counted(tally.unreadable, 'page')} cannot be read by either", markup=False)
    for kind, found in tally.kinds.items():
        _show_kind(kind, found, mask)
    out.print("nothing differs" if not tally.differs else "the new version differs", markup=False)


def _show_kind(kind: str, found: KindTally, mask: Mask) -> None:
    out = console()
    out.print()
    each = ", ".join(f"{found.rows[outcome]:,} {said}" for outcome, said in _SAID.items() if found.rows[outcome])
    out.print(Text(f"{kind}  {counted(sum(found.rows.values()), 'row')}: {each or 'none'}"), soft_wrap=True)
    if found.rows["key-changed"]:
        said = (
            f"THE KEY CHANGES of {counted(found.rows['key-changed'], 'row')}: every portal would take it for a new one"
        )
        out.print(Text(f"  {said}", style="bold red"), soft_wrap=True)
        for pair in (_keys(mask, kind, one) for one in found.keys):
            out.print(Text(f"    {pair['row']}  {pair['old']} → {pair['new']}", style="red"), soft_wrap=True)
    if found.fields:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        table.add_column("  field", overflow="fold")
        for head in ("changed", "filled", "emptied"):
            table.add_column(head, justify="right")
        table.add_column("for example", overflow="fold")
        for name, counts in sorted(found.fields.items(), key=lambda pair: -pair[1].total()):
            numbers = (f"{counts['changed']:,}", f"{counts['filled']:,}", f"{counts['emptied']:,}")
            told = "\n".join(_line(_masked(mask, kind, name, one)) for one in found.examples[name])
            table.add_row(Text(f"  {name}"), *numbers, Text(told))
        out.print(table)
    for outcome, said in _REASONS:
        if not found.reasons.get(outcome):
            continue
        out.print(Text(f"  {said}", style="red" if outcome == "newly-refused" else ""))
        for reason, count in found.reasons[outcome].most_common(20):
            about = f"{reason.field}: {reason.reason}" if reason.field else reason.reason
            out.print(Text(f"    {count:>7,}  {about}"), soft_wrap=True)
            for one in found.reason_examples[outcome, reason][:1]:
                shown = _masked(mask, kind, reason.field, one)
                value = "" if shown["old"] is None else f" (found {shown['old']!r})"
                out.print(
                    Text(f"             {shown['row']}  {shown['key'] or 'without a key'}{value}"), soft_wrap=True
                )
        more = len(found.reasons[outcome]) - 20
        if more > 0:
            out.print(f"             and {counted(more, 'other reason')}; --json has them", markup=False)


def _line(one: dict[str, str | None]) -> str:
    old, new = ("nothing" if one[name] is None else repr(one[name]) for name in ("old", "new"))
    return f"{old} → {new}  ({one['row']})"
