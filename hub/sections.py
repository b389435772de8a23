"""The sections of `hub.yaml`, as strict models: what may be written, and what holds where nothing is written.

Durations are in seconds and end in `_s`. Reads no file and knows no adapter (`hub.draft` and `hub.check` do).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hub.maintenance import DAYS, Announced, Recurring, Window
from hub.sparing import Sparing, hours
from mappings.notation import nearest
from mappings.rows import NO_PROCEDURES
from schemas.agency import AgencyRegister
from schemas.local_time import LOCAL
from schemas.procedure import ProcedureRegister
from schemas.record import KINDS, Record
from schemas.sensitivity import Sensitivity, sensitivity

NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,39}$")
Name = Annotated[str, StringConstraints(pattern=NAME)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Text = Annotated[str, StringConstraints(min_length=1)]
Scope = Annotated[list[Text], Field(min_length=1)]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9]{2}$")]
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_WEB_ADDRESS = re.compile(r"https?://[^\s/@]+(?:/\S*)?")


def _mail_address(text: str) -> str:
    if not MAIL_ADDRESS.fullmatch(text):
        raise ValueError("is no mail address like phong@travinh.gov.vn, without a name and in ASCII")
    return text


def _web_address(text: str) -> str:
    if not _WEB_ADDRESS.fullmatch(text):
        raise ValueError("is no address like https://host/path; a password goes into bearer or secret")
    return text


MailAddress = Annotated[str, AfterValidator(_mail_address)]
"""One address without a name, in ASCII: nothing in it can break out of a header or a command."""
Attempts = Annotated[int, Field(ge=1, le=1000)]
Age = Annotated[float, Field(gt=0, le=10 * 366 * 86_400)]

RETRIED = ("transient", "throttled", "already-there", "unknown")
"""Classes of faults that are tried again by a schedule. What is refused for its data is dead at once; a portal that is
down or refuses the log-in holds the gate and costs nobody an attempt."""


_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]*)@")


def without_password(url: str) -> str:
    """The URL with its password shown as `***`."""
    return _PASSWORD_IN_URL.sub(r"\1:***@", url)


def refused(text: str, mend: str, rule: str = "wrong-value") -> PydanticCustomError:
    """Make the error of a validator that says itself how it is mended (`hub.validation`)."""
    return PydanticCustomError("refused", "{text}", {"text": text, "mend": mend, "rule": rule})


class Section(BaseModel):
    """A part of the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class HubSection(Section):
    """Whose hub this is."""

    name: Name
    province: Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9]{2}$")] = Field(
        description="The province's code in the national register: H59 is Trà Vinh."
    )


class LedgerSection(Section):
    """Where the ledger lies: `sqlite:///var/hub.db` or `postgresql://…`."""

    url: Text = Field("sqlite:///var/hub.db", repr=False)
    reserve_mb: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Free space on its disk below which intake waits, kept for claims and receipts; None: `hub.ledger.reserve`
    chooses."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("is neither sqlite:///FILE nor postgresql://USER@HOST/DATABASE")
        return url

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return without_password(self.url)


class BusSection(Section):
    """What carries the tickets: `embedded:` (one process) or `amqp://…` (RabbitMQ)."""

    url: Text = Field("embedded:", repr=False)

    @field_validator("url")
    @classmethod
    def _known_bus(cls, url: str) -> str:
        if url != "embedded:" and not url.startswith(("amqp://", "amqps://")):
            raise ValueError("is neither 'embedded:' nor amqp://USER:PASSWORD@HOST/VHOST")
        return url

    prefix: Name = "hub"
    """Queues are named `<prefix>.<destination>`, the exchange `<prefix>`."""
    prefetch: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Tickets that one consumer holds unacknowledged; None leaves it to the bus."""

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return without_password(self.url)


def _hours(text: str) -> str:
    hours(text)
    return text


class SourceSection(Section):
    """One legacy system that is polled."""

    adapter: Text
    agency_name: str | None = None
    """For people."""
    every_s: Seconds = 60.0
    """From the end of one poll to the start of the next."""
    rate_per_s: Annotated[float, Field(ge=0.05, le=10_000)] | None = None
    """Pages a second at most; None is no limit."""
    quiet: list[Annotated[str, AfterValidator(_hours)]] = []
    """Hours of grace, like `07:00-08:00`, in Viet Nam: the source is not asked then."""
    mappings: Scope
    """Inbound mappings; all of them read the same bytes."""
    samples: Text | None = None
    """What the system once sent, as files: a folder or a pattern, relative to the configuration; for `hub drill`."""
    start_from: datetime | None = None
    """What changed before is left out: read and counted, sent to nobody. A day or a time; local where it says no
    offset."""
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The adapter's own."""

    def sparing(self) -> Sparing:
        """`quiet` and `rate_per_s`, for the loop that asks."""
        return Sparing([hours(text) for text in self.quiet], self.rate_per_s)

    @field_validator("start_from", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        return datetime.fromisoformat(value) if isinstance(value, str) else value

    @field_validator("start_from")
    @classmethod
    def _local(cls, value: datetime | None) -> datetime | None:
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=LOCAL)


