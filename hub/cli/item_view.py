"""How refused items are shown: a list with its causes on top, and one item with its row. Personal data are masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.cli.masking import Mask
from hub.cli.output import counted, moment
from hub.cli.source_row import source_row
from hub.ledger.items import Found, Item, ItemDetail, ItemFault
from hub.refusals import explain

CAUSES_SHOWN = 20
STATE_STYLES = {"rejected": "red", "parked": "yellow", "unreadable": "bold red", "no-route": "dim"}


def lines(found: Found, mask: Mask) -> Iterator[Text]:
    """How many of what for which cause, then each item in two lines."""
    if not found.total:
        yield Text("nothing is refused that fits")
        return
    counts: Counter[str] = Counter()
    for cause in found.causes:
        counts[cause.state] += cause.count
    told = "" if found.other_causes else f": {', '.join(f'{n:,} {state}' for state, n in counts.most_common())}"
    yield Text(f"{counted(found.total, 'refused item')}{told}", style="bold")
    for cause in found.causes[:CAUSES_SHOWN]:
        field = f"{cause.field}: " if cause.field else ""
        reason = Text.assemble(f"{cause.count:8,}  ", (cause.source, "bold"), f"  {field}{cause.reason}")
        reason.append(f"  {cause.state}", STATE_STYLES.get(cause.state, ""))
        yield reason
    more = len(found.causes) - CAUSES_SHOWN + found.other_causes
    if more > 0:
        yield Text(f"          and {counted(more, 'cause')} more; --source, --field and --text narrow it", style="dim")
    yield Text()
    if len(found.items) < found.total:
        yield Text(f"the oldest {len(found.items):,} of them", style="bold")
    for item in found.items:
        yield from _two_lines(item, mask)
    yield Text("hub items show ID tells more, hub items redo ID... does it again after a mend,", style="dim")
    yield Text("hub items dismiss ID... --why TEXT where it was dealt with otherwise", style="dim")


def causes(items: Sequence[Item]) -> Iterator[Text]:
    """What items are refused for, the most frequent first; personal values are masked."""
    mask = Mask([], reveal=False)
    counts = Counter(
        (one.state, _fault(one, one.faults[0], mask)) for one in items if one.state in ("parked", "rejected")
    )
    for (state, said), count in counts.most_common(CAUSES_SHOWN):
        yield Text.assemble(f"{count:8,}  ", (state, STATE_STYLES[state]), f"  {said}")


def _two_lines(item: Item, mask: Mask) -> Iterator[Text]:
    head = Text.assemble((item.id, "bold"), "  ", (item.state, STATE_STYLES.get(item.state, "")))
    head.append(f"  {item.source}, {item.arrival_label}")
    key = mask.key(item.kind or "", item.key) if item.key else item.dossier
    if key:
        head.append("  ").append(key, "cyan")
    head.append(f"  {item.agency + ', ' if item.agency else ''}read {moment(item.read_at)}", "dim")
    yield head
    first, *others = item.faults
    more = f"; and {counted(len(others), 'other value')}" if others else ""
    yield Text(f"    {_fault(item, first, mask)}{more}")
    if item.dismissed is not None:
        done = item.dismissed
        yield Text(f"    dismissed by {done.who}, {moment(done.at)}: {done.why}", style="dim")


def _fault(item: Item, fault: ItemFault, mask: Mask) -> str:
    where = f" at {fault.path}" if fault.path else ""
    value = _value(item, fault, mask)
    found = f" (found {value!r})" if value is not None else ""
    return f"{f'{fault.field}: ' if fault.field else ''}{_reason(item, fault, mask)}{where}{found}"


def _value(item: Item, fault: ItemFault, mask: Mask) -> str | None:
    return mask.value(item.kind, fault.field, fault.value)


def _reason(item: Item, fault: ItemFault, mask: Mask) -> str:
    """A reason may quote the value that it is about."""
    value = _value(item, fault, mask)
    if not fault.value or value is None or value == fault.value:
        return fault.reason
    return fault.reason.replace(fault.value, value)


# --- as JSON ----------------------------------------------------------------------------------------------------------


def found_object(found: Found, mask: Mask) -> dict[str, Any]:
    """A search as plain values."""
    return {
        "total": found.total,
        "causes": [asdict(cause) for cause in found.causes],
        "other_causes": found.other_causes,
        "items": [item_object(item, mask) for item in found.items],
    }


def item_object(item: Item, mask: Mask) -> dict[str, Any]:
    """An item as plain values, each fault with its Vietnamese and its mend."""
    shown = asdict(item)
    shown["key"] = None if item.key is None else mask.key(item.kind or "", item.key)
    shown["faults"] = []
    for fault in item.faults:
        said = explain(_reason(item, fault, mask), item.state)
        shown["faults"].append(
            {
                **asdict(fault), "value": _value(item, fault, mask), "reason": said.english,
                "reason_vi": said.vietnamese, "mend": said.mend_english, "mend_vi": said.mend_vietnamese,
            }
        )  # fmt: skip
    return shown


def detail_object(found: ItemDetail, row: bytes | None, why_not: str, mask: Mask) -> dict[str, Any]:
    """One item with its row, as plain values; `row` is None where `row_why_not` says why."""
    shown = item_object(found.item, mask)
    return {
        **shown, "came_right": found.came_right, "reads": found.reads, "media": found.media,
        "row": None if row is None else row.decode("utf-8", "replace"), "row_why_not": why_not or None,
    }  # fmt: skip


# --- one item ---------------------------------------------------------------------------------------------------------


def row_of(found: ItemDetail, config: Path, *, reveal: bool) -> tuple[bytes | None, str]:
    """The row as it came, masked unless `reveal`; else None and why it is not shown."""
    from hub.draft import draft
    from mappings.catalogue import load
    from mappings.inbound import InboundMapping
    from schemas.errors import ConfigError

    item = found.item
    if found.body is None:
        return None, "its bytes have been pruned"
    if item.state == "unreadable":
        return (found.body, "") if reveal else (None, "nobody can tell what in it is personal: --reveal shows it")
    try:
        # Only this source's mappings have to be right: a secret may be known to the hub's own user alone.
        made = draft(config)
        section = made.sources.get(item.source)
        if section is None:
            return None, f"the configuration has no source {item.source}, so nobody knows what in it is personal"
        loaded = [load(name, folders=(made.folder / "mappings", made.folder)) for name in section.mappings]
    except ConfigError:
        return None, f"the mappings that tell what in it is personal cannot be had: see `hub check {config} --offline`"
    mappings = [one for one in loaded if isinstance(one, InboundMapping)]
    row = source_row(mappings, found.body, found.charset, item.arrival_label, item.position[0], reveal=reveal)
    return (row, "") if row is not None else (None, "the mappings of its source cannot read its page: --original does")


def print_detail(out: Console, found: ItemDetail, row: bytes | None, why_not: str, mask: Mask) -> None:
    """Print one item for a person."""
    item = found.item
    head = Text.assemble((f"Item {item.id}", "bold"), "  ", (item.state, STATE_STYLES.get(item.state, "")))
    out.print(head)
    facts: dict[str, str | None] = {
        "record": " ".join(filter(None, (item.kind, mask.key(item.kind or "", item.key) if item.key else None))),
        "dossier": item.dossier if item.dossier != item.key else "",
        "from": f"{item.source}, {item.arrival_label}",
        "read": moment(item.read_at) + (f", {found.reads} times" if found.reads > 1 else ""),
        "agency": item.agency or "",
        "since then": "a later row of it was accepted: nothing has to be done" if found.came_right else "",
    }
    if item.dismissed is not None:
        facts["dismissed"] = f"by {item.dismissed.who}, {moment(item.dismissed.at)}: {item.dismissed.why}"
    out.print(_grid(facts))
    for fault in item.faults:
        said = explain(_reason(item, fault, mask), item.state)
        out.print()
        out.print(
            _grid(
                {
                    "vì sao": said.vietnamese, "why": said.english, "mapping": fault.mapping or "",
                    "field": fault.field or "", "at": fault.path or "", "found": _value(item, fault, mask) or "",
                    "cách sửa": said.mend_vietnamese, "mend": said.mend_english,
                }
            )
        )  # fmt: skip
    out.print()
    if row is None:
        out.print(Text(f"The row is not shown: {why_not}", style="dim"), soft_wrap=True)
    else:
        out.print(Text("The row as it came", style="bold"))
        out.print(Text(row.decode("utf-8", "replace")), soft_wrap=True)


def _grid(facts: Mapping[str, str | None]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, text in facts.items():
        if text:
            table.add_row(Text(f"  {name}", style="dim"), Text(text))
    return table
