"""`agency`: what the register of agencies knows about a code, an alias or a name.

    agency: code                                   the canonical code; also level, name
    agency: {give: level, on: received_at}         as the register stood on that day
    agency: {give: code, unknown: keep}            what is not known stays as it is; `park` (default), `reject`, `none`

`on` is a field of the record; without it the time of receipt, of the event or of issue, or the last day of the period.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import Entry, Option, Tried
from mappings.notation import Keys, Marked, nearest
from mappings.refusal import MootError, RefusalError
from schemas.errors import CodeUnknownError
from schemas.period import last_day

_GIVES = ("code", "level", "name")


def build(options: Marked, setting: Setting) -> Compiled | None:
    if not isinstance(options.value, dict):
        options = Marked({"give": options}, options.line)
    keys = Keys(options, "agency", setting.problems)
    give = keys.choice("give", _GIVES, "code")
    unknown = keys.choice("unknown", ("park", "reject", "keep", "none"), "park")
    on = keys.text("on", setting.day_field)
    keys.done()
    if not setting.tells_day(on):
        times = [name for name, target in setting.fields.items() if target.holds is datetime]
        setting.problems.add("agency", options.line, f"agency: {on!r} is no time of the record", nearest(on, times))
        return None
    if give == "level" and unknown == "keep":
        setting.problems.add(
            "agency", options.line, "agency: a code cannot be kept as a level", "leave out `unknown: keep`"
        )

    def convert(value: Any, scope: Scope) -> Any:
        text = value if type(value) is str else text_in(value)
        at = scope.values.get(on)
        if at is None:
            # The row lacks its day, which is a refusal of its own or cannot be helped here.
            raise MootError(f"cannot be looked up without {on}")
        day = at if isinstance(at, datetime) else last_day(at)
        try:
            agency = scope.agencies.resolve(text, day)
        except CodeUnknownError as error:
            if unknown in ("keep", "none"):
                return text if unknown == "keep" else None
            raise RefusalError(str(error), verdict=cast(Literal["park", "reject"], unknown)) from None
        if give == "level":
            return agency.level if setting.direction == "in" else str(agency.level.value)
        return agency.code if give == "code" else agency.name

    return Compiled(convert, "code" if give == "level" else "text", needs=on)


MANUAL = Entry(
    (
        Tried("agency: code", "000.00.12.h59", "H59.12", field="agency", kind="dossier.v1"),
        Tried("agency: {give: level}", "Sở Tư pháp", "province", field="agency_level", kind="dossier.v1"),
        Tried(
            "agency: {give: name, on: received_at}",
            "H59.12",
            "Sở Tư pháp",
            field="agency",
            kind="dossier.v1",
            writing=True,
        ),
        Tried("agency: {give: code, unknown: keep}", "H99", "H99", field="agency", kind="dossier.v1"),
        Tried("agency: {give: name, unknown: none}", "H99", field="note", kind="dossier.v1"),
        Tried(
            "agency: code",
            "H59.99",
            field="agency",
            kind="dossier.v1",
            verdict="park",
            refused="unknown agency 'H59.99'; near: 'H59.12'",
        ),
        Tried(
            "agency: {give: code, unknown: reject}",
            "H59.99",
            field="agency",
            kind="dossier.v1",
            refused="unknown agency 'H59.99'; near: 'H59.12'",
        ),
    ),
    (
        Option("give", "`code`, `level`, `name`", "`code`", "what of the agency"),
        Option("on", "a time of the record", "the receipt, or the time of the event", "the day on which it is asked"),
        Option(
            "unknown",
            "`park`, `reject`, `keep`, `none`",
            "`park`",
            "what an unknown one does: the register has to grow, the sender is at fault, it is taken as it is, "
            "it is no value",
        ),
    ),
    short="`agency: level` is `agency: {give: level}`",
    refuses=("park (or as `unknown` says): what no agency is called on that day, and what two are",),
    notes=(
        "Codes and aliases go before names; blanks and small letters do not matter. A name that two agencies have "
        "on that day means neither of them, until it stands among the aliases of one. In the examples the register "
        "has one agency: `H59.12`, Sở Tư pháp, province, with the alias `000.00.12.H59`.",
    ),
)

CONVERTER = Converter("agency", "what the register of agencies knows", build, MANUAL)