def _retried(name: str) -> str:
    if name not in RETRIED:
        raise refused(
            f"what is refused as {name!r} is not tried again by a schedule",
            f"write one of {', '.join(RETRIED)}",
        )
    return name


class RetryOverrides(Section):
    """What differs for one class of faults; what is not written is as for the destination."""

    first_s: Seconds = 1.0
    cap_s: Seconds = 300.0
    limit: Attempts = 20
    give_up_after_s: Age | None = None


class RetrySection(RetryOverrides):
    """Exponential backoff with full jitter: at most first_s × 2^n, never over cap_s; `limit` attempts in all, and none
    after `give_up_after_s` of trying (None: no end by age)."""

    classes: dict[Annotated[str, AfterValidator(_retried)], RetryOverrides] = Field(default_factory=dict)
    """By class of fault, one of RETRIED."""

    @model_validator(mode="after")
    def _cap_above_first(self) -> Self:
        all_of_them: list[tuple[str, RetryOverrides]] = [("", self)]
        all_of_them += [(f"classes.{name}.", self.of(name)) for name in self.classes]
        for where, found in all_of_them:
            if found.cap_s < found.first_s:
                cap, first = f"{where}cap_s ({found.cap_s:g})", f"first_s ({found.first_s:g})"
                raise refused(f"{cap} is below {first}", f"raise {where}cap_s, or lower first_s", "retry-cap")
            if found.give_up_after_s is not None and found.give_up_after_s < found.first_s:
                said = f"{where}give_up_after_s ({found.give_up_after_s:g}) is below first_s ({found.first_s:g})"
                mend = f"raise {where}give_up_after_s, or lower first_s: nothing would be tried a second time"
                raise refused(said, mend, "retry-age")
        return self

    def of(self, name: str) -> RetryOverrides:
        """Return what holds for a class of faults."""
        mine = self.classes.get(name)
        changed = {} if mine is None else {key: getattr(mine, key) for key in mine.model_fields_set}
        return RetryOverrides(**{key: getattr(self, key) for key in RetryOverrides.model_fields} | changed)


