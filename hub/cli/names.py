"""Names by which commands are narrowed: one that nothing knows is refused, since a misprint would find nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hub.cli.output import refuse

if TYPE_CHECKING:
    from hub.ledger.items import ItemFilter
    from hub.ledger.views import DeadFilter, LedgerReader

_Filter = TypeVar("_Filter", "DeadFilter", "ItemFilter")


def narrowed(reader: LedgerReader, wanted: _Filter, config: Path, *, as_json: bool) -> _Filter:
    """The filter, its agency by the code that the register has for it; a name that nothing knows ends the command."""
    from hub.ledger.views import DeadFilter

    if isinstance(wanted, DeadFilter):
        destination(reader, wanted.destination, config, as_json=as_json)
        _fault(reader, wanted.fault, as_json=as_json)
    if wanted.source is not None and wanted.source not in _configured(config, "sources"):
        known = {*reader.names("source"), *_configured(config, "sources")}
        _must_be("source", wanted.source, known, as_json=as_json)
    if wanted.agency is None:
        return wanted
    return replace(wanted, agency=_agency(reader, wanted.agency, config, as_json=as_json))


def destination(reader: LedgerReader, name: str | None, config: Path, *, as_json: bool) -> None:
    """End the command where neither the ledger nor the configuration knows a destination."""
    configured = _configured(config, "destinations")
    if name is not None and name not in configured:
        _must_be("destination", name, {*reader.names("destination"), *configured}, as_json=as_json)


def _fault(reader: LedgerReader, name: str | None, *, as_json: bool) -> None:
    from hub.ports import FaultClass

    usual = {*(one.value for one in FaultClass), "poison", "unknown"}
    if name is not None and name not in usual:
        _must_be("fault", name, {*usual, *reader.names("fault")}, as_json=as_json)


def _agency(reader: LedgerReader, text: str, config: Path, *, as_json: bool) -> str:
    """The canonical code of what may be a code, an alias or a name; what only the ledger knows stays as it is."""
    from datetime import datetime

    from hub.ledger.items import ItemFilter
    from hub.settings import locate_agencies
    from schemas.agency import AgencyRegister
    from schemas.errors import CodeUnknownError, ConfigError
    from schemas.local_time import LOCAL

    try:
        register = locate_agencies(config)
    except ConfigError:
        register = AgencyRegister.empty()
    meant = register.ever(text)
    if meant is not None:
        return meant.code
    try:
        return register.resolve(text, datetime.now(LOCAL)).code
    except CodeUnknownError as error:
        said = str(error)
    recorded = reader.names("agency")
    # A refused row may name an agency that no record is of.
    if text not in recorded and not reader.items(ItemFilter(agency=text, everything=True, limit=1)).total:
        if not len(register):
            _must_be("agency", text, recorded, as_json=as_json)
        mend = "give a code, an alias or a name of the register"
        refuse("unknown-agency", f"--agency: {said}", mend, as_json=as_json)
    return text


def _must_be(what: str, name: str, known: Iterable[str], *, as_json: bool) -> None:
    from mappings.notation import nearest

    if name not in (listed := sorted(known)):
        said = f"--{what}: neither the ledger nor the configuration knows {name!r}"
        refuse(f"unknown-{what}", said, nearest(name, listed), as_json=as_json)


def _configured(config: Path, part: str) -> set[str]:
    """What a part of the configuration names, whatever else is wrong with it."""
    from hub.yaml_lines import read
    from schemas.errors import ConfigError

    try:
        found = read(config).data
    except ConfigError:
        return set()
    named = found.get(part) if isinstance(found, dict) else None
    return set(map(str, named)) if isinstance(named, dict) else set()
