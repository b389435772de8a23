"""`text`: the text of a value, and what is to be done to it. Trimming and NFC happen to every text unasked.

text: {}                            a number becomes its digits
text: {squeeze: true}               runs of blanks and line ends become one blank
text: {remove: " "}                 every one of these characters goes (a code with blanks inside)
text: {case: upper}                 or lower
text: {max: 50, over: cut}          at most so many characters; `over: refuse` is the default
"""

from __future__ import annotations

from typing import Any

from mappings.converters.converter import Compiled, Converter, Scope, Setting, text_in
from mappings.manual import Entry, Option, Tried
from mappings.notation import Keys, Marked
from mappings.refusal import RefusalError


def build(options: Marked, setting: Setting) -> Compiled | None:
    keys = Keys(options, "text", setting.problems)
    squeeze, remove = keys.flag("squeeze"), keys.text("remove")
    case = keys.choice("case", ("upper", "lower", "keep"), "keep")
    most, cut = keys.number("max", least=1), keys.choice("over", ("cut", "refuse"), "refuse") == "cut"
    keys.done()
    drop = dict.fromkeys(map(ord, remove))

    def convert(value: Any, scope: Scope) -> str | None:
        text = value if type(value) is str else text_in(value)
        if len(remove) == 1:
            text = text.replace(remove, "")
        elif drop:
            text = text.translate(drop)
        if squeeze:
            text = " ".join(text.split())
        if case != "keep":
            text = text.upper() if case == "upper" else text.lower()
        if most is not None and len(text) > most:
            if not cut:
                raise RefusalError(f"has {len(text)} characters, at most {most} are taken")
            text = text[:most].rstrip()
        return text or None

    return Compiled(convert, "text")


MANUAL = Entry(
    (
        Tried("text: {}", 12, "12"),
        Tried('text: {remove: " ."}', "000. 00.05 H59", "0000005H59"),
        Tried("text: {squeeze: true}", "một  cửa\nhuyện", "một cửa huyện"),
        Tried("text: {case: upper}", "h59.đ", "H59.Đ"),
        Tried("text: {max: 7}", "Trà Vinh", refused="has 8 characters, at most 7 are taken"),
        Tried("text: {max: 7, over: cut}", "Trà Vinh", "Trà Vin"),
        Tried("text: {}", 1.5, refused="is a number with a fraction, or too large to be exact; text is expected"),
    ),
    (
        Option("remove", "text", "nothing", "every one of these characters goes"),
        Option("squeeze", "`true`, `false`", "`false`", "runs of blanks and line ends become one blank"),
        Option("case", "`upper`, `lower`, `keep`", "`keep`", "capitals, or none"),
        Option("max", "a number from 1", "no limit", "characters at most"),
        Option("over", "`refuse`, `cut`", "`refuse`", "what happens to a longer text"),
    ),
    refuses=("reject: a text longer than `max`; true, false, and a number with a fraction",),
    notes=("Trimming and composing (NFC) happen to every text unasked; a text that is then empty is no value.",),
)

CONVERTER = Converter("text", "text, shortened, cased or with blanks removed", build, MANUAL)
