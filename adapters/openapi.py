"""What an OpenAPI file describes, for `hub new source --openapi`: its addresses that answer GET, and one asked once.

Implements hub.scaffold.service.RestService. Asking goes the way of the source `rest`: one exchange within a deadline,
no redirects, no proxy of the environment.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from adapters.fetching import Fetched, client, fetch
from adapters.openapi_document import MAX_BYTES, Document, refused
from adapters.openapi_sample import SchemaSamples
from hub.scaffold.service import LogIn, Parameter, Request, RestOperation, Scheme
from schemas.errors import SourceFault

MAX_ANSWER_BYTES = 32 << 20
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class OpenApiService:
    """Implements hub.scaffold.service.RestService."""

    def __init__(self, document: Document, address: str) -> None:
        """Raises: ConfigError."""
        self._document, self._samples = document, SchemaSamples(document)
        self._found = {one.name: (one, answer) for one, answer in self._read()}
        self._base = _base(document, address)
        self._schemes = tuple(_schemes(document))
        if not self._found:
            raise refused("describes no address that answers GET", "is it the right file?", document.file)

    @property
    def operations(self) -> Sequence[RestOperation]:
        return [one for one, _ in self._found.values()]

    @property
    def left_out(self) -> int:
        paths = map(self._document.map, self._document.root["paths"].values())
        return sum(method in path for path in paths for method in _METHODS if method != "get")

    @property
    def base(self) -> str:
        return self._base

    @property
    def schemes(self) -> Sequence[Scheme]:
        return self._schemes

    def sample(self, operation: str) -> tuple[bytes, str] | None:
        """Raises: ConfigError."""
        answer = self._found[operation][1]
        shown = self._example(answer)
        if shown is not None:
            return orjson.dumps(shown), "an example of the description"
        schema = self._schema(answer)
        if schema is None:
            return None
        made = self._samples.value(schema)
        return None if made is None else (orjson.dumps(made), "the schema of the description")

    def call(self, base: str, request: Request, log_in: LogIn, *, timeout_s: float) -> bytes:
        """Raises: SourceFault."""
        address = base.rstrip("/") + "/" + request.path.lstrip("/")
        try:
            url = str(httpx.URL(address).copy_merge_params(dict(request.query)))
        except httpx.InvalidURL as error:
            raise SourceFault(f"the address {address!r} cannot be used: {error} — mend it by --url") from None
        headers = {"Accept": "application/json", **request.headers, **_log_in(log_in)}
        answer = asyncio.run(_get(url, headers, timeout_s, MAX_ANSWER_BYTES, request.path))
        if not 200 <= answer.status < 300:
            said = f"{request.path}: the service answered HTTP {answer.status}{answer.elsewhere}: {answer.excerpt}"
            wanted = answer.status in (401, 403)
            raise SourceFault(said + (" — log in by --username, or by a token in the environment" if wanted else ""))
        return answer.body

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> Iterator[tuple[RestOperation, Mapping[str, Any]]]:
        document = self._document
        taken: set[str] = set()
        for path, item in document.root["paths"].items():
            below = document.map(item)
            operation = document.map(below.get("get"))
            if not operation or not str(path).startswith("/"):
                continue
            name = operation.get("operationId")
            if not isinstance(name, str) or not name.strip() or name in taken:
                name = f"GET {path}"
            taken.add(name)
            answer = self._answer(operation)
            listed = [*document.list(below.get("parameters")), *document.list(operation.get("parameters"))]
            summary = operation.get("summary")
            arguments = tuple(_parameters(document, listed))
            text = summary if isinstance(summary, str) else ""
            yield RestOperation(name, str(path), arguments, self._gives(answer), text), answer

    def _answer(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is described of an answer that is a success."""
        answers = self._document.map(operation.get("responses"))
        good = [code for code in answers if code == "200"] or [code for code in answers if code.startswith("2")]
        return self._document.map(answers[(good or ["default"])[0]]) if good or "default" in answers else {}

    def _content(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """What OpenAPI 3 says of the answer as JSON."""
        content = self._document.map(answer.get("content"))
        named = [name for name in content if "json" in name] or [name for name in content if name in ("*/*", "")]
        return self._document.map(content[named[0]]) if named else {}

    def _schema(self, answer: Mapping[str, Any]) -> Any:
        return answer.get("schema") if self._document.swagger else self._content(answer).get("schema")

    def _example(self, answer: Mapping[str, Any]) -> Any:
        if self._document.swagger:
            examples = self._document.map(answer.get("examples"))
            return next((self._document.copied(one) for name, one in examples.items() if "json" in name), None)
        content = self._content(answer)
        if content.get("example") is not None:
            return self._document.copied(content["example"])
        for one in map(self._document.map, self._document.map(content.get("examples")).values()):
            if one.get("value") is not None:
                return self._document.copied(one["value"])
        return None

    def _gives(self, answer: Mapping[str, Any]) -> str:
        schema = self._schema(answer)
        if schema is None:
            other = ", ".join(self._document.map(answer.get("content")))
            return other[:60] or "nothing that is described"
        return self._named(schema)

    def _named(self, schema: Any, depth: int = 0) -> str:
        """`HoSo[]` of a list of a schema that has a name."""
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            self._document.map(schema)
            return str(schema["$ref"].rpartition("/")[2])[:60]
        merged = self._samples.merged(self._document.map(schema))
        if "items" in merged and depth < 3:
            return f"{self._named(merged['items'], depth + 1)}[]"
        kind = merged.get("type")
        return kind if isinstance(kind, str) else "object"


def describe(address: str, *, timeout_s: float, auth: tuple[str, str] | None = None) -> OpenApiService:
    """Read a description at an address or in a file; `auth`: user and password (basic). Raises: ConfigError."""
    if address.lower().startswith(("http://", "https://")):
        log_in = LogIn(*auth) if auth else LogIn()
        try:
            found = asyncio.run(_get(address, _log_in(log_in), timeout_s, MAX_BYTES, "the OpenAPI file"))
        except SourceFault as fault:
            text, _, mend = str(fault).partition(" — ")
            raise refused(text, mend or "see that the address is right and the service runs", address) from None
        if found.status != 200:
            said = f"cannot be read: HTTP {found.status}{found.elsewhere}"
            raise refused(said, "see that the address is right", address)
        body = found.body
    else:
        path = Path(address.removeprefix("file://"))
        try:
            with path.open("rb") as file:
                body = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise refused(
                f"cannot be read: {(error.strerror or 'an error').lower()}", "check the path", address
            ) from None
    return OpenApiService(Document(body, address), address)


async def _get(url: str, headers: Mapping[str, str], timeout_s: float, limit_bytes: int, what: str) -> Fetched:
    async with client() as http:
        mend = "see that the address is right and the service runs"
        return await fetch(
            http, "GET", url, headers=headers, deadline_s=timeout_s, limit_bytes=limit_bytes, what=what, mend=mend
        )


def _log_in(log_in: LogIn) -> dict[str, str]:
    if log_in.username is not None:
        pair = f"{log_in.username}:{log_in.password or ''}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return {} if log_in.token is None else {"Authorization": f"Bearer {log_in.token}"}


def _parameters(document: Document, listed: Sequence[Any]) -> Iterator[Parameter]:
    """The parameters that a request can have; those of the operation stand for those of its path."""
    places: dict[str, Literal["query", "header", "path"]] = {"query": "query", "header": "header", "path": "path"}
    found: dict[tuple[str, str], Parameter] = {}
    for one in map(document.map, listed):
        name, where = one.get("name"), places.get(str(one.get("in")))
        if not isinstance(name, str) or not name or where is None:
            continue
        if where == "header" and name.lower() in ("accept", "content-type", "authorization"):
            continue  # no parameters, says the standard: they are written otherwise
        schema = one if document.swagger else document.map(one.get("schema"))
        kind = schema.get("format") if schema.get("type") == "string" else schema.get("type")
        default = next((value for value in (schema.get("default"),) if isinstance(value, str | int)), None)
        found[name, where] = Parameter(
            name,
            str(kind or schema.get("type") or "string")[:40],
            bool(one.get("required")) or where == "path",
            where,
            str(default).lower() if isinstance(default, bool) else default,
            _whole(schema.get("minimum")),
            _whole(schema.get("maximum")),
        )
    yield from found.values()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _base(document: Document, address: str) -> str:
    """The address that the paths are below; "" where it is nowhere said."""
    try:
        whole = _said_base(document, address)
        parts = urlsplit(whole)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    except ValueError:  # a host in brackets that is none
        return ""
    return whole.rstrip("/") if good else ""


def _said_base(document: Document, address: str) -> str:
    """Raises: ValueError for what is no address."""
    root = document.root
    remote = address if address.lower().startswith(("http://", "https://")) else ""
    if not document.swagger:
        servers = document.list(root.get("servers"))
        server = document.map(servers[0]) if servers else {}
        url = str(server.get("url") or "/")
        for name, variable in document.map(server.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(document.map(variable).get("default", "")))
        return urljoin(remote, url)
    own = urlsplit(remote)
    schemes = [one for one in document.list(root.get("schemes")) if one in ("http", "https")]
    scheme = "https" if "https" in schemes else (schemes or [own.scheme or "http"])[0]
    host = str(root.get("host") or own.netloc)
    return f"{scheme}://{host}{root.get('basePath') or ''}" if host else ""


def _schemes(document: Document) -> Iterator[Scheme]:
    root = document.root
    place = root.get("securityDefinitions") if document.swagger else document.map(root.get("components")).get(
        "securitySchemes"
    )  # fmt: skip
    for one in map(document.map, document.map(place).values()):
        kind, scheme = str(one.get("type")), str(one.get("scheme", "")).lower()
        if kind == "basic" or (kind == "http" and scheme == "basic"):
            yield Scheme("basic")
        elif kind == "http" and scheme == "bearer":
            yield Scheme("bearer")
        elif kind == "apiKey" and one.get("in") == "header":
            yield Scheme("header", str(one.get("name")))
        elif kind == "apiKey" and one.get("in") == "query":
            yield Scheme("query", str(one.get("name")))
        elif kind == "oauth2":
            flow = one if document.swagger else document.map(document.map(one.get("flows")).get("clientCredentials"))
            scopes = " ".join(map(str, document.map(flow.get("scopes"))))
            token = flow.get("tokenUrl")
            yield Scheme("oauth2", str(token), scopes) if token else Scheme("other", "oauth2 without a token address")
        else:
            yield Scheme("other", f"{kind} {scheme}".strip())
