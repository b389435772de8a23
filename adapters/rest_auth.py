"""Who the hub is to a system that speaks HTTP: how it logs in, and how it signs.

The settings, what is asked for a token and how its answer is read are the same for a source and for a destination.
`Session` gives each request to a source its headers: a token is had before the first request, renewed before it ends,
and once when the source refuses it. A destination keeps its token in `adapters.portal.Credential`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters.fetching import fetch
from adapters.moments import WriteFormat, Writer
from mappings.decode import json
from mappings.document import json_finder
from schemas.errors import SourceFault, UndecodableError

RENEW_AT = 0.9
"""The part of a token's life after which the next request asks for a new one."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class NoAuth(_Part):
    type: Literal["none"] = "none"


class BearerAuth(_Part):
    """A token that does not change."""

    type: Literal["bearer"]
    token: SecretStr
    """From the environment."""


class LoginAuth(_Part):
    """A log-in (POST of JSON) that gives a token."""

    type: Literal["login"]
    path: str
    """Where to log in, below `url`."""
    username: str
    """Who the hub is there."""
    password: SecretStr
    """From the environment."""
    username_field: str = "username"
    """The member of the log-in that holds the name."""
    password_field: str = "password"
    """The member that holds the password."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Constants sent with it."""
    token: str = "token"
    """The path of the token in the answer."""
    expires: str | None = None
    """The path of its life in seconds."""
    expired: str | None = None
    """A text that a page has, with HTTP 200, when the session has died."""


class BasicAuth(_Part):
    """A name and a password with each request."""

    type: Literal["basic"]
    username: str
    """Who the hub is there."""
    password: SecretStr
    """From the environment."""


class OAuth2Auth(_Part):
    """Client credentials (RFC 6749, 4.4)."""

    type: Literal["oauth2"]
    token_url: str
    """An address, or a path below `url`."""
    client_id: str
    """Who the hub is there."""
    client_secret: SecretStr
    """From the environment."""
    scope: str | None = None
    """What the token is asked for, where the server wants to know."""
    send: Literal["basic", "body"] = "basic"
    """Where the credentials go: into the Authorization header, or into the form."""
    body: dict[str, str] = Field(default_factory=dict)
    """More fields of the form, like `audience`."""


Auth: TypeAlias = NoAuth | BearerAuth | BasicAuth | LoginAuth | OAuth2Auth

_HOLES = ("time", "nonce", "method", "path", "query", "host", "url", "body_sha256", "names", "json", "signature")
_HOLE = re.compile(r"\{([a-z0-9_]+|header:[A-Za-z0-9-]+)\}")


class SignSettings(_Part):
    """Headers that sign each request (HMAC). Templates have holes like {time}; see docs/configuration.md."""

    secret: SecretStr
    """The key, from the environment."""
    secret_is: Literal["text", "hex", "base64"] = "text"
    """How the key is written."""
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    """The digest of the HMAC."""
    written: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    text: str
    """What is signed, a template without {signature}."""
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], str]
    """The headers, each a template, made in this order; one of them holds {signature}."""
    signed: list[str] = Field(default_factory=list)
    """Which of the headers {names} and {json} are of."""
    joined_by: str = ";"
    """Between the names of {names}."""
    time_format: WriteFormat = "iso"
    """How {time} is written."""

    @model_validator(mode="after")
    def _templates(self) -> SignSettings:
        for name, template in {"text": self.text, **self.headers}.items():
            for hole in _HOLE.findall(template):
                if hole.startswith("header:"):
                    if hole[7:] not in self.headers:
                        raise ValueError(f"{name}: {{{hole}}} is none of `headers`")
                elif hole not in _HOLES:
                    raise ValueError(f"{name}: there is no {{{hole}}}; there are {', '.join(_HOLES)}, header:NAME")
        for name in self.signed:
            if re.search(r"\{(names|json|signature)\}", self.headers.get(name, "{names}")):
                raise ValueError(f"signed: {name} is none of `headers` that can be signed")
        if "{signature}" in self.text:
            raise ValueError("text: what is signed cannot hold {signature}")
        if not any("{signature}" in template for template in self.headers.values()):
            raise ValueError("headers: none of them holds {signature}")
        try:
            self.key()
        except ValueError:
            raise ValueError(f"secret: is no {self.secret_is}") from None
        return self

    def key(self) -> bytes:
        """The secret's bytes. Raises: ValueError."""
        text = self.secret.get_secret_value()
        if self.secret_is == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True) if self.secret_is == "base64" else text.encode()


