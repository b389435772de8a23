"""What a portal's answer means: one table per portal, as data, compiled once.

The table decides (docs/architecture.md): success, or one of `FaultClass`. Its rules are tried in their order and the
first that fits wins; success is only what a rule says success is. What no rule fits goes by its HTTP class:

    2xx                       transient   never success: an unknown or missing code, or a body that cannot be read
    408, 429                  throttled   after the time that Retry-After names
    401, 403                  session     403 too: gateways answer it to an expired token, and no permission depends on
                                          one dossier, so it must not send dossiers to the dead letters
    other 4xx                 data
    502, 503, 504             throttled where Retry-After names a time, else down
    other 5xx, 1xx, 3xx       transient

A code that no rule knows is counted in `AnswerTable.unknown`, logged once, and told to the ledger. Pure but for that
log and `load_answers`, which alone reads a file. It knows no portal: addresses, services and payloads belong to the
adapters.

A table (`config/answers/<portal>.yaml`):

    answers: dvcqg
    title: Cổng Dịch vụ công quốc gia
    code: error_code                    # dotted path of the code in the JSON body
    message: message                    # dotted path of the text for people
    items: {at: result, key: MaHoSo, code: error_code, message: message}     # answers per item, where there are any
    rules:
      - when: {status: 200-299, code: ["00", 0]}
        is: success
      - when: {message: đã tồn tại, mode: [new, event]}
        is: already-there
        say: Hồ sơ đã có trên Cổng

Patterns of `when`, all of which must fit: `status` (a number, a range, or a list of them); `code` (a value or a list;
`"0"` and `0` differ, null is a missing code); `message` (contains one of these texts, compared after NFC and case
folding); `lacks` (contains none of these); `call` (log-in, send, look-up); `mode` (new, update, event);
`names_field: true` (the rule's `field` finds one). docs/answers.md is the manual.

`field` finds the member of the payload that is refused: `{at: path}` in the answer or item, `{in_message: pattern}`
with a group `field` and perhaps `value`, or `payload`: a member of what was sent whose name stands in the message.
"""

from __future__ import annotations

from hub.answers.excerpt import excerpt
from hub.answers.loading import BUILT_IN, load_answers
from hub.answers.naming import Named, Naming, Sent, named, value_sent, without_values
from hub.answers.reading import MISSING, UNREADABLE, Answer, at_path, fold, retry_after_s
from hub.answers.rules import CALLS, Call, Items, Rule
from hub.answers.table import AnswerTable, Verdict, by_http_class
from hub.answers.unknown import MOST, OTHERS, SeenCode, UnknownCodes

__all__ = [
    "BUILT_IN",
    "CALLS",
    "MISSING",
    "MOST",
    "OTHERS",
    "UNREADABLE",
    "Answer",
    "AnswerTable",
    "Call",
    "Items",
    "Named",
    "Naming",
    "Rule",
    "SeenCode",
    "Sent",
    "UnknownCodes",
    "Verdict",
    "at_path",
    "by_http_class",
    "excerpt",
    "fold",
    "load_answers",
    "named",
    "retry_after_s",
    "value_sent",
    "without_values",
]
