"""Settings of a source with `adapter: soap`, and what paging reads of its answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters.moments import Reader, ReadFormat, WriteFormat
from adapters.paging import Answer, PageFacts, Start, whole_number
from adapters.way import SourceWaySettings
from mappings.decode import SourceSpec, Unwrap
from mappings.document import decoder, finder
from mappings.refusal import RefusalError
from mappings.shapes import shape_of
from mappings.shapes.path import PathError
from schemas.errors import Problem, UndecodableError

_XML_NAME = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class SoapSince(_Part):
    """How the operation is asked for what changed since."""

    argument: str
    """The argument's name."""
    format: WriteFormat = "iso"
    """How a time is written: `iso`, or a pattern like `dd/MM/yyyy HH:mm:ss`."""
    overlap_s: Annotated[float, Field(ge=0, le=86_400 * 31, allow_inf_nan=False)] = 60.0
    """Asked for again each time, for what was committed late."""
    start: Start = None
    """Where the first poll begins, an ISO date or time; without it the argument is left out at first."""


class SoapPage(_Part):
    """How the operation is asked for a page."""

    argument: str
    """The argument of the page's number."""
    size_argument: str | None = None
    """The argument of how many rows a page has, where there is one."""
    size: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Rows in one page."""
    first: Annotated[int, Field(ge=0, le=1)] = 1
    """The number of the first page."""


class SoapUnwrap(_Part):
    """As a mapping's `unwrap`."""

    path: str
    """The place whose text is a document of its own."""
    holds: Literal["xml", "json"] = "xml"
    """What that document is."""
    base64: bool = False
    """Whether the text is base64."""
    empty_is_none: bool = False
    """Whether an empty place means that there are no rows."""


class SoapRows(_Part):
    """Where the rows are, as in the mapping, and what paging reads of them."""

    unwrap: list[SoapUnwrap] = Field(default_factory=list)
    """Layer by layer."""
    within: str = ""
    """What holds the rows."""
    each: str = ""
    """What a row is called."""
    dataset: str = ""
    """The table of a .NET DataSet, instead of `each`."""
    beside: list[str] = Field(default_factory=list)
    """What may stand beside the rows."""
    changed: str | None = None
    """The path, from a row, of its change time."""
    changed_format: ReadFormat = "iso"
    """How that time is written; several ways where rows differ."""
    pages: str | None = None
    """The path, from the document that holds the rows, of how many pages there are; without it the first page without
    rows is the last."""

    @model_validator(mode="after")
    def _one_way(self) -> SoapRows:
        if bool(self.each) == bool(self.dataset):
            raise ValueError("give `each`, the element of one row, or `dataset`, the table of a .NET DataSet")
        return self


class SoapHeader(_Part):
    """One element of the SOAP header of each call."""

    name: Annotated[str, Field(pattern=_XML_NAME)]
    """The element's name."""
    namespace: str = ""
    """Its namespace."""
    values: dict[Annotated[str, Field(pattern=_XML_NAME)], SecretStr] = Field(default_factory=dict)
    """Its children, each with its text, in the element's namespace."""
    text: SecretStr | None = None
    """Its text, where it has no children."""
    attributes: dict[Annotated[str, Field(pattern=_XML_NAME)], str] = Field(default_factory=dict)
    """Its attributes."""
    must_understand: bool = False
    """Whether the service has to refuse what it does not understand."""

    @model_validator(mode="after")
    def _one_content(self) -> SoapHeader:
        if self.text is not None and self.values:
            raise ValueError("give `values` or `text`, not both")
        return self


class SoapSecurity(_Part):
    """WS-Security: a UsernameToken in each call's header."""

    username: str
    """Who the hub is there."""
    password: SecretStr
    """From the environment."""
    digest: bool = False
    """The password's digest with a nonce and the time, instead of the password."""
    timestamp_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """A Timestamp too, that ends so many seconds later."""