def signer(settings: SignSettings) -> Callable[[str, str, bytes], dict[str, str]]:
    """Compile to `(method, url with query, body) -> headers`, new for each request."""
    write, key = Writer(settings.time_format), settings.key()

    def sign(method: str, url: str, body: bytes) -> dict[str, str]:
        parts = urlsplit(url)
        known = {
            "time": write(datetime.now(UTC)),
            "nonce": secrets.token_hex(16),
            "method": method,
            "path": parts.path or "/",
            "query": parts.query,
            "host": parts.netloc.rpartition("@")[2],
            "url": url,
            "body_sha256": hashlib.sha256(body).hexdigest(),
            "names": settings.joined_by.join(settings.signed),
        }

        def filled(template: str) -> str:
            return _HOLE.sub(lambda hole: known[hole[1]], template)

        done: dict[str, str] = {}

        def header(name: str) -> None:
            done[name] = known[f"header:{name}"] = filled(settings.headers[name])

        for name in settings.signed:
            header(name)
        known["json"] = orjson.dumps({name: done[name] for name in settings.signed}).decode()
        for name, template in settings.headers.items():
            if name not in done and "{signature}" not in template:
                header(name)
        mac = hmac.new(key, filled(settings.text).encode(), settings.algorithm).digest()
        known["signature"] = mac.hex() if settings.written == "hex" else base64.b64encode(mac).decode()
        for name in settings.headers:
            if name not in done:
                header(name)
        return {name: done[name] for name in settings.headers}

    return sign


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One POST for a token."""

    what: str
    """For people: `token` or `log-in`."""
    who: str
    """The name that is shown where it is refused."""
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    token: str
    """Where the token stands in the answer."""
    expires: str | None
    """Where its life in seconds stands."""
    mend: str
    """What to look at where it is refused."""
    mend_missing: str
    """What to look at where no token comes."""


class NoTokenError(ValueError):
    """The answer holds no token; the text never has a secret."""


def token_request(auth: LoginAuth | OAuth2Auth, url: str, headers: Mapping[str, str]) -> TokenRequest:
    """What is posted for a token; `url` is the base, `headers` go with every request."""
    if isinstance(auth, LoginAuth):
        asked = {**auth.body, auth.username_field: auth.username, auth.password_field: auth.password.get_secret_value()}
        return TokenRequest(
            "log-in",
            auth.username,
            f"{url}/{auth.path.lstrip('/')}",
            {"Content-Type": "application/json", "Accept": "application/json", **headers},
            orjson.dumps(asked),
            auth.token,
            auth.expires,
            "mend `username` and `password`",
            "mend `token`",
        )
    secret = auth.client_secret.get_secret_value()
    form = {"grant_type": "client_credentials", **auth.body}
    if auth.scope is not None:
        form["scope"] = auth.scope
    made = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **headers}
    if auth.send == "basic":
        made["Authorization"] = basic(auth.client_id, secret)
    else:
        form |= {"client_id": auth.client_id, "client_secret": secret}
    return TokenRequest(
        "token",
        auth.client_id,
        urljoin(f"{url}/", auth.token_url if "://" in auth.token_url else auth.token_url.lstrip("/")),
        made,
        urlencode(form).encode("ascii"),
        "access_token",
        "expires_in",
        "mend `client_id`, `client_secret` and `scope`, or `send`",
        "see that `token_url` is right",
    )


def read_token(asked: TokenRequest, body: bytes, charset: str | None) -> tuple[str, float]:
    """The token in an answer and after how many seconds to ask for another, `inf` where it does not say.

    Raises: NoTokenError.
    """
    try:
        answer = json.parse(body, charset, limit=1 << 20)
    except UndecodableError as error:
        raise NoTokenError(f"the answer cannot be read: {error}") from error
    token = next(iter(json_finder(asked.token)(answer)), None)
    if not isinstance(token, str) or not token.strip() or not token.isascii() or not token.isprintable():
        held = ", ".join(sorted(answer)) if isinstance(answer, dict) else "no object"
        raise NoTokenError(f"no token at {asked.token!r} in the answer, which has {held} — {asked.mend_missing}")
    life = next(iter(json_finder(asked.expires)(answer)), None) if asked.expires else None
    if isinstance(life, str) and life.strip().isdecimal():
        life = int(life)
    if not isinstance(life, int | float) or isinstance(life, bool) or life <= 0:
        return token.strip(), float("inf")
    return token.strip(), life * RENEW_AT


class Session:
    """The tokens of one source."""

    def __init__(
        self,
        auth: Auth,
        sign: SignSettings | None,
        http: httpx.AsyncClient,
        url: str,
        headers: dict[str, str],
        *,
        timeout_s: float,
    ) -> None:
        self.auth, self._http, self._url, self._headers, self._timeout_s = auth, http, url, headers, timeout_s
        self._sign = None if sign is None else signer(sign)
        self._token: str | None = None
        self._renew_at = float("inf")
        if isinstance(auth, BearerAuth):
            self._token = auth.token.get_secret_value()

    @property
    def renewable(self) -> bool:
        """Whether a token that is refused can be had anew."""
        return isinstance(self.auth, LoginAuth | OAuth2Auth)

    def forget(self) -> None:
        """Have a new token for the next request."""
        self._token = None

    async def headers(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """What a request says of who asks. Raises: SourceFault; the text never has a secret."""
        made: dict[str, str] = {}
        auth = self.auth
        stale = self._token is None or time.monotonic() >= self._renew_at
        if isinstance(auth, LoginAuth | OAuth2Auth) and stale:
            await self._log_in(auth)
        elif isinstance(auth, BasicAuth):
            made["Authorization"] = basic(auth.username, auth.password.get_secret_value())
        if self._token is not None:
            made["Authorization"] = f"Bearer {self._token}"
        if self._sign is not None:
            made |= self._sign(method, url, body)
        return made

    async def _log_in(self, auth: LoginAuth | OAuth2Auth) -> None:
        """Raises: SourceFault; the text never has the password."""
        asked = token_request(auth, self._url, self._headers)
        self._token = None
        fetched = await fetch(
            self._http,
            "POST",
            asked.url,
            content=asked.content,
            headers=dict(asked.headers),
            deadline_s=self._timeout_s,
            limit_bytes=1 << 20,
            what=asked.what,
            mend=f"see that `{'url' if asked.what == 'log-in' else 'token_url'}` is right and the service runs",
        )
        if not 200 <= fetched.status < 300:
            raise SourceFault(
                f"{asked.what}: {asked.who!r} was refused with HTTP {fetched.status}{fetched.elsewhere}: "
                f"{fetched.excerpt} — {asked.mend}"
            )
        try:
            self._token, life_s = read_token(asked, fetched.body, fetched.charset)
        except NoTokenError as error:
            raise SourceFault(f"{asked.what}: {error}") from error
        self._renew_at = time.monotonic() + life_s


def basic(username: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
