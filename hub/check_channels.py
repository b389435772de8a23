"""Looks at the sections `mail` and `alerts` of a configuration for what runs and is all the same no good idea. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from hub.draft import Draft
from hub.sections import MailSection, WebhookSection
from hub.validation import Place, secret_places
from schemas.errors import Problem


def channel_warnings(made: Draft) -> Iterator[Problem]:
    """Yield warnings, each with its line and mend: secrets in the file, secrets that travel in clear."""
    root = made.document.data
    mail = root.get("mail")
    for place in secret_places(MailSection, mail, ("mail",)):
        yield from _plain_secret(made, place, mail[place[-1]], f"HUB_MAIL_{str(place[-1]).upper()}")
    alerts = root.get("alerts")
    webhooks = alerts.get("webhooks") if isinstance(alerts, dict) else None
    for number, written in enumerate(webhooks if isinstance(webhooks, list) else []):
        for place in secret_places(WebhookSection, written, ("alerts", "webhooks", number)):
            name = str(written.get("name", number)).upper().replace("-", "_")
            yield from _plain_secret(made, place, written[place[-1]], f"HUB_{name}_{str(place[-1]).upper()}")
    yield from _in_clear(made)


def _plain_secret(made: Draft, place: Place, written: Any, variable: str) -> Iterator[Problem]:
    if isinstance(written, str) and "${" not in written:
        said = f"{'.'.join(map(str, place))}: a secret stands in the file"
        yield _warning(made, "plain-secret", said, f"write ${{{variable}}} and set it in the environment", place)


def _in_clear(made: Draft) -> Iterator[Problem]:
    mail = made.mail
    if mail is not None and mail.tls == "none" and mail.password is not None and not _is_here(mail.host):
        said = f"mail.tls: the password goes to {mail.host} unencrypted"
        yield _warning(made, "secret-in-clear", said, "write starttls (port 587) or tls (port 465)", ("mail", "tls"))
    for number, webhook in enumerate(made.alerts.webhooks if made.alerts is not None else []):
        there = urlsplit(webhook.url)
        if webhook.bearer is not None and there.scheme == "http" and not _is_here(there.hostname or ""):
            said = f"alerts.webhooks.{number}.url: the bearer goes to {there.hostname} unencrypted"
            yield _warning(made, "secret-in-clear", said, "write https://", ("alerts", "webhooks", number, "url"))


def _is_here(host: str) -> bool:
    """Whether it is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _warning(made: Draft, rule: str, said: str, mend: str, place: Place) -> Problem:
    return Problem(rule, said, mend, made.document.file, made.document.line(place))