class SoapSettings(SourceWaySettings):
    """Settings of a source with `adapter: soap`."""

    wsdl: str
    """An address, or a file relative to the configuration."""
    operation: str
    """The operation that is called."""
    service: str | None = None
    """The service by its name, where the WSDL has several."""
    port: str | None = None
    """Its port by its name, where it has several."""
    binding: str | None = None
    """The binding by its name, where the WSDL names no service for it; needs `endpoint`."""
    version: Literal["1.1", "1.2"] | None = None
    """Take the port that speaks this SOAP, where a service offers both; without it the first."""
    endpoint: str | None = None
    """Where to call, instead of the address in the WSDL."""
    imports: dict[str, str] = Field(default_factory=dict)
    """Files, relative to the configuration, by the address or the namespace of what the WSDL imports."""
    import_hosts: list[str] = Field(default_factory=list)
    """Hosts beside the WSDL's own from which imports are fetched."""
    wsdl_every_s: Annotated[float, Field(gt=0, le=86_400 * 31, allow_inf_nan=False)] = 86_400.0
    """After so long the WSDL is read again, to see whether it has changed."""
    headers: list[SoapHeader] = Field(default_factory=list)
    security: SoapSecurity | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Constants sent with each call."""
    since: SoapSince | None = None
    page: SoapPage | None = None
    rows: SoapRows
    operation_timeout_s: Seconds = 30.0
    """For one call in all, from connecting to the last byte."""
    load_timeout_s: Seconds = 30.0
    """For the WSDL and all that it imports, in all."""
    username: str | None = None
    """Who the hub is there, by HTTP (basic)."""
    password: SecretStr | None = None
    """From the environment."""
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 << 20
    """The largest answer that is read."""

    @model_validator(mode="after")
    def _paths(self) -> SoapSettings:
        try:
            row_reader(self.rows, self.max_bytes)
        except PathError as error:
            raise ValueError(f"rows: {error}{f' — {error.mend}' if error.mend else ''}") from None
        if (self.username is None) != (self.password is None):
            raise ValueError("give username and password, or neither")
        if self.since is not None and self.rows.changed is None:
            raise ValueError("rows: since needs `changed`, the path of a row's change time")
        if self.binding is not None and (self.service or self.port or self.version or self.endpoint is None):
            raise ValueError("binding stands alone, without service, port and version, and needs `endpoint`")
        return self

    def lacking(self, folder: Path) -> Sequence[Problem]:
        """As in WaySettings, and the files of `imports`."""
        found = list(super().lacking(folder))
        for address, path in self.imports.items():
            if not (folder / path).is_file():
                said = f"imports: {path} (for {address}) is not there"
                found.append(Problem("unreadable-file", said, "correct the path; it is relative to the configuration"))
        return found


def row_reader(rows: SoapRows, max_bytes: int) -> Callable[[Answer], PageFacts]:
    """Compile what paging reads of a page: `Answer -> PageFacts`, which raises UndecodableError. Raises: PathError."""
    unwrap = tuple(Unwrap(**one.model_dump()) for one in rows.unwrap)
    spec = SourceSpec(
        format="xml",
        unwrap=unwrap,
        within=rows.within,
        each=rows.each,
        dataset=rows.dataset,
        beside=tuple(rows.beside),
        max_bytes=max_bytes,
    )
    decode, shape = decoder(spec), shape_of(spec)
    changed = shape.getter(rows.changed) if rows.changed is not None else None
    reader = Reader(rows.changed_format)
    pages = None if rows.pages is None else finder(rows.pages, spec.holds, ())
    if pages is not None and spec.holds != "xml":
        raise PathError("`pages` is read of XML only", "leave it out: the first page without rows is the last")

    def read(answer: Answer) -> PageFacts:
        try:
            document = decode.ahead(answer.body, answer.charset)
        except UndecodableError as error:
            raise UndecodableError(f"rows: {error} — mend `rows`: write them as in the mapping's `from`") from None
        times: list[datetime] = []
        for index in range(len(document.rows) if changed is not None else 0):
            # A row that the mapping will refuse, or whose time cannot be read, does not move the cursor.
            with contextlib.suppress(RefusalError):
                at = reader(changed(document.view(index))) if changed is not None else None
                if at is not None:
                    times.append(at)
        total = None
        if pages is not None and document.rows:
            total = whole_number(pages(document.rows[0].getroottree().getroot()), rows.pages or "")
        instead = ""
        if changed is not None and document.rows and not times:
            with contextlib.suppress(RefusalError):
                value = changed(document.view(0))
                instead = f"in the first row {'it is not there' if value is None else f'it is {str(value)[:50]!r}'}"
        known = total if document.rows else (None if pages is None else 0)
        return PageFacts(len(document.rows), times, known, instead=instead)

    return read
