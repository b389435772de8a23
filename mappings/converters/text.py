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


CONVERTER = Converter("text", "text, shortened, cased or with blanks removed", build)