class MaintenanceSection(Section):
    """A time that a portal's operator has announced to be away: once, `daily` or `weekly`."""

    daily: Literal[True] | None = None
    weekly: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    """The day on which it starts."""
    start: Text = Field(alias="from")
    """Local time of Viet Nam: `22:00` where it recurs, else `2026-12-01 22:00`, or ISO 8601 with an offset."""
    end: Text = Field(alias="to")
    """Where it recurs and this is not after `from`, it is that of the next day."""
    why: str = ""

    @field_validator("weekly", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _a_span_of_time(self) -> Self:
        if self.daily and self.weekly:
            raise refused("it is both daily and weekly", "keep one of them", "maintenance-time")
        self.announced()
        return self

    def announced(self) -> Announced:
        """Return it as `hub.maintenance` knows it."""
        if not (self.daily or self.weekly):
            start_at, end_at = (_moment(name, text) for name, text in (("from", self.start), ("to", self.end)))
            if end_at <= start_at:
                said = f"to ({self.end}) does not lie after from ({self.start})"
                raise refused(said, "let 'to' be later than 'from'", _BACKWARDS)
            return Window(start_at, end_at, self.why)
        start, end = (_clock_time(name, text) for name, text in (("from", self.start), ("to", self.end)))
        if start == end:
            said = f"it begins when it ends ({self.start})"
            raise refused(said, "let 'to' differ from 'from'; one that is earlier is the next day's", _BACKWARDS)
        return Recurring(start, end, None if self.daily else DAYS.index(self.weekly or ""), self.why)


_BACKWARDS = "maintenance-backwards"


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        mend = "write 2026-12-01 22:00, or add 'daily: true' or 'weekly: sunday' where it recurs"
        raise refused(f"{name} ({text}) is no day and time", mend, "maintenance-time") from None
    if len(text) <= len("2026-12-01"):
        raise refused(f"{name} ({text}) names no time of the day", f"write {text} 00:00", "maintenance-time")
    return found if found.tzinfo is not None else found.replace(tzinfo=LOCAL)


def _clock_time(name: str, text: str) -> time:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        said = f"{name} ({text}) is no time of the day"
        raise refused(said, "write it as 22:00, in quotes", "maintenance-time") from None
    if found.tzinfo is not None:
        said = f"{name} ({text}) has an offset; what recurs is in local time"
        raise refused(said, "write it as 22:00, in quotes", "maintenance-time")
    return found


def _personal(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ("all", "none"):
            mend = "write all, none, or a list of fields: [applicant_name]"
            raise refused(f"{value!r} says not which personal data it is to get", mend, _NOT_PERSONAL)
        return value
    known = sorted({name for kind in KINDS.values() for name in kind.model_fields if _is_personal(kind, name)})
    for name in value if isinstance(value, list | tuple) else ():
        if name not in known:
            raise refused(f"no record has a personal field {name!r}", nearest(str(name), known), _NOT_PERSONAL)
    return tuple(value) if isinstance(value, list) else value


def _is_personal(kind: type[Record], name: str) -> bool:
    return sensitivity(kind, name).rank >= Sensitivity.PERSONAL.rank


_NOT_PERSONAL = "personal-unknown"


class DestinationSection(Section):
    """One portal that is written to."""

    adapter: Text
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The adapter's own."""
    answers: Text | None = None
    """The table that says what the portal's codes mean: a shipped name or a file."""
    mappings: Annotated[dict[str, Text], Field(min_length=1)]
    """Outbound mapping per kind."""
    window: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """At most so many dispatches are queued at a time (R2)."""
    parallel: Annotated[int, Field(ge=1, le=256)] = 4
    """Requests at a time."""
    deadline_s: Seconds = 30.0
    """The whole of one request, from the first byte sent to the last received (R7)."""
    rate_per_s: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Requests a second at most, of all processes together; None is no limit."""
    maintenance: list[MaintenanceSection] = Field(default_factory=list)
    """When it will be away: it is closed `deadline_s` earlier, so that nothing is on the wire when it begins."""
    retry: RetrySection = RetrySection()
    unknown_events: Literal["resend", "ask-operator"] = "resend"
    """What becomes of an event whose outcome stays unknown (R8)."""
    personal: Annotated[Literal["all", "none"] | tuple[str, ...], BeforeValidator(_personal)] = "all"
    """Which personal data it is to get: all, none, or the fields of the records that are listed. `hub check` refuses a
    mapping that a route would let show more."""
    urgent_days: Annotated[int, Field(ge=0, le=366)] = 2
    """Where more waits than the window takes, unfinished dossiers due today or within so many calendar days go first;
    0 lets nobody go first."""


def _daytime(at: str) -> str:
    if not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", at):
        raise ValueError('is no time of day; write "07:00"')
    return at


class Canary(Section):
    """Whom a route is limited to for the time being."""

    agencies: Scope
    """Records without an agency of their own, such as steps, follow their dossier's."""


class AgencyFilesSection(Section):
    """The daily error file of each agency: where it lies, when it is made, who gets it by mail."""

    folder: Text = "var/agencies"
    at: str = "07:00"
    """When yesterday's files are made, in Viet Nam."""
    mail: dict[Text, Annotated[list[MailAddress], Field(min_length=1)]] = Field(default_factory=dict)
    """Addresses by the agency's canonical code, or by the source where the agency of its rows is not known."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Folders of so many days are kept."""

    @field_validator("at")
    @classmethod
    def _time_of_day(cls, at: str) -> str:
        return _daytime(at)

    @property
    def time(self) -> time:
        """`at` as a time of day."""
        return time.fromisoformat(self.at)


class RegistersSection(Section):
    """Which registers are taken over from a portal's catalogues, and when."""

    source: Text = Field(alias="from")
    """The destination whose portal shows its catalogues."""
    take: Annotated[list[Literal["agencies", "procedures", "fields"]], Field(min_length=1)] = [
        "agencies",
        "procedures",
        "fields",
    ]
    """Which of them: agencies, procedures, and the fields that procedures belong to."""
    every_s: Annotated[float, Field(ge=60, le=31 * 86_400)] | None = None
    """From one look to the next; instead of `at`."""
    at: str | None = None
    """When it is looked once a day, in Viet Nam; 02:00 where neither is written."""
    provinces: Annotated[list[ProvinceCode], Field(min_length=1)] | None = None
    """Whose agencies and procedures are taken; only the hub's own province where nothing is written."""
    largest_loss: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the known entries that may be gone at once; an answer that lacks more is refused as suspicious."""
    deadline_s: Seconds = 120.0
    """The whole of one catalogue, log-in included."""

    @field_validator("at")
    @classmethod
    def _time_of_day(cls, at: str | None) -> str | None:
        return None if at is None else _daytime(at)

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.every_s is not None and self.at is not None:
            raise ValueError("every_s and at are two schedules: keep one of them")
        return self

    @property
    def time(self) -> time:
        """`at` as a time of day."""
        return time.fromisoformat(self.at or "02:00")


class Route(Section):
    """Which kinds go where; `sources` and `agencies` narrow it for good, `only` for the time being."""

    kinds: Scope
    to: Scope
    sources: Scope | None = None
    agencies: Scope | None = None
    only: Canary | None = None


class MailSection(Section):
    """The server that mails are given to (SMTP)."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """`tls` from the first byte (port 465 mostly); both look at the server's certificate."""
    ca_file: Text | None = None
    """A certificate authority of one's own, in a file."""
    username: Text | None = None
    password: SecretStr | None = None
    sender: MailAddress
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """The whole of one mail, from the connection to the server's last word."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: write both or neither")
        return self


class WebhookSection(Section):
    """One address that alerts are posted to, as JSON."""

    name: Name
    url: Annotated[str, AfterValidator(_web_address)] = Field(repr=False)
    bearer: SecretStr | None = None
    """Sent as `Authorization: Bearer …`."""
    secret: SecretStr | None = None
    """Signs the body (HMAC-SHA256)."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0


class AlertsSection(Section):
    """Who is told of troubles, and after how long each is one."""

    mail: list[MailAddress] = []
    webhooks: list[WebhookSection] = []
    after_s: Seconds = 60.0
    """A portal that is down, a broker that is away, a ledger that cannot be written."""
    paused_after_s: Annotated[float, Field(gt=0, le=30 * 86_400)] = 8 * 3600.0
    """A destination that a person paused, and perhaps forgot."""
    waiting_after_s: Annotated[float, Field(gt=0, le=30 * 86_400)] = 3600.0
    """The oldest that is due while the gate is open."""
    source_after_s: Annotated[float, Field(gt=0, le=30 * 86_400)] = 900.0
    """A source that cannot be read."""
    settle_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    """An end is told once it has lasted so long; a trouble that comes back before that goes on, and nobody is told."""

    @field_validator("webhooks")
    @classmethod
    def _names_differ(cls, webhooks: list[WebhookSection]) -> list[WebhookSection]:
        if len({one.name for one in webhooks}) < len(webhooks):
            raise ValueError("two webhooks have the same name")
        return webhooks

    @property
    def channels(self) -> list[str]:
        """Everybody that is told, as the ledger names them: `mail:ADDRESS`, `webhook:NAME`."""
        return [
            *(f"mail:{one}" for one in dict.fromkeys(self.mail)),
            *(f"webhook:{one.name}" for one in self.webhooks),
        ]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A configuration that can be run; `str()` and `repr()` show no secret."""

    file: Path
    hub: HubSection
    ledger: LedgerSection
    bus: BusSection
    agencies: AgencyRegister = field(repr=False)
    sources: Mapping[str, SourceSection]
    destinations: Mapping[str, DestinationSection]
    routes: tuple[Route, ...]
    mail: MailSection | None = None
    alerts: AlertsSection = field(default_factory=AlertsSection)
    agency_files: AgencyFilesSection | None = None
    """None where no daily files are made."""
    agencies_file: Path | None = None
    """Where `agencies` were read; None where the file names none."""
    procedures: ProcedureRegister = field(default=NO_PROCEDURES, repr=False)
    """Those that are written by hand; `hub.registers` adds what a portal shows."""
    procedures_file: Path | None = None
    """Where `procedures` were read; None where the file names none."""
    registers: RegistersSection | None = None
    """None where nothing is taken over from a portal."""

    @property
    def folder(self) -> Path:
        """Relative paths in the file are relative to this."""
        return self.file.parent

    @property
    def mapping_folders(self) -> tuple[Path, ...]:
        """Where a mapping is looked for before the shipped catalogue."""
        return (self.folder / "mappings", self.folder)
