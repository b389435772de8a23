"""`procedure`: what the register of procedures knows about a code or an alias (mã TTHC).

    procedure: code                                the canonical code; also name, field_code, field_name
    procedure: {give: name, on: received_at}       as the register stood on that day
    procedure: {give: code, unknown: reject}       of what is not known: `park` (default), `reject`, `keep`, `none`
    procedure: {give: code, register: optional}    where no procedures are registered, the code stays as it is

`on` is a field of the record; without it the time of receipt, or the time of the event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.notation import Keys, Marked, nearest
from mappings.refusal import MootError, RefusalError
from schemas.errors import CodeUnknownError

GIVES = ("code", "name", "field_code", "field_name")


def build(options: Marked, setting: Setting) -> Compiled | None:
    if not isinstance(options.value, dict):
        options = Marked({"give": options}, options.line)
    keys = Keys(options, "procedure", setting.problems)
    give = keys.choice("give", GIVES, "code")
    unknown = keys.choice("unknown", ("park", "reject", "keep", "none"), "park")
    optional = keys.choice("register", ("required", "optional"), "required") == "optional"
    usual = "received_at" if "received_at" in setting.fields else setting.time_field or ""
    on = keys.text("on", usual)
    keys.done()
    if on not in setting.fields or setting.fields[on].holds is not datetime:
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
        day = scope.values.get(on)
        if day is None:
            # The row lacks its day, which is a refusal of its own or cannot be helped here.
            raise MootError(f"cannot be looked up without {on}")
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


CONVERTER = Converter("procedure", "what the register of procedures knows", build)
