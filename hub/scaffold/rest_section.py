"""A `rest` source from an address that was described: what is asked, and which parameters ask for changes and pages.

Parameters are known by their names, as those of a SOAP operation are; what is not sure has a `?`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hub.scaffold import shapes
from hub.scaffold.guess import Guesses
from hub.scaffold.names import fold
from hub.scaffold.sample import Sample, step
from hub.scaffold.service import Parameter, Request, RestOperation, Scheme
from hub.scaffold.soap_arguments import PAGE, PAGE_SIZE, SINCE, SIZE, iso, named
from hub.scaffold.source_files import changed_at, people, variable
from hub.scaffold.yaml_text import flow, scalar, shown
from mappings.notation import nearest
from schemas.errors import ConfigError, Problem

UNTIL = ("denngay", "todate", "until", "dennay", "enddate", "denthoidiem", "ngayketthuc", "to")
OFFSET = ("offset", "skip", "batdau", "start", "boqua", "vitri")
TOKEN = ("cursor", "token", "pagetoken", "nexttoken", "continuationtoken", "after", "contro")
_NEXT = ("next", "nextcursor", "nexttoken", "nextpagetoken", "cursorketiep", "tieptheo", "continuationtoken")
_PAGES = ("totalpages", "tongsotrang", "pagecount", "totalpage", "sotrang", "tongtrang")
_HOLE = re.compile(r"\{([^{}]+)\}")


def request(operation: RestOperation, arguments: Mapping[str, str], file: str) -> Request:
    """What is asked once, with what a description takes where nothing is given.

    Raises: ConfigError where an argument is not known, or one that is needed is not given.
    """
    known = {one.name: one for one in operation.arguments}
    problems = [
        Problem("wrong-argument", f"--argument {name}: {operation.name} has no such argument", nearest(name, known))
        for name in arguments
        if name not in known
    ]
    values = {one.name: _value(operation, one, arguments) for one in known.values()}
    lacking = [one for one in known.values() if one.required and values[one.name] is None]
    if lacking and not problems:
        names = ", ".join(f"{one.name} ({one.kind})" for one in lacking)
        mend = f"write {' '.join(f'--argument {one.name}=…' for one in lacking)}"
        problems.append(Problem("wrong-argument", f"{operation.name} needs {names}", mend, file))
    if problems:
        raise ConfigError(problems)
    given = {name: value for name, value in values.items() if value is not None}
    path = _HOLE.sub(lambda hole: quote(given.get(hole[1], hole[0]), safe=""), operation.path)
    where = {name: known[name].where for name in given}
    return Request(
        path,
        {name: value for name, value in given.items() if where[name] == "query"},
        {name: value for name, value in given.items() if where[name] == "header"},
    )


def _value(operation: RestOperation, one: Parameter, arguments: Mapping[str, str]) -> str | None:
    """What is sent: as told, else what the description takes, else the first page; None for nothing."""
    if one.name in arguments:
        return arguments[one.name]
    if not one.required:
        return None
    if one.default is not None:
        return str(one.default)
    folded = fold(one.name)
    if folded in PAGE:
        return str(_first(one))
    if folded in OFFSET:
        return "0"
    return str(_size(one, {})) if folded in SIZE else None


def described_section(
    name: str,
    mapping: str,
    base: str,
    operation: RestOperation,
    arguments: Mapping[str, str],
    asked: Request,
    schemes: Sequence[Scheme],
    auth: Mapping[str, str] | None,
    body: bytes,
    sample: Sample,
    guesses: Guesses,
    *,
    agency_name: str = "",
    made_of: str = "",
) -> str:
    """The entry of `sources`. `auth` is how it logs in, where that is known; `made_of` says of what the sample was
    made, where nobody recorded it."""
    envelope = dict(_members(json.loads(body))) if sample.place.spec.within else {}
    rows: dict[str, Any] = {"at": sample.place.spec.within} if sample.place.spec.within else {}
    changed = changed_at(guesses)
    rows |= changed
    since, used = _since(operation, arguments, guesses)
    page, paging = _page(operation, arguments, envelope)
    used |= paging
    pages = _path(envelope, _PAGES)
    if page.get("style") == "page" and pages is not None and pages != page.get("parameter"):
        rows["pages"] = pages
    query = {key: value for key, value in asked.query.items() if key not in used}
    recorded = "an invented answer" if made_of else "the recorded answer, without the people in it"
    unseen = f"    # ? Nobody has seen an answer: the sample was made of {made_of}. Record one, and test it."
    lines = [
        f"  {name}:",
        f"    adapter: rest  # GET {shown(operation.path)}, as its OpenAPI file describes it",
        *([unseen] if made_of else []),
        *people(agency_name),
        "    every_s: 60  # from the end of one poll to the start of the next",
        f"    mappings: [{mapping}]",
        f"    samples: samples/{name}-*.json  # {recorded}",
        "    settings:",
        f"      url: {scalar(base)}",
        f"      path: {scalar(asked.path)}",
        *([f"      query: {flow(query)}  # sent with each request"] if query else []),
        *([f"      headers: {flow(dict(asked.headers))}"] if asked.headers else []),
        f"      rows: {flow(rows)}  # where the rows are, and when each changed",
        *([] if changed else ["      # ? no column tells when a row changed, so every poll reads everything"]),
    ]
    if since and changed:
        lines.append(f"      since: {flow(since)}  # ? by name: asks for what changed since")
    elif since:
        lines.append(f"      # ? {shown(str(since['parameter']))} asks for what changed since: needs rows.changed")
    if page:
        lines.append(f"      page: {flow(page)}  # ? by name: asks page by page")
    if auth is not None:
        lines.append(f"      auth: {flow(dict(auth))}")
    else:
        lines += list(_choices(name, schemes))
    return "\n".join([*lines, "      timeout_s: 30"])


def _since(operation: RestOperation, arguments: Mapping[str, str], guesses: Guesses) -> tuple[dict[str, Any], set[str]]:
    found, end = _query(operation, SINCE), _query(operation, UNTIL)
    if found is None:
        return {}, set()
    given = arguments.get(found.name)
    format_ = _written(found, given, guesses)
    since: dict[str, Any] = {"parameter": found.name, "format": format_, "overlap_s": 60}
    if given is not None and (start := iso(given, format_)):
        since["start"] = start
    if end is not None:
        since["until"] = end.name
    # Without a time of change it stays a constant of each request.
    return since, {found.name, end.name if end else found.name} if changed_at(guesses) else set()


def _written(found: Parameter, given: str | None, guesses: Guesses) -> str:
    """How its time is written: as the one that was given, as the description says, else as the rows write theirs."""
    if given is not None and (read := shapes.dates([given])) is not None and "[" not in read.formats[0]:
        return "iso" if read.formats[0] == "excel" else read.formats[0]
    if found.kind == "date":
        return "yyyy-MM-dd"
    written = changed_at(guesses).get("changed_format", "iso")
    first = written if isinstance(written, str) else written[0]
    return "iso" if found.kind == "date-time" or "[" in first or first == "excel" else first


def _page(
    operation: RestOperation, arguments: Mapping[str, str], envelope: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    size = _query(operation, SIZE)
    rows = PAGE_SIZE if size is None else _size(size, arguments)
    sized: dict[str, Any] = {} if size is None else {"size_parameter": size.name, "size": rows}
    used = set() if size is None else {size.name}
    if (number := _query(operation, PAGE)) is not None:
        first = {"first": 0} if _first(number) == 0 or arguments.get(number.name) == "0" else {}
        return {"style": "page", "parameter": number.name, **sized, **first}, used | {number.name}
    if (offset := _query(operation, OFFSET)) is not None and size is not None:
        overlap = {"overlap": rows - 1} if rows <= 10 else {}
        return {"style": "offset", "parameter": offset.name, **sized, **overlap}, used | {offset.name}
    token, following = _query(operation, TOKEN), _path(envelope, _NEXT)
    if token is not None and following is not None:
        return {"style": "cursor", "parameter": token.name, "next": following, **sized}, used | {token.name}
    return {}, set()


def _query(operation: RestOperation, names: tuple[str, ...]) -> Parameter | None:
    found = named(operation, names)
    return next((one for one in operation.arguments if one.name == found and one.where == "query"), None)


def _first(one: Parameter) -> int:
    return 0 if one.default in (0, "0") or (one.default is None and one.least == 0) else 1


def _size(one: Parameter, arguments: Mapping[str, str]) -> int:
    for value in (arguments.get(one.name, ""), str(one.default or "")):
        if value.isdecimal() and 0 < int(value) <= 100_000:
            return int(value)
    return PAGE_SIZE if one.most is None or one.most <= 0 else min(PAGE_SIZE, one.most)


def _members(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """What stands around the rows, by its path."""
    if isinstance(value, dict) and depth < 4:
        for name, item in value.items():
            written = step(name)
            if written is not None:
                below = f"{path}.{written}" if path else written
                yield below, item
                yield from _members(item, below, depth + 1)


def _path(envelope: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    by_name = {
        fold(path.rpartition(".")[2]): path for path, value in envelope.items() if not isinstance(value, dict | list)
    }
    return next((by_name[name] for name in names if name in by_name), None)


def _choices(name: str, schemes: Sequence[Scheme]) -> Iterator[str]:
    """The ways to log in that a description names, as comments that can be made settings."""
    begins = variable(name)
    password, token = f"${{{begins}_PASSWORD}}", f"${{{begins}_TOKEN}}"
    if schemes:
        yield "      # ? How it logs in, as its description says; take out the # of the one that is meant:"
    for one in schemes:
        match one.kind:
            case "basic":
                yield f"      # auth: {flow({'type': 'basic', 'username': '…', 'password': password})}"
            case "bearer":
                yield f"      # auth: {flow({'type': 'bearer', 'token': token})}"
            case "oauth2":
                made = {"type": "oauth2", "token_url": one.name, "client_id": "…",
                        "client_secret": f"${{{begins}_CLIENT_SECRET}}"}  # fmt: skip
                yield f"      # auth: {flow(made | ({'scope': one.scope} if one.scope else {}))}"
            case "header":
                yield f"      # headers: {flow({one.name: f'${{{begins}_KEY}}'})}"
            case "query":
                yield f"      # query: {flow({one.name: f'${{{begins}_KEY}}'})}"
            case _:
                yield f"      # {shown(one.name)}: ask who runs it how the hub can log in"
