"""One HTTP exchange with a source: a total deadline, a size limit, and errors that say what to do.

Shared by sources that speak HTTP; it knows no protocol above it. A deadline is of wall-clock time for the whole
exchange, since per-read timeouts accept a dripping answer for ever. Only a connection that was refused or a name that
was not found is tried again, within the deadline: nothing was sent yet.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed, wait_random

from adapters.way import WaySettings, context, usual_context
from hub.answers import retry_after_s
from schemas.errors import SourceFault

log = logging.getLogger(__name__)

CONNECT_ATTEMPTS = 3
"""How often a connection is tried, about a second in all; the next poll tries again."""
CONNECT_S = 10.0
"""How long one attempt to connect may take."""
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An HTTP answer read whole. `charset` is what its Content-Type declares."""

    status: int
    body: bytes
    content_type: str
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name in small letters."""

    @property
    def charset(self) -> str | None:
        found = _CHARSET.search(self.content_type)
        return found[1] if found else None

    @property
    def text(self) -> str:
        """The body for a look at it; what cannot be read is replaced."""
        try:
            return self.body.decode(self.charset or "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    @property
    def elsewhere(self) -> str:
        """Where a redirect points, for an error: redirects are not followed, so the setting has to be mended."""
        return f" (it has moved to {self.location})" if self.location else ""

    @property
    def excerpt(self) -> str:
        """The beginning of the body in one line, for an error."""
        return " ".join(self.body[:400].decode("utf-8", "replace").split())[:200] or "nothing more"


def client(way: WaySettings | None = None, folder: Path = Path()) -> httpx.AsyncClient:
    """A client for one source: few connections, no redirects (they lead anywhere), no proxy of the environment.

    Raises: ConfigError for certificates that cannot be used.
    """
    return httpx.AsyncClient(
        verify=usual_context() if way is None else context(way, folder),
        proxy=None if way is None else way.proxy,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=30),
    )


async def fetch_in_time(http: httpx.AsyncClient, method: str, url: str, *, cap_s: float, **request: Any) -> Fetched:
    """As `fetch`, for a source that may say that it is asked too often: 429, or 503 with Retry-After.

    It is waited for as long as Retry-After says and asked again, until `cap_s` seconds were waited in all; what says
    nothing of when is a fault of this poll, after which the source is left alone anyway. Raises: SourceFault.
    """
    waited_s = 0.0
    while True:
        fetched = await fetch(http, method, url, **request)
        asked_s = retry_after_s(fetched.headers.get("retry-after"), datetime.now(UTC))
        if fetched.status not in (429, 503) or asked_s is None:
            return fetched
        what = f"{request['what']}: the source answered HTTP {fetched.status} (asked too often)"
        if waited_s >= cap_s:
            said = f", and still after {waited_s:g} s" if waited_s else ""
            raise SourceFault(f"{what}{said} — lower the source's `rate_per_s`, or raise `retry_after_cap_s`")
        wait_s = min(max(asked_s, 0.05), cap_s - waited_s)
        log.info("%s; waiting %g s", what, wait_s)
        await asyncio.sleep(wait_s)
        waited_s += wait_s


async def fetch(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    deadline_s: float,
    limit_bytes: int,
    what: str,
    mend: str = "",
    **request: Any,
) -> Fetched:
    """Send one request and read its answer, whatever its status, within `deadline_s` seconds in all.

    `what` names the exchange in errors, `mend` is added to those that configuration may cause; `request` is as for
    httpx.
    Raises: SourceFault; `down` where nobody answered at all.
    """
    advice = f" — {mend}" if mend else ""
    headers: Mapping[str, str] = {"Accept-Encoding": "identity", **(request.pop("headers", None) or {})}
    timeouts = httpx.Timeout(deadline_s, connect=min(deadline_s, CONNECT_S))
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(httpx.ConnectError),
        stop=stop_after_attempt(CONNECT_ATTEMPTS),
        wait=wait_fixed(0.1) + wait_random(0, 0.3),
        reraise=True,
    )
    try:
        async with asyncio.timeout(deadline_s):
            async for attempt in retrying:
                with attempt:
                    return await _once(
                        http, method, url, limit_bytes, what, headers=headers, timeout=timeouts, **request
                    )
    except TimeoutError as error:
        raise SourceFault(f"{what}: no whole answer from {_place(url)} within {deadline_s:g} s") from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        said = f"{what}: {_place(url)} cannot be reached: {_said(error)}{_tls_mend(error) or advice}"
        raise SourceFault(said, down=True) from error
    except httpx.TimeoutException as error:
        raise SourceFault(f"{what}: no whole answer from {_place(url)} within {deadline_s:g} s") from error
    except httpx.ProxyError as error:
        raise SourceFault(f"{what}: the proxy did not lead to {_place(url)}: {_said(error)} — mend `proxy`") from error
    except (httpx.HTTPError, ssl.SSLError) as error:  # httpx lets some of OpenSSL's errors through
        mend = _tls_mend(error)
        if not mend and url.startswith("https:") and not str(error):
            # With TLS 1.3 a server that misses our certificate says so after the handshake, or just hangs up.
            mend = " — see its log; where it wants to see a certificate, name it in `client_certificate`"
        elif not mend:
            mend = " — it was stopped, or died of this very answer: see its log; smaller pages may help"
        raise SourceFault(f"{what}: {_place(url)} broke off: {_said(error)}{mend}") from error
    except (httpx.InvalidURL, httpx.CookieConflict) as error:
        raise SourceFault(f"{what}: the address {url!r} cannot be used: {error}{advice}") from error
    raise AssertionError("tenacity either returns or raises")


async def _once(http: httpx.AsyncClient, method: str, url: str, limit_bytes: int, what: str, **request: Any) -> Fetched:
    async with http.stream(method, url, **request) as answer:
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > limit_bytes:
                raise SourceFault(
                    f"{what}: the answer of {_place(url)} has more than {limit_bytes:,} bytes; "
                    "ask for smaller pages or raise max_bytes"
                )
        return Fetched(
            answer.status_code,
            bytes(body),
            answer.headers.get("content-type", ""),
            answer.headers.get("location", ""),
            {name.lower(): value for name, value in answer.headers.items()},
        )


def _place(url: str) -> str:
    """The address without what may be secret: credentials and query."""
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None, query=None, fragment=None))
    except httpx.InvalidURL:
        return repr(url)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


_TLS_MENDS = {
    "CERTIFICATE_VERIFY_FAILED": "name the authority of its certificate in `ca_file`",
    "UNSUPPORTED_PROTOCOL": 'an old server: write the version it speaks, like `tls: {minimum: "1.0"}`',
    "VERSION_TOO_LOW": 'an old server: write the version it speaks, like `tls: {minimum: "1.0"}`',
    "PROTOCOL_VERSION": 'an old server: write the version it speaks, like `tls: {minimum: "1.0"}`',
    "DH_KEY_TOO_SMALL": 'an old server: write `tls: {minimum: "1.0"}`, which takes weak keys too',
    "LEGACY_RENEGOTIATION": "an old server: write `tls: {legacy: true}`",
    "CERTIFICATE_REQUIRED": "it wants to see a certificate: name it in `client_certificate`",
    "HANDSHAKE_FAILURE": "write `tls` as an old server needs it, or `client_certificate` where it wants one",
    "UNKNOWN_CA": "it does not know who signed `client_certificate`",
}
"""By what OpenSSL says."""


def _tls_mend(error: Exception) -> str:
    said = ""
    cause: BaseException | None = error
    while cause is not None:  # what OpenSSL says stands behind what httpx makes of it
        said, cause = f"{said} {cause}", cause.__cause__ or cause.__context__
    said = said.upper().replace(" ", "_")
    return next((f" — {mend}" for word, mend in _TLS_MENDS.items() if word in said), "")
