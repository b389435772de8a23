"""`procedure`: what the register of procedures knows about a code or an alias (mã TTHC).

    procedure: code                                the canonical code; also name, field_code, field_name
    procedure: {give: name, on: received_at}       as the register stood on that day
    procedure: {give: code, unknown: reject}       of what is not known: `park` (default), `reject`, `keep`, `none`
    procedure: {give: code, register: optional}    where no procedures are registered, the code stays as it is

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

GIVES = ("code", "name", "field_code", "field_name")


def build(options: Marked, setting: Setting) -> Compiled | None:
    if not isinstance(options.value, dict):
        options = Marked({"give": options}, options.line)
    keys = Keys(options, "procedure", setting.problems)
    give = keys.choice("give", GIVES, "code")
    unknown = keys.choice("unknown", ("park", "reject", "keep", "none"), "park")
    optional = keys.choice("register", ("required", "optional"), "required") == "optional"
    on = keys.text("on", setting.day_field)
    keys.done()
    if not setting.tells_day(on):
        times = [name for name, target in setting.fields.items() if target.holds is datetime]
        said = f"procedure: {on!r} is no time of the record"
        setting.problems.add("procedure", options.line, said, nearest(on, times))
        return None
    kept = "unknown: keep" if unknown == "keep" else "register: optional" if optional else ""
    if give != "code" and kept:
        said = f"procedure: a code cannot be kept as a {give.replace('_', ' of its ')}"
        setting.problems.add("procedure", options.line, said, f"leave out `{kept}`")
    if not optional:
        setting.requires.add("procedures")

    def convert(value: Any, scope: Scope) -> Any:
        text = value if type(value) is str else text_in(value)
        if optional and not len(scope.procedures):
            return text
        at = scope.values.get(on)
        if at is None:
            # The row lacks its day, which is a refusal of its own or cannot be helped here.
            raise MootError(f"cannot be looked up without {on}")
        day = at if isinstance(at, datetime) else last_day(at)
        try:
            procedure = scope.procedures.resolve(text, day)
        except CodeUnknownError as error:
            if unknown in ("keep", "none"):
                return text if unknown == "keep" else None
            raise RefusalError(str(error), verdict=cast(Literal["park", "reject"], unknown)) from None
        if give == "field_name":
            return scope.procedures.field_name(procedure, day)
        return getattr(procedure, give)

    return Compiled(convert, "text", needs=on)


def _tried(written: str, given: str, becomes: str | None = None, **more: Any) -> Tried:
    return Tried(written, given, becomes, field=more.pop("field", "procedure_code"), kind="dossier.v1", **more)


MANUAL = Entry(
    (
        _tried("procedure: code", "1.001193.000.00.00.h59", "1.001193.H59"),
        _tried("procedure: {give: name}", "1.001193.H59", "Đăng ký khai sinh", field="procedure_name"),
        _tried("procedure: field_code", "1.001193.H59", "HT", field="field_code"),
        _tried("procedure: {give: field_name, on: received_at}", "1.001193.H59", "Hộ tịch", writing=True),
        _tried("procedure: {give: code, unknown: keep}", "9.9", "9.9"),
        _tried("procedure: {give: name, unknown: none}", "9.9", field="note"),
        _tried(
            "procedure: code",
            "1.001198.H59",
            verdict="park",
            refused="unknown procedure '1.001198.H59'; near: '1.001193.H59'",
        ),
        _tried(
            "procedure: {give: code, unknown: reject}",
            "1.001193.H61",
            refused="procedure code '1.001193.H61' means nothing on 2017-03-20: it is 1.001193.H61 from 2026-07-01",
        ),
        _tried(
            "procedure: {give: code, register: optional}",
            "9.9",
            verdict="park",
            refused="unknown procedure '9.9'",
        ),
    ),
    (
        Option("give", "`code`, `name`, `field_code`, `field_name`", "`code`", "what of it, or of its field"),
        Option("on", "a time of the record", "the receipt, or the time of the event", "the day on which it is asked"),
        Option(
            "unknown",
            "`park`, `reject`, `keep`, `none`",
            "`park`",
            "what an unknown one does: the register has to grow, the sender is at fault, it is taken as it is, "
            "it is no value",
        ),
        Option(
            "register",
            "`required`, `optional`",
            "`required`",
            "`optional`: where no procedures are registered at all, a code stays as it is, as in the mappings of the "
            "catalogue; otherwise `hub check` asks for a register",
        ),
    ),
    short="`procedure: name` is `procedure: {give: name}`",
    refuses=("park (or as `unknown` says): a code that no procedure has on that day",),
    notes=(
        "Codes and aliases are looked up in the [register of procedures](registers.md); blanks and small letters do "
        "not matter. Of a code that has ended the reason says what took its place. In the examples the register has "
        "`1.001193.H59`, Đăng ký khai sinh, of the field `HT`, Hộ tịch, with the alias `1.001193.000.00.00.H59`; and "
        "from 1 July 2026 on `1.001193.H61`.",
    ),
)

CONVERTER = Converter("procedure", "what the register of procedures knows", build, MANUAL)
