"""`hub alerts`: what is wrong and was, who was told, and whether everybody can be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, ConfigArgument, LedgerOption
from hub.cli.output import console, counted, guarded, moment, print_json, refuse
from hub.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from hub.ledger.alert_views import AlertView, Told
    from hub.sections import AlertsSection, MailSection

app = typer.Typer(
    help="Alerts: what is open and was, who was told; test every channel.",
    epilog="Example: hub alerts list",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: hub alerts list hub.yaml --days 30")
@guarded
def list_(
    config: ConfigArgument = DEFAULT_CONFIG,
    days: Annotated[
        float, typer.Option("--days", metavar="N", min=0.0, help="Ended alerts of so many days are shown too.")
    ] = 7.0,
    ledger: LedgerOption = None,
    as_json: AsJson = False,
) -> None:
    """List what is open and what ended lately: since when, until when, who was told, and what could not be told."""
    with reading(config, ledger) as reader:
        found = reader.alert_history(datetime.now(UTC) - timedelta(days=days))
    if as_json:
        print_json(found)
        return
    out = console()
    for title, alerts in (("Open", found.open), ("Ended", found.ended)):
        out.print(f"{title}: {counted(len(alerts), 'alert')}" if alerts else f"{title}: none", style="bold")
        for one in alerts:
            for line in _lines(one):
                out.print(line, soft_wrap=True)
    if found.untold:
        out.print(f"Not told: {counted(len(found.untold), 'message')}", style="bold red")
        for told in found.untold:
            then = f"again {moment(told.next_at)}" if told.next_at is not None else "given up"
            tries = f"{told.tries:,} {'try' if told.tries == 1 else 'tries'}"
            out.print(f"  {told.about}: {told.problem} ({tries}, {then})", markup=False, soft_wrap=True)


def _lines(one: AlertView) -> Iterator[Text]:
    """What it is, its end, and who heard of either."""
    from rich.text import Text

    yield Text.assemble("  ", (one.subject, "bold"), f": {one.text}")
    if one.end_text:
        yield Text(f"    {one.end_text}")
    for part, messages in (("start", one.start), ("end", one.end)):
        if messages:
            yield Text(f"    {part} told to {_who(messages)}")


def _who(messages: Sequence[Told]) -> str:
    return ", ".join(f"{one.channel} {moment(one.sent_at) if one.sent_at else '(not yet)'}" for one in messages)


@app.command("test", epilog="Example: hub alerts test hub.yaml")
@guarded
def try_out(config: ConfigArgument = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Send one test message to every configured channel now, and say of each whether it went.

    The ledger is not needed. Exit status 1 if any did not go, or if nobody is configured.
    """
    import asyncio

    from hub.settings import locate_channels

    hub, mail, alerts = locate_channels(config)
    if not alerts.channels:
        refuse(
            "nobody-to-tell",
            "alerts: neither a mail address nor a webhook is configured",
            "add 'alerts: {mail: [phong@tinh.example.vn]}' and a 'mail:' section; see docs/alerts.md",
            str(config),
            as_json=as_json,
        )
    went = asyncio.run(_try(hub.name, mail, alerts))
    ok = not any(problem for _, problem in went)
    if as_json:
        print_json({"ok": ok, "channels": [{"channel": one, "ok": not said, "problem": said} for one, said in went]})
    else:
        out = console()
        for channel, problem in went:
            out.print(f"{channel}: {problem or 'told'}", style="red" if problem else "", markup=False, soft_wrap=True)
    raise typer.Exit(0 if ok else 1)


async def _try(hub: str, mail: MailSection | None, alerts: AlertsSection) -> list[tuple[str, str]]:
    """Tell every channel at the same time; returns what went wrong with each, empty where nothing did."""
    import asyncio
    import secrets

    from hub.alert_words import trial
    from hub.mailing import NotToldError
    from hub.telling import Channels

    now = datetime.now(UTC)
    content: dict[str, Any] = trial(hub, int(now.timestamp() * 1_000_000))
    channels = Channels(mail, alerts, origin=hub)
    # Each trial is a message of its own: a mail server would drop a repeat.
    about = f"test {secrets.token_hex(8)}"

    async def one(channel: str) -> tuple[str, str]:
        try:
            await channels.send(channel, f"{about} {channel}", content, now)
        except NotToldError as fault:
            return channel, str(fault)
        return channel, ""

    try:
        return list(await asyncio.gather(*(one(channel) for channel in alerts.channels)))
    finally:
        await channels.close()
