"""The settings of the destination `http`, and what of them does not fit the mappings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from adapters.calling import header_lines
from adapters.portal import PortalSettings
from adapters.rest_auth import Auth, LoginAuth, NoAuth, SignSettings
from adapters.way import WaySettings
from hub.ports import Mode
from mappings.decode import xml
from mappings.document import json_finder
from mappings.notation import nearest
from mappings.outbound import OutboundMapping
from mappings.shapes.path import PathError
from schemas.errors import Problem, UndecodableError
from schemas.record import KINDS

Method: TypeAlias = Literal["POST", "PUT", "PATCH", "GET"]
Status: TypeAlias = Annotated[int, Field(ge=100, le=599)]

HOLE = re.compile(r"\{([^{}]+)\}")
NUMBER, KEY = "number", "key"
OF_THE_RECORD = (NUMBER, KEY)
"""The fields of a path that are no members of the payload: the dossier's number, the record's key."""
RECORDS = "{records}"
_OURS = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding"})


def _refused(rule: str, said: str, mend: str) -> PydanticCustomError:
    return PydanticCustomError(rule.replace("-", "_"), "{said}", {"said": said, "mend": mend, "rule": rule})


def _template(value: str) -> str:
    fixed = HOLE.sub("", value)
    if not value.startswith("/") or not re.fullmatch(r"[!-~]*", fixed) or re.search(r"[{}#]", fixed):
        said = "is no path: printable ASCII from '/' on, fields in braces"
        raise _refused("wrong-value", said, "write it like /ho-so/{MaHoSo}, other letters percent-encoded")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    try:
        header_lines(value)
    except ValueError as error:
        raise _refused("wrong-value", str(error), "correct it") from None
    for name in value:
        if name.lower() in _OURS:
            mend = "write content_type" if name.lower() == "content-type" else "leave it out: the hub writes it"
            raise _refused("wrong-value", f"the header {name} is not written here", mend)
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class UpdateSettings(_Part):
    """The request for a record that the portal has, where it differs; what is not said is as in the first one."""

    method: Method = "PUT"
    """Of HTTP."""
    path: str | None = None
    """Below `url`, with fields in braces; None: as in the request."""
    wrap: str | None = None
    """As in the request."""

    _path = field_validator("path")(lambda value: None if value is None else _template(value))


class RequestSettings(_Part):
    """How records of one kind are sent."""

    method: Method = "POST"
    """Of HTTP."""
    path: str
    """Below `url`; fields in braces are members of the payload, or {number}, {key} of the record."""
    update: UpdateSettings | None = None
    """For what the portal has already; None: as what it does not have."""
    content_type: str | None = None
    """None: as the mapping writes, like application/json."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Of this kind's requests, beside those of every request."""
    wrap: str | None = None
    """What stands around the records: a text with {records} in it, JSON or XML."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 1
    """Records of one request; needs `wrap`. A path with fields takes one alone."""

    _path = field_validator("path")(_template)
    _named = field_validator("headers")(_headers)

    @field_validator("content_type")
    @classmethod
    def _utf8(cls, value: str | None) -> str | None:
        charset = re.search(r"charset=\"?([^\s;\"]+)", value or "", re.IGNORECASE)
        if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
            raise _refused("wrong-value", f"{charset[1]}: the hub writes UTF-8", "write charset=utf-8")
        _headers({"X": value or ""})
        return value

    @model_validator(mode="after")
    def _wrapped(self) -> RequestSettings:
        if self.batch > 1 and self.wrap is None:
            said = f"batch ({self.batch}): several records need something around them"
            raise _refused("batch-without-wrap", said, "write wrap: '[{records}]', or <DanhSach>{records}</DanhSach>")
        for mode in (Mode.NEW, Mode.UPDATE):
            wrap, most = self.of(mode)[2], self.together(mode)
            if wrap is not None and all(wrap_problem(wrap, form, most) for form in ("json", "xml")):
                likely = "xml" if wrap.lstrip().startswith("<") else "json"
                said = f"wrap: {wrap_problem(wrap, likely, most)}"
                raise _refused("wrong-wrap", said, "write '[{records}]', or <DanhSach>{records}</DanhSach>")
        return self

    def of(self, mode: Mode) -> tuple[Method, str, str | None]:
        """Method, path and wrap of a record in this mode."""
        if mode is not Mode.UPDATE or self.update is None:
            return self.method, self.path, self.wrap
        return self.update.method, self.update.path or self.path, self.update.wrap or self.wrap

    def together(self, mode: Mode) -> int:
        """How many records one request may carry."""
        return 1 if HOLE.search(self.of(mode)[1]) else self.batch


class LookUpSettings(_Part):
    """How the portal is asked whether it has a dossier."""

    path: str
    """Of the GET, below `url`, with {number} in it."""
    there: Annotated[list[Status], Field(min_length=1)] = Field(default_factory=lambda: [200])
    """Statuses of HTTP that mean: the portal has it."""
    not_there: list[Status] = Field(default_factory=lambda: [404])
    """Statuses of HTTP that mean: it has not. Any other one says nothing."""
    at: str | None = None
    """Where the dossier stands in the answer (a dotted path), where a status of `there` alone says too little: nothing,
    or an empty list there, is not there."""

    _path = field_validator("path")(_template)

    @model_validator(mode="after")
    def _asks(self) -> LookUpSettings:
        if HOLE.findall(self.path) != [NUMBER]:
            raise _refused("wrong-value", "path: asks for no dossier", "put {number}, and nothing else, in braces")
        both = sorted(set(self.there) & set(self.not_there))
        if both:
            raise _refused("wrong-value", f"HTTP {both[0]} cannot mean both", "keep it in there or in not_there")
        return self


class HttpSettings(PortalSettings, WaySettings):
    """Where a portal is, who the hub is there, and how each kind of record is sent."""

    requests: Annotated[dict[str, RequestSettings], Field(min_length=1)]
    """By kind of record."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Of every request."""
    look_up: LookUpSettings | None = None
    """How the portal is asked what it has; None: it cannot be asked."""
    auth: Annotated[Auth, Field(discriminator="type")] = Field(default_factory=NoAuth)
    """As of a `rest` source."""
    sign: SignSettings | None = None
    """As of a `rest` source."""

    _named = field_validator("headers")(_headers)

    @field_validator("proxy")
    @classmethod
    def _plain_proxy(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme != "http":
            raise _refused("wrong-value", "to a proxy no TLS is spoken", "write http://host:port")
        return value

    @model_validator(mode="after")
    def _signed(self) -> HttpSettings:
        try:
            if isinstance(self.auth, LoginAuth):
                json_finder(self.auth.token)
                json_finder(self.auth.expires or "")
        except PathError as error:
            raise _refused("wrong-value", f"auth: {error}", error.mend or "correct the path") from None
        if self.sign is not None:
            _headers(self.sign.headers)
        return self

    @classmethod
    def proposal(cls, kind: str, number: str, of_operator: Callable[[str], str]) -> Sequence[str]:
        """The settings of a new destination, as lines; `number` is the member that holds the dossier's number."""
        event, member = KINDS[kind].event, number or NUMBER
        place = f"/ho-so/{{{member}}}"
        update = (
            f'    # update: {{method: PUT, path: "{place}"}}  # ? for what the portal has already, where that differs'
        )
        return [
            f"url: {of_operator('url')}  # the base address",
            "requests:",
            f"  {kind}:",
            "    method: POST  # ? POST, PUT, PATCH, or GET where the mapping writes a query",
            f"    path: /{'buoc' if event else 'ho-so'}  # ? below url; {{{member}}} in it stands for its value",
            *([] if event else [update]),
            "    # wrap: '{\"data\": [{records}]}'  # ? what stands around the records, JSON or XML, if anything does",
            "    # batch: 20  # ? how many go together; needs wrap",
            "    # headers: {X-Don-Vi: H59}  # ? what else each request has to say",
            '# look_up: {path: "/ho-so/{number}"}  # ? a GET: 200 where the portal has a dossier, 404 where not',
            "auth: {type: none}  # ? none, basic, bearer, login or oauth2; docs/configuration.md has each",
        ]

    def unfit(self, mappings: Mapping[str, OutboundMapping]) -> Iterator[tuple[tuple[str, ...], Problem]]:
        """What does not fit the mappings by kind that the destination names, and where in these settings it stands."""
        for kind in self.requests:
            if kind not in KINDS:
                said = f"requests: there is no kind {kind!r}"
                yield ("requests", kind), Problem("unknown-kind", said, nearest(kind, KINDS))
        for kind, mapping in mappings.items():
            request = self.requests.get(kind)
            if request is None:
                said = f"requests: nothing says how {kind} is sent, which {mapping.name} writes"
                yield ("requests",), Problem("no-request", said, f"add '{kind}: {{path: /…}}' below requests")
                continue
            yield from _unfit(kind, request, mapping)


def _unfit(kind: str, request: RequestSettings, mapping: OutboundMapping) -> Iterator[tuple[tuple[str, ...], Problem]]:
    members = {one.name for one in mapping.fields}
    form = mapping.layout.portal
    modes = (Mode.NEW, Mode.UPDATE) if request.update is not None else (Mode.NEW,)
    for mode in modes:
        method, path, wrap = request.of(mode)
        below: tuple[str, ...] = ("requests", kind, *(("update",) if mode is Mode.UPDATE else ()))
        name = ".".join(below)
        for hole in HOLE.findall(path):
            if hole not in members and hole not in OF_THE_RECORD:
                said = f"{name}.path: {mapping.name} makes no member {hole!r}"
                mend = nearest(hole, {*members, *OF_THE_RECORD})
                yield (*below, "path"), Problem("unknown-path-field", said, mend)
        if method == "GET" and form != "query":
            said = f"{name}: a GET carries no content, {mapping.name} makes {form}"
            mend = "write method: POST, or to: {portal: query} in the mapping"
            yield (*below, "method"), Problem("get-with-content", said, mend)
        if wrap is not None and form in ("form", "query"):
            said = f"{name}: wrap: a {form} holds one record and nothing around it, {mapping.name} makes {form}"
            yield (*below, "wrap"), Problem("wrong-wrap", said, "take wrap and batch out")
        elif wrap is not None and (why := wrap_problem(wrap, form, request.together(mode))) is not None:
            said = f"{name}: wrap: {why}; {mapping.name} makes {form}"
            mend = "write '[{records}]'" if form == "json" else "write <DanhSach>{records}</DanhSach>"
            yield (*below, "wrap"), Problem("wrong-wrap", said, mend)


def wrap_problem(wrap: str, form: str, batch: int) -> str | None:
    """Why a wrapper does not make a document of this form of so many records; None where it does."""
    if wrap.count(RECORDS) != 1:
        return f"{RECORDS} stands in it {wrap.count(RECORDS)} times, once is right"
    several = batch > 1
    try:
        if form == "json":
            orjson.loads(wrap.replace(RECORDS, "{},{}" if several else "{}"))
        else:
            xml.parse(wrap.replace(RECORDS, "<r/><r/>" if several else "<r/>").encode(), None, limit=1 << 20)
    except (ValueError, UndecodableError) as error:
        many = "several records" if several else "a record"
        return f"with {many} in it, it is no {form.upper()}: {str(error).partition(':')[0]}"
    return None
