"""The way to another side that speaks HTTP: its TLS, its certificates, a proxy; how long a source may let the hub wait.

Shared by the settings of sources and destinations. What makes a connection weaker than it has to be is allowed, since
old servers know nothing better, and `hub check` names it as such.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from schemas.errors import ConfigError, Problem

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_LEGACY_CONNECT = 0x4
"""OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, which Python names since 3.12 only."""


class TlsSettings(BaseModel):
    """What TLS an old server needs; without it TLS 1.2 and safe renegotiation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    minimum: Literal["1.0", "1.1", "1.2", "1.3"] = "1.2"
    """The oldest version that is spoken; below 1.2 weak ciphers and signatures are taken too."""
    legacy: bool = False
    """Speak to a server that cannot renegotiate safely (RFC 5746)."""


class WaySettings(BaseModel):
    """A part of the settings of whoever speaks HTTP: how the other side is reached."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    ca_file: str | None = None
    """A certificate authority of one's own (PEM), instead of those of the system."""
    client_certificate: str | None = None
    """The certificate (PEM, with its chain) that the hub shows to the other side."""
    client_key: str | None = None
    """Its private key (PEM), where it does not stand in the same file."""
    client_key_password: SecretStr | None = None
    """What the private key is locked with."""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    proxy: str | None = Field(None, repr=False)
    """An HTTP proxy, `http://host:port`; the environment's is never used."""

    @field_validator("proxy")
    @classmethod
    def _proxy_address(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://none")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError("give an address like http://proxy.example.vn:3128")
        return value

    @model_validator(mode="after")
    def _certificate_first(self) -> WaySettings:
        for name in ("client_key", "client_key_password"):
            if getattr(self, name) is not None and self.client_certificate is None:
                raise ValueError(f"{name} belongs to client_certificate: name that too")
        return self

    def cautions(self) -> Sequence[Problem]:
        """What makes the connection weaker than it has to be, for `hub check`."""
        found = []
        if self.tls.minimum in ("1.0", "1.1"):
            said = f"tls.minimum ({self.tls.minimum}) lets an old server speak TLS that can be broken"
            found.append(Problem("weak-tls", said, "have the server renewed; until then keep it in a closed network"))
        if self.tls.legacy:
            said = "tls.legacy lets the server renegotiate unsafely: who stands between can put words before ours"
            found.append(Problem("legacy-tls", said, "have the server renewed; until then keep it in a closed network"))
        return found

    def lacking(self, folder: Path) -> Sequence[Problem]:
        """What cannot be read of the files that are named, for `hub check`."""
        return list(_lacking(self, folder))


class SourceWaySettings(WaySettings):
    """The way to a source, which may name a time to wait; how long a destination waits is the ledger's."""

    retry_after_cap_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 60.0
    """How long a source that answers 429 (or 503 with Retry-After) may let one request wait, in all."""


def _lacking(way: WaySettings, folder: Path) -> Iterator[Problem]:
    for name in ("ca_file", "client_certificate", "client_key"):
        path = getattr(way, name)
        if path is None:
            continue
        try:
            (folder / path).read_bytes()
        except OSError as error:
            said = f"{name}: {path} cannot be read: {(error.strerror or 'an error').lower()}"
            yield Problem("unreadable-file", said, f"correct {name}, or put the file there")
            return
    try:
        if not _is_usual(way):
            _context(way, folder)
    except (ssl.SSLError, OSError, ValueError) as error:
        name = "ca_file" if way.client_certificate is None else "client_certificate"
        if way.ca_file is not None and way.client_certificate is not None and _bad_authority(way, folder):
            name = "ca_file"
        said = f"{name}: cannot be used: {error}"
        yield Problem("wrong-value", said, "give PEM files; a key must be that of its certificate, its password right")


def _bad_authority(way: WaySettings, folder: Path) -> bool:
    try:
        ssl.create_default_context(cafile=folder / (way.ca_file or ""))
    except (ssl.SSLError, OSError):
        return True
    return False


def _context(way: WaySettings, folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=None if way.ca_file is None else folder / way.ca_file)
    if way.tls.minimum in ("1.0", "1.1"):
        # OpenSSL's usual level forbids the signatures that these versions are made of.
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1, which `hub check` names
        made.minimum_version = _VERSIONS[way.tls.minimum]
    if way.tls.legacy:
        made.options |= _LEGACY_CONNECT
    if way.client_certificate is not None:
        key = None if way.client_key is None else str(folder / way.client_key)
        # Without a password of its own OpenSSL would ask the terminal for one.
        secret = way.client_key_password.get_secret_value() if way.client_key_password is not None else ""
        made.load_cert_chain(str(folder / way.client_certificate), key, secret)
    return made


def _is_usual(way: WaySettings) -> bool:
    return way.ca_file is None and way.client_certificate is None and way.tls == TlsSettings()


@cache
def usual_context() -> ssl.SSLContext:
    """The TLS of every source that asks for nothing of its own: the system's authorities take 30 ms to load."""
    return _context(WaySettings(proxy=None), Path())


def context(way: WaySettings, folder: Path) -> ssl.SSLContext:
    """The TLS of one way; the server's certificate is always looked at. Raises: ConfigError for files that are not
    there or are none."""
    if _is_usual(way):
        return usual_context()
    problems = list(_lacking(way, folder))
    if problems:
        raise ConfigError(problems)
    return _context(way, folder)
