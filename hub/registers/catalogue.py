"""A portal's catalogue, read entry by entry: what can be believed of it, and what of it is ours. Pure.

What comes from outside is refused whole where it cannot be a catalogue: empty, endless, or with too many entries that
are none. A few that are wrong are left as they were known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from unicodedata import normalize

from pydantic import BaseModel, ValidationError

from schemas.agency import Agency, fold, parse_code
from schemas.errors import DestinationFault, RefusedValueError
from schemas.procedure import Procedure, ProcedureField
from schemas.record import refusals

MODELS: Mapping[str, type[BaseModel]] = {"agencies": Agency, "procedures": Procedure, "fields": ProcedureField}
"""What an entry of each register is."""
MOST = 100_000
"""Entries of one catalogue; a whole country's procedures are a tenth of that."""
WRONG_SHARE = 0.05
_SHOWN = 5
_PROVINCE = re.compile(r"[A-Z][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a portal shows of one register."""

    register: str
    entries: Mapping[str, Mapping[str, Any]]
    """Content by code."""
    others: int = 0
    """Entries of other provinces, which are left out."""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Why an entry is none, by its code where it has one."""


def read(register: str, rows: Sequence[Mapping[str, Any]], provinces: Collection[str]) -> Catalogue:
    """Read the rows of a catalogue, each with its `code`. Raises: DestinationFault, then it is refused whole."""
    if not rows:
        raise DestinationFault(f"{register}: the catalogue is empty")
    if len(rows) > MOST:
        raise DestinationFault(
            f"{register}: the catalogue has {len(rows):,} entries, more than {MOST:,} are not believed"
        )
    entries: dict[str, Mapping[str, Any]] = {}
    wrong: dict[str, str] = {}
    others = 0
    for position, row in enumerate(rows, 1):
        code = row.get("code")
        try:
            made = _entry(register, row)
        except RefusedValueError as error:
            wrong[fold(code)[:60] if isinstance(code, str) and code.strip() else f"entry {position}"] = str(error)
            continue
        if not _ours(register, made, provinces):
            others += 1
            continue
        code = made.pop("code")
        if entries.setdefault(code, made) != made:
            wrong[code] = "stands there twice, and not alike"
    # Of two that differ nobody knows which one holds.
    entries = {code: content for code, content in entries.items() if code not in wrong}
    if len(wrong) > WRONG_SHARE * len(rows):
        few = "; ".join(f"{code}: {why}" for code, why in list(wrong.items())[:_SHOWN])
        said = f"{register}: {len(wrong):,} of {len(rows):,} entries cannot be read, so none is believed ({few})"
        raise DestinationFault(said)
    if not entries:
        said = f"none of its {len(rows):,} entries is of {', '.join(sorted(provinces))}"
        raise DestinationFault(f"{register}: {said}")
    return Catalogue(register, entries, others, wrong)


def _entry(register: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as plain data, days as ISO text, what is not known left out. Raises: RefusedValueError."""
    given = {name: " ".join(normalize("NFC", value).split()) if isinstance(value, str) else value
             for name, value in row.items() if value not in (None, "")}  # fmt: skip
    if register != "agencies" and isinstance(given.get("code"), str):
        given["code"] = fold(given["code"])
    try:
        made = MODELS[register].model_validate(given)
    except ValidationError as error:
        raise refusals(error)[0] from None
    plain = made.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    first, last = plain.get("valid_from"), plain.get("valid_to")
    if first and last and date.fromisoformat(first) > date.fromisoformat(last):
        raise RefusedValueError("ends before it begins", field="valid_to", value=last)
    return plain


def _ours(register: str, entry: Mapping[str, Any], provinces: Collection[str]) -> bool:
    """Whether an entry is of one of the provinces, or of none: a ministry's procedure is everybody's."""
    code = str(entry["code"])
    if register == "agencies":
        return parse_code(code).root in provinces
    last = code.rpartition(".")[2]
    return register == "fields" or _PROVINCE.fullmatch(last) is None or last.startswith("G") or last in provinces
